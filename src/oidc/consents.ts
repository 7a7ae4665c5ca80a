/**
 * What an account has allowed, as its owner sees and changes it: connected apps, by vendor. A consent only ever shrinks here; it is widened by
 * consenting again. One write to the consent is enough: every use of a grant reads it (`standing.ts`). Rows are paged by an index, never by a walk.
 */
import { aloneVendor } from '../apps/vendor.ts'
import { AppError } from '../errors.ts'
import type { Store, Stored } from '../storage/store.ts'
import type { Clients } from './clients.ts'
import type { ConsentHistory, ConsentNote } from './consent-history.ts'
import { type ConnectionDetail, detailsOf, isScope } from './details.ts'
import type { Consent } from './grants.ts'
import { keep, type ScopeMap } from './scope-map.ts'
import { reduced, refuseWidening, type Shrinking } from './shrinking.ts'
import { createVendors, vendorId } from './vendors.ts'
import type { Artefact } from './work.ts'

/** A consent with how much lives by it. Times are milliseconds since 1970. */
export interface ConnectedApp {
  readonly id: string
  readonly clientId: string
  readonly scopes: ScopeMap
  /** Single connections, with the resource at which each holds. */
  readonly connections: readonly ConnectionDetail[]
  readonly duration: Consent['duration']
  readonly firstAt: number
  readonly lastAt: number
  readonly usedAt?: number
  readonly expiresAt?: number
  /** Token families that are alive; at most 100 are counted. */
  readonly families: number
}

/** Everything one vendor holds: its newest apps, and whether there are more. */
export interface ConnectedVendor {
  readonly id: string
  readonly key: string
  readonly host?: string
  readonly apps: readonly ConnectedApp[]
  readonly hasMore: boolean
  /** At most 100 are counted. */
  readonly families: number
}

/** One line of the history. `refused` are the scopes that were asked for beside it. */
export interface PastConsent extends Omit<ConsentNote, 'accountId' | 'refused'> {
  readonly connections: readonly ConnectionDetail[]
  readonly refused: readonly string[]
}

interface Paging {
  readonly cursor?: string
  readonly limit?: number
}

interface Listed<T> {
  readonly items: readonly T[]
  readonly nextCursor?: string
}

export interface Consents {
  list(accountId: string, paging?: Paging): Promise<Listed<ConnectedApp>>
  listVendors(accountId: string, paging?: Paging): Promise<Listed<ConnectedVendor>>
  /** @throws not_found, for a foreign consent too. */
  getOwned(
    accountId: string,
    id: string,
  ): Promise<ConnectedApp & { readonly vendor: Pick<ConnectedVendor, 'key' | 'host'> }>
  /** @throws not_found, invalid_request for a scope or an end beyond what there is. */
  shrink(accountId: string, id: string, change: Shrinking): Promise<ConnectedApp>
  /** Ends the consent and every family that lives by it. @throws not_found */
  end(accountId: string, id: string): Promise<{ readonly clientId: string }>
  /**
   * Ends everything of one vendor: consents, families, codes and device codes by them, interactions that wait, and answers on their way.
   * @throws not_found
   */
  stop(accountId: string, vendor: { key: string } | { id: string }): Promise<{ readonly clientIds: readonly string[] }>
  /** What was ever allowed, newest first; of one app, or of all. */
  history(accountId: string, paging?: Paging & { readonly id?: string }): Promise<Listed<PastConsent>>
}

interface Parts {
  readonly store: Store
  readonly clients: Clients
  readonly history: ConsentHistory
  readonly now: () => number
}

const FOREVER_MS = 50 * 365 * 86_400_000
const COUNTED_FAMILIES = 100
const SHOWN_APPS = 50
const ENDED_AT_ONCE = 200

export function createConsents({ store, clients, history, now }: Parts): Consents {
  const vendors = createVendors({ store, now })

  const getEntry = async (accountId: string, id: string): Promise<Stored<Consent>> => {
    const entry = await store.find<Consent>('consent', id)
    if (entry?.value.accountId === accountId) return entry
    throw new AppError('not_found', 'There is no such connected app.')
  }
  const countFamilies = async (group: 'consentId' | 'vendorId', value: string) =>
    (await store.list<Artefact>('grant', { group, value, limit: COUNTED_FAMILIES })).items.length

  const withFamilies = async (entry: Stored<Consent>) => shown(entry, await countFamilies('consentId', entry.id))

  const vendorRow = async (row: Awaited<ReturnType<typeof vendors.list>>['items'][number]) => {
    const group = { group: 'vendorId', value: row.id, limit: SHOWN_APPS }
    const [page, families] = await Promise.all([
      store.list<Consent>('consent', group),
      countFamilies('vendorId', row.id),
    ])
    // Everything under it has ended by itself.
    if (page.items.length === 0) await vendors.clear(row)
    const apps =
      page.items.length === 1 && page.items[0]
        ? [shown(page.items[0], families)]
        : await Promise.all(page.items.map(withFamilies))
    const { key, host } = row.value
    return {
      id: row.id,
      key,
      ...(host === undefined ? {} : { host }),
      apps,
      hasMore: page.nextCursor !== undefined,
      families,
    }
  }

  const noteEnd = ({ id, value: { accountId, clientId } }: Stored<Consent>) =>
    history.note({ accountId, clientId, consentId: id, act: 'ended', scopes: {} })

  /** Pages that wait for this person's answer to one of these apps. */
  const dropInteractions = async (accountId: string, isMeant: (clientId: string) => Promise<boolean>) => {
    let cursor: string | undefined
    do {
      const group = { group: 'accountId', value: accountId, limit: 200, ...(cursor ? { cursor } : {}) }
      const page = await store.list<Artefact>('interaction', group)
      for (const { id, value } of page.items)
        if (value.clientId && (await isMeant(value.clientId))) await store.remove('interaction', id)
      cursor = page.nextCursor
    } while (cursor)
  }

  return {
    async list(accountId, paging = {}) {
      const { items, ...more } = await store.list<Consent>('consent', {
        group: 'accountId',
        value: accountId,
        ...paging,
      })
      return { items: await Promise.all(items.map(withFamilies)), ...more }
    },
    async listVendors(accountId, paging = {}) {
      const { items, nextCursor } = await vendors.list(accountId, { limit: 20, ...paging })
      const rows = await Promise.all(items.map(vendorRow))
      return { items: rows.filter(({ apps }) => apps.length > 0), ...(nextCursor ? { nextCursor } : {}) }
    },
    async getOwned(accountId, id) {
      const entry = await getEntry(accountId, id)
      const [app, row] = await Promise.all([withFamilies(entry), vendors.find(accountId, entry.value.vendorId)])
      const { key, host } = row?.value ?? aloneVendor(entry.value.clientId)
      return { ...app, vendor: { key, ...(host === undefined ? {} : { host }) } }
    },
    async shrink(accountId, id, change) {
      const before = await getEntry(accountId, id)
      const { clientId } = before.value
      refuseWidening(before, change)
      const left = reduced(before.value.scopes, change)
      const end = change.expiresAt === undefined ? {} : { expiresAt: change.expiresAt }
      await history.note({ accountId, clientId, consentId: id, act: 'narrowed', scopes: left, ...end })
      const { entry } = await store.update<Consent>('consent', id, (value, { expiresAt }) => ({
        value: { ...value, scopes: reduced(value.scopes, change) },
        ...(change.expiresAt === undefined
          ? {}
          : { expiresAt: Math.min(change.expiresAt, expiresAt ?? change.expiresAt) }),
      }))
      return withFamilies(entry ?? before)
    },
    async end(accountId, id) {
      const entry = await getEntry(accountId, id)
      const { clientId } = entry.value
      await noteEnd(entry)
      await vendors.fence(accountId, entry.value.vendorId)
      // The consent before its families: what is authorized meanwhile must ask again.
      await store.remove('consent', id)
      await store.removeGroup('grant', 'consentId', id)
      await dropInteractions(accountId, async (waiting) => waiting === clientId)
      return { clientId }
    },
    async stop(accountId, vendor) {
      const id = 'id' in vendor ? vendor.id : vendorId(accountId, vendor.key)
      if (!(await vendors.fence(accountId, id))) throw new AppError('not_found', 'There is no such connected app.')
      const clientIds: string[] = []
      for (let isLeft = true; isLeft; ) {
        const row = await vendors.find(accountId, id)
        const { items } = await store.list<Consent>('consent', { group: 'vendorId', value: id, limit: ENDED_AT_ONCE })
        await Promise.all(items.map((entry) => noteEnd(entry).then(() => store.remove('consent', entry.id))))
        clientIds.push(...items.map(({ value }) => value.clientId))
        isLeft = items.length > 0
        if (row && !isLeft) await vendors.clear(row)
      }
      await store.removeGroup('grant', 'vendorId', id)
      await dropInteractions(accountId, async (waiting) => {
        const app = clientIds.includes(waiting) ? undefined : await clients.app(waiting)
        return app === undefined ? clientIds.includes(waiting) : vendors.of(accountId, app).id === id
      })
      return { clientIds: [...new Set(clientIds)] }
    },
    async history(accountId, { id, ...paging } = {}) {
      const { items, ...more } = await history.list(id === undefined ? { accountId } : { consentId: id }, paging)
      return { items: items.filter((note) => note.accountId === accountId).map(past), ...more }
    },
  }
}

function past({ accountId: _owner, scopes, refused = {}, ...note }: ConsentNote): PastConsent {
  return {
    ...note,
    scopes: keep(scopes, isScope),
    connections: detailsOf(scopes, 'locations'),
    refused: [...new Set(Object.values(refused).flat())].filter(isScope),
  }
}

function shown({ id, value, expiresAt }: Stored<Consent>, families: number): ConnectedApp {
  const { clientId, scopes, duration, firstAt, lastAt, usedAt } = value
  // "Until revoked" is kept as a very late end.
  const ends = expiresAt === undefined || expiresAt - lastAt > FOREVER_MS ? {} : { expiresAt }
  return {
    id,
    clientId,
    scopes: keep(scopes, isScope),
    connections: detailsOf(scopes, 'locations'),
    duration,
    firstAt,
    lastAt,
    families,
    ...(usedAt === undefined ? {} : { usedAt }),
    ...ends,
  }
}
