/**
 * Lines: what concerns one and the same thing happens one after the other, other things meanwhile.
 * Per process only; what several processes must not do at once is decided in the store.
 */
import { AppError } from '../errors.ts'

/**
 * The function that runs `act` when every earlier one for the same `name` has ended, however it ended.
 * @throws overloaded at once when `queueLimit` wait for that name already.
 */
export function createLines(options: {
  queueLimit: number
  retryAfterSeconds: number
}): <T>(name: string, act: () => Promise<T>) => Promise<T> {
  const lines = new Map<string, { waiting: number; end: Promise<unknown> }>()
  return async (name, act) => {
    const line = lines.get(name) ?? { waiting: 0, end: Promise.resolve() }
    if (line.waiting >= options.queueLimit) {
      const details = { retryAfterSeconds: options.retryAfterSeconds }
      throw new AppError('overloaded', 'Too many attempts at once. Try again in a moment.', { details })
    }
    line.waiting += 1
    const turn = line.end.then(act)
    line.end = turn.catch(() => undefined)
    lines.set(name, line)
    try {
      return await turn
    } finally {
      line.waiting -= 1
      if (line.waiting === 0) lines.delete(name)
    }
  }
}
