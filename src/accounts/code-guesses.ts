/**
 * How often the short codes of an account may be guessed: one count per account for all of them and for every door (threats.md MF3, LG5).
 * A guess is counted before it is judged and given back when it was right, so that no burst, process or session gets more.
 */
import type { Store } from '../storage/store.ts'
import { createLines } from './lines.ts'

export type Guessed = 'right' | 'wrong' | { readonly limited: true; readonly retryAfterSeconds: number }

/** Judges a code of this account if it may be guessed at all now. */
export type GuessCode = (accountId: string, isRight: () => Promise<boolean>) => Promise<Guessed>

export interface CodeGuesses {
  readonly guess: GuessCode
  /** Forgets the wrong guesses: an operator has reset the account's factors. */
  forget(accountId: string): Promise<void>
}

const LIMIT = 5
const WINDOW_SECONDS = 900

/** Five wrong codes per account in 15 minutes. */
export function createCodeGuesses({ store }: { store: Store }): CodeGuesses {
  const inLine = createLines({ queueLimit: 50, retryAfterSeconds: 5 })
  const counterOf = (accountId: string) => `wrong-codes:${accountId}`
  return {
    guess: (accountId, isRight) =>
      inLine(accountId, async () => {
        const counter = counterOf(accountId)
        const { count, resetSeconds } = await store.increment(counter, WINDOW_SECONDS)
        if (count > LIMIT) return { limited: true, retryAfterSeconds: Math.max(resetSeconds, 1) }
        if (!(await isRight())) return 'wrong'
        await store.increment(counter, WINDOW_SECONDS, -1)
        return 'right'
      }),
    async forget(accountId) {
      const { count } = await store.count(counterOf(accountId))
      if (count > 0) await store.increment(counterOf(accountId), WINDOW_SECONDS, -count)
    },
  }
}
