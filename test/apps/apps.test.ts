import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { describeApp } from '../../src/apps/app.ts'
import { createApps } from '../../src/apps/apps.ts'
import type { ConfiguredApp } from '../../src/apps/configured.ts'
import type { NewApp } from '../../src/apps/records.ts'
import { parseCredential } from '../../src/credential-format.ts'
import { hasCode } from '../../src/errors.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { openTestStore, operator } from '../support/open-store.ts'

const scopes = {
  'data:read': { thirdParty: true },
  'data:write': { thirdParty: true },
  'internal:read': { thirdParty: false },
  'api:admin': { thirdParty: false },
}
const consoleApp: ConfiguredApp = {
  clientId: 'console',
  name: 'Console',
  type: 'web',
  redirectUris: ['https://console.example.com/cb'],
  scopes: ['data:read', 'api:admin'],
  firstParty: true,
  clientSecret: 'a secret from a file, long enough',
}
const web: NewApp = {
  name: 'Notes',
  type: 'web',
  redirectUris: ['https://notes.example.com/cb'],
  scopes: ['openid', 'data:read'],
}
const publicJwk = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as Record<string, string>

function setUp(t: TestContext, configured: readonly ConfiguredApp[] = []) {
  const desk = openTestStore(t)
  const rules = { scopes, keyPrefix: 'licet', configured }
  const otherStore = desk.openAnother()
  const audit = createAudit({ store: otherStore, now: desk.now })
  return {
    ...desk,
    apps: createApps({ ...desk, ...rules }),
    /** As a second process has them. */
    otherApps: createApps({ ...desk, ...rules, store: otherStore, audit }),
  }
}

/** The pointers and codes of the refused fields. */
async function refusedFields(act: Promise<unknown>): Promise<string[]> {
  const error = await act.then(
    () => assert.fail('it was not refused'),
    (reason: unknown) => reason,
  )
  assert.ok(hasCode(error, 'invalid_request'), String(error))
  return (error.details.fields ?? []).map(({ pointer, code }) => `${pointer} ${code}`)
}

test('a web app gets a client secret in the contract’s form, shown once and kept as a digest', async (t) => {
  const { apps, store, now } = setUp(t)
  const { app, clientSecret = '' } = await apps.create(operator, web)
  assert.equal(parseCredential('licet', clientSecret), 'cs')
  assert.equal(app.auth, 'client_secret_basic')
  assert.ok(apps.verifySecret(app, clientSecret))
  const everything = JSON.stringify([await store.list('app'), await store.read(app.clientId), describeApp(app, now())])
  assert.ok(!everything.includes(clientSecret.slice(9, 30)))
  assert.deepEqual(await apps.find(app.clientId), app)
  await assert.rejects(apps.getById('nothing'), (error) => hasCode(error, 'not_found'))
})

test('a scope that is also marked optional stays optional', async (t) => {
  const { apps } = setUp(t)
  const { app } = await apps.create(operator, {
    ...web,
    scopes: ['data:read', 'data:write'],
    optionalScopes: ['data:write', 'data:write'],
  })
  assert.deepEqual([app.scopes, app.optionalScopes], [['data:read', 'data:write'], ['data:write']])
})

test('each type has its own way of proving itself, and only apps that can keep a secret get one', async (t) => {
  const { apps } = setUp(t)
  const wanted: readonly NewApp[] = [
    web,
    { name: 'S', type: 'spa', redirectUris: ['https://s.example.com/cb'] },
    { name: 'N', type: 'native', redirectUris: ['http://127.0.0.1/cb', 'com.example.n:/cb'] },
    { name: 'D', type: 'device' },
    { name: 'M', type: 'service', scopes: ['data:read'] },
  ]
  const made = await Promise.all(wanted.map((one) => apps.create(operator, one)))
  assert.deepEqual(
    made.map(
      ({ app, clientSecret }) =>
        `${app.type} ${app.auth} ${clientSecret ? 'secret' : 'no secret'} ${app.secrets.length}`,
    ),
    [
      'web client_secret_basic secret 1',
      'spa none no secret 0',
      'native none no secret 0',
      'device none no secret 0',
      'service client_secret_basic secret 1',
    ],
  )
})

test('wrong fields of a new app are named together, by the names of the wire', async (t) => {
  const { apps } = setUp(t)
  const wrong: NewApp = {
    name: '\u202e',
    type: 'spa',
    auth: 'client_secret_basic',
    redirectUris: ['https://ok.example/cb', 'http://evil.example/cb'],
    postLogoutRedirectUris: ['https://ok.example/#x'],
    scopes: ['data:read', 'made:up'],
    optionalScopes: ['internal:read'],
    backchannelLogoutUri: 'javascript:alert(1)',
    logoUri: 'https://u@logo.example/x.png',
  }
  assert.deepEqual(await refusedFields(apps.create(operator, wrong)), [
    '/name malformed',
    '/auth not_for_type',
    '/redirect_uris/1 http_not_loopback',
    '/post_logout_redirect_uris/0 fragment',
    '/scopes/1 unknown',
    '/optional_scopes/0 not_for_third_parties',
    '/backchannel_logout_uri system_scheme',
    '/logo_uri userinfo',
  ])
})

test('apps that send people somewhere need a redirect URI, others take none', async (t) => {
  const { apps } = setUp(t)
  for (const type of ['web', 'spa', 'native'] as const) {
    assert.deepEqual(await refusedFields(apps.create(operator, { name: 'X', type })), ['/redirect_uris missing'])
  }
  for (const type of ['service', 'device'] as const) {
    const wanted: NewApp = { name: 'X', type, redirectUris: ['https://x.example/cb'] }
    assert.deepEqual(await refusedFields(apps.create(operator, wanted)), ['/redirect_uris/0 not_for_type'])
  }
})

test('attack: api:admin is for the operator’s own apps with a person behind them, never for a service app', async (t) => {
  const { apps } = setUp(t)
  const admin = ['api:admin']
  assert.deepEqual(await refusedFields(apps.create(operator, { ...web, scopes: admin })), [
    '/scopes/0 not_for_third_parties',
  ])
  for (const firstParty of [false, true]) {
    const service: NewApp = { name: 'M', type: 'service', scopes: admin, firstParty }
    assert.deepEqual(await refusedFields(apps.create(operator, service)), ['/scopes/0 not_for_type'])
  }
  const hidden: NewApp = { name: 'M', type: 'service', optionalScopes: admin }
  assert.deepEqual(await refusedFields(apps.create(operator, hidden)), ['/optional_scopes/0 not_for_type'])
  assert.deepEqual((await apps.create(operator, { ...web, scopes: admin, firstParty: true })).app.scopes, admin)
})

test('a service app of the operator holds internal scopes, one of a developer does not', async (t) => {
  const { apps } = setUp(t)
  const service: NewApp = { name: 'M', type: 'service', scopes: ['internal:read'] }
  assert.deepEqual((await apps.create(operator, service)).app.scopes, ['internal:read'])
  assert.deepEqual(await refusedFields(apps.create(operator, { ...service, ownerId: 'dev' })), [
    '/scopes/0 not_for_third_parties',
  ])
})

test('attack: names of JavaScript objects are no scopes', async (t) => {
  const { apps } = setUp(t)
  const wanted = { ...web, scopes: ['__proto__', 'constructor', 'toString'] }
  assert.deepEqual(await refusedFields(apps.create(operator, wanted)), [
    '/scopes/0 unknown',
    '/scopes/1 unknown',
    '/scopes/2 unknown',
  ])
})

test('private_key_jwt needs a key set, public, asymmetric and long enough', async (t) => {
  const { apps } = setUp(t)
  const service: NewApp = { name: 'M', type: 'service', auth: 'private_key_jwt' }
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }) as Record<
    string,
    string
  >
  const bad = [
    [],
    [pair.privateKey.export({ format: 'jwk' }) as Record<string, string>],
    [{ kty: 'oct', k: 'c2VjcmV0' }],
    [{ kty: 'oct' }],
    [short],
    [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }],
    Array.from({ length: 11 }, publicJwk),
  ]
  for (const keys of bad)
    assert.deepEqual(await refusedFields(apps.create(operator, { ...service, jwks: { keys } })), ['/jwks malformed'])
  assert.deepEqual(await refusedFields(apps.create(operator, service)), ['/jwks missing'])
  const { app, clientSecret } = await apps.create(operator, { ...service, jwks: { keys: [publicJwk()] } })
  assert.deepEqual([clientSecret, app.secrets], [undefined, []])
  assert.ok(!apps.verifySecret(app, ''))
})

test('a resource server is named by a URI and can prove itself', async (t) => {
  const { apps } = setUp(t)
  const service: NewApp = { name: 'API', type: 'service', resourceServer: 'https://api.example.com/v1' }
  assert.equal((await apps.create(operator, service)).app.resourceServer, 'https://api.example.com/v1')
  const bad: readonly NewApp[] = [
    { ...service, resourceServer: 'not a uri' },
    { ...service, resourceServer: 'https://api.example.com/#x' },
    { name: 'D', type: 'device', resourceServer: 'https://api.example.com/v1' },
  ]
  for (const wanted of bad)
    assert.deepEqual(await refusedFields(apps.create(operator, wanted)), ['/resource_server invalid'])
})

test('CA8: two secrets live during a rotation, the old one dies when the overlap ends', async (t) => {
  const { apps, pass } = setUp(t)
  const { app, clientSecret: first = '' } = await apps.create(operator, web)
  pass(1000)
  const { clientSecret: second = '' } = await apps.rotateSecret(operator, app.clientId)
  const works = async (secret: string) => apps.verifySecret(await apps.getById(app.clientId), secret)
  assert.deepEqual([await works(first), await works(second)], [true, true])
  pass(86_399_999)
  assert.deepEqual([await works(first), await works(second)], [true, true])
  pass(1)
  assert.deepEqual([await works(first), await works(second)], [false, true])
})

test('CA8 attack: a secret two rotations old, or rotated without overlap, is dead at once', async (t) => {
  const { apps, pass } = setUp(t)
  const { app, clientSecret: first = '' } = await apps.create(operator, web)
  pass(1)
  const { clientSecret: second = '' } = await apps.rotateSecret(operator, app.clientId)
  pass(1)
  const { clientSecret: third = '', app: after } = await apps.rotateSecret(operator, app.clientId)
  assert.equal(after.secrets.length, 2)
  assert.deepEqual(
    [first, second, third].map((secret) => apps.verifySecret(after, secret)),
    [false, true, true],
  )
  const { clientSecret: fourth = '', app: last } = await apps.rotateSecret(operator, app.clientId, {
    overlapSeconds: 0,
  })
  assert.deepEqual(
    [second, third, fourth].map((secret) => apps.verifySecret(last, secret)),
    [false, false, true],
  )
})

test('CA8 attack: rotating again does not lengthen the life of a secret that already ends', async (t) => {
  const { apps, pass } = setUp(t)
  const { app, clientSecret: first = '' } = await apps.create(operator, web)
  await apps.rotateSecret(operator, app.clientId, { overlapSeconds: 60 })
  pass(30_000)
  await apps.rotateSecret(operator, app.clientId, { overlapSeconds: 600 })
  pass(30_001)
  assert.ok(!apps.verifySecret(await apps.getById(app.clientId), first))
})

test('CA8: twenty parallel rotations by two processes leave two living secrets, one of them the last', async (t) => {
  const { apps, otherApps } = setUp(t)
  const { app } = await apps.create(operator, web)
  const rotations = Array.from({ length: 20 }, (_, index) =>
    (index % 2 ? apps : otherApps).rotateSecret(operator, app.clientId),
  )
  const issued = await Promise.all(rotations)
  const after = await apps.getById(app.clientId)
  assert.equal(after.secrets.length, 2)
  const alive = issued.filter(({ clientSecret = '' }) => apps.verifySecret(after, clientSecret))
  assert.ok(alive.length === 1 || alive.length === 2)
  assert.equal(after.secrets.filter(({ expiresAt }) => expiresAt === undefined).length, 1)
})

test('CA1 attack: empty, huge, altered and foreign secrets are wrong', async (t) => {
  const { apps } = setUp(t)
  const { app, clientSecret = '' } = await apps.create(operator, web)
  const { clientSecret: foreign = '' } = await apps.create(operator, web)
  const bad = [
    '',
    '\u0000',
    `${clientSecret}\u0000`,
    ` ${clientSecret}`,
    clientSecret.slice(0, -1),
    'x'.repeat(100_000),
    foreign,
  ]
  for (const secret of bad) assert.equal(apps.verifySecret(app, secret), false)
})

test('CA2 attack: an app without secrets accepts none, not even an empty one', async (t) => {
  const { apps } = setUp(t)
  const { app } = await apps.create(operator, { name: 'S', type: 'spa', redirectUris: ['https://s.example.com/cb'] })
  for (const secret of ['', 'undefined', 'null', 'made up']) assert.equal(apps.verifySecret(app, secret), false)
  assert.deepEqual(await refusedFields(apps.rotateSecret(operator, app.clientId)), ['/auth invalid'])
})

test('an overlap is 0 to 604,800 seconds', async (t) => {
  const { apps } = setUp(t)
  const { app } = await apps.create(operator, web)
  for (const overlapSeconds of [-1, 604_801, 0.5, Number.NaN]) {
    assert.deepEqual(await refusedFields(apps.rotateSecret(operator, app.clientId, { overlapSeconds })), [
      '/overlap_seconds invalid',
    ])
  }
})

test('configured apps are found first, listed first, and cannot be changed or shadowed', async (t) => {
  const { apps, store } = setUp(t, [consoleApp])
  const configured = await apps.getById('console')
  assert.deepEqual([configured.source, configured.firstParty, configured.verified], ['configuration', true, true])
  assert.ok(apps.verifySecret(configured, 'a secret from a file, long enough'))
  assert.ok(!JSON.stringify(configured).includes('a secret from a file'))
  const { app } = await apps.create(operator, web)
  await store.put('app', { id: 'console', value: { ...app, name: 'Shadow' } }, 'create')
  assert.equal((await apps.getById('console')).name, 'Console')
  assert.deepEqual(
    (await apps.list()).items.map(({ clientId }) => clientId),
    ['console', app.clientId],
  )
  const acts = [
    apps.suspend(operator, 'console', 'x'),
    apps.change(operator, 'console', { name: 'X' }),
    apps.remove(operator, 'console'),
    apps.rotateSecret(operator, 'console'),
  ]
  for (const act of acts) await assert.rejects(act, (error) => hasCode(error, 'forbidden'))
})

test('wrong configured apps stop the start, all problems named with their place', (t) => {
  const wrong: ConfiguredApp[] = [
    { ...consoleApp, redirectUris: ['http://console.example.com/cb'] },
    { ...consoleApp, clientId: 'other', type: 'service', redirectUris: [], scopes: ['api:admin', 'made:up'] },
    consoleApp,
  ]
  assert.throws(
    () => setUp(t, wrong),
    (error) => {
      assert.ok(hasCode(error, 'invalid_configuration'))
      for (const part of ['apps/0/redirect_uris/0: Use https', 'apps/1/scopes/0', 'apps/1/scopes/1'])
        assert.match(error.message, new RegExp(part))
      return true
    },
  )
  assert.throws(
    () => setUp(t, [consoleApp, consoleApp]),
    (error) => hasCode(error, 'invalid_configuration') && /twice/.test(error.message),
  )
})

test('suspending and resuming stand in the app at once, for every process', async (t) => {
  const { apps, otherApps } = setUp(t)
  const { app } = await apps.create(operator, web)
  assert.equal((await apps.suspend(operator, app.clientId, 'abuse')).suspended?.reason, 'abuse')
  assert.equal((await otherApps.getById(app.clientId)).suspended?.reason, 'abuse')
  assert.equal((await otherApps.resume(operator, app.clientId)).suspended, undefined)
  assert.equal((await apps.getById(app.clientId)).suspended, undefined)
})

test('whoever caches apps hears of every change, until it stops listening', async (t) => {
  const { apps } = setUp(t)
  const heard: string[] = []
  const stop = apps.onChange((clientId) => heard.push(clientId))
  const { app } = await apps.create(operator, web)
  await apps.change(operator, app.clientId, { name: 'Notes 2' })
  await apps.suspend(operator, app.clientId, 'x')
  await apps.rotateSecret(operator, app.clientId)
  await assert.rejects(apps.suspend(operator, 'missing', 'x'))
  stop()
  await apps.remove(operator, app.clientId)
  assert.deepEqual(heard, [app.clientId, app.clientId, app.clientId])
  assert.equal(await apps.find(app.clientId), undefined)
})

test('attack: a change takes no standing, type, owner or secret', async (t) => {
  const { apps } = setUp(t)
  const { app } = await apps.create(operator, { ...web, ownerId: 'dev' })
  for (const change of [
    { firstParty: true },
    { verified: true },
    { type: 'service' },
    { ownerId: 'eve' },
    { secrets: [] },
    { auth: 'none' },
    { resourceServer: 'x:y' },
  ]) {
    assert.equal((await refusedFields(apps.change(operator, app.clientId, change as object))).length, 1)
  }
  assert.deepEqual(await apps.getById(app.clientId), app)
})

test('attack: a verified app that changes its name, redirect URIs or links is not verified any more', async (t) => {
  const { apps } = setUp(t)
  const { app } = await apps.create(operator, web)
  for (const change of [
    { name: 'Your Bank' },
    { redirectUris: ['https://other.example/cb'] },
    { logoUri: 'https://other.example/l.png' },
  ]) {
    await apps.replace(operator, app.clientId, (record) => ({ ...record, verified: true }))
    assert.equal((await apps.change(operator, app.clientId, { metadata: { tier: 'gold' } })).verified, true)
    assert.equal((await apps.change(operator, app.clientId, change)).verified, false)
  }
})

test('a change is judged as a whole and keeps what it does not name', async (t) => {
  const { apps } = setUp(t)
  const { app } = await apps.create(operator, { ...web, metadata: { tier: 'gold' }, dpop: true })
  const after = await apps.change(operator, app.clientId, { scopes: ['data:write'] })
  assert.deepEqual(
    [after.scopes, after.name, after.metadata, after.dpop],
    [['data:write'], 'Notes', { tier: 'gold' }, true],
  )
  assert.deepEqual(await refusedFields(apps.change(operator, app.clientId, { redirectUris: [] })), [
    '/redirect_uris missing',
  ])
  assert.deepEqual(await refusedFields(apps.change(operator, app.clientId, { scopes: ['api:admin'] })), [
    '/scopes/0 not_for_third_parties',
  ])
})

test('apps are listed by owner', async (t) => {
  const { apps } = setUp(t, [consoleApp])
  const { app } = await apps.create(operator, { ...web, ownerId: 'dev' })
  await apps.create(operator, { ...web, ownerId: 'other' })
  assert.deepEqual((await apps.list({ ownerId: 'dev' })).items, [app])
})

test('changes of an app are noted in its owner’s log, without a secret', async (t) => {
  const { apps, store } = setUp(t)
  const { app, clientSecret = '' } = await apps.create({ kind: 'account', id: 'dev' }, { ...web, ownerId: 'dev' })
  const { clientSecret: second = '' } = await apps.rotateSecret({ kind: 'account', id: 'dev' }, app.clientId)
  await apps.suspend(operator, app.clientId, 'abuse')
  const { items } = await store.read('dev')
  assert.deepEqual(
    items.map(({ record }) => [record['event'], record['subject']]),
    [
      ['app.suspended', app.clientId],
      ['app.secret_rotated', app.clientId],
      ['app.created', app.clientId],
    ],
  )
  for (const secret of [clientSecret, second]) assert.ok(!JSON.stringify(items).includes(secret.slice(9)))
})
