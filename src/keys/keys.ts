/**
 * API keys and personal access tokens: everything others may do with them, in one place. Issuing, ending, checking, usage, denials and
 * elevations each have their file; here they are joined, keys are found and listed, and the background work has its owner.
 */
import type { Audit } from '../observability/audit.ts'
import type { Store, Stored } from '../storage/store.ts'
import { createAllowance } from './allowance.ts'
import { callersOf, type SecretCaller, type Secrets } from './callers.ts'
import { type Checking, createChecking } from './check.ts'
import type { KeyPolicy } from './decide.ts'
import { createDenials, type Denials } from './denials.ts'
import type { UsedKey } from './describe.ts'
import { type Desk, getEntry, type OwnedKey, type Owners } from './desk.ts'
import { createElevations, type Elevations } from './elevation.ts'
import { createEnding, type Ending } from './ending.ts'
import { createIssuing, type Issuing } from './issuing.ts'
import { type KeyKind, type KeyRecord, type KeyState, listingOf, toKey } from './key.ts'
import { createLook } from './look.ts'
import { createNotices, type TellOwner } from './notices.ts'
import { removeAll } from './removal.ts'
import { repeat } from './repeat.ts'
import { createRosters } from './roster.ts'
import { scannerPattern } from './secret.ts'
import { tend } from './tending.ts'
import { createUsage } from './usage.ts'
import type { LastUse, NewPlace } from './usage-records.ts'
import { type Period, reportUsage, type UsageReport } from './usage-report.ts'

export interface KeyPage {
  readonly items: readonly UsedKey[]
  readonly nextCursor?: string
}

export interface KeyUsage extends UsageReport {
  /** The latest first. */
  readonly callers: readonly SecretCaller[]
}

interface Finding {
  /** Whoever owns it: for operators. */
  find(id: string): Promise<UsedKey | undefined>
  /** @throws not_found, for a foreign key too. */
  getOwned(owned: OwnedKey): Promise<UsedKey>
  /** Root keys of one owner and kind, newest first, or of them those in one of the states. A page may be short and still have a next one. */
  list(options: {
    ownerId: string
    kind: KeyKind
    states?: readonly KeyState[] | undefined
    cursor?: string | undefined
    limit?: number
  }): Promise<KeyPage>
  /** Every key there is, children too, in any order: for operators. */
  listAll(paging?: { cursor?: string; limit?: number }): Promise<KeyPage>
  /** Every descendant, at most 1,000, newest first. One whose ancestor has ended has ended. @throws not_found */
  descendants(owned: OwnedKey): Promise<UsedKey[]>
  /** Calls by day or hour and the last callers. @throws not_found, invalid_request */
  usage(owned: OwnedKey, period?: Period): Promise<KeyUsage>
}

interface Keeping {
  /** Ends and removes all of an owner's keys, for an account that is removed. */
  removeAll(ownerId: string): Promise<void>
  /** Sends notices there from now on. Returns the way to stop. */
  onNotice(tell: TellOwner): () => void
  /** An account was changed in this process: what is known of it is read again. */
  forgetOwner(ownerId: string): void
  /** A regular expression that finds credentials of this server, for secret scanners. */
  readonly pattern: string
  /** What keys may hold, and for how long. */
  readonly policy: KeyPolicy
  readonly denials: Denials
  readonly elevations: Elevations
}

interface Running {
  /** Writes usage every few seconds and does what falls due, until `stop`. */
  start(): void
  /** Ends the background work and writes what was counted. */
  stop(): Promise<void>
  /** Writes what was counted, now. */
  flush(): Promise<boolean>
  /** Does what has fallen due, now. */
  tend(): Promise<void>
}

export type Keys = Issuing & Ending & Checking & Finding & Keeping & Running

export interface KeysDependencies {
  readonly store: Store
  readonly audit: Audit
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly keyPrefix: string
  readonly owners: Owners
  readonly policy: KeyPolicy
  /** How long denials can be read. */
  readonly denialSeconds: number
  /** Told of what failed in the background or beside an act that is done. */
  readonly onTrouble?: (error: unknown) => void
}

const PAGE_SIZE = 50
/** Keys looked at for one page of a filter: more than one owner has. */
const LOOKED_AT = 1_000
const FLUSH_MS = 3_000
const TEND_MS = 60_000
const LAST_FLUSHES = 3

export function createKeys(dependencies: KeysDependencies): Keys {
  const { store, audit, now, keyPrefix, owners, policy, denialSeconds, onTrouble } = dependencies
  const trouble = onTrouble ? { onTrouble } : {}
  const look = createLook({ store, now, keyPrefix, owners })
  const notices = createNotices({ store, now, owners, ...trouble })
  const denials = createDenials({ store, now, keptSeconds: denialSeconds, ...trouble })
  const desk: Desk = {
    store,
    audit,
    now,
    keyPrefix,
    owners,
    policy,
    look,
    notices,
    rosters: createRosters({ store, now }),
  }
  const usage = createUsage({ store, now, onNewPlace: (place) => tellNewPlace(desk, place), ...trouble })
  const work = [
    repeat({ act: usage.flush, everyMs: FLUSH_MS, ...trouble }),
    repeat({ act: () => tend(desk), everyMs: TEND_MS, ...trouble }),
  ]
  return {
    ...createIssuing(desk),
    ...createEnding(desk),
    ...createChecking({ look, policy, allowance: createAllowance({ store, now }), denials, usage, now }),
    ...finding(desk, usage.flush),
    removeAll: (ownerId) => removeAll(store, ownerId),
    onNotice: notices.listen,
    forgetOwner: look.forgetOwner,
    pattern: scannerPattern(keyPrefix),
    policy,
    denials,
    elevations: createElevations({ store, audit, now, policy, owners, onChange: look.forgetKey }),
    start: () => {
      for (const one of work) one.start()
    },
    async stop() {
      await Promise.all([...work.map((one) => one.stop()), denials.settled()])
      for (let left = LAST_FLUSHES; left > 0 && !(await usage.flush()); left -= 1);
    },
    flush: usage.flush,
    tend: () => tend(desk),
  }
}

function finding(desk: Desk, flush: () => Promise<boolean>): Finding {
  const { store, now } = desk
  const withUse = async (entry: Stored<KeyRecord>): Promise<UsedKey> => {
    const use = (await store.find<LastUse>('key_use', entry.id))?.value
    return { ...toKey(entry, now()), ...lastUseOf(use) }
  }
  const page = async (options: Parameters<Store['list']>[1]): Promise<KeyPage> => {
    const { items, ...more } = await store.list<KeyRecord>('key', options)
    return { items: await Promise.all(items.map(withUse)), ...more }
  }
  return {
    async find(id) {
      const entry = await store.find<KeyRecord>('key', id)
      return entry && withUse(entry)
    },
    getOwned: async (owned) => withUse(await getEntry(desk, owned)),
    async list({ ownerId, kind, states, cursor, limit = PAGE_SIZE }) {
      const group = { group: 'listing', value: listingOf(ownerId, kind) }
      const items: UsedKey[] = []
      let next = cursor
      // Pages asked of the store are as long as what is still missing, so that the cursor continues behind the last one shown.
      for (let looked = 0; looked < LOOKED_AT && items.length < limit; ) {
        const wanted = limit - items.length
        const found = await page({ ...group, limit: wanted, ...(next ? { cursor: next } : {}) })
        items.push(...found.items.filter(({ state }) => states?.includes(state) ?? true))
        looked += wanted
        next = found.nextCursor
        if (!next) break
      }
      return { items, ...(next ? { nextCursor: next } : {}) }
    },
    listAll: async (paging = {}) => page(paging),
    async descendants(owned) {
      const root = await getEntry(desk, owned)
      const rootId = root.value.ancestors[0] ?? owned.id
      const { items } = await store.list<KeyRecord>('key', { group: 'rootId', value: rootId, limit: 1000 })
      const below = items.filter(({ value }) => value.ancestors.includes(owned.id))
      const states = new Map([...items, root].map((entry) => [entry.id, toKey(entry, now()).state]))
      return Promise.all(below.map(async (entry) => endedWith(await withUse(entry), states)))
    },
    async usage(owned, period = {}) {
      const { value } = await getEntry(desk, owned)
      await flush()
      const report = await reportUsage({ store, now }, owned.id, period)
      const use = (await store.find<LastUse>('key_use', owned.id))?.value
      return { ...report, callers: callersOf(use, secretsOf(value, now()), now()) }
    },
  }
}

function secretsOf({ current, old }: KeyRecord, now: number): Secrets {
  const living = old && old.endsAt > now ? { name: String(old.number), replacedAt: old.replacedAt } : undefined
  return { current: String(current.number), old: living }
}

function lastUseOf(use: LastUse | undefined): Pick<UsedKey, 'lastUsedAt' | 'lastUsedIp' | 'lastUserAgent'> {
  if (use?.lastAt === undefined) return {}
  return { lastUsedAt: use.lastAt, lastUsedIp: use.ip ?? '', lastUserAgent: use.userAgent ?? '' }
}

/** A child is what its nearest ended ancestor is. */
function endedWith(key: UsedKey, states: ReadonlyMap<string, KeyState>): UsedKey {
  if (key.state === 'revoked' || key.state === 'expired') return key
  const isDead = key.ancestors.some((id) => !['active', 'rotating'].includes(states.get(id) ?? 'revoked'))
  return isDead ? { ...key, state: 'revoked', revoked: key.revoked ?? { at: key.updatedAt, reason: 'parent' } } : key
}

async function tellNewPlace({ store, notices, now }: Desk, { subject, place, caller }: NewPlace): Promise<void> {
  const entry = await store.find<KeyRecord>('key', subject)
  if (!entry || entry.value.createdNetwork === place || entry.value.ancestors.length > 0) return
  const { ip, userAgent, firstAt: at } = caller
  await notices.tell(`network ${place}`, { event: 'new_network', key: toKey(entry, now()), at, ip, userAgent })
}
