/**
 * The second factors of an account together: which it has, whether the policy asks for one, and every change of them. A change is noted, told
 * to the owner by mail, and ends the trust of remembered devices; the last factor is kept where the policy or the way in needs it (MF10). Ending
 * the account's other sessions and asking for a recent sign-in is left to the surfaces.
 */
import { cleanName } from '../display-name.ts'
import { AppError } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { Account } from './account.ts'
import type { Accounts } from './accounts.ts'
import type { CodeGuesses, Guessed } from './code-guesses.ts'
import type { FactorRecord, FactorRecords, PasskeyRecord } from './factor-record.ts'
import type { Passkeys } from './passkeys.ts'
import { FEW_RECOVERY_CODES, type RecoveryCodes } from './recovery-codes.ts'
import type { RememberedDevices } from './remembered-devices.ts'
import { type HeldFactors, hasSecondFactor } from './sign-in-state.ts'
import type { SetUpOf, Totp } from './totp.ts'
import type { Receiver } from './verification.ts'

export type FactorPolicy = 'optional' | 'administrators' | 'required'
export type FactorName = 'totp' | 'passkey'
export type PasskeyLine = Pick<PasskeyRecord, 'id' | 'name' | 'createdAt' | 'lastUsedAt' | 'backedUp'>

/** What the security page shows. Times are milliseconds since 1970. */
export interface FactorList {
  readonly held: HeldFactors
  readonly required: boolean
  readonly totpSince?: number
  readonly passkeys: readonly PasskeyLine[]
  /** Time to make new ones. */
  readonly fewRecoveryCodes: boolean
}

type From = Pick<Caller, 'ip' | 'userAgent'>

interface Mails {
  factorAdded(to: Receiver, factor: FactorName, from: From): Promise<void>
  factorRemoved(to: Receiver, factor: FactorName | 'all', from: From): Promise<void>
  recoveryCodesLow(to: Receiver, left: number): Promise<void>
}

/** `recoveryCodes` are the first ones, shown once; absent when the account has some. */
type Added<T> = T & { readonly recoveryCodes?: readonly string[] }

export interface Factors {
  held(account: Account): Promise<HeldFactors>
  /** What the policy asks of this account: `SignInState.secondFactor`. */
  requirementFor(account: Pick<Account, 'role'>): 'required' | 'optional'
  /** The policy asks for a second factor, and there is none: a session from before the policy, or from before the role, has to set one up. */
  lacksRequired(account: Account): Promise<boolean>
  list(account: Account): Promise<FactorList>
  /** @throws as `Totp.confirm` */
  confirmTotp(
    caller: Caller,
    account: Account,
    code: string,
    setUp?: SetUpOf,
  ): Promise<Added<{ readonly tried: Guessed }>>
  /** @throws as `Passkeys.finishRegistration` */
  addPasskey(
    caller: Caller,
    account: Account,
    answer: Parameters<Passkeys['finishRegistration']>[2],
  ): Promise<Added<{ readonly passkey: PasskeyLine }>>
  /** @throws not_found, invalid_request */
  renamePasskey(caller: Caller, account: Account, id: string, name: string): Promise<void>
  /** @throws not_found (also for the passkey of somebody else), forbidden for the last factor that is needed */
  removePasskey(caller: Caller, account: Account, id: string): Promise<void>
  /** @throws not_found, forbidden for the last factor that is needed */
  removeTotp(caller: Caller, account: Account): Promise<void>
  useRecoveryCode(account: Account, code: string): Promise<Guessed>
  /** @throws conflict without a second factor: there is nothing to recover */
  regenerateRecoveryCodes(caller: Caller, account: Account): Promise<readonly string[]>
  /** Removes every second factor and signs out everywhere. For operators, who have checked who asks (MF10). */
  reset(caller: Caller, accountId: string, reason: string): Promise<Account>
}

interface Dependencies {
  readonly records: FactorRecords
  readonly totp: Totp
  readonly passkeys: Passkeys
  readonly recoveryCodes: RecoveryCodes
  readonly devices: Pick<RememberedDevices, 'distrustAll' | 'forgetAll'>
  readonly guesses: Pick<CodeGuesses, 'forget'>
  readonly accounts: Accounts
  readonly audit: Audit
  readonly mails: Mails
  readonly policy: FactorPolicy
}

export function createFactors(dependencies: Dependencies): Factors {
  const { records, totp, passkeys, recoveryCodes, mails, policy } = dependencies
  const requirementFor: Factors['requirementFor'] = ({ role }) =>
    policy === 'required' || (policy === 'administrators' && role === 'administrator') ? 'required' : 'optional'
  const added = async (caller: Caller, account: Account, factor: FactorName) => {
    await dependencies.devices.distrustAll(account.id)
    await mails.factorAdded(account, factor, caller)
    if ((await recoveryCodes.count(account.id)) > 0) return {}
    return { recoveryCodes: await recoveryCodes.regenerate(caller, account.id) }
  }
  const remove = removal(dependencies, requirementFor)

  return {
    held: async (account) => heldIn(await records.find(account.id), account),
    requirementFor,
    async lacksRequired(account) {
      if (requirementFor(account) === 'optional') return false
      return !hasSecondFactor(heldIn(await records.find(account.id), account))
    },
    async list(account) {
      const record = await records.find(account.id)
      const held = heldIn(record, account)
      return {
        held,
        required: requirementFor(account) === 'required',
        ...(record.totp ? { totpSince: record.totp.confirmedAt } : {}),
        passkeys: record.passkeys.map(lineOf),
        fewRecoveryCodes: hasSecondFactor(held) && held.recoveryCodes <= FEW_RECOVERY_CODES,
      }
    },
    async confirmTotp(caller, account, code, setUp) {
      const tried = await totp.confirm(caller, account.id, code, setUp)
      return tried === 'right' ? { tried, ...(await added(caller, account, 'totp')) } : { tried }
    },
    async addPasskey(caller, account, answer) {
      const passkey = lineOf(await passkeys.finishRegistration(caller, account, answer))
      return { passkey, ...(await added(caller, account, 'passkey')) }
    },
    async renamePasskey(caller, account, id, given) {
      const name = cleanName(given)
      if (!name) throw new AppError('invalid_request', 'Give a name of visible characters.')
      const entry = { event: 'factor.renamed', accountId: account.id, subject: id }
      await dependencies.audit.record(caller, entry, () =>
        records.change(account.id, (record) => {
          if (!record.passkeys.some((key) => key.id === id)) throw noSuchFactor()
          return { ...record, passkeys: record.passkeys.map((key) => (key.id === id ? { ...key, name } : key)) }
        }),
      )
    },
    removePasskey: (caller, account, id) =>
      remove(caller, account, { factor: 'passkey', id }, (record) => {
        const rest = record.passkeys.filter((key) => key.id !== id)
        return rest.length < record.passkeys.length ? { ...record, passkeys: rest } : undefined
      }),
    removeTotp: (caller, account) =>
      remove(caller, account, { factor: 'totp', id: account.id }, ({ totp: had, totpPending: _pending, ...rest }) =>
        had ? rest : undefined,
      ),
    async useRecoveryCode(account, code) {
      const tried = await recoveryCodes.use(account.id, code)
      const left = tried === 'right' ? await recoveryCodes.count(account.id) : FEW_RECOVERY_CODES + 1
      if (left <= FEW_RECOVERY_CODES) await mails.recoveryCodesLow(account, left)
      return tried
    },
    async regenerateRecoveryCodes(caller, account) {
      if (!hasSecondFactor(heldIn(await records.find(account.id), account))) {
        throw new AppError('conflict', 'Set up a second factor first.')
      }
      return recoveryCodes.regenerate(caller, account.id)
    },
    reset: (caller, accountId, reason) => resetAll(dependencies, caller, accountId, reason),
  }
}

type Without = (record: FactorRecord) => FactorRecord | undefined

/** Takes one factor away in one write with its guard: of two removals at once the second sees the first (MF10). */
function removal({ records, audit, devices, mails }: Dependencies, requirementFor: Factors['requirementFor']) {
  return async (caller: Caller, account: Account, named: { factor: FactorName; id: string }, without: Without) => {
    const entry = {
      event: 'factor.removed',
      accountId: account.id,
      subject: named.id,
      details: { factor: named.factor },
    }
    await audit.record(caller, entry, async () => {
      const removed = await records.change(account.id, (record) => {
        const left = without(record)
        if (!left) return undefined
        const held = heldIn(left, account)
        const isNeeded = requirementFor(account) === 'required' && !hasSecondFactor(held)
        if (isNeeded || (!held.password && held.passkeys === 0)) {
          throw new AppError('forbidden', 'This is the last factor the account needs. Add another one first.')
        }
        // Recovery codes stand in for a factor: without one they are nothing but a further way in.
        const { recovery: _recovery, ...bare } = left
        return hasSecondFactor(held) ? left : bare
      })
      if (!removed) throw noSuchFactor()
    })
    await devices.distrustAll(account.id)
    await mails.factorRemoved(account, named.factor, caller)
  }
}

async function resetAll(
  { records, accounts, audit, devices, guesses, mails }: Dependencies,
  caller: Caller,
  accountId: string,
  reason: string,
): Promise<Account> {
  await accounts.getById(accountId)
  const entry = { event: 'factors.reset', accountId, subject: accountId, details: { reason: reason.slice(0, 200) } }
  await audit.record(caller, entry, () => records.remove(accountId))
  await Promise.all([devices.forgetAll(accountId), guesses.forget(accountId)])
  const account = await accounts.signOutEverywhere(caller, accountId)
  // Where the operator sits is not the owner's to know.
  await mails.factorRemoved(account, 'all', {})
  return account
}

function heldIn(
  { totp, passkeys, recovery }: FactorRecord,
  { hasPassword }: Pick<Account, 'hasPassword'>,
): HeldFactors {
  return {
    password: hasPassword,
    totp: totp !== undefined,
    passkeys: passkeys.length,
    recoveryCodes: recovery?.codeDigests.length ?? 0,
  }
}

function lineOf({ id, name, createdAt, lastUsedAt, backedUp }: PasskeyRecord): PasskeyLine {
  return { id, name, createdAt, backedUp, ...(lastUsedAt === undefined ? {} : { lastUsedAt }) }
}

function noSuchFactor(): AppError {
  return new AppError('not_found', 'There is no such factor.')
}
