/**
 * Recovery codes: ten at a time, shown once, each good for one sign-in (threats.md MF4). Kept as keyed digests under a salt of the account
 * that is itself sealed, so that a dump of the store cannot be searched for them and a rotated root secret does not orphan them.
 * How often they may be guessed stands in `code-guesses.ts`.
 */
import { createHmac } from 'node:crypto'
import type { Audit, Caller } from '../observability/audit.ts'
import type { Vault } from '../secrets.ts'
import { writeBase32 } from './base32.ts'
import type { GuessCode, Guessed } from './code-guesses.ts'
import type { FactorRecords } from './factor-record.ts'

export interface RecoveryCodes {
  /** Ten new codes, `XXXXX-XXXXX`; all earlier ones are dead. The only time they are seen. */
  regenerate(caller: Caller, accountId: string): Promise<readonly string[]>
  /** Uses a code up. One success per code. */
  use(accountId: string, code: string): Promise<Guessed>
  /** How many are left. */
  count(accountId: string): Promise<number>
}

/** From here on the person is warned. */
export const FEW_RECOVERY_CODES = 3
const AMOUNT = 10
/** 50 bits: with five guesses in 15 minutes nobody gets anywhere. */
const LETTERS = 10
const SEALED_FOR = 'recovery code salt'

interface Dependencies {
  readonly records: FactorRecords
  readonly vault: Vault
  readonly audit: Audit
  readonly guess: GuessCode
  readonly now: () => number
  readonly randomBytes: (size: number) => Buffer
}

export function createRecoveryCodes(dependencies: Dependencies): RecoveryCodes {
  const { records, vault, audit, guess, now, randomBytes } = dependencies
  const digestOf = (salt: string, accountId: string, code: string) =>
    createHmac('sha256', salt).update(`${accountId}\0${code}`).digest('base64url')

  return {
    async regenerate(caller, accountId) {
      const codes = Array.from({ length: AMOUNT }, () => writeBase32(randomBytes(7)).slice(0, LETTERS))
      const salt = randomBytes(32).toString('base64url')
      const recovery = {
        saltSealed: vault.seal(SEALED_FOR, salt),
        codeDigests: codes.map((code) => digestOf(salt, accountId, code)),
        createdAt: now(),
      }
      const entry = { event: 'recovery_codes.made', accountId, subject: accountId }
      await audit.record(caller, entry, () => records.change(accountId, (record) => ({ ...record, recovery })))
      return codes.map((code) => `${code.slice(0, 5)}-${code.slice(5)}`)
    },
    use: (accountId, code) =>
      guess(accountId, async () => {
        const { recovery } = await records.find(accountId)
        const salt = recovery && vault.open(SEALED_FOR, recovery.saltSealed)
        if (salt === undefined) return false
        const used = digestOf(salt, accountId, asKept(code))
        // The digest is keyed with a secret salt: looking it up tells nothing by its time.
        return records.change(accountId, (record) => {
          if (!record.recovery?.codeDigests.includes(used)) return undefined
          const codeDigests = record.recovery.codeDigests.filter((digest) => digest !== used)
          return { ...record, recovery: { ...record.recovery, codeDigests } }
        })
      }),
    async count(accountId) {
      return (await records.find(accountId)).recovery?.codeDigests.length ?? 0
    },
  }
}

/** As people type it: any case, with or without the dash, 0 and 1 for the letters they look like. */
function asKept(code: string): string {
  const letters = code
    .slice(0, 100)
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
  return letters.replaceAll('0', 'O').replaceAll('1', 'I')
}
