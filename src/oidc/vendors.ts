/**
 * A vendor as one account knows it: everything that apps of one host hold, one row and one stop. The entry outlives what it names, so that an answer
 * that was on its way when the person pressed Stop finds the mark and gives nothing: whoever allows says how often the vendor had been stopped by
 * then, and is refused when that has changed. Marks are compared, never clocks.
 */
import type { App } from '../apps/app.ts'
import { vendorOf } from '../apps/vendor.ts'
import { hasCode } from '../errors.ts'
import { digest } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'

export interface VendorRecord {
  readonly ownerId: string
  /** As `ownerId`, while something is connected: the group by which the rows are listed. */
  readonly accountId?: string
  readonly key: string
  readonly host?: string
  readonly stops: number
}

interface Named {
  readonly id: string
  readonly ownerId: string
  readonly key: string
  readonly host?: string
}

export interface Vendors {
  of(accountId: string, app: App): Named
  stops(accountId: string, app: App): Promise<number>
  /** Shows the vendor as connected; false when it has been stopped since. Always writes, so that `clear` notices. */
  connect(vendor: Named, stops: number): Promise<boolean>
  /** Rows of an account, newest first. */
  list(
    accountId: string,
    paging: { cursor?: string; limit?: number },
  ): Promise<{ items: readonly Stored<VendorRecord>[]; nextCursor?: string }>
  find(accountId: string, id: string): Promise<Stored<VendorRecord> | undefined>
  /** Refuses what was allowed before and arrives now; the row stays until nothing is under it. False when the account has no such vendor. */
  fence(accountId: string, id: string): Promise<boolean>
  /** Takes a row away under which nothing was found, unless something was connected since the row was read. */
  clear(row: Stored<VendorRecord>): Promise<void>
}

/** Longer than any interaction lives, whose answer could still be on its way. */
const REMEMBERED_MS = 3 * 86_400_000
const NEVER_MS = 36_500 * 86_400_000

export function createVendors({ store, now }: { store: Store; now: () => number }): Vendors {
  const find: Vendors['find'] = async (accountId, id) => {
    const row = await store.find<VendorRecord>('vendor', id)
    return row?.value.ownerId === accountId ? row : undefined
  }

  return {
    of(accountId, app) {
      const { key, host } = vendorOf(app)
      return { id: vendorId(accountId, key), ownerId: accountId, key, ...(host === undefined ? {} : { host }) }
    },
    async stops(accountId, app) {
      return (await find(accountId, this.of(accountId, app).id))?.value.stops ?? 0
    },
    async connect({ id, ownerId, key, host }, stops) {
      const record = { ownerId, accountId: ownerId, key, ...(host === undefined ? {} : { host }), stops }
      const expiresAt = now() + NEVER_MS
      const mark = () =>
        store.update<VendorRecord>('vendor', id, (value) =>
          value.stops === stops ? { value: { ...value, ...record }, expiresAt } : undefined,
        )
      const { changed, entry } = await mark()
      if (changed || entry) return changed
      if (stops !== 0) return false
      try {
        await store.put<VendorRecord>('vendor', { id, value: record, expiresAt }, 'create')
        return true
      } catch (error) {
        if (hasCode(error, 'conflict')) return (await mark()).changed
        throw error
      }
    },
    list: (accountId, paging) =>
      store.list<VendorRecord>('vendor', { group: 'accountId', value: accountId, ...paging }),
    find,
    async fence(accountId, id) {
      const { changed } = await store.update<VendorRecord>('vendor', id, (value) =>
        value.ownerId === accountId ? { value: { ...value, stops: value.stops + 1 } } : undefined,
      )
      return changed
    },
    async clear({ id, version }) {
      await store.update<VendorRecord>('vendor', id, ({ accountId: _shown, ...value }, entry) =>
        entry.version === version ? { value, expiresAt: now() + REMEMBERED_MS } : undefined,
      )
    },
  }
}

export function vendorId(accountId: string, key: string): string {
  return digest('vendor', `${accountId}\n${key}`)
}
