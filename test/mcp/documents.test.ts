/**
 * Hosts of metadata documents that mean harm, and hosts that have a bad day: what is never connected to, what is never believed, what is remembered and for
 * how long. The way out is the real one, over real sockets; only names resolve as each test says.
 */
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createClientDocuments } from '../../src/apps/client-documents.ts'
import { freshnessOf } from '../../src/apps/document-freshness.ts'
import { REFUSED_IN_DOCUMENTS, readDocument } from '../../src/apps/document-metadata.ts'
import { createRegistration } from '../../src/apps/registration.ts'
import { createOutbound } from '../../src/security/outbound.ts'
import { createShims } from '../../src/shims.ts'
import { testAuthority, testCertificate, testKey } from '../support/certificates.ts'
import { type Documents, startDocuments } from '../support/documents.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { askTokens, mcpResource, signInWith, WEB_CALLBACK } from '../support/mcp-client.ts'
import { openTestStore } from '../support/open-store.ts'
import { Person } from '../support/person.ts'

const shims = createShims()

/** Documents over the real way out. `names` is the name service; allowed is loopback 127.0.0.2 only when a test says so. */
function setUp(t: TestContext, names: Record<string, () => string[]> = {}, allowNetworks: string[] = []) {
  const desk = openTestStore(t)
  const now = () => Date.UTC(2026, 10, 1)
  const { fetch } = createOutbound({
    resolve: async (host) => names[host]?.() ?? Promise.reject(new Error('no such name')),
    allowNetworks,
    ca: testAuthority,
    allowLoopbackHttp: false,
    elapsed: () => performance.now(),
  })
  const registration = createRegistration({ vault: desk.vault, now, keyPrefix: 'licet', shims, scopes: [], mayAsk: [] })
  const documents = createClientDocuments({
    store: desk.store,
    now,
    fetch,
    pause: async () => {},
    policy: 'open',
    allowHosts: [],
    denyHosts: ['denied.test'],
    read: (document, clientId) => readDocument(document, clientId, { shims, read: registration.read }),
  })
  return { ...desk, documents }
}

async function listen(t: TestContext, server: Server, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

test('DC2: no connection is opened to a private address, in any spelling or by any name, and every answer takes the same time', async (t) => {
  let connections = 0
  const trap = () =>
    createTcp((socket) => {
      connections += 1
      socket.destroy()
    })
  const [four, six] = [await listen(t, trap(), '127.0.0.1'), await listen(t, trap(), '::1')]
  const { documents } = setUp(t, {
    'private.test': () => ['10.0.0.1'],
    'loopback.test': () => ['127.0.0.1'],
    'half.test': () => ['93.184.216.34', '127.0.0.1'],
    'six.test': () => ['::1'],
    'mapped.test': () => ['::ffff:127.0.0.1'],
    'metadata.test': () => ['169.254.169.254'],
    localhost: () => ['127.0.0.1', '::1'],
  })
  const hosts =
    `127.0.0.1 127.1 2130706433 0x7f000001 0177.0.0.1 0 0.0.0.0 localhost LOCALHOST loopback.test half.test private.test metadata.test
    169.254.169.254 10.0.0.1 192.168.0.1 100.64.0.1 nobody.test`.split(/\s+/)
  const sixes =
    '[::1] [::ffff:7f00:1] [::ffff:127.0.0.1] [64:ff9b::7f00:1] [fe80::1] [fd00::1] six.test mapped.test'.split(' ')
  const timed = async (clientId: string) => {
    const began = performance.now()
    assert.equal(await documents.find(clientId), undefined, clientId)
    return { clientId, ms: performance.now() - began }
  }
  // As a client would write them, and as a parser would: what is not written as a parser writes it is nobody's address.
  const raw = [...hosts.map((host) => `https://${host}:${four}/c`), ...sixes.map((host) => `https://${host}:${six}/c`)]
  const all = [...new Set([...raw, ...raw.map((url) => URL.parse(url)?.href ?? url)])]
  const taken = (await Promise.all(all.map(timed))).filter(({ clientId }) => documents.isAddress(clientId))
  assert.ok(taken.length > 15, String(taken.length))
  assert.equal(connections, 0)
  // Sixteen are waited for at once; the rest is refused without asking anybody.
  const asked = taken.filter(({ ms }) => ms > 100).map(({ ms }) => ms)
  assert.ok(asked.length >= 10)
  assert.ok(Math.max(...asked) - Math.min(...asked) < 600, asked.map(Math.round).join())
})

test('DC2: a name that changes its mind after the check leads nowhere else (rebinding)', async (t) => {
  let asked = 0
  let connections = 0
  const port = await listen(
    t,
    createTcp((socket) => {
      connections += 1
      socket.destroy()
    }),
    '127.0.0.1',
  )
  const { documents } = setUp(t, { 'rebinding.test': () => [asked++ === 0 ? '192.0.2.1' : '127.0.0.1'] })
  assert.equal(await documents.find(`https://rebinding.test:${port}/c`), undefined)
  assert.deepEqual([asked, connections], [1, 0])
})

test('DC4 DC5: slow, huge, packed, redirecting, wrong and lying answers are all the same nobody', async (t) => {
  const server = createHttps({ cert: testCertificate, key: testKey })
  const port = await listen(t, server, '127.0.0.1')
  const clientIdOf = (path: string) => `https://hook.test:${port}${path}`
  const good = (path: string, more: object = {}) =>
    JSON.stringify({
      client_id: clientIdOf(path),
      client_name: 'App',
      redirect_uris: ['https://a.test/cb'],
      token_endpoint_auth_method: 'none',
      ...more,
    })
  const answers: Record<
    string,
    { status?: number; headers?: Record<string, string>; body?: string | Buffer; drip?: true }
  > = {
    '/slow': { drip: true },
    '/huge': { body: good('/huge', { padding: 'x'.repeat(10_000_000) }) },
    '/bomb': {
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync(good('/bomb', { padding: 'x'.repeat(5_000_000) })),
    },
    '/moved': { status: 302, headers: { location: '/good' } },
    '/inward': { status: 307, headers: { location: 'https://127.0.0.1/' } },
    '/html': { headers: { 'content-type': 'text/html' }, body: good('/html') },
    '/broken': { body: '{"client_id":' },
    '/deep': { body: '['.repeat(4000) },
    '/list': { body: '[]' },
    '/other': { body: good('/good') },
    '/nameless': { body: good('/nameless', { client_name: undefined }) },
    '/lost': { body: good('/lost', { redirect_uris: undefined }) },
    '/many': {
      body: good('/many', { redirect_uris: Array.from({ length: 21 }, (_, index) => `https://a.test/${index}`) }),
    },
    '/shared': { body: good('/shared', { token_endpoint_auth_method: 'client_secret_basic' }) },
    ...Object.fromEntries(
      REFUSED_IN_DOCUMENTS.map((name) => [`/${name}`, { body: good(`/${name}`, { [name]: 'x' }) }]),
    ),
    '/good': { body: good('/good', { scope: 'api:admin', grant_types: ['client_credentials'], first_party: true }) },
  }
  server.on('request', (request, response) => {
    const { status = 200, headers = {}, body = '', drip } = answers[request.url ?? ''] ?? { status: 404 }
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    const timer = drip && setInterval(() => response.write(' '), 100)
    response.on('close', () => clearInterval(timer))
    if (!drip) response.end(body)
  })
  const { documents } = setUp(t, { 'hook.test': () => ['127.0.0.1'] }, ['127.0.0.0/8'])
  for (const [path] of Object.entries(answers).filter(([one]) => !['/good', '/slow', '/bomb', '/huge'].includes(one)))
    assert.equal(await documents.find(clientIdOf(path)), undefined, path)
  await Promise.all(
    ['/slow', '/bomb', '/huge'].map(async (path) =>
      assert.equal(await documents.find(clientIdOf(path)), undefined, path),
    ),
  )
  const record = await documents.find(clientIdOf('/good'))
  assert.deepEqual([record?.name, record?.scopes, record?.firstParty, record?.verified], ['App', [], false, false])
  assert.equal(await documents.find('https://denied.test/c'), undefined)
})

test('DC4: ten thousand addresses fill a fixed number of places, and no more', async (t) => {
  const { store } = openTestStore(t)
  const places = new Set<string>()
  const put: typeof store.put = async (_kind, { id, value }) => {
    places.add(id)
    return { id, value, version: '1' }
  }
  const documents = createClientDocuments({
    store: { find: async () => undefined, increment: async () => ({ count: 1, resetSeconds: 5 }), put },
    now: Date.now,
    fetch: () => Promise.reject(new Error('down')),
    pause: async () => {},
    policy: 'open',
    allowHosts: [],
    denyHosts: [],
    read: () => assert.fail('there is nothing to read'),
  })
  for (let number = 0; number < 20_000; number++) await documents.find(`https://flood-${number}.test/c`)
  assert.ok(places.size > 4000 && places.size <= 4096, String(places.size))
})

test('how long a document counts: HTTP says, within a minute and a day', () => {
  const now = Date.UTC(2026, 10, 1)
  const fresh = (headers: Record<string, string>) => freshnessOf(new Headers(headers), now).freshMs / 1000
  const cases: [Record<string, string>, number][] = [
    [{}, 3600],
    [{ 'cache-control': 'max-age=600' }, 600],
    [{ 'cache-control': 'public, max-age=600, s-maxage=120' }, 120],
    [{ 'cache-control': 'max-age=600', age: '500' }, 100],
    [{ 'cache-control': 'max-age=5' }, 60],
    [{ 'cache-control': 'max-age=99999999' }, 86_400],
    [{ 'cache-control': 'no-store' }, 60],
    [{ 'cache-control': 'No-Cache, max-age=600' }, 60],
    [{ expires: new Date(now + 300_000).toUTCString() }, 300],
    [{ expires: new Date(now + 300_000).toUTCString(), date: new Date(now + 100_000).toUTCString() }, 200],
    [{ expires: '0' }, 60],
    [{ 'cache-control': 'max-age=abc' }, 3600],
  ]
  for (const [headers, seconds] of cases) assert.equal(fresh(headers), seconds, JSON.stringify(headers))
  assert.equal(freshnessOf(new Headers({ 'cache-control': 'stale-if-error=60' }), now).staleMs, 60_000)
})

let hosted: Documents
let licet: Licet
let time = Date.now()
before(async () => {
  hosted = await startDocuments()
  licet = await startLicet({ now: () => time, file: { resources: [mcpResource], outbound: hosted.outbound } })
})
after(async () => {
  await licet.close()
  await hosted.close()
})

test('a stale document is asked for by its tag, and its host may fail for days', async () => {
  const clientId = hosted.publish('/tagged.json', {}, { etag: '"one"', 'cache-control': 'max-age=60' })
  assert.ok((await signInWith(licet, { clientId })).tokens)
  assert.equal(hosted.asked('/tagged.json')?.['if-none-match'], undefined)
  hosted.serve('/tagged.json', { status: 304, headers: { etag: '"one"' } })
  time += 61_000
  assert.ok((await signInWith(licet, { clientId })).tokens)
  assert.equal(hosted.asked('/tagged.json')?.['if-none-match'], '"one"')
  hosted.serve('/tagged.json', { status: 500 })
  time += 2 * 86_400_000
  assert.ok((await signInWith(licet, { clientId })).tokens)
})

test('DC5: a document nobody has allowed dies with its host in the end; one that somebody has does not', async () => {
  const allowed = hosted.publish('/allowed.json')
  const seen = hosted.publish('/seen.json')
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const first = await signInWith(licet, { clientId: allowed }, { person, email })
  await new Person(licet.issuer).open(
    `${licet.issuer}/authorize?client_id=${encodeURIComponent(seen)}&redirect_uri=x&response_type=code`,
  )
  hosted.remove('/allowed.json')
  hosted.remove('/seen.json')
  time += 9 * 86_400_000
  assert.ok((await signInWith(licet, { clientId: seen })).page)
  const refresh = await fetch(`${licet.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: String(first.tokens?.['refresh_token']),
      client_id: allowed,
    }),
  })
  assert.equal(refresh.status, 200)
})

test('an operator checks a document app; the check ends when the document says something else', async () => {
  const clientId = hosted.publish('/checked.json')
  assert.ok((await signInWith(licet, { clientId })).tokens)
  await licet.core.apps.replace(operator, clientId, (app) => ({ ...app, verified: true }))
  assert.equal((await licet.core.apps.find(clientId))?.verified, true)
  hosted.publish('/checked.json', { client_name: 'Somebody else' })
  time += 2 * 3_600_000
  const app = await licet.core.apps.find(clientId)
  assert.deepEqual([app?.name, app?.verified], ['Somebody else', false])
})

test('DC5: a document that changes while the person reads the page has not been allowed as it is now', async () => {
  const clientId = hosted.publish('/shifting.json', {}, { 'cache-control': 'max-age=60' })
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const path = (redirectUri: string) =>
    `/authorize?${new URLSearchParams({ client_id: clientId, redirect_uri: redirectUri, response_type: 'code', scope: 'mcp:read', resource: mcpResource.identifier, code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' })}`
  const page = await person.submit(await person.open(path(WEB_CALLBACK)), { email, password: PASSWORD }, '/sign-in')
  const thief = 'https://thief.example.test/cb'
  hosted.publish('/shifting.json', { redirect_uris: [WEB_CALLBACK, thief] })
  time += 120_000
  assert.equal((await licet.core.apps.find(clientId))?.redirectUris.length, 2)
  await person.submit(page, { decision: 'allow' }, '/consent')
  assert.match((await person.open(path(thief))).body, /name="decision"|name="password"/)
})

test('attack: a denied host is nobody with a dot behind its name too', async (t) => {
  let connections = 0
  const port = await listen(
    t,
    createTcp((socket) => {
      connections += 1
      socket.destroy()
    }),
    '127.0.0.1',
  )
  const here = () => ['127.0.0.1']
  const { documents } = setUp(t, { 'denied.test': here, 'denied.test.': here }, ['127.0.0.0/8'])
  for (const host of ['denied.test', 'denied.test.', 'denied.test..'])
    assert.equal(await documents.find(`https://${host}:${port}/c`), undefined, host)
  assert.equal(connections, 0)
})

test('DC5: denying a host ends what its apps were allowed before, for everybody', async (t) => {
  const store = `sqlite:${join(mkdtempSync(join(tmpdir(), 'licet-denied-')), 'licet.db')}`
  const [before, after] = await Promise.all([
    startLicet({ store, file: { resources: [mcpResource], outbound: hosted.outbound } }),
    startLicet({
      store,
      file: {
        resources: [mcpResource],
        outbound: hosted.outbound,
        client_documents: { deny_hosts: ['localhost'] },
      },
    }),
  ])
  t.after(() => Promise.all([before.close(), after.close()]))
  const clientId = hosted.publish('/denied.json')
  const { tokens } = await signInWith(before, { clientId })
  assert.ok(tokens)
  const refresh = { grant_type: 'refresh_token', refresh_token: String(tokens['refresh_token']) }
  assert.equal((await askTokens(after, { clientId }, refresh)).error, 'invalid_client')
  assert.ok((await signInWith(after, { clientId })).page)
  assert.match((await after.core.apps.getById(clientId)).suspended?.reason ?? '', /no documents from its host/)
  assert.ok((await askTokens(before, { clientId }, refresh)).tokens, 'nothing is taken where it is not denied')
})
