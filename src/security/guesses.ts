/**
 * Wrong guesses at a secret, counted by whoever is attacked and from where (RFC 6819 §4.3.5, threats.md CA1). Right answers cost nothing:
 * only a failure is counted in the store. Who has used up the guesses is refused before the next one is looked at, so that a right one found
 * too late reads like a wrong one. Every process learns of it by one failure of its own, so processes add one guess each at most.
 */
import { AppError } from '../errors.ts'

export interface Guesses {
  /** @throws rate_limited while the guesses of this key are used up. */
  admit(key: string): void
  /** Counts a wrong one. @throws rate_limited from the first one too many. */
  count(key: string): Promise<void>
}

const REMEMBER_AT_MOST = 10_000

export interface GuessesOptions {
  /** Counts one in the store and throws `rate_limited` beyond the limit. */
  readonly enforce: (key: string) => Promise<unknown>
  readonly now: () => number
}

export function createGuesses({ enforce, now }: GuessesOptions): Guesses {
  const spent = new Map<string, { until: number; refusal: AppError }>()

  const remember = (key: string, refusal: AppError): void => {
    if (spent.size >= REMEMBER_AT_MOST) spent.clear()
    spent.set(key, { until: now() + (refusal.details.retryAfterSeconds ?? 1) * 1000, refusal })
  }

  return {
    admit(key) {
      const known = spent.get(key)
      if (!known) return
      if (known.until > now()) throw known.refusal
      spent.delete(key)
    },
    async count(key) {
      try {
        await enforce(key)
      } catch (error) {
        if (error instanceof AppError && error.code === 'rate_limited') remember(key, error)
        throw error
      }
    },
  }
}
