/**
 * Which apps act for an account through an app that it has connected: what the person sees beside that app. A record says that it happened and when
 * last; nothing is decided by it, and it is gone a month after the last time.
 */
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'

/** The stored value of kind `delegate`. */
export interface Delegate {
  readonly accountId: string
  /** The consent that the first token was made under. */
  readonly consentId: string
  /** Client id of the app that acts. */
  readonly actor: string
  /** Milliseconds since 1970. */
  readonly lastAt: number
}

export interface Delegates {
  note(delegate: Omit<Delegate, 'lastAt'>): Promise<void>
  /** The newest first, at most 1000. */
  list(accountId: string): Promise<readonly Delegate[]>
}

const KEPT_MS = 30 * 86_400_000

export function createDelegates({ store, now }: { store: Store; now: () => number }): Delegates {
  return {
    async note(delegate) {
      const id = digest('delegate', `${delegate.consentId}\n${delegate.actor}`)
      const value: Delegate = { ...delegate, lastAt: now() }
      await store.put('delegate', { id, value, expiresAt: now() + KEPT_MS }, 'replace')
    },
    async list(accountId) {
      const { items } = await store.list<Delegate>('delegate', { group: 'accountId', value: accountId, limit: 1000 })
      return items.map(({ value }) => value)
    },
  }
}
