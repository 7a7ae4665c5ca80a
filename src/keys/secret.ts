/**
 * The secrets of keys. The first ten characters of a body are its locator, the same for every secret of one key: their digest is the
 * key's id, so one read finds the entry. The other 22 hold 131 random bits and change with every rotation. What proves a secret is the
 * digest of the whole credential, kept in the entry.
 */
import { credentialHint, formatCredential, parseCredential } from '../credential-format.ts'
import { digest, randomId } from '../secrets.ts'
import type { KeyId, KeyKind, KeyRecord, KeySecret } from './key.ts'

const LOCATOR_LENGTH = 10
const BODY_LENGTH = 32
const CHECKSUM_LENGTH = 6

const words = { api_key: 'key', personal_access_token: 'pat' } as const

/** Which of a key's secrets a credential is. */
export type SecretUse = 'current' | 'old' | 'retired'

/** A locator for a new key. */
export function newLocator(): string {
  return randomId(LOCATOR_LENGTH)
}

/** The id of the key with that locator: letters and digits, so that no command line takes it for an option. */
export function keyIdOf(locator: string): KeyId {
  return digest('key id', locator).replace(/[-_]/g, '').slice(0, 16) as KeyId
}

/** A new secret: `credential` is for its owner's eyes, once; `secret` is what is kept. */
export function newSecret(
  prefix: string,
  { kind, locator, number }: { kind: KeyKind; locator: string; number: number },
  createdAt: number,
): { credential: string; secret: KeySecret } {
  const credential = formatCredential(prefix, words[kind], locator + randomId(BODY_LENGTH - LOCATOR_LENGTH))
  return {
    credential,
    secret: { number, digest: secretDigest(credential), hint: credentialHint(credential), createdAt },
  }
}

/** True for a well-formed key or personal access token with the right checksum; costs no look-up. */
export function isKeyCredential(prefix: string, text: string): boolean {
  const word = parseCredential(prefix, text)
  return word === 'key' || word === 'pat'
}

/** The id of the key that a well-formed credential belongs to, if there is one. */
export function keyIdFrom(credential: string): KeyId {
  return keyIdOf(credential.slice(-(BODY_LENGTH + CHECKSUM_LENGTH)).slice(0, LOCATOR_LENGTH))
}

/** The stored form of a credential, over the whole of it. */
export function secretDigest(credential: string): string {
  return digest('key', credential)
}

/** Which secret of the key has that digest. Digests of 131 random bits tell nothing by the time their comparison takes. */
export function matchSecret(
  { current, old, retired }: KeyRecord,
  candidate: string,
): { use: SecretUse; number: number } | undefined {
  if (current.digest === candidate) return { use: 'current', number: current.number }
  if (old?.digest === candidate) return { use: 'old', number: old.number }
  const found = retired.find((secret) => secret.digest === candidate)
  return found && { use: 'retired', number: found.number }
}

/** What secret scanners look for: a regular expression for keys and personal access tokens of this server. */
export function scannerPattern(prefix: string): string {
  return `\\b${prefix}_(?:key|pat)_[0-9A-Za-z]{38}\\b`
}
