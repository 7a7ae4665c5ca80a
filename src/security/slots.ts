/**
 * A few places for many who want one: at most so many at once per host and in all, a bounded queue behind them, first come first
 * served. Nobody waits longer than their own deadline.
 */

export interface Slots {
  /** Resolves with the function that gives the place back. Rejects when the queue is full or `signal` aborts first. */
  take(host: string, signal: AbortSignal): Promise<() => void>
}

interface Waiting {
  readonly host: string
  readonly start: () => void
}

export function createSlots(limits: { perHost: number; global: number; waiting: number }): Slots {
  const busy = new Map<string, number>()
  const queue: Waiting[] = []
  let total = 0

  const isFree = (host: string): boolean => total < limits.global && (busy.get(host) ?? 0) < limits.perHost

  const occupy = (host: string): (() => void) => {
    total += 1
    busy.set(host, (busy.get(host) ?? 0) + 1)
    return () => {
      total -= 1
      const left = (busy.get(host) ?? 1) - 1
      if (left > 0) busy.set(host, left)
      else busy.delete(host)
      const next = queue.findIndex((waiting) => isFree(waiting.host))
      if (next >= 0) queue.splice(next, 1)[0]?.start()
    }
  }

  return {
    take(host, signal) {
      if (signal.aborted) return Promise.reject(new Error('the deadline has passed'))
      if (isFree(host)) return Promise.resolve(occupy(host))
      if (queue.length >= limits.waiting) return Promise.reject(new Error('too many requests wait to go out'))
      return new Promise((resolve, reject) => {
        const waiting: Waiting = {
          host,
          start: () => {
            signal.removeEventListener('abort', leave)
            resolve(occupy(host))
          },
        }
        function leave(): void {
          queue.splice(queue.indexOf(waiting), 1)
          reject(new Error('the deadline has passed'))
        }
        signal.addEventListener('abort', leave, { once: true })
        queue.push(waiting)
      })
    },
  }
}
