/**
 * Time-based codes (RFC 6238: SHA-1, six digits, 30 seconds, as every authenticator app knows them). The secret is sealed; a set-up counts
 * only after a code of it was given; a time step is used once per account, whoever asks in parallel (threats.md MF2). How often codes may
 * be guessed stands in `code-guesses.ts`.
 */
import { createHmac } from 'node:crypto'
import { renderSVG } from 'uqr'
import { AppError } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import { equalSecrets, type Vault } from '../secrets.ts'
import { writeBase32 } from './base32.ts'
import type { GuessCode, Guessed } from './code-guesses.ts'
import type { FactorRecords } from './factor-record.ts'

/** What the person needs to set the app up; shown once, to this person only. */
export interface TotpSetUp {
  readonly uri: string
  /** Base32 in groups of four, for typing. */
  readonly key: string
  /** An SVG picture of `uri`, dark on light. */
  readonly qrSvg: string
  readonly expiresAt: number
}

/**
 * Whose set-up it is: the session, or the sign-in under way. Each has its own key: whoever has a stolen password and asks at the same moment
 * must not read the key that the owner is scanning.
 */
export interface SetUpOf {
  readonly by?: string
  /** `first`: only while the account has no second factor, for somebody who has proved the password alone. */
  readonly only?: 'first'
}

export interface Totp {
  /** Begins, or begins again with another secret. What was confirmed before keeps working until `confirm`. */
  begin(accountId: string, accountName: string, by?: string): Promise<TotpSetUp>
  /** The set-up that `by` began and did not confirm, to show it again after a mistyped code; undefined when there is none. */
  pending(accountId: string, accountName: string, by?: string): Promise<TotpSetUp | undefined>
  /** Makes the set-up count, given a code of it. @throws gone when `by` began none, another was begun since, or it is too old. */
  confirm(caller: Caller, accountId: string, code: string, setUp?: SetUpOf): Promise<Guessed>
  /** Tries a code at a sign-in. One success per time step and account. */
  check(accountId: string, code: string): Promise<Guessed>
}

const STEP_SECONDS = 30
const SECRET_BYTES = 20
const PENDING_MS = 30 * 60_000
const SEALED_FOR = 'totp secret'

interface Dependencies {
  readonly records: FactorRecords
  readonly vault: Vault
  readonly audit: Audit
  readonly guess: GuessCode
  readonly now: () => number
  readonly randomBytes: (size: number) => Buffer
  /** What the app shows above the code. */
  readonly issuerName: string
}

export function createTotp({ records, vault, audit, guess, now, randomBytes, issuerName }: Dependencies): Totp {
  const open = (sealed: string | undefined) => {
    const text = sealed === undefined ? undefined : vault.open(SEALED_FOR, sealed)
    return text === undefined ? undefined : Buffer.from(text, 'base64url')
  }
  const stepNow = () => Math.floor(now() / 1000 / STEP_SECONDS)
  const livingPending = async (accountId: string, by = '') => {
    const { totpPending } = await records.find(accountId)
    return totpPending && totpPending.expiresAt > now() && (totpPending.by ?? '') === by ? totpPending : undefined
  }

  return {
    async begin(accountId, accountName, by) {
      const secret = randomBytes(SECRET_BYTES)
      const expiresAt = now() + PENDING_MS
      const secretSealed = vault.seal(SEALED_FOR, secret.toString('base64url'))
      const totpPending = { secretSealed, expiresAt, ...(by ? { by } : {}) }
      await records.change(accountId, (record) => ({ ...record, totpPending }))
      return describe(secret, { issuerName, accountName, expiresAt })
    },
    async pending(accountId, accountName, by) {
      const found = await livingPending(accountId, by)
      const secret = open(found?.secretSealed)
      return found && secret && describe(secret, { issuerName, accountName, expiresAt: found.expiresAt })
    },
    async confirm(caller, accountId, code, { by, only } = {}) {
      const found = await livingPending(accountId, by)
      const secret = open(found?.secretSealed)
      if (!found || !secret) throw new AppError('gone', 'This set-up has expired. Begin again.')
      return guess(accountId, async () => {
        const step = matchingStep(secret, code, stepNow())
        if (step === undefined) return false
        const entry = { event: 'factor.added', accountId, subject: accountId, details: { factor: 'totp' } }
        return audit.record(caller, entry, () =>
          records.change(accountId, (record) => {
            // Only the set-up whose code was given: another tab may have begun anew.
            if (record.totpPending?.secretSealed !== found.secretSealed) return undefined
            if (only === 'first' && (record.totp || record.passkeys.length > 0)) return undefined
            const { totpPending: _done, ...rest } = record
            return { ...rest, totp: { secretSealed: found.secretSealed, confirmedAt: now(), lastStep: step } }
          }),
        )
      })
    },
    check: (accountId, code) =>
      guess(accountId, async () => {
        const { totp } = await records.find(accountId)
        const secret = open(totp?.secretSealed)
        const step = secret && matchingStep(secret, code, stepNow())
        if (step === undefined) return false
        return records.change(accountId, (record) =>
          record.totp?.secretSealed === totp?.secretSealed && record.totp && record.totp.lastStep < step
            ? { ...record, totp: { ...record.totp, lastStep: step } }
            : undefined,
        )
      }),
  }
}

/** The code of a time step: RFC 4226 §5.3 over the counter. */
export function totpCode(secret: Buffer, step: number, digits = 6): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', secret).update(counter).digest()
  const offset = (mac.at(-1) ?? 0) & 0x0f
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** digits).padStart(digits, '0')
}

/** The step of this code within one step of now (RFC 6238 §5.2), the latest first. Spaces in what was typed do not count. */
function matchingStep(secret: Buffer, typed: string, around: number): number | undefined {
  const code = typed.slice(0, 50).normalize('NFKC').replace(/\s/g, '')
  return [around + 1, around, around - 1].filter((step) => equalSecrets(totpCode(secret, step), code))[0]
}

function describe(
  secret: Buffer,
  { issuerName, accountName, expiresAt }: { issuerName: string; accountName: string; expiresAt: number },
): TotpSetUp {
  const key = writeBase32(secret)
  const label = `${encodeURIComponent(issuerName.replaceAll(':', ' '))}:${encodeURIComponent(accountName)}`
  const uri = `otpauth://totp/${label}?secret=${key}&issuer=${encodeURIComponent(issuerName)}&algorithm=SHA1&digits=6&period=30`
  return { uri, key: key.replace(/.{4}(?=.)/g, '$& '), qrSvg: renderSVG(uri, { border: 2 }), expiresAt }
}
