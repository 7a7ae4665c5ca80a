/**
 * Challenges of passkeys: each for one ceremony, one account or nobody in particular, five minutes and one use (threats.md MF8). Nothing is
 * stored until one is answered, so that showing a sign-in page costs no write: the challenge rests sealed with the browser.
 */
import { hasCode } from '../errors.ts'
import { digest, randomToken, type Vault } from '../secrets.ts'
import type { Store } from '../storage/store.ts'

export type Ceremony = 'registration' | 'sign_in'

export interface PasskeyChallenges {
  /** `handle` goes to the browser (a cookie or a hidden field) and comes back with the answer. */
  make(ceremony: Ceremony, accountId: string | undefined): { readonly handle: string; readonly challenge: string }
  /** Uses it up; undefined when it is used, expired, altered or of another ceremony. */
  take(
    ceremony: Ceremony,
    handle: string,
  ): Promise<{ readonly challenge: string; readonly accountId?: string } | undefined>
}

const TTL_MS = 5 * 60_000
/** How long a used one is remembered: longer than it could live. */
const KEPT_MS = 2 * TTL_MS

interface Dependencies {
  readonly store: Store
  readonly vault: Vault
  readonly now: () => number
}

export function createPasskeyChallenges({ store, vault, now }: Dependencies): PasskeyChallenges {
  const sealedFor = (ceremony: Ceremony) => `passkey ${ceremony}`
  return {
    make(ceremony, accountId) {
      const challenge = randomToken()
      const kept = { challenge, expiresAt: now() + TTL_MS, ...(accountId === undefined ? {} : { accountId }) }
      return { handle: vault.seal(sealedFor(ceremony), JSON.stringify(kept)), challenge }
    },
    async take(ceremony, handle) {
      const text = vault.open(sealedFor(ceremony), handle.slice(0, 2000))
      if (text === undefined) return undefined
      const { challenge, accountId, expiresAt } = JSON.parse(text) as {
        challenge: string
        accountId?: string
        expiresAt: number
      }
      if (expiresAt <= now()) return undefined
      const id = digest(`used passkey challenge ${ceremony}`, challenge)
      try {
        await store.put('replay', { id, value: { used: true }, expiresAt: now() + KEPT_MS }, 'create')
      } catch (error) {
        if (hasCode(error, 'conflict')) return undefined
        throw error
      }
      return { challenge, ...(accountId === undefined ? {} : { accountId }) }
    },
  }
}
