/** The embedded engine keeps the promises of the store. What only it does (files, processes, crashes) stands in `sqlite-files.test.ts`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../src/storage/open.ts'
import { keepsTheStoreContract } from './contract.ts'

keepsTheStoreContract('SQLite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'licet-sqlite-'))
  return {
    open: ({ now }) => openStore({ url: `sqlite:${join(directory, 'licet.db')}` }, { now }),
    stop: async () => rmSync(directory, { recursive: true, force: true }),
  }
})
