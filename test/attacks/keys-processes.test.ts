/**
 * Keys on two server processes over a real Redis Cluster: what one process ends the other refuses within a second (AK5), a rotation under load fails
 * nobody, and the figures of usage survive what they promise to survive.
 */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Core, openCore } from '../../src/core.ts'
import { callApi, makeKey, newOwner, type Owner } from '../support/api.ts'
import { type AppClient, appClient, basic, registerApp } from '../support/app-client.ts'
import { freePort, type LicetProcess, operator, prepare, startProcess } from '../support/licet.ts'
import { type RedisSetup, startCluster } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'

describe('two processes on a cluster', { skip: skipWithout('redis-server') }, () => {
  let redis: RedisSetup
  let prepared: Awaited<ReturnType<typeof prepare>>
  let core: Core
  let one: LicetProcess
  let two: LicetProcess
  let ada: Owner
  let issuer = ''

  before(async () => {
    redis = await startCluster({ appendfsync: 'everysec' })
    const port = await freePort()
    const env = { LICET_PORT: String(port), LICET_ISSUER: `http://localhost:${port}` }
    prepared = await prepare({ store: redis.url, env })
    issuer = prepared.config.issuer
    ;[one, two] = await Promise.all([startProcess(prepared.env), startProcess(prepared.env, String(await freePort()))])
    core = await openCore(prepared.config)
    ada = await newOwner({ issuer, core })
  })
  after(async () => {
    await Promise.all([one?.stop(), two?.stop()])
    await core?.close()
    await redis?.stop()
    if (prepared) rmSync(prepared.directory, { recursive: true, force: true })
  })

  const use = (process: LicetProcess, token: string, path = '/api/v1/verify') =>
    callApi(issuer, 'GET', path, { token, origin: process.url })

  /** Milliseconds until every way of using the key is refused on that process, however often it was asked meanwhile. */
  const msUntilRefused = async (process: LicetProcess, tokens: readonly string[]) => {
    const begun = performance.now()
    for (;;) {
      const answers = await Promise.all(tokens.map((token) => use(process, token)))
      if (answers.every(({ status }) => status === 401)) return performance.now() - begun
      if (performance.now() - begun > 5_000) throw new Error('it was never refused')
      await pause(10)
    }
  }

  test('AK5: what is revoked on one process is refused on the other within a second, the JWT made from it too', async () => {
    const owner = { core, issuer }
    for (const end of ['key', 'parent', 'account', 'rotation'] as const) {
      const someone = await newOwner(owner)
      const { id, key } = await makeKey(owner, someone.accountId, { mayCreateChildren: true })
      const parent = mustAllow(await core.keys.check(key, { ip: '127.0.0.1', userAgent: '' }))
      const child = await core.keys.createChild(operator, parent, { name: 'child', scopes: ['data:read'] })
      const used = end === 'parent' ? child.credential : key
      const handed = await use(two, used)
      assert.equal(handed.status, 200, handed.text)
      const jwt = String(handed.headers['authorization']).slice(7)
      assert.equal((await use(two, jwt)).status, 200)
      for (let count = 0; count < 20; count += 1) await use(two, used)
      const call = { origin: one.url }
      if (end === 'key' || end === 'parent') await someone.call('DELETE', `/api/v1/keys/${id}`, call)
      if (end === 'account') await core.accounts.disable(operator, someone.accountId, 'test')
      if (end === 'rotation')
        await someone.call('POST', `/api/v1/keys/${id}/rotate`, { ...call, json: { overlap_seconds: 0 } })
      const took = await msUntilRefused(two, end === 'rotation' ? [used] : [used, jwt])
      assert.ok(took < 1_100, `${end} took ${took} ms`)
    }
  })

  test('AK5: introspection and exchange on the other process know of a revocation within a second', async () => {
    const deployment = { core, issuer }
    const server = await registerApp(deployment, { type: 'service', scopes: [], resourceServer: `${issuer}/api/v1` })
    const gateway = await registerApp(deployment, { type: 'service', scopes: [] })
    const { id, key } = await makeKey(deployment, ada.accountId)
    const sending = { origin: two.url }
    const exchange = () =>
      gateway.post(
        '/token',
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: key,
          subject_token_type: 'urn:licet:token-type:api_key',
        },
        sending,
      )
    const made = await exchange()
    assert.equal(made.status, 200, made.text)
    const states = async () => [
      (await server.introspect(key, sending)).body.active,
      (await server.introspect(made.body.access_token, sending)).body.active,
      (await exchange()).status,
    ]
    assert.deepEqual(await states(), [true, true, 200])
    await ada.call('DELETE', `/api/v1/keys/${id}`, { origin: one.url })
    await pause(1_000)
    assert.deepEqual(await states(), [false, false, 400])
  })

  test('a rotation under 200 requests per second on both processes fails no call', async () => {
    const deployment = { core, issuer }
    const { id, key } = await makeKey(deployment, ada.accountId, { scopes: ['api:read'] })
    let current = key
    const statuses = await everySecond(200, 3_000, {
      call: (turn) => use(turn % 2 ? one : two, turn % 4 < 2 ? current : key),
      async midway() {
        const json = { overlap_seconds: 60 }
        const rotated = await ada.call('POST', `/api/v1/keys/${id}/rotate`, { origin: one.url, json })
        assert.equal(rotated.status, 201, rotated.text)
        current = rotated.body.key
        // The first call with the new secret goes to the process that has not made it.
        return use(two, current)
      },
    })
    assert.deepEqual([...new Set(statuses)], [200])
    const { callers } = (await ada.call('GET', `/api/v1/keys/${id}/usage`)).body
    assert.deepEqual([...new Set(callers.map(({ secret }: { secret: string }) => secret))].sort(), ['current', 'old'])
  })

  test('a rotation of an app’s secret under 200 requests per second on both processes fails no call', async () => {
    const deployment = { core, issuer }
    const { body } = await ada.call('POST', '/api/v1/apps', {
      origin: one.url,
      json: { name: 'Job', type: 'service', scopes: ['data:read'] },
    })
    const clientOf = (secret: string) =>
      appClient({ ...deployment, clientId: body.client_id, secret, proof: basic(body.client_id, secret) })
    const old = clientOf(body.client_secret)
    let current = old
    const ask = (client: AppClient, { url }: LicetProcess) => client.introspect('nothing', { origin: url })
    const statuses = await everySecond(200, 3_000, {
      call: (turn) => ask(turn % 4 < 2 ? current : old, turn % 2 ? one : two),
      async midway() {
        const path = `/api/v1/apps/${body.client_id}/rotate-secret`
        const rotated = await ada.call('POST', path, { origin: one.url, json: { quiet_seconds: 7200 } })
        assert.equal(rotated.status, 201, rotated.text)
        current = clientOf(rotated.body.client_secret)
        return ask(current, two)
      },
    })
    assert.deepEqual([...new Set(statuses)], [200])
    const { callers } = (await ada.call('GET', `/api/v1/apps/${body.client_id}/usage`, { origin: two.url })).body
    const seen = callers.map(({ secret, moving }: Record<string, unknown>) => `${secret} ${moving}`)
    assert.ok(seen.includes('old still') && seen.includes('current null'), seen.join())
  })

  test('RC8: a call budget is exact under parallel calls on two processes, for a child and for the tree above it', async () => {
    const deployment = { core, issuer }
    const root = await makeKey(deployment, ada.accountId, { mayCreateChildren: true, callBudget: 30 })
    const child = async (budget: number) => {
      const json = { name: 'Job', scopes: ['data:read'], call_budget: budget }
      const made = await callApi(issuer, 'POST', `/api/v1/keys/${root.id}/children`, { token: root.key, json })
      assert.equal(made.status, 201, made.text)
      return made.body.key
    }
    const admitted = async (keys: readonly string[], calls: number) => {
      const answers = Array.from({ length: calls }, (_none, turn) =>
        use(turn % 2 ? one : two, keys[turn % keys.length] ?? ''),
      )
      const statuses = (await Promise.all(answers)).map(({ status }) => status)
      assert.deepEqual([...new Set(statuses)].sort(), [200, 429])
      return statuses.filter((status) => status === 200).length
    }
    const small = await child(10)
    assert.equal(await admitted([small], 40), 10)
    const large = [await child(100), await child(100)]
    // Refused calls of the child are paid by nobody above it: of the 30, three made children and ten were its calls.
    assert.equal(await admitted(large, 40), 17)
    assert.equal((await use(one, root.key)).status, 429)
  })

  test('usage is exact after a clean stop, and loses at most the last seconds after SIGKILL', async () => {
    const deployment = { core, issuer }
    const { id, key } = await makeKey(deployment, ada.accountId, { scopes: ['api:read'] })
    const total = async () => (await ada.call('GET', `/api/v1/keys/${id}/usage`, { origin: one.url })).body.total
    for (let count = 0; count < 30; count += 1) await use(two, key)
    for (let count = 0; count < 10; count += 1) await use(two, key, '/api/v1/verify?scope=data:write')
    const port = new URL(two.url).port
    await two.stop()
    assert.deepEqual(await total(), { ok: 30, denied: 10, limited: 0 })
    two = await startProcess(prepared.env, port)
    for (let count = 0; count < 20; count += 1) await use(two, key)
    await pause(4_000)
    for (let count = 0; count < 5; count += 1) await use(two, key)
    await two.stop('SIGKILL')
    const { ok, denied } = await total()
    assert.ok(ok >= 50 && ok <= 55, `${ok} of 55, of which 5 were too young`)
    assert.equal(denied, 10)
    two = await startProcess(prepared.env, port)
  })
})

/** So many calls in every second, however slowly they are answered, and something in the middle. The status of every answer. */
async function everySecond(
  rate: number,
  forMs: number,
  act: { call: (turn: number) => Promise<{ status: number }>; midway: () => Promise<{ status: number }> },
): Promise<number[]> {
  const answers: Promise<{ status: number }>[] = []
  const total = (rate * forMs) / 1000
  const begun = performance.now()
  let between: Promise<{ status: number }> | undefined
  while (answers.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) / 1000) * rate))
    while (answers.length < due) answers.push(act.call(answers.length))
    if (answers.length > total / 3) between ??= act.midway()
    await pause(5)
  }
  const all = await Promise.all([...answers, ...(between ? [between] : [])])
  assert.equal(all.length, total + 1)
  return all.map(({ status }) => status)
}

function mustAllow<T extends { allowed: boolean }>(verdict: T): Extract<T, { allowed: true }> {
  if (!verdict.allowed) throw new Error('it was refused')
  return verdict as Extract<T, { allowed: true }>
}
