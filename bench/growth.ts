/**
 * How latency grows with what is stored: grants and refresh tokens are written in bulk, directly through the store, and refresh, sign-on and the
 * list of an account's grants are timed at every power of ten.
 */
import { startRedis } from '../test/support/redis.ts'
import { median } from './figures.ts'
import { type LicetServer, newChains, startLicet } from './licet.ts'
import { type Chains, measureRefresh, type Sample } from './load.ts'
import type { Size } from './sections.ts'

/** Writes in flight at once: enough for the group commit, little enough for memory. */
const BATCH = 500
/** Stored values as long as the real ones, sealed payload and all. */
const SEALED = 'x'.repeat(480)

export async function growth({ rounds, quick }: Size): Promise<void> {
  const steps = quick ? [1000] : [1000, 10_000, 100_000, 1_000_000]
  const redis = await startRedis({ appendfsync: 'no' })
  const choices = [{ name: 'Licet on SQLite' }, { name: 'Licet on Redis', store: redis.url }]
  console.log('\nRefresh, by how many grants are stored')
  for (const choice of choices) {
    const server = await startLicet(choice)
    try {
      const chains = await newChains(server)
      let stored = 0
      for (const step of steps) {
        await fill(server, stored, step)
        stored = step
        await report(server, chains, { step, rounds: Math.min(rounds, 3), amount: quick ? 100 : 1500 })
      }
    } finally {
      await server.stop()
    }
  }
  await redis.stop()
}

async function fill({ core: { store } }: LicetServer, from: number, to: number): Promise<void> {
  const expiresAt = Date.now() + 86_400_000
  for (let start = from; start < to; start += BATCH) {
    const writes = Array.from({ length: Math.min(BATCH, to - start) }, (_, index) => {
      const number = start + index
      const value = {
        sealed: SEALED,
        accountId: `account-${number >> 2}`,
        clientId: `app-${number % 100}`,
        sessionUid: `session-${number >> 1}`,
        consentId: `consent-${number}`,
        bound: false,
      }
      return store.put('grant', { id: `filled-${number}`, value, expiresAt }, 'replace')
    })
    await Promise.all(writes)
  }
}

interface Step {
  readonly step: number
  readonly rounds: number
  readonly amount: number
}

async function report(server: LicetServer, chains: Chains, { step, rounds, amount }: Step): Promise<void> {
  const samples: Sample[] = []
  await measureRefresh(server, chains, amount)
  for (let round = 0; round < rounds; round += 1) samples.push(await measureRefresh(server, chains, amount))
  const listed: number[] = []
  for (let round = 0; round < 20; round += 1) {
    const began = performance.now()
    const value = `account-${(step >> 3) + round}`
    const { items } = await server.core.store.list('grant', { group: 'accountId', value })
    listed.push(performance.now() - began)
    // Latency over a store that was not filled would look splendid.
    if (items.length !== 4) throw new Error(`${value} has ${items.length} grants, not 4`)
  }
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick))
  console.log(
    `  ${server.name.padEnd(18)} ${String(step).padStart(8)} grants: p50 ${of((one) => one.p50Ms).toFixed(1)} ms, ` +
      `p99 ${of((one) => one.p99Ms).toFixed(1)} ms, ${of((one) => one.cpuMicroseconds).toFixed(0)} µs CPU, ` +
      `an account's grants listed in ${median(listed).toFixed(2)} ms`,
  )
}
