/**
 * Why a credential was refused, for its owner and nobody else. Every refusal has a short reference; only what belongs to an owner is stored.
 * A flood stores little: the same refusal within a minute keeps its reference, one place and one credential have a number per hour and day.
 * A refusal beyond that, or of nobody's credential, has a reference that leads nowhere: outside they look the same.
 */
import { AppError } from '../errors.ts'
import { randomId } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { placeOf } from './networks.ts'

/** The stored value of kind `denial`. Nothing in it can be used: the credential stands by its name. */
export interface Denial {
  readonly ownerId: string
  /** `api_key:<id>`, `personal_access_token:<id>`, `access_token:<jti>` … */
  readonly credential: string
  readonly reason: string
  /** What was missing or did not fit: scopes, a resource, an address. */
  readonly detail?: string
  readonly at: number
  readonly ip: string
  readonly userAgent: string
  /** Method and path, without query. */
  readonly request?: string
}

export interface StoredDenial extends Denial {
  readonly ref: string
}

export interface Denials {
  /** A reference that leads nowhere, for what has no owner. */
  newRef(): string
  /** The reference of the refusal, stored for its owner within the bounds. Never throws: a refusal stands without its record. */
  note(denial: Denial): Promise<string>
  /** As `note`, with the reference at once: for refusals whose time must not tell that there was something to store. */
  noteAside(denial: Denial): string
  /** Resolves when everything noted aside is stored. */
  settled(): Promise<void>
  /** The refusal, for its owner only. @throws not_found for everybody else and for what was not stored. */
  getOwned(ownerId: string, ref: string): Promise<StoredDenial>
  /** The latest first. */
  list(
    ownerId: string,
    paging?: { cursor?: string; limit?: number },
  ): Promise<{ items: StoredDenial[]; nextCursor?: string }>
}

interface Dependencies {
  readonly store: Store
  readonly now: () => number
  readonly keptSeconds: number
  readonly onTrouble?: (error: unknown) => void
}

const REF_LENGTH = 10
const SAME_MS = 60_000
const HOUR_SECONDS = 3600
const DAY_SECONDS = 86_400
/** What is stored at most: of one place and credential per hour, of one credential per hour and per day. */
const bounds = { placeHour: 50, hour: 100, day: 300 } as const
const REMEMBERED = 10_000

export function createDenials(dependencies: Dependencies): Denials {
  const { store, now, keptSeconds } = dependencies
  const recent = createRecent(now)
  const bounded = createBounds(dependencies)
  const newRef = () => randomId(REF_LENGTH)

  const keep = async (ref: string, denial: Denial): Promise<void> => {
    const value: Denial = { ...denial, userAgent: denial.userAgent.slice(0, 256), ...cutRequest(denial) }
    await store.put('denial', { id: ref, value, expiresAt: now() + keptSeconds * 1000 }, 'create')
  }

  const write = async (ref: string, denial: Denial): Promise<void> => {
    try {
      if (await bounded.admit(denial)) await keep(ref, denial)
    } catch (error) {
      dependencies.onTrouble?.(error)
    }
  }

  const begin = (denial: Denial): { ref: string; written?: Promise<void> } => {
    const same = sameness(denial)
    const known = recent.find(same)
    if (known) return { ref: known }
    const ref = newRef()
    // Remembered before it is written: of many at once one writes.
    recent.keep(same, ref)
    return { ref, written: write(ref, denial) }
  }

  const aside = new Set<Promise<void>>()
  const settled = async (): Promise<void> => void (await Promise.all(aside))

  return {
    newRef,
    async note(denial) {
      const { ref, written } = begin(denial)
      await written
      return ref
    },
    noteAside(denial) {
      const { ref, written } = begin(denial)
      if (written) {
        aside.add(written)
        void written.finally(() => aside.delete(written))
      }
      return ref
    },
    settled,
    async getOwned(ownerId, ref) {
      await settled()
      const entry = await store.find<Denial>('denial', ref)
      if (entry?.value.ownerId === ownerId) return { ref, ...entry.value }
      throw new AppError('not_found', 'There is no such denial.')
    },
    async list(ownerId, paging = {}) {
      await settled()
      const { items, ...more } = await store.list<Denial>('denial', { group: 'ownerId', value: ownerId, ...paging })
      return { items: items.map(({ id, value }) => ({ ref: id, ...value })), ...more }
    },
  }
}

/** Queries may hold anything, so they are not kept. */
function cutRequest({ request }: Denial): Pick<Denial, 'request'> {
  return request === undefined ? {} : { request: (request.split('?', 1)[0] ?? '').slice(0, 200) }
}

function sameness({ credential, reason, detail = '', ip, request = '' }: Denial): string {
  return [credential, reason, detail.slice(0, 200), placeOf(ip) ?? ip, request.slice(0, 200)].join('\n')
}

/** References of the last minute. */
function createRecent(now: () => number) {
  const refs = new Map<string, { ref: string; at: number }>()
  return {
    find: (same: string): string | undefined => {
      const known = refs.get(same)
      return known && now() - known.at < SAME_MS ? known.ref : undefined
    },
    keep: (same: string, ref: string): void => {
      refs.delete(same)
      refs.set(same, { ref, at: now() })
      if (refs.size > REMEMBERED) for (const oldest of refs.keys()) if (refs.delete(oldest)) break
    },
  }
}

/** Counts what is stored, over all processes. A bound that is reached is not asked for again until it ends. */
function createBounds({ store, now }: Pick<Dependencies, 'store' | 'now'>) {
  const full = new Map<string, number>()
  const admitTo = async (counter: string, limit: number, windowSeconds: number): Promise<boolean> => {
    if ((full.get(counter) ?? 0) > now()) return false
    const { count, resetSeconds } = await store.increment(counter, windowSeconds)
    if (count <= limit) return true
    full.delete(counter)
    full.set(counter, now() + resetSeconds * 1000)
    if (full.size > REMEMBERED) for (const oldest of full.keys()) if (full.delete(oldest)) break
    return false
  }
  return {
    /** Per place first: one that floods must not use up what others may say about the credential. */
    admit: async ({ credential, ip }: Denial): Promise<boolean> =>
      (await admitTo(`denials ${credential} ${placeOf(ip) ?? ip}`, bounds.placeHour, HOUR_SECONDS)) &&
      (await admitTo(`denials ${credential}`, bounds.hour, HOUR_SECONDS)) &&
      (await admitTo(`denials of the day ${credential}`, bounds.day, DAY_SECONDS)),
  }
}
