/**
 * How each of the library's models is stored: a table from model to kind, and the two directions of the translation.
 * Ids that are bearer values are digested; payloads are sealed, so a dump of the store holds nothing usable.
 * A grant's id is no credential and stands in clear: access tokens carry it to be found again.
 */
import type { AdapterPayload } from 'oidc-provider'
import { digest, type Vault } from '../secrets.ts'
import type { Kind } from '../storage/kinds.ts'
import type { Artefact } from './work.ts'

export type Model =
  | 'AuthorizationCode'
  | 'DeviceCode'
  | 'RefreshToken'
  | 'PushedAuthorizationRequest'
  | 'Grant'
  | 'Session'
  | 'Interaction'

/** `redeemed`: single use is settled with the answer (`at_answer`) or at once (`at_once`). */
interface ModelShape {
  readonly kind: Kind
  readonly idIsSecret: boolean
  readonly redeemed?: 'at_answer' | 'at_once'
}

export const models: Readonly<Record<Model, ModelShape>> = {
  AuthorizationCode: { kind: 'authorization_code', idIsSecret: true, redeemed: 'at_answer' },
  DeviceCode: { kind: 'device_code', idIsSecret: true, redeemed: 'at_answer' },
  RefreshToken: { kind: 'refresh_token', idIsSecret: true, redeemed: 'at_answer' },
  PushedAuthorizationRequest: { kind: 'pushed_request', idIsSecret: true, redeemed: 'at_once' },
  Grant: { kind: 'grant', idIsSecret: false },
  Session: { kind: 'session', idIsSecret: true },
  Interaction: { kind: 'interaction', idIsSecret: true },
}

/** Seconds an entry outlives its artefact, so that a clock behind ours still finds the used mark. */
export const CLOCK_TOLERANCE_SECONDS = 15

export function artefactId(model: Model, id: string): string {
  const shape = models[model]
  return shape.idIsSecret ? digest(shape.kind, id) : id
}

/** The digest under which a device's user code is found; keyed, for a user code is short enough to guess. */
export function userCodeDigest(vault: Vault, userCode: string): string {
  return vault.fingerprint('user code', userCode)
}

/** Payload → stored value: sealed, with the plain fields that indexes and lists need. */
export function sealArtefact(vault: Vault, model: Model, payload: AdapterPayload): Artefact {
  const { kind } = models[model]
  const { consumed: _settledBesideThePayload, ...rest } = payload
  return {
    sealed: vault.seal(kind, JSON.stringify(rest)),
    ...(payload.accountId ? { accountId: payload.accountId } : {}),
    ...(payload.clientId ? { clientId: payload.clientId } : {}),
    ...(model === 'Interaction' ? whoseInteraction(payload) : {}),
    ...(model === 'Session' && payload.uid ? { uid: payload.uid } : {}),
    ...(model === 'DeviceCode' && payload.userCode ? { userCodeDigest: userCodeDigest(vault, payload.userCode) } : {}),
  }
}

/** By whom it is found when its account or app loses everything: the person may have signed in within it. */
function whoseInteraction({ session, params, result }: AdapterPayload): Pick<Artefact, 'accountId' | 'clientId'> {
  const login = (result as { login?: { accountId?: string } } | undefined)?.login
  const owner = login?.accountId ?? (session as { accountId?: string } | undefined)?.accountId
  const clientId = (params as { client_id?: unknown } | undefined)?.client_id
  return { ...(owner ? { accountId: owner } : {}), ...(typeof clientId === 'string' ? { clientId } : {}) }
}

/** Stored value → payload; undefined when it was sealed with a root secret this server no longer has. */
export function openArtefact(vault: Vault, model: Model, value: Artefact): AdapterPayload | undefined {
  const plain = vault.open(models[model].kind, value.sealed)
  if (plain === undefined) return undefined
  const payload = JSON.parse(plain) as AdapterPayload
  return value.consumedAt === undefined ? payload : { ...payload, consumed: Math.floor(value.consumedAt / 1000) }
}
