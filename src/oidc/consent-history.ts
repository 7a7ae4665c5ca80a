/**
 * What an account has allowed, narrowed and ended, kept for its owner after the consent itself is gone. Each note is written before what it tells of
 * takes effect. The audit has the same acts for everybody who must account for them; this is by app, for the person.
 */
import { randomId } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { ScopeMap } from './scope-map.ts'

/** `allowed`: with what was refused beside it. `narrowed`: what was left. `ended`: nothing is. Times are milliseconds since 1970. */
export interface ConsentNote {
  readonly accountId: string
  readonly clientId: string
  readonly consentId: string
  readonly act: 'allowed' | 'narrowed' | 'ended'
  readonly at: number
  readonly scopes: ScopeMap
  readonly refused?: ScopeMap
  readonly duration?: string
  readonly expiresAt?: number
}

export interface ConsentHistory {
  note(note: Omit<ConsentNote, 'at'>): Promise<void>
  /** Of one consent, or of everything an account has allowed; newest first. */
  list(
    of: { consentId: string } | { accountId: string },
    paging?: { cursor?: string; limit?: number },
  ): Promise<{ items: readonly ConsentNote[]; nextCursor?: string }>
}

interface Parts {
  readonly store: Store
  readonly now: () => number
  readonly keepSeconds: number
}

export function createConsentHistory({ store, now, keepSeconds }: Parts): ConsentHistory {
  return {
    async note(note) {
      const value: ConsentNote = { ...note, at: now() }
      await store.put('consent_note', { id: randomId(), value, expiresAt: now() + keepSeconds * 1000 }, 'create')
    },
    async list(of, paging = {}) {
      const [[group, value] = ['accountId', '']] = Object.entries(of)
      const { items, nextCursor } = await store.list<ConsentNote>('consent_note', { group, value, ...paging })
      return { items: items.map((item) => item.value), ...(nextCursor ? { nextCursor } : {}) }
    },
  }
}
