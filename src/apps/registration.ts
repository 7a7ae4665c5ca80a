/**
 * Apps that register themselves (RFC 7591) without anything being stored: the client id is the sealed metadata. What opens it is the root secret, so
 * it cannot be forged or altered, a hundred thousand registrations leave the store as it was, and a client that was forgotten comes back by itself.
 * The first consent of a person makes it a stored app like any other. Requests and answers of the endpoint are `api/registration.ts`'s, what metadata
 * may be `client-metadata.ts`'s.
 */
import { formatCredential } from '../credential-format.ts'
import { digest, equalSecrets, randomId, randomToken, type Vault } from '../secrets.ts'
import { type ShimName, type Shims, shimByCode, shims as table } from '../shims.ts'
import type { AppRecord, ClientId, JwkSet } from './app.ts'
import {
  type ClientMetadata,
  refusal,
  SELF_REGISTERED_AUTH,
  type TakenMetadata,
  takeMetadata,
} from './client-metadata.ts'
import { withStanding } from './records.ts'
import { keptSecret } from './secrets.ts'

/** `clientSecret` and `registrationToken` are told once and kept as digests inside the id. */
export interface Registered {
  readonly clientId: ClientId
  readonly record: AppRecord
  readonly clientSecret?: string
  readonly registrationToken: string
}

export interface Registration {
  /** @throws invalid_request: one field whose pointer is `/redirect_uris…` or another member, for the error code of RFC 7591 §3.2.2. */
  register(metadata: ClientMetadata): Registered
  /**
   * New metadata for an app that is stored already: what the client may change of its record (RFC 7592 §2.2). What an operator has decided about it and
   * that it has ended stay. @throws invalid_request, also for metadata that names another client
   */
  change(before: AppRecord, metadata: ClientMetadata, clientId: string): AppRecord
  /** The record of metadata that is not sealed into an id: a client document's. @throws invalid_request */
  read(metadata: ClientMetadata, mended?: readonly ShimName[]): AppRecord
  /** What a client id of this kind says; undefined for any other id and for one that was altered. */
  open(clientId: string): AppRecord | undefined
  /** Whether this is the token that was issued with that id (RFC 7592 §1.2). */
  isRegistrationToken(clientId: string, token: string): boolean
}

const PREFIX = 'dyn.'
const ID_LIMIT = 2048

/** What is sealed; short names, for every character stands in every access token. */
interface Sealed {
  readonly n: string
  /** Index in `SELF_REGISTERED_AUTH`. */
  readonly a: number
  readonly t: 'web' | 'spa' | 'native'
  readonly r: readonly string[]
  /** Seconds since 1970. */
  readonly i: number
  /** Digest of the registration access token, the first 128 bits. */
  readonly g: string
  /** Digest of the secret. */
  readonly s?: string
  readonly l?: readonly string[]
  readonly k?: JwkSet
  readonly u?: string
  readonly c?: string
  readonly p?: string
  readonly o?: string
  /** Always DPoP. */
  readonly d?: 1
  /** It is an agent. */
  readonly e?: 1
  /** Codes of the shims that let it in. */
  readonly q?: readonly number[]
}

interface Dependencies {
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly now: () => number
  readonly keyPrefix: string
  readonly shims: Shims
  /** Every scope there is. */
  readonly scopes: readonly string[]
  /** Scopes that apps of third parties may ask for. */
  readonly mayAsk: readonly string[]
}

export function createRegistration(dependencies: Dependencies): Registration {
  const { vault, now, keyPrefix, mayAsk } = dependencies
  const take = (metadata: ClientMetadata) => takeMetadata(metadata, dependencies)
  const unseal = (clientId: string): Sealed | undefined => {
    if (clientId.length > ID_LIMIT || !isCanonical(clientId)) return undefined
    const plain = vault.open('client id', clientId.slice(PREFIX.length))
    return plain === undefined ? undefined : (JSON.parse(plain) as Sealed)
  }

  return {
    register(metadata) {
      const registrationToken = randomToken()
      const taken = take(metadata)
      const clientSecret = taken.auth.startsWith('client_secret')
        ? formatCredential(keyPrefix, 'cs', randomId(32))
        : undefined
      const sealed: Sealed = {
        ...sealable(taken),
        i: Math.floor(now() / 1000),
        g: tokenDigest(registrationToken),
        ...(clientSecret ? { s: digest('client secret', clientSecret) } : {}),
      }
      const clientId = `${PREFIX}${vault.seal('client id', JSON.stringify(sealed))}` as ClientId
      if (clientId.length > ID_LIMIT)
        throw refusal('', 'too_long', 'This metadata is too long to register; leave something out.')
      const issued = clientSecret ? { clientSecret } : {}
      return { clientId, registrationToken, record: toRecord(sealed, mayAsk), ...issued }
    },
    read(metadata, mended = []) {
      const record = toRecord({ ...sealable(take(metadata)), i: 0, g: '' }, mayAsk)
      return { ...record, mended: [...mended, ...(record.mended ?? [])] }
    },
    change(before, metadata, clientId) {
      if ((metadata.client_id ?? clientId) !== clientId)
        throw refusal('/client_id', 'other_client', 'This is the address of another client.')
      const { secrets, auth, createdAt } = before
      const taken = take({ ...metadata, token_endpoint_auth_method: auth })
      const record = toRecord({ ...sealable(taken), i: Math.floor(createdAt / 1000), g: '' }, mayAsk)
      return { ...withStanding(record, before), secrets, updatedAt: now() }
    },
    open(clientId) {
      const sealed = unseal(clientId)
      return sealed && toRecord(sealed, mayAsk)
    },
    isRegistrationToken(clientId, token) {
      return equalSecrets(unseal(clientId)?.g ?? '', tokenDigest(token.slice(0, 200)))
    },
  }
}

/** One registration has one id: what decodes to the same bytes in another spelling would walk around its removal and its suspension. */
function isCanonical(clientId: string): boolean {
  const body = /^dyn\.[\w-]{8}\.([\w-]+)$/.exec(clientId)?.[1]
  return body !== undefined && Buffer.from(body, 'base64url').toString('base64url') === body
}

const tokenDigest = (token: string): string => digest('registration token', token).slice(0, 22)

function sealable(taken: TakenMetadata): Omit<Sealed, 'i' | 'g' | 's'> {
  const { jwks, jwksUri, clientUri, policyUri, tosUri, postLogoutRedirectUris, mended } = taken
  return {
    n: taken.name,
    a: SELF_REGISTERED_AUTH.indexOf(taken.auth),
    t: taken.type,
    r: taken.redirectUris,
    ...(postLogoutRedirectUris.length > 0 ? { l: postLogoutRedirectUris } : {}),
    ...(jwks ? { k: jwks } : {}),
    ...(jwksUri ? { u: jwksUri } : {}),
    ...(clientUri ? { c: clientUri } : {}),
    ...(policyUri ? { p: policyUri } : {}),
    ...(tosUri ? { o: tosUri } : {}),
    ...(taken.dpop ? { d: 1 } : {}),
    ...(taken.agent ? { e: 1 } : {}),
    ...(mended.length > 0 ? { q: mended.map((name) => table[name].code) } : {}),
  }
}

function toRecord(sealed: Sealed, mayAsk: readonly string[]): AppRecord {
  const createdAt = sealed.i * 1000
  const secrets = sealed.s === undefined ? [] : [{ ...keptSecret('', createdAt), digest: sealed.s }]
  const mended = (sealed.q ?? []).map(shimByCode).filter((name) => name !== undefined)
  return {
    name: sealed.n,
    type: sealed.t,
    auth: SELF_REGISTERED_AUTH[sealed.a] ?? 'none',
    redirectUris: sealed.r,
    postLogoutRedirectUris: sealed.l ?? [],
    scopes: [],
    optionalScopes: [],
    mayAsk,
    metadata: {},
    dpop: sealed.d === 1,
    agent: sealed.e === 1,
    idTokenSignedResponseAlg: 'ES256',
    firstParty: false,
    verified: false,
    selfRegistered: true,
    secrets,
    createdAt,
    updatedAt: createdAt,
    ...(mended.length > 0 ? { mended } : {}),
    ...(sealed.k ? { jwks: sealed.k } : {}),
    ...(sealed.u ? { jwksUri: sealed.u } : {}),
    ...(sealed.c ? { clientUri: sealed.c } : {}),
    ...(sealed.p ? { policyUri: sealed.p } : {}),
    ...(sealed.o ? { tosUri: sealed.o } : {}),
  }
}
