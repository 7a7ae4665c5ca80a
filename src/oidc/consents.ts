/**
 * What an account has allowed, as its owner sees and changes it: connected apps. A consent only ever shrinks here; it is widened by consenting again.
 * Shrinking and ending reach the token families that live by it, so that the next refresh, introspection or userinfo already knows.
 */
import type { AdapterPayload } from 'oidc-provider'
import { AppError } from '../errors.ts'
import type { Vault } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import { openArtefact, sealArtefact } from './artefacts.ts'
import { type Consent, IDENTITY, type ScopeMap } from './grants.ts'
import type { Artefact } from './work.ts'

/** A consent with how much lives by it. Times are milliseconds since 1970. */
export interface ConnectedApp extends Consent {
  readonly id: string
  readonly expiresAt?: number
  /** Token families that are alive; at most 100 are counted. */
  readonly families: number
}

export interface ConnectedPage {
  readonly items: readonly ConnectedApp[]
  readonly nextCursor?: string
}

/** What may stay: scopes that are left (identity scopes stay with them), and an earlier end. */
export interface Shrinking {
  readonly scopes?: readonly string[]
  readonly expiresAt?: number
}

export interface Consents {
  list(accountId: string, options?: { cursor?: string; limit?: number }): Promise<ConnectedPage>
  /** @throws not_found, for a foreign consent too. */
  getOwned(accountId: string, id: string): Promise<ConnectedApp>
  /** @throws not_found, invalid_request for a scope or an end beyond what there is. */
  shrink(accountId: string, id: string, change: Shrinking): Promise<ConnectedApp>
  /** Ends the consent and every family that lives by it. @throws not_found */
  end(accountId: string, id: string): Promise<Consent>
}

const FOREVER_MS = 50 * 365 * 86_400_000

export function createConsents({ store, vault }: { store: Store; vault: Vault }): Consents {
  const getEntry = async (accountId: string, id: string): Promise<Stored<Consent>> => {
    const entry = await store.find<Consent>('consent', id)
    if (entry?.value.accountId === accountId) return entry
    throw new AppError('not_found', 'There is no such connected app.')
  }
  const families = async (id: string) =>
    (await store.list<Artefact>('grant', { group: 'consentId', value: id, limit: 100 })).items
  const shown = async (entry: Stored<Consent>): Promise<ConnectedApp> => ({
    ...entry.value,
    id: entry.id,
    families: (await families(entry.id)).length,
    // "Until revoked" is kept as a very late end.
    ...(entry.expiresAt === undefined || entry.expiresAt - entry.value.lastAt > FOREVER_MS
      ? {}
      : { expiresAt: entry.expiresAt }),
  })

  return {
    async list(accountId, options = {}) {
      const { items, ...more } = await store.list<Consent>('consent', {
        group: 'accountId',
        value: accountId,
        ...options,
      })
      return { items: await Promise.all(items.map(shown)), ...more }
    },
    getOwned: async (accountId, id) => shown(await getEntry(accountId, id)),
    async shrink(accountId, id, change) {
      const before = await getEntry(accountId, id)
      refuseWidening(before, change)
      const { entry = before } = await store.update<Consent>('consent', id, (value) => ({
        value: change.scopes ? { ...value, scopes: reduced(value.scopes, change.scopes) } : value,
        ...(change.expiresAt === undefined ? {} : { expiresAt: change.expiresAt }),
      }))
      for (const family of await families(id)) await shrinkFamily({ store, vault }, family, change)
      return shown(entry)
    },
    async end(accountId, id) {
      const { value } = await getEntry(accountId, id)
      // The consent first: what is authorized meanwhile must ask again.
      await store.remove('consent', id)
      await store.removeGroup('grant', 'consentId', id)
      return value
    },
  }
}

function refuseWidening({ value, expiresAt }: Stored<Consent>, change: Shrinking): void {
  const held = new Set(Object.values(value.scopes).flat())
  const wider = change.scopes?.find((scope) => !held.has(scope))
  if (wider !== undefined) refuse('/scopes', `${wider.slice(0, 100)} was never allowed; an app has to ask for it.`)
  if (change.expiresAt !== undefined && expiresAt !== undefined && change.expiresAt > expiresAt) {
    refuse('/expires_at', 'A consent can only end earlier than it does.')
  }
}

function refuse(pointer: string, detail: string): never {
  throw new AppError('invalid_request', detail, { details: { fields: [{ pointer, code: 'widening', detail }] } })
}

function reduced(scopes: ScopeMap, kept: readonly string[]): ScopeMap {
  const left = Object.entries(scopes).map(
    ([key, list]) => [key, key === IDENTITY ? list : list.filter((scope) => kept.includes(scope))] as const,
  )
  return Object.fromEntries(left.filter(([, list]) => list.length > 0))
}

type GrantPayload = {
  openid?: { scope?: string }
  resources?: Record<string, string>
  exp?: number
}

/** The library's grant keeps its scopes as text per resource; the sealed payload is written anew over the version that was read. */
async function shrinkFamily(
  { store, vault }: { store: Store; vault: Vault },
  family: Stored<Artefact>,
  { scopes, expiresAt }: Shrinking,
): Promise<void> {
  await store.update<Artefact>(
    'grant',
    family.id,
    (value, entry) => {
      const payload = openArtefact(vault, 'Grant', value) as unknown as GrantPayload | undefined
      if (!payload) return undefined
      const isKept = (scope: string) =>
        !scopes || scopes.includes(scope) || payload.openid?.scope?.split(' ').includes(scope)
      const resources = Object.entries(payload.resources ?? {}).map(([resource, held]) => [
        resource,
        held.split(' ').filter(isKept).join(' '),
      ])
      const seconds =
        expiresAt === undefined
          ? payload.exp
          : Math.min(payload.exp ?? Number.POSITIVE_INFINITY, Math.floor(expiresAt / 1000))
      const next = {
        ...payload,
        resources: Object.fromEntries(resources),
        ...(seconds === undefined ? {} : { exp: seconds }),
      }
      const end = expiresAt === undefined ? entry.expiresAt : Math.min(expiresAt, entry.expiresAt ?? expiresAt)
      return {
        value: { ...value, ...sealArtefact(vault, 'Grant', next as unknown as AdapterPayload) },
        ...(end === undefined ? {} : { expiresAt: end }),
      }
    },
    family,
  )
}
