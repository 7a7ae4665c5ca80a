/**
 * Two stores on one backend, as two server processes would have, with a clock the test moves: SQLite in a directory of its own and one real
 * Redis per file. What the account domain needs beside a store is made here; suites about people run on both engines.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { createCodeGuesses } from '../../src/accounts/code-guesses.ts'
import { createEmailChange } from '../../src/accounts/email-change.ts'
import { createFactorRecords } from '../../src/accounts/factor-record.ts'
import { createFactors, type FactorPolicy } from '../../src/accounts/factors.ts'
import { createMailLimit } from '../../src/accounts/mail-limit.ts'
import { createOneTimes } from '../../src/accounts/one-time.ts'
import { createPasskeyChallenges } from '../../src/accounts/passkey-challenges.ts'
import { createPasskeys } from '../../src/accounts/passkeys.ts'
import { createPasswords } from '../../src/accounts/password.ts'
import { createPasswordChange } from '../../src/accounts/password-change.ts'
import { createProve } from '../../src/accounts/proof.ts'
import { createRecovery } from '../../src/accounts/recovery.ts'
import { createRecoveryCodes } from '../../src/accounts/recovery-codes.ts'
import { createRememberedDevices } from '../../src/accounts/remembered-devices.ts'
import { createSignUp, type SignUpPolicy } from '../../src/accounts/sign-up.ts'
import { createTotp } from '../../src/accounts/totp.ts'
import { createVerification } from '../../src/accounts/verification.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { createVault, randomId } from '../../src/secrets.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { cheapCost } from './open-store.ts'
import { startRedis } from './redis.ts'
import { skipWithout } from './tools.ts'

/** One process: everything over one store. */
export function processOn(store: Store, now: () => number, rootSecrets = ['a root secret of the tests, long enough']) {
  const audit = createAudit({ store, now })
  const vault = createVault(rootSecrets)
  const passwords = createPasswords({ cost: cheapCost, threads: 4, queueLimit: 500 })
  const accounts = createAccounts({ store, audit, now, passwords })
  const records = createFactorRecords({ store })
  const { guess, forget } = createCodeGuesses({ store })
  const oneTimes = createOneTimes({ store, vault, now, guess, randomInt: (below) => randomInt(below) })
  const desk = { store, now, audit, vault, passwords, accounts, records, guess, forget, oneTimes, randomBytes }
  const prove = createProve(desk)
  const mailWithinLimit = createMailLimit({ store, vault })
  return { ...desk, prove, mailWithinLimit }
}
export type Process = ReturnType<typeof processOn>

export interface People {
  readonly here: Process
  readonly there: Process
  now(): number
  pass(milliseconds: number): void
  /** An address nobody else uses. */
  address(name?: string): string
}

const backends = [
  {
    name: 'SQLite',
    skip: false as const,
    async start() {
      const directory = mkdtempSync(join(tmpdir(), 'licet-people-'))
      return {
        url: `sqlite:${join(directory, 'store.db')}`,
        stop: async () => rmSync(directory, { recursive: true, force: true }),
      }
    },
  },
  { name: 'Redis', skip: skipWithout('redis-server'), start: () => startRedis({ appendfsync: 'everysec' }) },
]

/** Defines the same tests on both engines; `people()` is what they work with. */
export function onBothStores(define: (people: () => People) => void): void {
  for (const { name, skip, start } of backends) {
    describe(`on ${name}`, { skip }, () => {
      let people: People
      let stop: () => Promise<void>
      before(async () => {
        const backend = await start()
        let time = Date.UTC(2026, 0, 1)
        const now = () => time
        const stores = await Promise.all([1, 2].map(() => openStore({ url: backend.url }, { now })))
        const [here, there] = stores.map((store) => processOn(store, now)) as [Process, Process]
        const pass = (milliseconds: number) => {
          time += milliseconds
        }
        people = {
          here,
          there,
          now,
          pass,
          address: (person = 'ada') => `${person}-${randomId(8).toLowerCase()}@example.com`,
        }
        stop = async () => {
          for (const store of stores) await store.close()
          await backend.stop()
        }
      })
      after(() => stop?.())
      define(() => people)
    })
  }
}

/** A mail as the domain asked for it. */
export interface Written {
  readonly mail: string
  readonly to: string
  readonly locale?: string
  readonly code?: string
  readonly path?: string
}

function mailRecorder() {
  const written: Written[] = []
  const mails = new Proxy(
    {},
    {
      get:
        (_mails, mail: string) =>
        async (to: Written & { email: string }, more: object = {}) => {
          written.push({ ...more, mail, to: to.email, ...(to.locale ? { locale: to.locale } : {}) })
        },
    },
  ) as never
  return { written, mails }
}

/** Everything that ends in a mail, and the mails it wrote, oldest first. */
export function correspondence(desk: Process, policy: SignUpPolicy = 'open') {
  const { written, mails } = mailRecorder()
  const parts = { ...desk, mails, policy }
  const verification = createVerification(parts)
  return {
    ...desk,
    written,
    last: () => written.at(-1) as Written,
    tokenOf: (mail: Written) => mail.path?.split('/').at(-1) ?? '',
    verification,
    signUp: createSignUp({ ...parts, verification }),
    recovery: createRecovery(parts),
    emailChange: createEmailChange(parts),
    passwordChange: createPasswordChange(parts),
  }
}

/** Where passkeys of the tests belong. */
export const issuer = 'https://id.example.test'

/** Everything about second factors. */
export function factorDesk(desk: Process, policy: FactorPolicy = 'optional', trustDays?: number) {
  const { written, mails } = mailRecorder()
  const parts = { ...desk, issuer, issuerName: 'Licet', challenges: createPasskeyChallenges(desk) }
  const totp = createTotp(parts)
  const passkeys = createPasskeys(parts)
  const recoveryCodes = createRecoveryCodes(parts)
  const devices = createRememberedDevices({ ...desk, trustDays })
  const all = { ...parts, totp, passkeys, recoveryCodes, devices, guesses: desk, mails, policy }
  return { ...all, written, factors: createFactors(all) }
}

/** Twenty at once, every other one on the other process; how they ended. */
export async function twentyAtOnce<T>(act: (index: number) => Promise<T>): Promise<PromiseSettledResult<T>[]> {
  return Promise.allSettled(Array.from({ length: 20 }, (_, index) => act(index)))
}
