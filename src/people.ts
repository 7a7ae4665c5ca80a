/**
 * The middle of the composition root for people: everything an account does for itself (factors, passkeys, sign-up, verification, recovery), joined
 * from the domains of `accounts/`. Belongs to `app.ts`, which gives it mail and randomness.
 */
import { createAccountExport, type ExportSource } from './accounts/account-export.ts'
import { createApply } from './accounts/apply.ts'
import { createCodeGuesses } from './accounts/code-guesses.ts'
import { createDeletion, type Remover } from './accounts/deletion.ts'
import { createEmailChange } from './accounts/email-change.ts'
import { createFactorRecords } from './accounts/factor-record.ts'
import { createFactors } from './accounts/factors.ts'
import { createMailLimit } from './accounts/mail-limit.ts'
import { createOneTimes } from './accounts/one-time.ts'
import { createOperatorActs } from './accounts/operator-acts.ts'
import { createPasskeyChallenges } from './accounts/passkey-challenges.ts'
import { createPasskeys } from './accounts/passkeys.ts'
import { createPasswordChange } from './accounts/password-change.ts'
import { createPictures } from './accounts/picture.ts'
import { createProve } from './accounts/proof.ts'
import { createRecovery } from './accounts/recovery.ts'
import { createRecoveryCodes } from './accounts/recovery-codes.ts'
import { createRememberedDevices } from './accounts/remembered-devices.ts'
import { createSignUp } from './accounts/sign-up.ts'
import { createTotp } from './accounts/totp.ts'
import { createVerification } from './accounts/verification.ts'
import type { Config } from './config/schema.ts'
import { type Core, localesDirectory, openCore, viewsDirectory } from './core.ts'
import { createRenderer } from './http/page.ts'
import { createAccountMessages } from './mail/account-messages.ts'
import { createOutbox } from './mail/outbox.ts'
import { createSmtpTransport } from './mail/smtp.ts'
import { randomToken } from './secrets.ts'

/** Every mail that these domains write. */
type Mails = Parameters<typeof createFactors>[0]['mails'] &
  Parameters<typeof createVerification>[0]['mails'] &
  Parameters<typeof createRecovery>[0]['mails'] &
  Parameters<typeof createSignUp>[0]['mails'] &
  Parameters<typeof createEmailChange>[0]['mails'] &
  Parameters<typeof createDeletion>[0]['mails']

interface PeopleParts {
  readonly core: Core
  readonly mails: Mails
  readonly randomBytes: (size: number) => Buffer
  /** A whole number below the limit. */
  readonly randomInt: (below: number) => number
}

export function createPeople({ core, mails, randomBytes, randomInt }: PeopleParts) {
  const { config, store, vault, audit, accounts, passwords, now } = core
  const issuerName = config.brand.name
  const records = createFactorRecords({ store })
  const guesses = createCodeGuesses({ store })
  const shared = { records, vault, audit, guess: guesses.guess, now, randomBytes }
  const totp = createTotp({ ...shared, issuerName })
  const recoveryCodes = createRecoveryCodes(shared)
  const challenges = createPasskeyChallenges({ store, vault, now })
  const passkeys = createPasskeys({ records, challenges, audit, now, issuer: config.issuer, issuerName })
  const trustDays = config.mfa.rememberDeviceDays || undefined
  const devices = createRememberedDevices({ store, accounts, now, trustDays })
  const { policy } = config.mfa
  const factors = createFactors({
    records,
    totp,
    passkeys,
    recoveryCodes,
    devices,
    guesses,
    accounts,
    audit,
    mails,
    policy,
  })
  const oneTimes = createOneTimes({ store, vault, now, randomInt, guess: guesses.guess })
  const mailWithinLimit = createMailLimit({ store, vault })
  const prove = createProve({ store, audit, now, oneTimes, records })
  const verification = createVerification({ oneTimes, mails, mailWithinLimit, passwords, prove })
  const among = { store, audit, now, accounts, oneTimes, mails, mailWithinLimit }
  return {
    pictures: createPictures({ store, apply: createApply({ store, audit, now }), issuer: config.issuer }),
    totp,
    passkeys,
    devices,
    factors,
    verification,
    /** Export and deletion, over what the other parts of the server hold about an account. */
    leaving: (others: Readonly<Record<string, { list: ExportSource; remove: Remover }>>) => {
      const each = <T>(pick: (part: (typeof others)[string]) => T) =>
        Object.fromEntries(Object.entries(others).map(([name, part]) => [name, pick(part)]))
      const sources = each(({ list }) => list)
      const removers = each(({ remove }) => remove)
      const delaySeconds = config.retention.leavingAccountSeconds
      return {
        delaySeconds,
        exportAccount: createAccountExport({ store, accounts, records, now, sources }),
        deletion: createDeletion({ store, audit, now, oneTimes, mails, delaySeconds, removers }),
      }
    },
    recovery: createRecovery({ ...among, passwords, records }),
    emailChange: createEmailChange(among),
    passwordChange: createPasswordChange(among),
    signUp: createSignUp({
      accounts,
      audit,
      passwords,
      oneTimes,
      verification,
      prove,
      mails,
      policy: config.signUp.policy,
    }),
  }
}

/**
 * The same for commands, beside a running server: mails are put into the outbox, and the server sends them.
 * @throws store_unavailable, invalid_configuration
 */
export async function openPeople(config: Config) {
  const core = await openCore(config)
  const { issuer, brand, smtpUrl, mailFrom } = config
  const isDevelopment = config.mode === 'development'
  const { renderMail } = createRenderer({ viewsDirectory, localesDirectory, brand, issuer, isDevelopment })
  const transport = smtpUrl && createSmtpTransport({ url: smtpUrl, from: mailFrom, fromName: brand.name })
  const outbox = createOutbox({ ...core, ...(transport ? { transport } : {}) })
  const people = createPeople({
    core,
    mails: createAccountMessages({ outbox, renderMail, now: core.now }),
    randomBytes: (size) => Buffer.from(randomToken(), 'base64url').subarray(0, size),
    randomInt: (below) => Buffer.from(randomToken(), 'base64url').readUIntBE(0, 6) % below,
  })
  const operatorActs = createOperatorActs({
    ...core,
    ...people,
    async endAll(accountId) {
      for (const kind of ['session', 'grant', 'interaction'] as const)
        await core.store.removeGroup(kind, 'accountId', accountId)
    },
  })
  const close = async () => {
    await outbox.stop()
    await core.close()
  }
  return { ...core, ...people, operatorActs, issuer, close }
}
