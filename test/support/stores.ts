/**
 * The stores on which every flow must work: one table, and a frame that runs a suite on each of them against one server per store.
 */
import { after, before, describe } from 'node:test'
import { type Licet, type LicetOptions, startLicet } from './licet.ts'
import { startCluster } from './redis.ts'
import { skipWithout } from './tools.ts'

interface OpenedStore {
  /** Absent: SQLite in the server's own directory. */
  readonly url?: string
  stop(): Promise<void>
}

export const stores: readonly { name: string; skip: string | false; open: () => Promise<OpenedStore> }[] = [
  { name: 'SQLite', skip: false, open: async () => ({ stop: async () => {} }) },
  {
    name: 'Redis Cluster',
    skip: skipWithout('redis-server'),
    open: () => startCluster({ appendfsync: 'everysec' }),
  },
]

/** Defines the same tests for every store; `licet()` is the running server. */
export function onEveryStore(define: (licet: () => Licet) => void, options: Omit<LicetOptions, 'store'> = {}): void {
  for (const store of stores) {
    describe(`on ${store.name}`, { skip: store.skip }, () => {
      let opened: OpenedStore
      let licet: Licet
      before(async () => {
        opened = await store.open()
        licet = await startLicet({ ...options, ...(opened.url ? { store: opened.url } : {}) })
      })
      after(async () => {
        await licet?.close()
        await opened?.stop()
      })
      define(() => licet)
    })
  }
}
