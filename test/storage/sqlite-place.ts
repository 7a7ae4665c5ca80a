/**
 * A directory for a SQLite store, new for every test and gone when the suite is over.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach } from 'node:test'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'

/** Where the store of the running test lies; the directory does not exist yet. */
export interface Place {
  readonly directory: string
  readonly path: string
  /** Opens a store there and closes it when the act is over. */
  withStore<T>(act: (store: Store) => Promise<T>, now?: () => number): Promise<T>
}

/** Call once per test file. */
export function usePlace(): Place {
  const root = mkdtempSync(join(tmpdir(), 'licet-files-'))
  let directory = ''
  after(() => rmSync(root, { recursive: true, force: true }))
  beforeEach(() => {
    directory = join(mkdtempSync(join(root, 'x-')), 'data')
  })
  return {
    get directory() {
      return directory
    },
    get path() {
      return join(directory, 'licet.db')
    },
    async withStore(act, now = Date.now) {
      const store = await openStore({ url: `sqlite:${join(directory, 'licet.db')}` }, { now })
      try {
        return await act(store)
      } finally {
        await store.close()
      }
    },
  }
}
