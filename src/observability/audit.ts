/**
 * The audit: who did what, when, from where, and how it ended. Entries go to the store's hash-chained logs and are durable
 * before the act is reported as done. A record holds identifiers and outcomes, never a secret.
 */
import type { Store } from '../storage/store.ts'

/**
 * On whose behalf something happens. `account` acts for itself; `app` with its own credentials; `operator` on others, from the command line or as an
 * administrator with that id.
 */
export interface Caller {
  readonly kind: 'account' | 'app' | 'operator' | 'system' | 'anonymous'
  readonly id?: string
  /** The app or key that acts for it: an agent's client id, `api_key:<id>`. */
  readonly actor?: string
  readonly ip?: string
  readonly userAgent?: string
  readonly requestId?: string
  /** Why, in an operator's own words; kept with every entry of the act. */
  readonly reason?: string
}

/** `event` is `<thing>.<what happened>`: `sign_in.refused`, `grant.revoked`, `app.created`. */
export interface AuditEntry {
  readonly event: string
  readonly outcome: 'done' | 'refused' | 'failed'
  /** Whose log it belongs to; the app's id, `system` or `anonymous` where no account is concerned. */
  readonly accountId: string
  readonly subject?: string
  readonly reason?: string
  readonly details?: Readonly<Record<string, string | number | boolean | readonly string[]>>
}

export interface Audit {
  /** Appends one entry; it is durable when this returns. */
  note(caller: Caller, entry: AuditEntry): Promise<void>
  /** Runs `act` and notes once how it ended: `done`, or `refused`/`failed` with the error's code, which is thrown on. */
  record<T>(caller: Caller, entry: Omit<AuditEntry, 'outcome' | 'reason'>, act: () => Promise<T>): Promise<T>
}

export function createAudit({ store, now }: { store: Store; now: () => number }): Audit {
  const note: Audit['note'] = async (caller, entry) => {
    await store.append(entry.accountId, { at: now(), ...entry, caller })
  }
  return {
    note,
    async record(caller, entry, act) {
      let result: Awaited<ReturnType<typeof act>>
      try {
        result = await act()
      } catch (error) {
        const reason = error instanceof Error && 'code' in error ? String(error.code) : 'internal'
        await note(caller, { ...entry, outcome: reason === 'internal' ? 'failed' : 'refused', reason })
        throw error
      }
      await note(caller, { ...entry, outcome: 'done' })
      return result
    },
  }
}
