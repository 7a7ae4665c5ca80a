/**
 * The one door for passwords: every page, flow and step-up that asks for one comes here (threats.md LG5).
 * It answers an unknown account, a missing password, a disabled account and a wrong password alike, after the same work, and counts
 * failures under the canonical address whether or not an account has it. Limits per network address are left to the surfaces.
 */
import type { Audit, Caller } from '../observability/audit.ts'
import type { Vault } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import { type Account, type AccountId, type AccountRecord, toAccount } from './account.ts'
import { emailKeyOf, readEmail } from './email.ts'
import { createLines } from './lines.ts'
import type { Passwords } from './password.ts'

export interface Attempt {
  readonly email: string
  readonly password: string
  readonly ip?: string
  readonly userAgent?: string
  readonly requestId?: string
  /**
   * A device this account has signed in from before, as an authentic cookie says. Its failures are counted apart, so that the guesses
   * of others do not lock it out. Ignored when it belongs to another account.
   */
  readonly knownDevice?: { readonly accountId: AccountId; readonly id: string }
}

export type Authenticated =
  | { readonly ok: true; readonly account: Account }
  | { readonly ok: false; readonly reason: 'wrong' }
  | { readonly ok: false; readonly reason: 'limited'; readonly retryAfterSeconds: number }

/** Why a sign-in was refused; it stands in the audit and nowhere else. */
type Refusal =
  | 'unknown_account'
  | 'no_password'
  | 'account_disabled'
  | 'wrong_password'
  | 'too_many_failures'
  | 'account_changed'

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly vault: Vault
  readonly passwords: Passwords
  /** Failures of one account in a window (`rate_limits.sign_in_account`); null switches the limit off. */
  readonly limit: { readonly limit: number; readonly windowSeconds: number } | null
}

/**
 * The function that tries a password. At most `limit` wrong guesses per account and window are checked, plus at most one for every
 * further process, also under a parallel burst. Failures of the store and an overload are thrown: nothing is then learned about the guess.
 */
export function createAuthenticate(dependencies: Dependencies): (attempt: Attempt) => Promise<Authenticated> {
  const { store, vault, limit } = dependencies
  const inLine = createLines({ queueLimit: 100, retryAfterSeconds: 5 })

  return async (attempt) => {
    const found = await findAccount(store, attempt.email)
    const device = attempt.knownDevice?.accountId === found?.id ? attempt.knownDevice?.id : undefined
    const counted = vault.fingerprint('failed sign-ins', `${emailKeyOf(attempt.email)}\0${device ?? ''}`)
    const counter = `sign-in-failures:${counted}`
    // One at a time per account and process: the next guess sees how the last one ended before it is checked.
    return inLine(counter, async () => {
      const { count, resetSeconds } = limit ? await store.count(counter) : { count: 0, resetSeconds: 0 }
      if (limit && count >= limit.limit) return refuseLimited(dependencies, attempt, found, counter, resetSeconds)
      return tryPassword(dependencies, attempt, found, counter)
    })
  }
}

type Found = Stored<AccountRecord> | undefined

async function findAccount(store: Store, email: string): Promise<Found> {
  const key = readEmail(email)?.key
  return key === undefined ? undefined : store.findBy<AccountRecord>('account', 'emailKey', key)
}

async function tryPassword(
  deps: Dependencies,
  attempt: Attempt,
  found: Found,
  counter: string,
): Promise<Authenticated> {
  const { right, outdated } = await deps.passwords.check(attempt.password, found?.value.passwordDigest)
  const refusal = judge(found, right)
  if (refusal || !found) {
    // Counted before anybody is told: who does not wait for the answer has used the guess all the same.
    if (deps.limit) await deps.store.increment(counter, deps.limit.windowSeconds)
    await note(deps.audit, attempt, found, refusal ?? 'unknown_account')
    return { ok: false, reason: 'wrong' }
  }
  if (outdated) await rehash(deps, found, attempt.password)
  const account = await confirm(deps.store, found)
  await note(deps.audit, attempt, found, account ? undefined : 'account_changed')
  return account ? { ok: true, account } : { ok: false, reason: 'wrong' }
}

/** The account as it stands after the check; undefined when it was disabled or got another password meanwhile (RC5). */
async function confirm(store: Store, found: Stored<AccountRecord>): Promise<Account | undefined> {
  const entry = await store.find<AccountRecord>('account', found.id)
  return entry?.value.status === 'active' && entry.value.epoch === found.value.epoch ? toAccount(entry) : undefined
}

function judge(found: Found, right: boolean): Refusal | undefined {
  if (!found) return 'unknown_account'
  if (found.value.passwordDigest === undefined) return 'no_password'
  if (!right) return 'wrong_password'
  return found.value.status === 'active' ? undefined : 'account_disabled'
}

async function refuseLimited(
  deps: Dependencies,
  attempt: Attempt,
  found: Found,
  counter: string,
  resetSeconds: number,
): Promise<Authenticated> {
  // Noted once per window, so that a flood of refused guesses does not fill the account's audit.
  const { count } = await deps.store.increment(`${counter}:refused`, Math.max(resetSeconds, 1))
  if (count === 1) await note(deps.audit, attempt, found, 'too_many_failures')
  return { ok: false, reason: 'limited', retryAfterSeconds: Math.max(resetSeconds, 1) }
}

/** Keeps the password at today's cost, unless it was changed since it was read. Neither epoch nor `updatedAt` move. */
async function rehash(
  { store, passwords }: Dependencies,
  found: Stored<AccountRecord>,
  password: string,
): Promise<void> {
  const passwordDigest = await passwords.rehash(password)
  await store.update<AccountRecord>('account', found.id, (record) =>
    record.passwordDigest === found.value.passwordDigest ? { value: { ...record, passwordDigest } } : undefined,
  )
}

async function note(audit: Audit, attempt: Attempt, found: Found, refusal?: Refusal): Promise<void> {
  const { ip, userAgent, requestId } = attempt
  const from = { ...(ip ? { ip } : {}), ...(userAgent ? { userAgent } : {}), ...(requestId ? { requestId } : {}) }
  const caller: Caller = refusal || !found ? { kind: 'anonymous', ...from } : { kind: 'account', id: found.id, ...from }
  await audit.note(caller, {
    event: refusal ? 'sign_in.refused' : 'sign_in.done',
    outcome: refusal ? 'refused' : 'done',
    accountId: found?.id ?? 'anonymous',
    ...(refusal ? { reason: refusal } : {}),
  })
}
