/**
 * An authenticator app for tests, written from RFC 6238 and not from our own code: reads the key of a page and shows the code of a moment.
 */
import { createHmac } from 'node:crypto'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The key that a set-up page shows, without its spaces. */
export function keyOf(html: string): string {
  const key = /id="totp-key">([A-Z2-7 ]+)</.exec(html)?.[1]
  if (!key) throw new Error('the page shows no key')
  return key.replaceAll(' ', '')
}

/** The six digits of that key; `at` is milliseconds since 1970. */
export function codeOf(key: string, at: number): string {
  let bits = ''
  for (const letter of key) bits += ALPHABET.indexOf(letter).toString(2).padStart(5, '0')
  const bytes = (bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)))
  const mac = createHmac('sha1', Buffer.from(bytes)).update(counter).digest()
  const start = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(start) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}
