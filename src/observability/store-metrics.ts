/**
 * A store that is timed: the same promises, and one histogram per operation and outcome. Measuring never changes what happens.
 */
import { AppError } from '../errors.ts'
import type { Store } from '../storage/store.ts'
import type { Metrics } from './metrics.ts'

/** Every operation of the store; `close` is not worth a number. Leaving one out does not compile. */
const operations: Record<Exclude<keyof Store, 'close'>, true> = {
  find: true,
  findBy: true,
  list: true,
  put: true,
  update: true,
  take: true,
  remove: true,
  removeGroup: true,
  increment: true,
  count: true,
  append: true,
  read: true,
  readLog: true,
  ping: true,
  inspect: true,
}

type Call = (...args: unknown[]) => Promise<unknown>

/** @param dependencies `elapsed` is a monotonic clock in milliseconds. */
export function measureStore(
  store: Store,
  { metrics, elapsed }: { metrics: Pick<Metrics, 'storeCall'>; elapsed: () => number },
): Store {
  const timed = (operation: string, call: Call): Call => {
    return async (...args) => {
      const startedAt = elapsed()
      try {
        const result = await call(...args)
        metrics.storeCall(operation, 'ok', (elapsed() - startedAt) / 1000)
        return result
      } catch (error) {
        metrics.storeCall(operation, error instanceof AppError ? error.code : 'failed', (elapsed() - startedAt) / 1000)
        throw error
      }
    }
  }
  const measured = Object.keys(operations).map((name) => {
    const operation = name as keyof typeof operations
    return [operation, timed(operation, store[operation].bind(store) as Call)]
  })
  // The loop keeps each operation's type, which the compiler cannot follow through `fromEntries`.
  return { ...(Object.fromEntries(measured) as unknown as Store), close: () => store.close() }
}
