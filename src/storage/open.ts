/**
 * Opens the store that a URL names. The only place that knows which engine belongs to which URL.
 */
import { AppError } from '../errors.ts'
import { openRedisStore } from './redis.ts'
import { openSqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'

export interface StoreSettings {
  /** `sqlite:<path>`, `sqlite::memory:`, `redis://…`, `rediss://…`, `redis+sentinel://…/name`, `redis+cluster://…`; `?replicas=N` with every Redis. */
  readonly url: string
  /** A managed Redis that hides its configuration counts as durable; without this it is a problem. */
  readonly assumeDurable?: boolean
}

/**
 * Opens the configured engine and waits until it answers. `now` is the clock that decides what has expired, in milliseconds.
 * @throws AppError `invalid_configuration` for a URL that names no engine; `store_unavailable` when the engine does not answer.
 */
export async function openStore(settings: StoreSettings, { now }: { now: () => number }): Promise<Store> {
  const { url, assumeDurable = false } = settings
  if (/^rediss?[+:]/.test(url)) return openRedisStore(url, { now, assumeDurable })
  if (url.startsWith('sqlite:')) return openSqliteStore(sqlitePath(url), { now })
  throw new AppError(
    'invalid_configuration',
    'The store URL must begin with sqlite:, redis://, rediss://, redis+sentinel:// or redis+cluster://.',
  )
}

/** What an operator calls the engine of a store URL. */
export function engineName(url: string): string {
  if (url.startsWith('sqlite:')) return 'SQLite'
  return /^\w+\+sentinel:/.test(url) ? 'Redis Sentinel' : /^\w+\+cluster:/.test(url) ? 'Redis Cluster' : 'Redis'
}

/** `sqlite:data/licet.db` is relative to the working directory; `sqlite:/…` and `sqlite:///…` are absolute; `sqlite::memory:` is no file. */
function sqlitePath(url: string): string {
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.startsWith('//') || path.includes('?')) {
    throw new AppError('invalid_configuration', 'A store URL for SQLite reads sqlite:<path>.')
  }
  return path
}
