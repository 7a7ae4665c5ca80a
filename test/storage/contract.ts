/**
 * The promises of `src/storage/store.ts` as tests: every engine runs all of them, and two stores are always open on one backend,
 * as two server processes would be. The sentences stand in the three files that this one joins.
 */
import { after, before, describe } from 'node:test'
import { randomId } from '../../src/secrets.ts'
import type { Store } from '../../src/storage/store.ts'
import { entryPromises } from './contract-entries.ts'
import { listPromises } from './contract-lists.ts'
import { logPromises } from './contract-log.ts'
import { racePromises } from './contract-races.ts'

/** A running backend. `open` gives one more store on it, as another process would. */
export interface Backend {
  open(options: { now: () => number }): Promise<Store>
  stop(): Promise<void>
}

/** What a test has at hand: two stores on one backend, a clock that only the test moves, and ids nobody else uses. */
export interface Bench {
  readonly store: Store
  readonly other: Store
  now(): number
  pass(milliseconds: number): void
  id(): string
}

/** Runs every promise against the engine that `start` brings up; `skip` names what is missing on this machine. */
export function keepsTheStoreContract(
  engine: string,
  start: () => Promise<Backend>,
  skip: string | false = false,
): void {
  describe(`the store on ${engine}`, { skip }, () => {
    const bench = {} as { -readonly [name in keyof Bench]: Bench[name] }
    let backend: Backend | undefined
    let time = Date.now()

    before(async () => {
      backend = await start()
      bench.now = () => time
      bench.pass = (milliseconds) => {
        time += milliseconds
      }
      bench.id = () => randomId()
      bench.store = await backend.open({ now: bench.now })
      bench.other = await backend.open({ now: bench.now })
    })
    after(async () => {
      await bench.store?.close()
      await bench.other?.close()
      await backend?.stop()
    })

    entryPromises(bench)
    listPromises(bench)
    racePromises(bench)
    logPromises(bench)
  })
}
