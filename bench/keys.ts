/**
 * Keys: forward auth from memory and what it refuses at the door, against a plain server that answers 204; latency at half of what it can do;
 * introspection against the token endpoint; and whether a million stored keys are slower to verify than a thousand.
 */
import { fileURLToPath } from 'node:url'
import type { KeyRecord } from '../src/keys/key.ts'
import { expiryDayOf, listingOf } from '../src/keys/key.ts'
import { keyIdOf, newLocator, newSecret } from '../src/keys/secret.ts'
import { makeKey } from '../test/support/api.ts'
import { registerApp } from '../test/support/app-client.ts'
import { newAccount } from '../test/support/licet.ts'
import { startRedis } from '../test/support/redis.ts'
import { interleave, median, print, throughputOf } from './figures.ts'
import { authorizationOf, type LicetServer, serviceApp, startLicet } from './licet.ts'
import { type Load, measure, type Request, type Sample, type Target, tokenRequest } from './load.ts'
import { message, start } from './processes.ts'
import type { Size } from './sections.ts'

/** The limit per credential is on, and never reached. */
const file = {
  rate_limits: {
    api_credential: '900000000/1m',
    api_account: '900000000/1m',
    token_client: 'off',
    sign_in_address: 'off',
  },
}
/** A filled store: as many keys are used in turn. */
const USED = 64
const BATCH = 500

const verify = (key: string): Request => ({ path: '/api/v1/verify', headers: { authorization: `Bearer ${key}` } })

async function startEmpty(): Promise<Target> {
  const process = start({ script: fileURLToPath(new URL('./empty.ts', import.meta.url)) })
  const { port } = await message<{ port: number }>(process, 'port')
  return { name: 'node:http, 204', origin: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, process }
}

export async function keys({ rounds, quick }: Size): Promise<void> {
  const redis = await startRedis()
  const empty = await startEmpty()
  const servers = [
    await startLicet({ name: 'Licet on Redis', store: redis.url, file }),
    await startLicet({ name: 'Licet on SQLite', file }),
  ]
  const amount = quick ? 400 : 10_000
  try {
    for (const server of servers) {
      const { id } = await newAccount(server.core)
      const { key } = await makeKey(server, id)
      const good = verify(key)
      const found = await interleave(
        [
          { name: empty.name, run: () => measure(empty, { path: '/' }, { amount }) },
          { name: 'node:http, same head', run: () => measure(empty, { path: '/head' }, { amount }) },
          { name: 'verify, cached', run: () => measure(server, good, { amount }) },
          {
            name: 'refused at the door',
            run: () => measure(server, verify(`${key.slice(0, -1)}_`), { amount, expects: '4xx' }),
          },
        ],
        rounds,
      )
      print(`/api/v1/verify with a key, ${server.name}`, found, { 'verify, cached': 0.5, 'refused at the door': 0.8 })
      const cached = found.find(({ name }) => name === 'verify, cached')
      const half = Math.floor(median(throughputOf(cached ?? { name: '', samples: [] })) / 2)
      await atRate(server, good, { amount, perSecond: half })
      await introspection(server, key, { amount: quick ? 300 : 4000, rounds })
    }
  } finally {
    await Promise.all([...servers.map((server) => server.stop()), empty.process.stop()])
    await redis.stop()
  }
}

async function atRate(server: LicetServer, request: Request, load: Load & { perSecond: number }): Promise<void> {
  const { p50Ms, p99Ms } = await measure(server, request, load)
  console.log(`  at ${load.perSecond}/s: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms (aim 5)`)
}

async function introspection(server: LicetServer, key: string, { amount, rounds }: { amount: number; rounds: number }) {
  const audience = `${server.issuer}/api/v1`
  const app = await registerApp(server, { type: 'service', scopes: [], resourceServer: audience })
  const authorization = authorizationOf(app.clientId, app.secret ?? '')
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  const asked = { path: '/introspect', method: 'POST', headers, body: `token=${key}` } as const
  const request = tokenRequest(await serviceApp(server))
  const found = await interleave(
    [
      { name: 'client credentials', run: () => measure(server, request, { amount }) },
      { name: 'introspection of a key', run: () => measure(server, asked, { amount }) },
    ],
    rounds,
  )
  print(`Introspection of a key against the token endpoint, ${server.name}`, found, { 'introspection of a key': 3 })
}

/** Whether many stored keys make one slower to verify: nothing is kept in memory longer than a moment, so each is read again and again. */
export async function keyGrowth({ rounds, quick }: Size): Promise<void> {
  const server = await startLicet({ name: 'Licet on SQLite', file })
  console.log('\n/api/v1/verify, by how many keys are stored')
  try {
    const { id } = await newAccount(server.core)
    const used: string[] = []
    let first: number | undefined
    let stored = 0
    for (const step of quick ? [1000] : [1000, 10_000, 100_000, 1_000_000]) {
      await fill(server, id, { from: stored, to: step, used })
      stored = step
      const samples: Sample[] = []
      for (let round = 0; round <= rounds; round += 1)
        samples.push(await measureMany(server, used, quick ? 400 : 10_000))
      const rate = median(samples.slice(1).map((sample) => sample.requestsPerSecond))
      const cost = median(samples.slice(1).map((sample) => sample.cpuMicroseconds))
      first ??= rate
      const ratio = (rate / first).toFixed(2)
      console.log(
        `  ${String(step).padStart(8)} keys: ${rate.toFixed(0)}/s, ${cost.toFixed(0)} µs CPU, ratio ${ratio}, aim 0.90`,
      )
    }
  } finally {
    await server.stop()
  }
}

/** Each connection goes through keys of its own, so that all of them are in use at any time. */
function measureMany(server: LicetServer, used: readonly string[], amount: number): Promise<Sample> {
  const [key = ''] = used
  let turn = 0
  return measure(server, verify(key), {
    amount,
    each: (client) => {
      client.on('response', () => {
        turn += 1
        client.setHeaders({ host: server.host, authorization: `Bearer ${used[turn % used.length]}` })
      })
    },
  })
}

/** Keys as the domain writes them, directly through the store; of the latest ones the secrets are kept for use. */
async function fill(
  { core: { store } }: LicetServer,
  ownerId: string,
  { from, to, used }: { from: number; to: number; used: string[] },
): Promise<void> {
  for (let start = from; start < to; start += BATCH) {
    const made = Array.from({ length: Math.min(BATCH, to - start) }, () => newRecord(ownerId))
    await Promise.all(
      made.map(({ id, value }) => store.put('key', { id, value, expiresAt: value.expiresAt }, 'replace')),
    )
    used.push(...made.slice(0, 1).map(({ credential }) => credential))
    if (used.length > USED) used.splice(0, used.length - USED)
  }
}

function newRecord(owner: string): { id: string; value: KeyRecord; credential: string } {
  const now = Date.now()
  const locator = newLocator()
  const { credential, secret } = newSecret('licet', { kind: 'api_key', locator, number: 1 }, now)
  const expiresAt = now + 90 * 86_400_000
  const value: KeyRecord = {
    kind: 'api_key',
    ownerId: owner,
    name: 'Filled',
    scopes: ['data:read'],
    expiresAt,
    allowedIps: [],
    mayCreateChildren: false,
    ancestors: [],
    locator,
    current: secret,
    retired: [],
    // A million accounts have them, not one.
    listing: listingOf(`${owner} ${locator.slice(0, 3)}`, 'api_key'),
    expiryDay: expiryDayOf(expiresAt),
    createdAt: now,
    updatedAt: now,
  }
  return { id: keyIdOf(locator), value, credential }
}
