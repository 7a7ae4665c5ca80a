/**
 * How keys, personal access tokens and client secrets look: `<prefix>_<kind>_<32 base62><6 base62 CRC-32>`.
 * The checksum lets a scanner or an API refuse a mistyped or invented credential without a look-up; it proves nothing else.
 * Who issues and stores them is decided in `keys/` and `apps/`; both keep digests only.
 */
import { crc32 } from 'node:zlib'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BODY_LENGTH = 32
const CHECKSUM_LENGTH = 6

/** What a credential is, as its second word says: API key, personal access token, client secret. */
export type CredentialKind = 'key' | 'pat' | 'cs'

/**
 * The credential for `body`, 32 characters of base62 from `randomId(32)`.
 * @throws TypeError when prefix or body have another form: neither ever comes from a request.
 */
export function formatCredential(prefix: string, kind: CredentialKind, body: string): string {
  if (!/^[a-z][a-z0-9]*$/i.test(prefix)) throw new TypeError('a credential prefix is letters and digits')
  if (!/^[0-9A-Za-z]{32}$/.test(body)) throw new TypeError('a credential body is 32 characters of base62')
  const text = `${prefix}_${kind}_${body}`
  return text + checksum(text)
}

/** The kind of a well-formed credential with that prefix whose checksum is right; undefined for everything else, of any length. */
export function parseCredential(prefix: string, text: string): CredentialKind | undefined {
  for (const kind of ['key', 'pat', 'cs'] as const) {
    const head = `${prefix}_${kind}_`
    if (text.length !== head.length + BODY_LENGTH + CHECKSUM_LENGTH || !text.startsWith(head)) continue
    if (!/^[0-9A-Za-z]+$/.test(text.slice(head.length))) return undefined
    return text.slice(-CHECKSUM_LENGTH) === checksum(text.slice(0, -CHECKSUM_LENGTH)) ? kind : undefined
  }
  return undefined
}

/** True for what begins like an API key or a personal access token, well-formed or not: it is judged as one and as nothing else. */
export function beginsAsKey(prefix: string, text: string): boolean {
  return text.startsWith(`${prefix}_key_`) || text.startsWith(`${prefix}_pat_`)
}

/** What a page may show of a credential so that its owner recognises it: its head and its last four characters. */
export function credentialHint(credential: string): string {
  const body = credential.lastIndexOf('_') + 1
  return `${credential.slice(0, body)}…${credential.slice(-4)}`
}

/** CRC-32 (IEEE) as six base62 digits, most significant first. */
function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  while (digits.length < CHECKSUM_LENGTH) {
    digits = BASE62[rest % 62] + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}
