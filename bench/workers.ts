/**
 * Two processes against one on Redis. The load comes from a third process and Redis is a fourth, so on two cores the throughput of two cannot
 * double; the processor time per request says whether the second one costs anything that the first did not.
 */
import { startRedis } from '../test/support/redis.ts'
import { interleave, print } from './figures.ts'
import { serviceApp, startLicet } from './licet.ts'
import { measure, tokenRequest } from './load.ts'
import type { Size } from './sections.ts'

export async function workers({ rounds, quick }: Size): Promise<void> {
  const amount = quick ? 300 : 4000
  const redis = await startRedis()
  const choices = [
    { name: 'one process', env: { LICET_WORKERS: '1' } },
    { name: 'two processes', env: { LICET_WORKERS: '2' } },
  ]
  const servers = []
  for (const choice of choices) servers.push(await startLicet({ ...choice, store: redis.url }))
  try {
    const contestants = []
    for (const server of servers) {
      const request = tokenRequest(await serviceApp(server))
      contestants.push({ name: server.name, run: () => measure(server, request, { amount, connections: 32 }) })
    }
    print('Two processes on Redis, client credentials', await interleave(contestants, rounds), { 'two processes': 1.7 })
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await redis.stop()
  }
}
