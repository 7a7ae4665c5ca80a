/**
 * What an owner is told about a key, each thing once, whichever process notices it first. A notice is claimed before it is told and confirmed
 * after: one that a crash cut off is told when it comes up again. Words and delivery belong to whoever listens.
 */
import { hasCode } from '../errors.ts'
import type { Caller } from '../observability/audit.ts'
import type { Store } from '../storage/store.ts'
import type { Owner } from './decide.ts'
import type { Key } from './key.ts'

/** `at` is milliseconds since 1970; address and agent are those of whoever did it. */
export interface KeyNotice {
  readonly event: 'created' | 'widened' | 'revoked' | 'leaked' | 'expiring' | 'new_network'
  readonly key: Key
  readonly owner: Owner
  readonly at: number
  readonly ip?: string
  readonly userAgent?: string
  /** Days left, for `expiring`. */
  readonly days?: 7 | 1
}

/** Delivers a notice; it counts as told when this resolves. */
export type TellOwner = (notice: KeyNotice) => Promise<void>

export interface Notices {
  /** Sends notices to `tell` from now on. Returns the way to stop. */
  listen(tell: TellOwner): () => void
  /** Tells the owner once per key and `mark`; nothing while nobody listens. Never throws: what happened stands without its notice. */
  tell(mark: string, happened: Omit<KeyNotice, 'owner'>): Promise<void>
}

interface Dependencies {
  readonly store: Store
  readonly now: () => number
  readonly owners: { find(id: string): Promise<Owner | undefined> }
  readonly onTrouble?: (error: unknown) => void
}

const CLAIM_MS = 60_000
const KEPT_MS = 30 * 86_400_000

export function createNotices({ store, now, owners, onTrouble }: Dependencies): Notices {
  let listener: TellOwner | undefined

  /** True for one caller; the claim ends by itself unless it is confirmed. */
  const claim = async (id: string): Promise<boolean> => {
    try {
      await store.put('key_notice', { id, value: { at: now() }, expiresAt: now() + CLAIM_MS }, 'create')
      return true
    } catch (error) {
      if (hasCode(error, 'conflict')) return false
      throw error
    }
  }

  const confirm = (id: string, until: number) =>
    store.update<object>('key_notice', id, (value) => ({ value, expiresAt: until + KEPT_MS }))

  return {
    listen(tell) {
      listener = tell
      return () => {
        listener = undefined
      }
    },
    async tell(mark, happened) {
      const tell = listener
      if (!tell) return
      const { key } = happened
      const id = `${key.id} ${mark}`
      try {
        const owner = await owners.find(key.ownerId)
        if (!owner || !(await claim(id))) return
        await tell({ ...happened, owner })
        await confirm(id, Math.max(key.expiresAt, now()))
      } catch (error) {
        onTrouble?.(error)
      }
    },
  }
}

/** Where a caller is, as a notice says it. */
export function placeIn({ ip, userAgent }: Caller): Pick<KeyNotice, 'ip' | 'userAgent'> {
  return { ...(ip === undefined ? {} : { ip }), ...(userAgent === undefined ? {} : { userAgent }) }
}
