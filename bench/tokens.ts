/**
 * Throughput and processor time per request: client credentials, refresh with rotation, discovery and keys, of Licet on Redis and on SQLite,
 * of the bare library, and of the limit.
 */
import { fileURLToPath } from 'node:url'
import { startRedis } from '../test/support/redis.ts'
import { type Contestant, interleave, print } from './figures.ts'
import { type LicetServer, newChains, serviceApp, startLicet } from './licet.ts'
import { type Chains, CONNECTIONS, measure, measureRefresh, type Request, type Target, tokenRequest } from './load.ts'
import { message, start } from './processes.ts'
import type { Size } from './sections.ts'

interface Bare extends Target {
  readonly authorization: string
  readonly chains: Chains
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

async function startBare(): Promise<Bare> {
  const process = start({ script: here('./bare.ts') })
  type Told = { port: number; clientId: string; clientSecret: string; refreshTokens: string[] }
  const told = await message<Told>(process, 'refreshTokens')
  const pair = [told.clientId, told.clientSecret].map(encodeURIComponent).join(':')
  const authorization = `Basic ${Buffer.from(pair).toString('base64')}`
  const origin = `http://127.0.0.1:${told.port}`
  const chains = { tokens: told.refreshTokens.slice(0, CONNECTIONS), authorization }
  return { name: 'bare library', origin, host: `127.0.0.1:${told.port}`, process, authorization, chains }
}

async function startLimit(): Promise<Target> {
  const process = start({ script: here('./limit.ts') })
  const { port } = await message<{ port: number }>(process, 'port')
  return { name: 'only signing', origin: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, process }
}

export async function tokens({ rounds, quick }: Size): Promise<void> {
  const amount = quick ? 300 : 4000
  const redis = await startRedis()
  const [bare, limit] = [await startBare(), await startLimit()]
  const servers = [
    await startLicet({ name: 'Licet on Redis', store: redis.url }),
    await startLicet({ name: 'Licet on SQLite' }),
  ]
  try {
    await clientCredentials({ bare, limit, servers, amount, rounds })
    await refresh({ bare, servers, amount, rounds })
    for (const path of ['/.well-known/openid-configuration', '/.well-known/jwks.json'])
      await documents({ bare, servers, amount: amount * 2, rounds, path })
  } finally {
    await Promise.all([...servers.map((server) => server.stop()), bare.process.stop(), limit.process.stop()])
    await redis.stop()
  }
  await limits({ rounds, amount })
}

interface Rivals {
  readonly bare: Bare
  readonly servers: readonly LicetServer[]
  readonly amount: number
  readonly rounds: number
}

async function clientCredentials({ bare, limit, servers, amount, rounds }: Rivals & { limit: Target }): Promise<void> {
  const contestants: Contestant[] = [
    { name: bare.name, run: () => measure(bare, tokenRequest(bare.authorization), { amount }) },
    { name: limit.name, run: () => measure(limit, tokenRequest('Basic none'), { amount }) },
  ]
  for (const server of servers) {
    const request = tokenRequest(await serviceApp(server))
    contestants.push({ name: server.name, run: () => measure(server, request, { amount }) })
  }
  print('Client credentials', await interleave(contestants, rounds), aimsOf(servers, 0.85))
}

async function refresh({ bare, servers, amount, rounds }: Rivals): Promise<void> {
  const contestants = [{ name: bare.name, run: () => measureRefresh(bare, bare.chains, amount) }]
  for (const server of servers) {
    const chains = await newChains(server)
    contestants.push({ name: server.name, run: () => measureRefresh(server, chains, amount) })
  }
  print('Refresh with rotation', await interleave(contestants, rounds), aimsOf(servers, 0.6))
}

async function documents({ bare, servers, amount, rounds, path }: Rivals & { path: string }): Promise<void> {
  // The library names its keys elsewhere.
  const requestFor = (target: Target): Request => ({ path: target === bare && path.includes('jwks') ? '/jwks' : path })
  const [server] = servers
  if (!server) return
  const contestants = [bare, server].map((target) => ({
    name: target.name,
    run: () => measure(target, requestFor(target), { amount }),
  }))
  print(path, await interleave(contestants, rounds), aimsOf(servers, 3))
}

/** What the limit per app costs: the same server with it on, far above what comes, and off. */
async function limits({ rounds, amount }: { rounds: number; amount: number }): Promise<void> {
  const redis = await startRedis()
  const rate_limits = { token_client: '1000000/1m' }
  const servers = [
    await startLicet({ name: 'limit off', store: redis.url }),
    await startLicet({ name: 'limit on', store: redis.url, file: { rate_limits } }),
  ]
  const contestants: Contestant[] = []
  for (const server of servers) {
    const request = tokenRequest(await serviceApp(server))
    contestants.push({ name: server.name, run: () => measure(server, request, { amount }) })
  }
  print('Client credentials on Redis, with and without the limit per app', await interleave(contestants, rounds))
  await Promise.all(servers.map((server) => server.stop()))
  await redis.stop()
}

function aimsOf(servers: readonly Target[], aim: number): Record<string, number> {
  return Object.fromEntries(servers.map(({ name }) => [name, aim]))
}
