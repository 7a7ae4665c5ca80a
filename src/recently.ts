/**
 * What happened a moment ago, so that the same again need not be noted again. Kept in this process only: several processes note what each of them saw.
 */

export interface Recently {
  /** True the first time within the window; from then on false until it is over. */
  isNew(name: string): boolean
  /** It did not come to be noted after all. */
  forget(name: string): void
}

/** Remembers `atMost` names for `forMs` milliseconds each; beyond that the oldest are forgotten, which notes more, never less. */
export function createRecently({ now, forMs, atMost }: { now: () => number; forMs: number; atMost: number }): Recently {
  const seen = new Map<string, number>()
  return {
    isNew(name) {
      const until = seen.get(name)
      if (until !== undefined && until > now()) return false
      seen.delete(name)
      seen.set(name, now() + forMs)
      if (seen.size > atMost) for (const oldest of seen.keys()) if (seen.delete(oldest)) break
      return true
    },
    forget: (name) => void seen.delete(name),
  }
}
