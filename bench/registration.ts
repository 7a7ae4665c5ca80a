/**
 * What it costs that apps introduce themselves: an authorization request of a stored app, of one whose id says everything and of one that is a cached
 * metadata document; opening a sealed id; and a flood of anonymous registrations, after which the store and the process must be what they were.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { createRegistration } from '../src/apps/registration.ts'
import { createVault } from '../src/secrets.ts'
import { createShims } from '../src/shims.ts'
import { countStored } from '../test/support/authorize.ts'
import { type Documents, startDocuments } from '../test/support/documents.ts'
import { operator } from '../test/support/licet.ts'
import { registerItself, WEB_CALLBACK } from '../test/support/mcp-client.ts'
import { startRedis } from '../test/support/redis.ts'
import { redisCommand } from '../test/support/redis-command.ts'
import { interleave, median, print } from './figures.ts'
import { type LicetServer, startLicet } from './licet.ts'
import { measure, type Request } from './load.ts'
import type { Size } from './sections.ts'

export async function registration({ rounds, quick }: Size): Promise<void> {
  decoding(quick ? 1000 : 100_000)
  const redis = await startRedis()
  const documents = await startDocuments()
  const server = await startLicet({ name: 'Licet on Redis', store: redis.url, file: { outbound: documents.outbound } })
  try {
    const contestants = []
    for (const [name, clientId] of await threeApps(server, documents))
      contestants.push({
        name,
        run: () => measure(server, authorize(clientId), { amount: quick ? 200 : 1500, expects: '3xx' }),
      })
    print('Authorize, by how the app is known', await interleave(contestants, rounds), {
      'id says everything': 0.9,
      'cached document': 0.9,
    })
    const port = Number(new URL(redis.url).port)
    await flood(server, quick ? 500 : 100_000, async () => Number(await redisCommand(port, ['DBSIZE'])))
  } finally {
    await server.stop()
    await documents.close()
    await redis.stop()
  }
}

async function threeApps(server: LicetServer, documents: Documents): Promise<[name: string, clientId: string][]> {
  const fields = { name: 'Bench', type: 'spa', redirectUris: [WEB_CALLBACK], scopes: ['data:read'] } as const
  const { app } = await server.core.apps.create(operator, fields)
  const { body } = await registerItself(server)
  const document = documents.publish('/bench.json', {}, { 'cache-control': 'max-age=86400' })
  return [
    ['stored', app.clientId],
    ['id says everything', String(body['client_id'])],
    ['cached document', document],
  ]
}

function authorize(clientId: string): Request {
  const params = {
    client_id: clientId,
    redirect_uri: WEB_CALLBACK,
    response_type: 'code',
    scope: 'data:read',
    state: 's',
  }
  const pkce = { code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' }
  return { path: `/authorize?${new URLSearchParams({ ...params, ...pkce })}` }
}

function decoding(amount: number): void {
  const vault = createVault(['a root secret of the benchmark that is long enough'])
  const shims = createShims()
  const { register, open } = createRegistration({
    vault,
    now: Date.now,
    keyPrefix: 'licet',
    shims,
    scopes: [],
    mayAsk: [],
  })
  const { clientId } = register({
    client_name: 'Bench',
    redirect_uris: ['http://127.0.0.1:33418/callback', WEB_CALLBACK],
  })
  const samples: number[] = []
  for (let batch = 0; batch < 10; batch += 1) {
    // Processor time: other work on the machine does not make the opening dearer.
    const before = process.cpuUsage()
    for (let count = 0; count < amount / 10; count += 1) open(clientId)
    const { user, system } = process.cpuUsage(before)
    samples.push(((user + system) * 10) / amount)
  }
  console.log(
    `\nA sealed id of ${clientId.length} characters is opened in ${median(samples).toFixed(1)} µs of processor time (aim 50)`,
  )
}

/** Registers `amount` apps over and over, and says what is left of it. */
async function flood(server: LicetServer, amount: number, countKeys: () => Promise<number>): Promise<void> {
  const request: Request = {
    path: '/register',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Flood', redirect_uris: ['https://flood.example.test/cb'] }),
  }
  await measure(server, request, { amount: Math.ceil(amount / 10) })
  const look = async () => {
    await pause(500)
    const { residentBytes } = await server.process.usage()
    return {
      keys: await countKeys(),
      stored: await countStored(server.core.store, 'app'),
      megabytes: residentBytes / 1e6,
    }
  }
  const before = await look()
  const { requestsPerSecond } = await measure(server, request, { amount })
  const after = await look()
  console.log(
    `\n${amount} anonymous registrations at ${requestsPerSecond.toFixed(0)}/s: keys in the store ${before.keys} to ${after.keys}, apps ` +
      `${before.stored} to ${after.stored}, memory ${before.megabytes.toFixed(0)} to ${after.megabytes.toFixed(0)} MB`,
  )
}
