/**
 * Client secrets: made, kept as digests, two alive while one is rotated, checked without telling which one was near.
 * How often a caller may try is decided at the token endpoint.
 */
import { credentialHint, formatCredential } from '../credential-format.ts'
import { digest, equalSecrets, randomId } from '../secrets.ts'
import type { AppSecret } from './app.ts'

/** Longest candidate that is looked at; secrets from configuration may have a form of their own. */
const LIMIT = 1024

/** What a rotation may leave to the old secret, in seconds (contract: 0 to 7 days, 1 day if not given). */
export const overlapSeconds = { least: 0, standard: 86_400, most: 604_800 } as const

/** A new secret: `clientSecret` is for its owner's eyes, once; `secret` is what is kept. */
export function newSecret(prefix: string, createdAt: number): { clientSecret: string; secret: AppSecret } {
  const clientSecret = formatCredential(prefix, 'cs', randomId(32))
  return { clientSecret, secret: keptSecret(clientSecret, createdAt) }
}

/** The kept form of a secret, also of one that an operator wrote into the configuration. */
export function keptSecret(clientSecret: string, createdAt: number): AppSecret {
  const hint = /_cs_[0-9A-Za-z]{38}$/.test(clientSecret) ? credentialHint(clientSecret) : '…'
  return { id: randomId(12), digest: digest('client secret', clientSecret), hint, createdAt }
}

/** The secrets after a rotation: the fresh one, and the newest living one until the overlap ends; every other is dropped. */
export function rotated(secrets: readonly AppSecret[], fresh: AppSecret, now: number, overlap: number): AppSecret[] {
  const [newest] = living(secrets, now).toSorted((one, other) => other.createdAt - one.createdAt)
  const end = now + overlap * 1000
  if (!newest || end <= now) return [fresh]
  return [fresh, { ...newest, expiresAt: Math.min(newest.expiresAt ?? end, end) }]
}

/** True when the candidate is one of the living secrets. Every one is compared, whichever matches. */
export function matchesSecret(secrets: readonly AppSecret[], candidate: string, now: number): boolean {
  if (candidate === '' || candidate.length > LIMIT) return false
  const candidateDigest = digest('client secret', candidate)
  let matches = false
  for (const secret of living(secrets, now)) matches = equalSecrets(secret.digest, candidateDigest) || matches
  return matches
}

function living(secrets: readonly AppSecret[], now: number): AppSecret[] {
  return secrets.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now)
}
