/**
 * Client secrets: made, kept as digests, two alive while one is rotated, checked without telling which one was near.
 * How often a caller may try is decided at the token endpoint.
 */
import { credentialHint, formatCredential } from '../credential-format.ts'
import { type OverlapWish, replacedNow, waitsForUse } from '../overlap.ts'
import { digest, equalSecrets, randomId } from '../secrets.ts'
import type { AppRecord, AppSecret } from './app.ts'

/** Longest candidate that is looked at; secrets from configuration may have a form of their own. */
const LIMIT = 1024

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

/** The app after a rotation: the fresh secret, and the newest living one until its overlap ends; every other is dropped. */
export function withRotated(app: AppRecord, fresh: AppSecret, wish: OverlapWish, now: number): AppRecord {
  const { waiting: _waiting, ...rest } = app
  const [newest] = living(app.secrets, now).toSorted((one, other) => other.createdAt - one.createdAt)
  const replaced = replacedNow(wish, now)
  if (!newest || !replaced) return { ...rest, secrets: [fresh] }
  const { endsAt, ...waits } = replaced
  const old = { ...newest, ...waits, expiresAt: Math.min(newest.expiresAt ?? endsAt, endsAt) }
  return { ...rest, secrets: [fresh, old], ...(waitsForUse(old) ? { waiting: 'use' } : {}) }
}

/** The app after its old secrets have ended before their time. */
export function withoutOldSecrets({ waiting: _waiting, ...app }: AppRecord): AppRecord {
  return { ...app, secrets: app.secrets.filter(({ expiresAt }) => expiresAt === undefined) }
}

/** The living secret that the candidate is. Every one is compared, whichever matches. */
export function findSecret(secrets: readonly AppSecret[], candidate: string, now: number): AppSecret | undefined {
  if (candidate === '' || candidate.length > LIMIT) return undefined
  const candidateDigest = digest('client secret', candidate)
  let found: AppSecret | undefined
  for (const secret of living(secrets, now)) found = equalSecrets(secret.digest, candidateDigest) ? secret : found
  return found
}

/** Those that work at `now`. */
export function living(secrets: readonly AppSecret[], now: number): AppSecret[] {
  return secrets.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now)
}
