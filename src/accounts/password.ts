/**
 * Passwords: what one must be, how one is hashed and checked (argon2id, PHC strings), and how many are hashed at once.
 * The only file that imports argon2. Who may try a password, and how often, stands in `authenticate.ts`.
 *
 * Hashing runs in the same thread pool that signs tokens: more than `threads` at once would make every token wait behind sign-ins.
 */
import { hash as argon2Hash, argon2id, verify as argon2Verify, needsRehash } from 'argon2'
import { AppError } from '../errors.ts'
import { randomToken } from '../secrets.ts'
import { createGate } from './gate.ts'
import { readImportedHash } from './imported-hashes.ts'

export interface PasswordOptions {
  /** How many are hashed at once; below `UV_THREADPOOL_SIZE`. Default 2. */
  readonly threads?: number
  /** How many may wait; one more is refused with `overloaded`. Default 64. */
  readonly queueLimit?: number
  /**
   * Shortest password in characters, default and least 8. NIST SP 800-63B-4 §3.1.1 asks for 15 where the password is the only factor;
   * an operator who promises that level raises it.
   */
  readonly minimumLength?: number
  /** Default m=19456 KiB, t=2, p=1 (OWASP). Raising them rehashes each password at its next sign-in. */
  readonly cost?: { readonly memoryKiB: number; readonly passes: number }
  /** Whether anybody would guess it, knowing these words of the account. Default: nothing is looked up. */
  readonly isGuessable?: (password: string, words: readonly string[]) => Promise<boolean>
}

export type PasswordProblem = 'too_short' | 'too_long' | 'malformed' | 'too_common'

export interface Passwords {
  readonly minimumLength: number
  /** What is wrong with the form of a password; undefined when nothing is. Whether it is common `hash` finds out. */
  problem(password: string): PasswordProblem | undefined
  /** The same as a sentence for people. */
  explain(problem: PasswordProblem): string
  /**
   * The digest to store of a password somebody chose. `words` are the account's own, which it must not consist of.
   * @throws invalid_request for a malformed, short, long or common one, overloaded when too many wait.
   */
  hash(password: string, words?: readonly string[]): Promise<string>
  /** The digest of a password that is in use already: no policy. @throws overloaded when too many wait. */
  rehash(password: string): Promise<string>
  /**
   * Whether the password is the digest's, and whether the digest should be made anew. Without a digest the same work is done and
   * the answer is no. @throws overloaded when too many wait.
   */
  check(password: string, digest: string | undefined): Promise<{ readonly right: boolean; readonly outdated: boolean }>
  /** How many wait for their turn now: a gauge. */
  waiting(): number
}

const LIMIT_BYTES = 1024
const LEAST_LENGTH = 8

const problemSentences: Readonly<Record<PasswordProblem, (minimum: number) => string>> = {
  too_short: (minimum) => `Use at least ${minimum} characters.`,
  too_long: () => `Use at most ${LIMIT_BYTES} bytes.`,
  malformed: () => 'Use whole characters only.',
  too_common: () =>
    'This password is easy to guess: it is common, was leaked, or is made of your own name. Choose another.',
}

/** @throws TypeError when `minimumLength` is below 8. */
export function createPasswords(options: PasswordOptions = {}): Passwords {
  const {
    threads = 2,
    queueLimit = 64,
    minimumLength = LEAST_LENGTH,
    cost = { memoryKiB: 19_456, passes: 2 },
    isGuessable = async () => false,
  } = options
  if (minimumLength < LEAST_LENGTH) throw new TypeError(`a password has at least ${LEAST_LENGTH} characters`)
  const gate = createGate({ places: threads, queueLimit, retryAfterSeconds: 2 })
  const settings = {
    type: argon2id,
    memoryCost: cost.memoryKiB,
    timeCost: cost.passes,
    parallelism: 1,
    hashLength: 32,
  } as const
  const nobodys = digestOfNobody(cost)

  const problem: Passwords['problem'] = (password) => {
    if (Buffer.byteLength(password) > LIMIT_BYTES) return 'too_long'
    if (hasHalfCharacter(password)) return 'malformed'
    return [...password.normalize('NFC')].length < minimumLength ? 'too_short' : undefined
  }

  const explain: Passwords['explain'] = (found) => problemSentences[found](minimumLength)

  return {
    minimumLength,
    problem,
    explain,
    async hash(password, words = []) {
      const found = problem(password) ?? ((await isGuessable(password, words)) ? 'too_common' : undefined)
      if (found) {
        const fields = [{ pointer: '/password', code: found, detail: explain(found) }]
        throw new AppError('invalid_request', explain(found), { details: { fields } })
      }
      return gate.enter(() => argon2Hash(bytesOf(password), settings))
    },
    rehash: (password) => gate.enter(() => argon2Hash(bytesOf(password), settings)),
    async check(password, digest) {
      // Checked before hashing and alike for every account, so a megabyte costs nothing and tells nothing.
      if (Buffer.byteLength(password) > LIMIT_BYTES || hasHalfCharacter(password))
        return { right: false, outdated: false }
      const imported = digest === undefined ? undefined : readImportedHash(digest)
      if (imported) return { right: await gate.enter(() => imported(bytesOf(password))), outdated: true }
      const known = digest?.startsWith('$argon2id$') ? digest : undefined
      const right = await gate.enter(() => argon2Verify(known ?? nobodys, bytesOf(password)))
      return { right: right && known !== undefined, outdated: known !== undefined && needsRehash(known, settings) }
    },
    waiting: gate.waiting,
  }
}

/** A lone surrogate: it has no bytes of its own, so two different passwords would be one. */
function hasHalfCharacter(password: string): boolean {
  return /\p{Cs}/u.test(password)
}

/**
 * NFC, so that é typed on two systems is one password (RFC 8265 §4.2.2); not NFKC, which would make different passwords equal.
 * Nothing is trimmed and nothing is cut; a NUL is a character like any other.
 */
function bytesOf(password: string): Buffer {
  return Buffer.from(password.normalize('NFC'), 'utf8')
}

/** A digest nobody has the password of, at present cost: checking against it takes as long as checking a real one. */
function digestOfNobody(cost: { memoryKiB: number; passes: number }): string {
  const random = (bytes: number) =>
    Buffer.from(randomToken(), 'base64url').subarray(0, bytes).toString('base64').replace(/=+$/, '')
  return `$argon2id$v=19$m=${cost.memoryKiB},t=${cost.passes},p=1$${random(16)}$${random(32)}`
}
