/**
 * Who uses which secret of an app, and the end of an old one when its callers have moved. On a real store with a clock that the test moves.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createAppUsage } from '../src/app-usage.ts'
import { usageSubject } from '../src/apps/app.ts'
import { createApps } from '../src/apps/apps.ts'
import { openTestStore, operator } from './support/open-store.ts'

const HOUR_MS = 3_600_000
const scopes = { 'data:read': { thirdParty: true } }

async function setUp(t: TestContext) {
  const desk = openTestStore(t)
  const apps = createApps({ ...desk, scopes, keyPrefix: 'licet', configured: [] })
  const usage = createAppUsage({ ...desk, apps })
  const { app, clientSecret = '' } = await apps.create(operator, {
    name: 'Job',
    type: 'service',
    scopes: ['data:read'],
  })
  const { clientId } = app
  /** A call with that secret, as the protocol counts it. */
  const call = async (secret: string, userAgent = 'job/1', ip = '203.0.113.7') => {
    const found = apps.findSecret(await apps.getById(clientId), secret)
    assert.ok(found, 'the secret does not work')
    usage.count(clientId, { outcome: 'ok', at: desk.now(), ip, userAgent, secret: found.id })
  }
  const report = async () => usage.report(await apps.getById(clientId))
  const living = async () => (await apps.getById(clientId)).secrets.length
  return { ...desk, apps, usage, clientId, first: clientSecret, call, report, living }
}

test('during a rotation it is known who still uses the old secret, who has moved, and who was not seen since', async (t) => {
  const { apps, clientId, first, call, report, pass } = await setUp(t)
  for (const agent of ['still/1', 'moved/1', 'weekly/1']) await call(first, agent)
  pass(HOUR_MS)
  const { clientSecret: second = '' } = await apps.rotateSecret(operator, clientId, { overlapSeconds: 86_400 })
  pass(1000)
  await call(first, 'still/1')
  await call(first, 'moved/1')
  pass(1000)
  await call(second, 'moved/1')
  await call(second, 'new/1')
  pass(10_000)
  const { callers, secretsUsedAt, total } = await report()
  const shown = callers.map(({ userAgent, secret, moving }) => `${userAgent} ${secret} ${moving ?? ''}`.trim())
  assert.deepEqual(shown.sort(), [
    'moved/1 current',
    'moved/1 old moved',
    'new/1 current',
    'still/1 old still',
    'weekly/1 old unseen',
  ])
  assert.equal(total.ok, 7)
  assert.equal(Object.keys(secretsUsedAt).length, 2)
})

test('an old secret that waits for quiet ends when nobody has used it for so long, and not before', async (t) => {
  const { apps, usage, clientId, first, call, living, pass } = await setUp(t)
  await apps.rotateSecret(operator, clientId, { quietSeconds: 2 * 3600 })
  pass(HOUR_MS)
  await call(first)
  await usage.stop()
  pass(1.5 * HOUR_MS)
  await usage.tend()
  assert.equal(await living(), 2)
  pass(HOUR_MS)
  await usage.tend()
  assert.equal(await living(), 1)
  assert.equal(apps.verifySecret(await apps.getById(clientId), first), false)
})

test('an old secret may end with the first use of the new one, and works until then', async (t) => {
  const { apps, usage, clientId, first, call, living, pass } = await setUp(t)
  const { clientSecret: second = '' } = await apps.rotateSecret(operator, clientId, { untilFirstUse: true })
  pass(48 * HOUR_MS)
  await call(first)
  await usage.stop()
  await usage.tend()
  assert.equal(await living(), 2)
  await call(second)
  await usage.stop()
  await usage.tend()
  assert.equal(await living(), 1)
  await apps.rotateSecret(operator, clientId, { untilFirstUse: true })
  pass(7 * 24 * HOUR_MS)
  assert.equal(apps.verifySecret(await apps.getById(clientId), second), false, 'after seven days at the latest')
})

test('attack: many callers of the new secret do not hide who still uses the old one', async (t) => {
  const { apps, clientId, first, call, report, pass } = await setUp(t)
  const { clientSecret: second = '' } = await apps.rotateSecret(operator, clientId, {})
  await call(first, 'forgotten/1')
  pass(1000)
  for (let one = 0; one < 400; one += 1) await call(second, `new/${one}`)
  const { callers } = await report()
  assert.deepEqual(
    callers.filter(({ secret }) => secret === 'old').map(({ userAgent, moving }) => `${userAgent} ${moving}`),
    ['forgotten/1 still'],
  )
})

test('attack: ids that nobody registered fill nothing, and an app that is removed leaves nothing', async (t) => {
  const { apps, usage, clientId, first, call, store } = await setUp(t)
  await call(first)
  usage.count('https://made.up.example/app', { outcome: 'ok', at: 0 })
  await usage.stop()
  const stored = async () => (await store.list('usage', { limit: 100 })).items.length
  assert.equal(await stored(), 1)
  await apps.remove(operator, clientId)
  assert.equal(await stored(), 0)
  assert.equal(await store.find('key_use', usageSubject(clientId)), undefined)
})
