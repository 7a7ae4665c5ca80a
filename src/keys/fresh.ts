/**
 * Facts read from the store, kept in this process for less than a second. What is older is read again, so every change anywhere counts
 * here within a second (AK5). The age begins before the read is sent: a change made while it is under way is not missed for longer.
 */

export interface Fact<T> {
  readonly value: T | undefined
  /** When its read began, in milliseconds since 1970. */
  readonly readAt: number
  /** Rises with every read that begins. */
  readonly turn: number
}

export interface Fresh<T> {
  /** The fact, at most `FRESH_MS` old. Callers of one moment share one read. */
  get(id: string): Promise<Fact<T>>
  /** Reads it now, whatever is known. */
  reread(id: string): Promise<Fact<T>>
  /** The turn of the latest read that began: a fact with a greater one is read later. */
  turn(): number
  /** Drops what is known, a read under way included. */
  forget(id: string): void
}

/** Short enough that decision and answer fit into the second. */
export const FRESH_MS = 900

/**
 * @param limit the most facts kept; the oldest go first. `load` answers undefined for what does not exist: that is not kept, so that
 * made-up ids push nothing out.
 */
export function createFresh<T>({
  load,
  now,
  limit,
}: {
  load: (id: string) => Promise<T | undefined>
  now: () => number
  limit: number
}): Fresh<T> {
  const facts = new Map<string, Fact<T>>()
  const loading = new Map<string, { startedAt: number; fact: Promise<Fact<T>> }>()
  let turns = 0
  // A clock that was set back must not keep anything alive.
  const isFresh = (readAt: number) => readAt <= now() && now() - readAt < FRESH_MS

  const reread: Fresh<T>['reread'] = (id) => {
    const startedAt = now()
    turns += 1
    const turn = turns
    const fact = load(id).then((value) => {
      const read = { value, readAt: startedAt, turn }
      if (loading.get(id)?.fact === fact) keep(facts, { id, fact: read, limit })
      return read
    })
    loading.set(id, { startedAt, fact })
    return fact.finally(() => {
      if (loading.get(id)?.fact === fact) loading.delete(id)
    })
  }

  return {
    async get(id) {
      const known = facts.get(id)
      if (known && isFresh(known.readAt)) return known
      const under = loading.get(id)
      return under && isFresh(under.startedAt) ? under.fact : reread(id)
    },
    reread,
    turn: () => turns,
    forget(id) {
      facts.delete(id)
      loading.delete(id)
    },
  }
}

function keep<T>(facts: Map<string, Fact<T>>, { id, fact, limit }: { id: string; fact: Fact<T>; limit: number }): void {
  facts.delete(id)
  if (fact.value === undefined) return
  facts.set(id, fact)
  if (facts.size > limit) for (const oldest of facts.keys()) if (facts.delete(oldest)) break
}
