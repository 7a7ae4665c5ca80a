/**
 * Browsers an account has signed in from. A known one is not locked out by the guesses of others (threats.md LG3), a new one is told to the
 * owner by mail, and where the operator allows it one may spare the second factor for some days. The browser keeps one random value for all
 * its accounts; the store keeps its digest per account.
 */
import { digest, randomToken } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { Account, AccountId } from './account.ts'
import type { Accounts } from './accounts.ts'

interface DeviceRecord {
  readonly accountId: string
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly userAgent: string
  readonly ip: string
  /** Spares the second factor until then, while the account's epoch is the same. */
  readonly trustedUntil?: number
  readonly trustEpoch?: number
}

export interface Remembered {
  /** The browser's cookie from now on. */
  readonly cookie: string
  /** The owner should hear of it. */
  readonly isNews: boolean
}

export interface RememberedDevices {
  /** How long a device may spare the second factor; undefined when the operator does not allow it. */
  readonly trustDays: number | undefined
  /** For `Attempt.knownDevice`, before anybody is signed in. */
  knownFor(cookie: string | undefined, email: string): Promise<{ accountId: AccountId; id: string } | undefined>
  /** Whether this browser spares the account's second factor now: then `remembered_device` is done. */
  isTrusted(cookie: string | undefined, account: Account): Promise<boolean>
  /** After a complete sign-in. `trust` when the person asked to be spared; without effect where the operator does not allow it. */
  remember(
    cookie: string | undefined,
    account: Account,
    from: { readonly ip?: string | undefined; readonly userAgent?: string | undefined; readonly trust?: boolean },
  ): Promise<Remembered>
  /** When the newest device began that was first seen after `since` and is not the account's first; milliseconds since 1970. */
  newSince(account: Account, since: number): Promise<number | undefined>
  /** No device spares the second factor any more: a factor changed. */
  distrustAll(accountId: string): Promise<void>
  forgetAll(accountId: string): Promise<void>
}

const KEPT_MS = 180 * 24 * 3_600_000
const DAY_MS = 24 * 3_600_000
const MOST = 50
/** Accounts one browser is known for. */
const TOKENS = 5

interface Dependencies {
  readonly store: Store
  readonly accounts: Pick<Accounts, 'findByEmail'>
  readonly now: () => number
  readonly trustDays?: number | undefined
}

export function createRememberedDevices({ store, accounts, now, trustDays }: Dependencies): RememberedDevices {
  const idOf = (token: string, accountId: string) => digest(`device of ${accountId}`, token.slice(0, 100))
  /** The device this browser is for the account, and its token. */
  const find = async (cookie: string | undefined, accountId: string) => {
    for (const token of tokensIn(cookie)) {
      const entry = await store.find<DeviceRecord>('device', idOf(token, accountId))
      if (entry) return { ...entry, token }
    }
    return undefined
  }
  const pages = (accountId: string, limit: number, cursor?: string) =>
    store.list<DeviceRecord>('device', { group: 'accountId', value: accountId, limit, ...(cursor ? { cursor } : {}) })

  /** Without bound a script that keeps no cookies would fill the store. */
  const dropOldest = async (accountId: string) => {
    const { nextCursor } = await pages(accountId, MOST)
    if (!nextCursor) return
    const { items } = await pages(accountId, MOST, nextCursor)
    await Promise.all(items.map(({ id }) => store.remove('device', id)))
  }

  return {
    trustDays,
    async knownFor(cookie, email) {
      const account = tokensIn(cookie).length === 0 ? undefined : await accounts.findByEmail(email)
      const entry = account && (await find(cookie, account.id))
      return entry && { accountId: account.id, id: entry.id }
    },
    async isTrusted(cookie, account) {
      const record = (await find(cookie, account.id))?.value
      if (trustDays === undefined || record?.trustedUntil === undefined) return false
      return record.trustedUntil > now() && record.trustEpoch === account.epoch
    },
    async remember(cookie, account, { ip = '', userAgent = '', trust = false }) {
      const known = await find(cookie, account.id)
      // Unknown for this account: a fresh value, whatever the browser sent. Nobody plants one they know and waits for it to be trusted.
      const token = known?.token ?? randomToken()
      const trusted =
        trust && trustDays !== undefined ? { trustedUntil: now() + trustDays * DAY_MS, trustEpoch: account.epoch } : {}
      const isFirst = !known && (await pages(account.id, 1)).items.length === 0
      const before = known?.value ?? { createdAt: now() }
      const seen = { accountId: account.id, lastSeenAt: now(), userAgent: userAgent.slice(0, 300), ip }
      const value: DeviceRecord = { ...before, ...seen, ...trusted }
      await store.put('device', { id: idOf(token, account.id), value, expiresAt: now() + KEPT_MS }, 'replace')
      if (!known) await dropOldest(account.id)
      const isBeginning = isFirst && now() - account.createdAt < DAY_MS
      const others = tokensIn(cookie).filter((other) => other !== token)
      return { cookie: [token, ...others].slice(0, TOKENS).join('.'), isNews: !known && !isBeginning }
    },
    async newSince(account, since) {
      const { items } = await pages(account.id, MOST)
      const begun = items.map(({ value }) => value.createdAt).sort((left, right) => right - left)
      const [newest] = begun
      return begun.length > 1 && newest !== undefined && newest > since ? newest : undefined
    },
    async distrustAll(accountId) {
      const { items } = await pages(accountId, 2 * MOST)
      const trusted = items.filter(({ value }) => value.trustedUntil !== undefined)
      await Promise.all(
        trusted.map(({ id }) =>
          store.update<DeviceRecord>('device', id, ({ trustedUntil: _until, trustEpoch: _epoch, ...rest }) => ({
            value: rest,
          })),
        ),
      )
    },
    forgetAll: async (accountId) => void (await store.removeGroup('device', 'accountId', accountId)),
  }
}

function tokensIn(cookie: string | undefined): string[] {
  const tokens = (cookie ?? '').slice(0, 300).split('.')
  return tokens.filter((token) => /^[A-Za-z0-9_-]{43}$/.test(token)).slice(0, TOKENS)
}
