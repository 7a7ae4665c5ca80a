import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createApps } from '../../src/apps/apps.ts'
import { addAppCommands } from '../../src/cli/app.ts'
import { parseCredential } from '../../src/credential-format.ts'
import { createRunner } from '../support/commands.ts'
import { openTestStore } from '../support/open-store.ts'

const scopes = {
  'data:read': { thirdParty: true },
  'data:write': { thirdParty: true },
  'api:admin': { thirdParty: false },
}
const configured = [
  { clientId: 'console', name: 'Console', type: 'spa', redirectUris: ['https://c.example/cb'], firstParty: true },
] as const
const web = ['app', 'create', '--name', 'Notes', '--type', 'web', '--redirect-uri', 'https://notes.example/cb']

function setUp(t: TestContext) {
  const desk = openTestStore(t)
  const apps = createApps({ ...desk, scopes, keyPrefix: 'licet', configured })
  const openCore = async () => ({ apps, now: desk.now, store: desk.store, close: async () => {} })
  return { ...desk, apps, run: createRunner((program, io) => addAppCommands(program, openCore, io)) }
}

test('app create prints client_id and, once, client_secret as JSON', async (t) => {
  const { run, apps } = setUp(t)
  const words = [
    '--post-logout-redirect-uri',
    'https://notes.example/',
    '--scope',
    'openid data:read',
    '--optional-scope',
    'data:write',
  ]
  const made = await run([...web, ...words, '--redirect-uri', 'https://notes.example/cb2', '--dpop', '--json'])
  assert.deepEqual([made.code, made.err], [0, ''])
  const printed = made.json<{ client_id: string; client_secret: string }>()
  assert.equal(parseCredential('licet', printed.client_secret), 'cs')
  const app = await apps.getById(printed.client_id)
  assert.ok(apps.verifySecret(app, printed.client_secret))
  assert.deepEqual(
    [
      app.name,
      app.type,
      app.redirectUris,
      app.postLogoutRedirectUris,
      app.scopes,
      app.optionalScopes,
      app.dpop,
      app.firstParty,
    ],
    [
      'Notes',
      'web',
      ['https://notes.example/cb', 'https://notes.example/cb2'],
      ['https://notes.example/'],
      ['openid', 'data:read'],
      ['data:write'],
      true,
      false,
    ],
  )
  for (const words of [
    ['show', printed.client_id],
    ['list'],
    ['show', printed.client_id, '--json'],
    ['list', '--json'],
  ]) {
    assert.ok(!(await run(['app', ...words])).out.includes(printed.client_secret))
  }
})

test('a public app has no client_secret', async (t) => {
  const { run } = setUp(t)
  const made = (
    await run(['app', 'create', '--name', 'CLI', '--type', 'native', '--redirect-uri', 'http://127.0.0.1/cb', '--json'])
  ).json()
  assert.deepEqual([made['auth'], 'client_secret' in made], ['none', false])
})

test('app create warns of redirect URIs that others could claim', async (t) => {
  const { run } = setUp(t)
  const words = ['app', 'create', '--name', 'X', '--type', 'native', '--redirect-uri', 'cursor://x/cb']
  assert.match((await run(words)).out, /Warning: The scheme holds no dot/)
  assert.equal((await run([...words, '--json'])).json<{ warnings: string[] }>().warnings.length, 2)
})

test('an app that proves itself by a key takes its public keys from a file', async (t) => {
  const { run, directory, apps } = setUp(t)
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const file = (name: string, content: unknown) => {
    const path = join(directory, name)
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }
  const words = ['app', 'create', '--name', 'M', '--type', 'service', '--auth', 'private_key_jwt', '--json', '--jwks']
  const jwk = pair.publicKey.export({ format: 'jwk' })
  for (const content of [jwk, { keys: [jwk] }]) {
    const made = await run([...words, file('good.json', content)])
    assert.deepEqual((await apps.getById(made.json<{ client_id: string }>().client_id)).jwks, { keys: [jwk] })
  }
  const privateKey = await run([...words, file('private.json', pair.privateKey.export({ format: 'jwk' }))])
  assert.deepEqual([privateKey.code, /public keys only/.test(privateKey.err)], [1, true])
  assert.equal((await run([...words, file('broken.json', '{')])).code, 2)
  assert.equal((await run([...words, join(directory, 'missing.json')])).code, 2)
})

test('rotate-secret prints a new secret; the old one works until the overlap ends', async (t) => {
  const { run, apps, pass } = setUp(t)
  const { client_id, client_secret } = (await run([...web, '--json'])).json<{
    client_id: string
    client_secret: string
  }>()
  const rotated = await run(['app', 'rotate-secret', client_id, '--overlap', '60', '--json'])
  const fresh = rotated.json<{ client_secret: string; secrets: unknown[] }>()
  assert.equal(fresh.secrets.length, 2)
  const works = async (secret: string) => apps.verifySecret(await apps.getById(client_id), secret)
  assert.deepEqual([await works(client_secret), await works(fresh.client_secret)], [true, true])
  pass(60_001)
  assert.deepEqual([await works(client_secret), await works(fresh.client_secret)], [false, true])
  assert.match((await run(['app', 'rotate-secret', client_id])).out, /shown this once:\nlicet_cs_/)
})

test('suspend, resume and remove', async (t) => {
  const { run, apps } = setUp(t)
  const { client_id } = (await run([...web, '--json'])).json<{ client_id: string }>()
  const suspended = (await run(['app', 'suspend', client_id, '--reason', 'abuse', '--json'])).json()
  assert.deepEqual([suspended['state'], suspended['suspended_reason']], ['suspended', 'abuse'])
  assert.equal((await run(['app', 'resume', client_id, '--json'])).json()['state'], 'active')
  assert.deepEqual((await run(['app', 'remove', client_id, '--json'])).json(), { client_id, removed: true })
  assert.equal(await apps.find(client_id), undefined)
})

test('app list shows the configured apps first', async (t) => {
  const { run } = setUp(t)
  await run(web)
  const { items } = (await run(['app', 'list', '--json'])).json<{ items: { client_id: string; source: string }[] }>()
  assert.deepEqual(
    items.map(({ source }) => source),
    ['configuration', 'stored'],
  )
  assert.equal((await run(['app', 'list'])).out.trimEnd().split('\n').length, 2)
})

test('what cannot be done is said on standard error and ends with 1, bad usage with 2', async (t) => {
  const { run } = setUp(t)
  const refused: readonly (readonly [readonly string[], number, RegExp])[] = [
    [
      ['app', 'create', '--name', 'X', '--type', 'web', '--redirect-uri', 'http://x.example/cb'],
      1,
      /redirect_uris\/0: Use https/,
    ],
    [[...web, '--scope', 'data:read api:admin made:up'], 1, /scopes\/1: api:admin .*\n?.*scopes\/2/s],
    [['app', 'create', '--name', 'X', '--type', 'web'], 1, /at least one redirect URI/],
    [
      [
        'app',
        'create',
        '--name',
        'X',
        '--type',
        'spa',
        '--auth',
        'client_secret_basic',
        '--redirect-uri',
        'https://x.example/cb',
      ],
      1,
      /auth/,
    ],
    [['app', 'create', '--name', 'X', '--type', 'service', '--resource-server', 'no uri'], 1, /resource identifier/],
    [['app', 'show', 'missing'], 1, /no such app/],
    [['app', 'suspend', 'console'], 1, /configuration/],
    [['app', 'rotate-secret', 'console'], 1, /configuration/],
    [['app', 'create', '--name', 'X', '--type', 'robot'], 2, /--type/],
    [['app', 'create', '--name', 'X'], 2, /--type/],
    [['app', 'create', '--name', 'X', '--type', 'service', '--auth', 'client_secret_jwt'], 2, /--auth/],
    [['app', 'rotate-secret', 'x', '--overlap', 'soon'], 2, /whole number/],
    [['app', 'show'], 2, /missing/],
  ]
  for (const [words, code, sentence] of refused) {
    const ran = await run(words)
    assert.deepEqual([ran.code, ran.out], [code, ''], `${words.join(' ')}: ${ran.err}`)
    assert.match(ran.err, sentence)
  }
})

test('app activity shows what an app did by itself', async (t) => {
  const { run, apps, audit } = setUp(t)
  const { app } = await apps.create({ kind: 'operator' }, { name: 'Robot', type: 'service' })
  const entry = { event: 'app.token_issued', outcome: 'done', accountId: app.clientId, subject: app.clientId } as const
  await audit.note({ kind: 'app', id: app.clientId, ip: '192.0.2.1' }, { ...entry, details: { scopes: ['data:read'] } })
  const shown = await run(['app', 'activity', app.clientId, '--json'])
  const [newest] = shown.json<{ items: { event: string; ip: string; details: object }[] }>().items
  assert.deepEqual([newest?.event, newest?.ip, newest?.details], [entry.event, '192.0.2.1', { scopes: ['data:read'] }])
  assert.match((await run(['app', 'activity', app.clientId])).out, /app\.token_issued +192\.0\.2\.1/)
  assert.equal((await run(['app', 'activity', 'nobody'])).code, 1)
})
