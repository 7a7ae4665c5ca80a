/**
 * Throughput and processor time per request: client credentials, refresh with rotation, discovery and keys, of Licet on Redis and on SQLite,
 * of the bare library, and of the limit.
 */
import { fileURLToPath } from 'node:url'
import { startRedis } from '../test/support/redis.ts'
import { type Contestant, interleave, print } from './figures.ts'
import { type LicetServer, newChains, serviceApp, startLicet } from './licet.ts'
import { type Chains, CONNECTIONS, measure, measureRefresh, type Target, tokenRequest } from './load.ts'
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

interface Rivals {
  readonly bare: Bare
  readonly servers: readonly LicetServer[]
  readonly amount: number
  readonly rounds: number
}

/** Starts the bare library and Licet on both engines for one section, and ends them. */
async function among({ rounds, quick }: Size, act: (rivals: Rivals) => Promise<void>): Promise<void> {
  const redis = await startRedis()
  const bare = await startBare()
  const servers = [
    await startLicet({ name: 'Licet on Redis', store: redis.url }),
    await startLicet({ name: 'Licet on SQLite' }),
  ]
  try {
    await act({ bare, servers, amount: quick ? 300 : 4000, rounds })
  } finally {
    await Promise.all([...servers.map((server) => server.stop()), bare.process.stop()])
    await redis.stop()
  }
}

export const clientCredentials = (size: Size) =>
  among(size, async ({ bare, servers, amount, rounds }) => {
    const limit = await startLimit()
    const contestants: Contestant[] = [
      { name: bare.name, run: () => measure(bare, tokenRequest(bare.authorization), { amount }) },
      { name: limit.name, run: () => measure(limit, tokenRequest('Basic none'), { amount }) },
    ]
    for (const server of servers) {
      const request = tokenRequest(await serviceApp(server))
      contestants.push({ name: server.name, run: () => measure(server, request, { amount }) })
    }
    print('Client credentials', await interleave(contestants, rounds), aimsOf(servers, 0.85))
    await limit.process.stop()
  })

export const refresh = (size: Size) =>
  among(size, async ({ bare, servers, amount, rounds }) => {
    const contestants = [{ name: bare.name, run: () => measureRefresh(bare, bare.chains, amount) }]
    for (const server of servers) {
      const chains = await newChains(server)
      contestants.push({ name: server.name, run: () => measureRefresh(server, chains, amount) })
    }
    print('Refresh with rotation', await interleave(contestants, rounds), aimsOf(servers, 0.6))
  })

export const documents = (size: Size) =>
  among(size, async ({ bare, servers, amount, rounds }) => {
    const [server] = servers
    if (!server) return
    for (const path of ['/.well-known/openid-configuration', '/.well-known/jwks.json']) {
      // The library names its keys elsewhere.
      const theirs = path.includes('jwks') ? '/jwks' : path
      const contestants = [
        { name: bare.name, run: () => measure(bare, { path: theirs }, { amount: 2 * amount }) },
        { name: server.name, run: () => measure(server, { path }, { amount: 2 * amount }) },
      ]
      print(path, await interleave(contestants, rounds), aimsOf(servers, 3))
    }
  })

/** What the limit per app costs: the same server with it on, far above what comes, and off. */
export async function limits({ rounds, quick }: Size): Promise<void> {
  const amount = quick ? 300 : 4000
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
