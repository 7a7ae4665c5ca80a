/**
 * A process of its own that writes to a SQLite store until it has done its part or is killed: `sqlite-writer.ts <path> <name> <rounds>`.
 * It prints one line for every entry whose write was acknowledged.
 */
import { writeSync } from 'node:fs'
import { openStore } from '../../src/storage/open.ts'

const [path = '', name = '', rounds = '0'] = process.argv.slice(2)
const store = await openStore({ url: `sqlite:${path}` }, { now: Date.now })

async function round(n: number): Promise<void> {
  const id = `${name}-${n}`
  await store.put('consent', { id, value: { accountId: name } }, 'create')
  await store.update<{ n: number }>('meta', 'shared', (value) => ({ value: { n: value.n + 1 } }))
  await store.append('shared', { id })
  await store.increment('shared', 3600)
  writeSync(1, `${id}\n`)
}

for (let n = 0; n < Number(rounds); n += 4) await Promise.all([n, n + 1, n + 2, n + 3].map(round))
await store.close()
