/**
 * How file, environment and secret files become one configuration, and what keeps the server from starting.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Loaded, loadConfig, type Problem } from '../../src/config/load.ts'

const SECRET = 'correct-horse-battery-staple-correct-horse'

interface Given {
  readonly env?: Record<string, string>
  readonly yaml?: string
  readonly files?: Record<string, string>
}

/** Loads from an imagined disk below /srv; nothing real is touched. */
function load({ env = {}, yaml, files = {} }: Given) {
  const disk: Record<string, string> = { ...files, ...(yaml === undefined ? {} : { '/srv/config/licet.yaml': yaml }) }
  const readFile = (path: string) => {
    const text = disk[path]
    if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
    return text
  }
  return loadConfig({ env, cwd: '/srv', readFile, cores: 4, keepSecret: () => SECRET })
}

function accepted(given: Given): Loaded {
  const loaded = load(given)
  assert.ok('config' in loaded, `unexpected problems: ${JSON.stringify(loaded)}`)
  return loaded
}

function refused(given: Given): readonly Problem[] {
  const loaded = load(given)
  assert.ok('problems' in loaded, 'it should not have been accepted')
  return loaded.problems
}

const paths = (problems: readonly Problem[]) => problems.map(({ path }) => path)

test('without file and variables everything has the default of the contract', () => {
  const { config } = accepted({})
  assert.equal(config.issuer, 'http://localhost:4000')
  assert.equal(config.host, '127.0.0.1')
  assert.equal(config.storeUrl, 'sqlite:/srv/data/licet.db')
  assert.equal(config.workers, 1)
  assert.equal(config.mailbox, true)
  assert.equal(config.playground, true)
  assert.equal(config.debug, false)
  assert.deepEqual(config.lifetimes, {
    accessTokenSeconds: 900,
    idTokenSeconds: 3600,
    codeSeconds: 60,
    refreshIdleSeconds: 30 * 86_400,
    refreshAbsoluteSeconds: 90 * 86_400,
    refreshRetryWindowSeconds: 60,
    sessionIdleSeconds: 14 * 86_400,
    sessionAbsoluteSeconds: 30 * 86_400,
    interactionSeconds: 900,
    stepUpSeconds: 900,
    exchangedTokenSeconds: 600,
    deviceCodeSeconds: 600,
    pushedRequestSeconds: 60,
  })
  assert.deepEqual(config.rateLimits.signInAccount, { limit: 5, windowSeconds: 900 })
  assert.equal(Object.keys(config.scopes).length, 10)
  assert.equal(config.scopes['api:admin']?.thirdParty, false)
})

test('the environment wins over the file, and a secret file over both', () => {
  const files = { '/run/secret': `${SECRET}-from-file\n` }
  const yaml = `port: 5000\nhost: 10.0.0.1\nsecret: ${SECRET}-in-yaml`
  const env = { LICET_PORT: '6000', LICET_SECRET: `${SECRET}-in-env`, LICET_SECRET_FILE: '/run/secret' }
  const { config } = accepted({ yaml, env, files })
  assert.equal(config.port, 6000)
  assert.equal(config.host, '10.0.0.1')
  assert.deepEqual(config.secrets, [`${SECRET}-from-file`])
})

test('several root secrets keep their order, the current one first', () => {
  assert.deepEqual(accepted({ env: { LICET_SECRET: `${SECRET}-new,${SECRET}-old` } }).config.secrets, [
    `${SECRET}-new`,
    `${SECRET}-old`,
  ])
})

test('the issuer follows the port when it is not set', () => {
  assert.equal(accepted({ env: { LICET_PORT: '4123' } }).config.issuer, 'http://localhost:4123')
})

test('on Redis there are as many workers as cores, unless it is said otherwise', () => {
  assert.equal(accepted({ env: { LICET_STORE_URL: 'redis://127.0.0.1:6379' } }).config.workers, 4)
  assert.equal(
    accepted({ env: { LICET_STORE_URL: 'redis+cluster://a:1,b:2?replicas=1', LICET_WORKERS: '2' } }).config.workers,
    2,
  )
})

test('the embedded store lies in the data directory', () => {
  assert.equal(
    accepted({ env: { LICET_DATA_DIR: '/var/lib/licet' } }).config.storeUrl,
    'sqlite:/var/lib/licet/licet.db',
  )
  assert.equal(accepted({ env: { LICET_STORE_URL: 'sqlite:./here.db' } }).config.storeUrl, 'sqlite:/srv/here.db')
})

test('an empty variable counts as not set', () => {
  assert.equal(accepted({ env: { LICET_PORT: '', LICET_SECRET_FILE: '' } }).config.port, 4000)
})

test('all problems are told at once, each with path, found and expected', () => {
  const yaml = 'brand: { name: 3, colour: red }\nlifetimes: { code: soon, refresh_idle: 100d }\nsopes: {}'
  const problems = refused({ yaml, env: { LICET_PORT: '99999', LICET_PROT: '1' } })
  assert.deepEqual(paths(problems).sort(), [
    'LICET_PORT',
    'LICET_PROT',
    'brand.colour',
    'brand.name',
    'lifetimes.code',
    'sopes',
  ])
  assert.deepEqual(
    problems.find(({ path }) => path === 'LICET_PORT'),
    { path: 'LICET_PORT', found: '99999', expected: 'a whole number from 0 to 65535' },
  )
})

test('a mistake in one topic does not hide the rules of another', () => {
  const problems = refused({
    yaml: 'brand: { name: 3 }\nlifetimes: { refresh_idle: 100d }\nkeys: { default_lifetime: 400d }',
  })
  assert.deepEqual(paths(problems).sort(), ['brand.name', 'keys.default_lifetime', 'lifetimes.refresh_idle'])
})

test('a file that LICET_CONFIG names must exist', () => {
  assert.deepEqual(paths(refused({ env: { LICET_CONFIG: 'other.yaml' } })), ['LICET_CONFIG'])
  assert.equal(
    accepted({ env: { LICET_CONFIG: 'other.yaml' }, files: { '/srv/other.yaml': 'port: 1' } }).config.port,
    1,
  )
})

test('broken YAML is told by line, and its text, which may hold a secret, is not shown', () => {
  for (const yaml of [
    `secret: [${SECRET}`,
    `secret: *${SECRET}`,
    `a: 1\n a: "${SECRET}`,
    `port: 1\nport: 2 # ${SECRET}`,
  ]) {
    const problems = refused({ yaml })
    assert.match(problems[0]?.found ?? '', /line \d|alias/)
    assert.ok(!JSON.stringify(problems).includes(SECRET))
  }
  assert.equal(refused({ yaml: '- a\n- b' })[0]?.expected, 'a map of options')
})

test('no problem and no print ever shows a secret', () => {
  const yaml = [
    `secret: ${SECRET.slice(0, 20)}`,
    `metrics_token: [${SECRET}]`,
    `claims: { hook: { url: nowhere, secret: [${SECRET}] } }`,
    `apps: [{ client_id: a, name: A, type: spa, redirect_uris: ["https://a.example/cb"], client_secret: ${SECRET} }]`,
  ].join('\n')
  const text = JSON.stringify(
    refused({ yaml, env: { LICET_STORE_URL: `reddis://:${SECRET}@host`, LICET_SMTP_URL: `http://a:${SECRET}@b` } }),
  )
  assert.ok(!text.includes(SECRET.slice(0, 20)), text)
})

test('what is printed hides every secret and keeps what is not one', () => {
  const yaml = [
    `claims: { hook: { url: "https://h.example/", secret: ${SECRET} } }`,
    `apps: [{ client_id: a, name: A, type: web, redirect_uris: ["https://a.example/cb"], client_secret: ${SECRET} }]`,
  ].join('\n')
  const env = {
    LICET_SECRET: SECRET,
    LICET_STORE_URL: `redis://me:p@ss-${SECRET}@h:1/2?replicas=1`,
    LICET_SMTP_URL: `smtp://me:${SECRET}@mail:25`,
    LICET_METRICS_TOKEN: SECRET,
  }
  const { shown } = accepted({ yaml, env })
  const text = JSON.stringify(shown)
  assert.ok(!text.includes(SECRET), text)
  assert.equal(shown['store_url'], 'redis://(hidden)@h:1/2?replicas=1')
  assert.ok(text.includes('https://h.example/'))
  assert.ok(text.includes('"access_token":"15m"'))
})

test('a configuration is frozen to the bottom', () => {
  const { config } = accepted({
    yaml: 'apps: [{ client_id: a, name: A, type: native, redirect_uris: ["a.b:/cb"], metadata: { x: { y: 1 } } }]',
  })
  assert.throws(() => Object.assign(config.lifetimes, { codeSeconds: 1 }), TypeError)
  assert.throws(() => Object.assign(config.apps[0]?.metadata['x'] as object, { y: 2 }), TypeError)
})

test('a key __proto__ stops the start wherever it stands', () => {
  for (const yaml of [
    '__proto__: { port: 1 }',
    'claims: { access_token: { __proto__: account.attributes.x } }',
    'apps: [{ __proto__: 1 }]',
  ]) {
    assert.ok(
      paths(refused({ yaml })).some((path) => path.endsWith('__proto__')),
      yaml,
    )
  }
})
