/**
 * A gate with so many places and so long a queue: work that costs processor time passes it, and what does not fit is refused at once
 * instead of making everybody wait. It knows nothing of what passes.
 */
import { AppError } from '../errors.ts'

export interface Gate {
  /** Runs `work` when a place is free, first come first served. @throws overloaded at once when the queue is full. */
  enter<T>(work: () => Promise<T>): Promise<T>
  /** How many wait now. */
  waiting(): number
}

/** @param options.retryAfterSeconds what a refused caller is told. */
export function createGate(options: { places: number; queueLimit: number; retryAfterSeconds: number }): Gate {
  const { places, queueLimit, retryAfterSeconds } = options
  const queue: (() => void)[] = []
  let inside = 0

  const leave = () => {
    const next = queue.shift()
    // The place is handed on, never freed in between: a newcomer cannot overtake the queue.
    if (next) next()
    else inside -= 1
  }
  const admit = async () => {
    if (inside < places) {
      inside += 1
      return
    }
    if (queue.length >= queueLimit)
      throw new AppError('overloaded', 'The server is busy. Try again in a moment.', { details: { retryAfterSeconds } })
    await new Promise<void>((resolve) => queue.push(resolve))
  }

  return {
    async enter(work) {
      await admit()
      try {
        return await work()
      } finally {
        leave()
      }
    },
    waiting: () => queue.length,
  }
}
