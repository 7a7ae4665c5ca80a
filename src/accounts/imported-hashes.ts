/**
 * Password digests of other systems, so that people keep their passwords when an operator moves here: bcrypt (`$2a$` `$2b$` `$2y$`), scrypt
 * (`$scrypt$ln=15,r=8,p=1$salt$hash`), PBKDF2 (`$pbkdf2-sha256$i=600000$salt$hash`, passlib's `$pbkdf2-sha256$29000$salt$hash`, Django's
 * `pbkdf2_sha256$600000$salt$hash`). Only checked, never made: the first sign-in replaces one by argon2id. The only file that imports bcrypt.
 */
import { pbkdf2, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'

const scryptBytes = promisify<Buffer, Buffer, number, object, Buffer>(scrypt)
const pbkdf2Bytes = promisify(pbkdf2)

type Check = (password: Buffer) => Promise<boolean>

/**
 * The check of such a digest; undefined for text that is none, or one so costly that a sign-in would be an attack on this server.
 */
export function readImportedHash(digest: string): Check | undefined {
  if (digest.length > 1000) return undefined
  return readBcrypt(digest) ?? readScrypt(digest) ?? readPbkdf2(digest)
}

function readBcrypt(digest: string): Check | undefined {
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(digest) ?? []
  if (cost === undefined || Number(cost) < 4 || Number(cost) > 15) return undefined
  return (password) => verifyBcrypt(password, digest)
}

function readScrypt(digest: string): Check | undefined {
  const match = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([^$]+)\$([^$]+)$/.exec(digest)
  const [ln = 0, r = 0, p = 0] = (match ?? []).slice(1, 4).map(Number)
  const [salt, hash] = [readBase64(match?.[4]), readBase64(match?.[5])]
  const memory = 128 * 2 ** ln * r
  if (!salt || !hash || ln < 1 || r < 1 || p < 1 || p > 4 || memory > 2 ** 27) return undefined
  const cost = { N: 2 ** ln, r, p, maxmem: memory + 2 ** 20 }
  return async (password) => timingSafeEqual(await scryptBytes(password, salt, hash.length, cost), hash)
}

function readPbkdf2(digest: string): Check | undefined {
  const phc = /^\$pbkdf2-(sha1|sha256|sha512)\$(?:i=)?(\d{1,7})(?:,l=\d+)?\$([^$]+)\$([^$]+)$/.exec(digest)
  const django = phc ? undefined : /^pbkdf2_(sha1|sha256)\$(\d{1,7})\$([^$]+)\$([^$]+)$/.exec(digest)
  const [, name, rounds, salted, hashed] = phc ?? django ?? []
  const salt = phc ? readBase64(salted) : Buffer.from(salted ?? '')
  const hash = readBase64(hashed)
  const iterations = Number(rounds)
  if (!name || !salt || !hash || iterations < 1 || iterations > 3_000_000) return undefined
  return async (password) => timingSafeEqual(await pbkdf2Bytes(password, salt, iterations, hash.length, name), hash)
}

/** Standard base64 with or without padding; `.` for `+` as passlib writes it. 8 to 128 bytes. */
function readBase64(text: string | undefined): Buffer | undefined {
  if (text === undefined || !/^[A-Za-z0-9+/.]+={0,2}$/.test(text)) return undefined
  const bytes = Buffer.from(text.replaceAll('.', '+'), 'base64')
  return bytes.length >= 8 && bytes.length <= 128 ? bytes : undefined
}

/** True for a digest that a sign-in can check: one of these, or argon2id of a cost a server survives. */
export function isPasswordDigest(digest: string): boolean {
  const [, memory, passes] =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=[1-8]\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$/.exec(digest) ?? []
  if (memory !== undefined) return Number(memory) <= 262_144 && Number(passes) >= 1 && Number(passes) <= 16
  return readImportedHash(digest) !== undefined
}
