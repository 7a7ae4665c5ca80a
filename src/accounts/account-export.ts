/**
 * Everything held about an account as one plain object, for its owner. Each part of the server gives its own share, without secrets; this file
 * only gathers and gives what the account domain itself holds.
 */
import type { Caller } from '../observability/audit.ts'
import type { LogRecord, Store } from '../storage/store.ts'
import type { Accounts } from './accounts.ts'
import { describeAccount } from './describe.ts'
import type { FactorRecords } from './factor-record.ts'

/** What one part holds about an account, as plain JSON; it never gives a secret, not even a digest. */
export type ExportSource = (accountId: string) => Promise<unknown>

interface Dependencies {
  readonly store: Store
  readonly accounts: Accounts
  readonly records: FactorRecords
  readonly now: () => number
  /** Further parts by name: sessions, connected apps, keys … */
  readonly sources: Readonly<Record<string, ExportSource>>
}

/** The export of an account. @throws not_found */
export function createAccountExport(dependencies: Dependencies) {
  const { store, accounts, records, now, sources } = dependencies
  return async (accountId: string): Promise<Record<string, unknown>> => {
    const account = await accounts.getById(accountId)
    const held: Record<string, unknown> = {
      exported_at: new Date(now()).toISOString(),
      account: { ...describeAccount(account), picture: account.picture ?? null },
      factors: await describeFactors(records, accountId),
      devices: await listDevices(store, accountId),
      activity: await readActivity(store, accountId),
    }
    for (const [name, source] of Object.entries(sources)) held[name] = await source(accountId)
    return held
  }
}

async function describeFactors(records: FactorRecords, accountId: string) {
  const { totp, recovery, passkeys } = await records.find(accountId)
  return {
    totp_since: totp ? at(totp.confirmedAt) : null,
    recovery_codes_left: recovery?.codeDigests.length ?? 0,
    passkeys: passkeys.map(({ id, name, createdAt, lastUsedAt, backedUp }) => ({
      id,
      name,
      created_at: at(createdAt),
      last_used_at: lastUsedAt === undefined ? null : at(lastUsedAt),
      synced: backedUp,
    })),
  }
}

async function listDevices(store: Store, accountId: string) {
  type Device = { createdAt: number; lastSeenAt: number; userAgent: string; ip: string }
  const { items } = await store.list<Device>('device', { group: 'accountId', value: accountId, limit: 1000 })
  return items.map(({ value }) => ({
    first_seen_at: at(value.createdAt),
    last_seen_at: at(value.lastSeenAt),
    user_agent: value.userAgent,
    ip: value.ip,
  }))
}

async function readActivity(store: Store, accountId: string) {
  const all: LogRecord[] = []
  let cursor: string | undefined
  do {
    const page = await store.read(accountId, { limit: 1000, ...(cursor ? { cursor } : {}) })
    all.push(...page.items)
    cursor = page.nextCursor
  } while (cursor)
  return all.map(({ record, at: when }) => ({
    ...record,
    at: at(when),
    caller: toldCaller(record['caller'] as Caller),
  }))
}

/** Who did it; of an operator no more than that it was one. */
function toldCaller(caller: Caller | undefined): Caller | undefined {
  return caller?.kind === 'operator' ? { kind: 'operator' } : caller
}

const at = (milliseconds: number) => new Date(milliseconds).toISOString()
