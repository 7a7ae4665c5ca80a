/**
 * Everything good for one use that goes out by mail: links (256 bits) and six-digit codes beside them. Each belongs to one purpose and is
 * looked up under a digest that has the purpose in it, so that nothing made for one thing opens another (threats.md JW8). Opening consumes
 * nothing; of any number of racing callers one takes it (RC2). What a purpose means is left to the files that ask for it.
 */
import { AppError } from '../errors.ts'
import { digest, equalSecrets, randomToken, type Vault } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import type { GuessCode } from './code-guesses.ts'
import { emailKeyOf } from './email.ts'

/** Purpose → where its link leads, a path of this server. */
const linkPaths = {
  verify_email: '/verify/',
  change_email: '/settings/email/',
  recover: '/recover/',
  invitation: '/signup/',
  keep_account: '/leaving/',
} as const
export type Purpose = keyof typeof linkPaths

/** What a one-time thing is about; plain words, never a usable secret. */
export type Detail = Readonly<Record<string, string | number>>

export interface OneTime {
  readonly purpose: Purpose
  readonly accountId?: string
  readonly detail: Detail
  /** Milliseconds since 1970. */
  readonly sentAt: number
  readonly sends: number
  readonly expiresAt: number
}

interface OneTimeRecord {
  readonly purpose: Purpose
  readonly accountId?: string
  readonly detail: Detail
  readonly tokenDigest: string
  readonly codeFingerprint: string
  readonly wrongCodes: number
  readonly sends: number
  readonly sentAt: number
  readonly used?: true
}

/** `handle` stays in the browser that began; `path` and `code` go out by mail, and nowhere else. */
export interface Issued {
  readonly handle: string
  readonly path: string
  readonly code: string
  readonly expiresAt: number
}

export interface OneTimes {
  issue(purpose: Purpose, about: { accountId?: string; detail?: Detail; ttlSeconds: number }): Promise<Issued>
  /** A fresh link and code for the same thing; the old ones are dead. @throws gone, rate_limited when it was asked too soon or too often. */
  renew(purpose: Purpose, handle: string): Promise<Issued & { readonly about: OneTime }>
  /** By handle. @throws gone */
  look(purpose: Purpose, handle: string): Promise<OneTime>
  /** By the token of its link. @throws gone */
  open(purpose: Purpose, token: string): Promise<OneTime>
  /** True when handle and link are of the same thing: this is the browser that began it. @throws gone for the link */
  belongs(purpose: Purpose, handle: string, token: string): Promise<boolean>
  /**
   * Uses it up by its code. After five wrong codes only the link is good; an address has no more than five in 15 minutes, however many things wait
   * for it. @throws gone
   */
  takeByCode(purpose: Purpose, handle: string, code: string): Promise<OneTime | 'wrong' | 'limited'>
  /** Uses it up by its link. @throws gone */
  takeByToken(purpose: Purpose, token: string): Promise<OneTime>
  /** Kills everything that waits for the account, of these purposes or of all. */
  endAll(accountId: string, purposes?: readonly Purpose[]): Promise<void>
}

const WRONG_CODES = 5
const SENDS = 5
const RESEND_MS = 60_000

interface Dependencies {
  readonly store: Store
  readonly vault: Vault
  readonly now: () => number
  /** A whole number below the limit, every one equally likely. */
  readonly randomInt: (below: number) => number
  readonly guess: GuessCode
}

/** When a fresh code may be asked for, milliseconds since 1970. */
export const resendAt = ({ sentAt }: { readonly sentAt: number }): number => sentAt + RESEND_MS

export function createOneTimes({ store, vault, now, randomInt, guess }: Dependencies): OneTimes {
  const idOf = (purpose: Purpose, handle: string) => digest(`one-time ${purpose}`, handle.slice(0, 200))
  const tokenDigestOf = (purpose: Purpose, token: string) => digest(`one-time link ${purpose}`, token.slice(0, 200))
  const codeOf = (id: string, code: string) => vault.fingerprint('one-time code', `${id}\0${code}`)

  const secretsFor = (purpose: Purpose, id: string) => {
    const token = randomToken()
    const code = String(randomInt(1_000_000)).padStart(6, '0')
    const kept = { tokenDigest: tokenDigestOf(purpose, token), codeFingerprint: codeOf(id, code) }
    return { path: `${linkPaths[purpose]}${token}`, code, kept }
  }
  const living = (purpose: Purpose, entry: Stored<OneTimeRecord> | undefined): Stored<OneTimeRecord> => {
    if (!entry || entry.value.used || entry.value.purpose !== purpose) throw gone()
    return entry
  }
  const byHandle = async (purpose: Purpose, handle: string) =>
    living(purpose, await store.find<OneTimeRecord>('one_time', idOf(purpose, handle)))
  const byToken = async (purpose: Purpose, token: string) =>
    living(purpose, await store.findBy<OneTimeRecord>('one_time', 'tokenDigest', tokenDigestOf(purpose, token)))
  /** The gate: marks it used if `fits` still holds, so that a renewed one is not taken by an old link; one racing caller gets past. */
  const take = async (id: string, fits: (record: OneTimeRecord) => boolean): Promise<OneTime> => {
    const { changed, entry } = await store.update<OneTimeRecord>('one_time', id, (record) =>
      !record.used && fits(record) ? { value: { ...record, used: true } } : undefined,
    )
    if (!changed || !entry) throw gone()
    await store.remove('one_time', id)
    return told(entry)
  }
  const tryCode = async (id: string, typed: string): Promise<OneTime | 'wrong' | 'limited'> => {
    const given = codeOf(id, typed.slice(0, 50).normalize('NFKC').replace(/\s/g, ''))
    const isRight = (record: OneTimeRecord) => equalSecrets(record.codeFingerprint, given)
    // Counted in the same write that judges: no burst gets a sixth guess.
    const { entry } = await store.update<OneTimeRecord>('one_time', id, (record) =>
      record.used || record.wrongCodes >= WRONG_CODES || isRight(record)
        ? undefined
        : { value: { ...record, wrongCodes: record.wrongCodes + 1 } },
    )
    if (!entry || entry.value.used) throw gone()
    if (isRight(entry.value) && entry.value.wrongCodes < WRONG_CODES) {
      return take(id, (record) => isRight(record) && record.wrongCodes < WRONG_CODES)
    }
    return entry.value.wrongCodes >= WRONG_CODES ? 'limited' : 'wrong'
  }
  /** The same count whether or not the address has an account, and however often a stranger asks for a code to it. */
  const addressOf = ({ detail }: OneTimeRecord) =>
    `mail ${vault.fingerprint('codes to an address', emailKeyOf(String(detail['email'] ?? '')))}`

  return {
    async issue(purpose, { accountId, detail = {}, ttlSeconds }) {
      const handle = randomToken()
      const id = idOf(purpose, handle)
      const { path, code, kept } = secretsFor(purpose, id)
      const of = accountId === undefined ? {} : { accountId }
      const value: OneTimeRecord = { purpose, ...of, detail, ...kept, wrongCodes: 0, sends: 1, sentAt: now() }
      const expiresAt = now() + ttlSeconds * 1000
      await store.put('one_time', { id, value, expiresAt }, 'create')
      return { handle, path, code, expiresAt }
    },
    async renew(purpose, handle) {
      const { id } = await byHandle(purpose, handle)
      const { path, code, kept } = secretsFor(purpose, id)
      const { changed, entry } = await store.update<OneTimeRecord>('one_time', id, (record) => {
        const tooSoon = record.sends >= SENDS || now() < resendAt(record)
        if (record.used || tooSoon) return undefined
        return { value: { ...record, ...kept, wrongCodes: 0, sends: record.sends + 1, sentAt: now() } }
      })
      if (!entry || entry.value.used) throw gone()
      if (!changed) throw tooSoon(entry, now())
      return { handle, path, code, expiresAt: entry.expiresAt ?? 0, about: told(entry) }
    },
    look: async (purpose, handle) => told(await byHandle(purpose, handle)),
    open: async (purpose, token) => told(await byToken(purpose, token)),
    belongs: async (purpose, handle, token) => (await byToken(purpose, token)).id === idOf(purpose, handle),
    async takeByCode(purpose, handle, typed) {
      const { id, value } = await byHandle(purpose, handle)
      let tried: OneTime | 'wrong' | 'limited' = 'limited'
      await guess(addressOf(value), async () => {
        tried = await tryCode(id, typed)
        return typeof tried !== 'string'
      })
      return tried
    },
    async takeByToken(purpose, token) {
      const { id } = await byToken(purpose, token)
      const tokenDigest = tokenDigestOf(purpose, token)
      return take(id, (record) => record.tokenDigest === tokenDigest)
    },
    async endAll(accountId, purposes) {
      if (!purposes) return void (await store.removeGroup('one_time', 'accountId', accountId))
      const { items } = await store.list<OneTimeRecord>('one_time', {
        group: 'accountId',
        value: accountId,
        limit: 1000,
      })
      const named = items.filter(({ value }) => purposes.includes(value.purpose))
      await Promise.all(named.map(({ id }) => store.remove('one_time', id)))
    },
  }
}

function told({ value, expiresAt = 0 }: Stored<OneTimeRecord>): OneTime {
  const { purpose, accountId, detail, sentAt, sends } = value
  return { purpose, ...(accountId === undefined ? {} : { accountId }), detail, sentAt, sends, expiresAt }
}

/** Used, replaced, expired, invented or made for something else: one answer. */
export function gone(): AppError {
  return new AppError('gone', 'This link or code has been used, was replaced or has expired.')
}

function tooSoon({ value, expiresAt = 0 }: Stored<OneTimeRecord>, at: number): AppError {
  const opensAt = value.sends >= SENDS ? expiresAt : resendAt(value)
  const retryAfterSeconds = Math.max(1, Math.ceil((opensAt - at) / 1000))
  return new AppError('rate_limited', `A mail was just sent. Ask again in ${retryAfterSeconds} seconds.`, {
    details: { retryAfterSeconds, policy: 'code_mail' },
  })
}
