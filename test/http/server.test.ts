/** What a request meets on its way, what each kind of answer looks like on the wire, and how the server goes down. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { z } from 'zod'
import { AppError } from '../../src/errors.ts'
import { type Answer, any, get, post } from '../../src/http/route.ts'
import { anyone } from '../../src/security/access.ts'
import { raw, serve, statusesOf } from '../support/http.ts'

/** A promise and what settles it. */
function gate() {
  let open = (): void => {}
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, resolve: () => open() }
}

const answering = (path: string, answer: Answer) =>
  get(path)
    .needs(anyone)
    .does(() => answer)

test('every answer carries a request id of ours that also stands in the log', async (t) => {
  const { fetch, lines } = await serve(t, [answering('/a', { kind: 'json', body: {} })])
  const first = await fetch('/a', { headers: { 'x-request-id': 'mine' } })
  const second = await fetch('/nothing')
  const ids = [first, second].map((answer) => answer.headers.get('x-request-id'))
  for (const id of ids) assert.match(id ?? '', /^[\w-]{16}$/)
  assert.notEqual(ids[0], ids[1])
  assert.deepEqual(
    lines.filter((line) => line['msg'] === 'request').map((line) => line['request_id']),
    ids,
  )
})

test('the log and the metrics name the route, never the path or the query', async (t) => {
  const { fetch, lines, metrics } = await serve(t, [answering('/keys/:id', { kind: 'empty' })])
  await fetch('/keys/hunter2?q=hunter3')
  assert.equal(lines.at(-1)?.['route'], '/keys/:id')
  const written = JSON.stringify(lines) + (await metrics.text())
  assert.doesNotMatch(written, /hunter/)
  assert.match(written, /licet_http_requests_total\{route="\/keys\/:id",method="GET",status="204"\} 1/)
})

test('each kind of answer has its form', async (t) => {
  const { fetch } = await serve(t, [
    answering('/json', { kind: 'json', body: { a: 1 }, status: 201, headers: { 'X-A': 'b' } }),
    answering('/text', { kind: 'text', type: 'text/plain; charset=utf-8', body: 'hé' }),
    answering('/page', { kind: 'page', view: 'home', model: { a: 1 }, status: 400, account: { email: 'a@b.test' } }),
    answering('/redirect', { kind: 'redirect', location: '/page?a=b' }),
    answering('/leave', { kind: 'leave', url: 'https://app.test/cb?code=1' }),
    answering('/empty', { kind: 'empty' }),
  ])
  const json = await fetch('/json')
  assert.deepEqual([json.status, await json.text(), json.headers.get('x-a')], [201, '{"a":1}', 'b'])
  const text = await fetch('/text')
  assert.deepEqual([await text.text(), text.headers.get('content-length')], ['hé', '3'])
  const page = await fetch('/page?x=1')
  assert.equal(page.status, 400)
  const drawn = await page.text()
  assert.match(drawn, /<title>home.*"email":"a@b.test".*"path":"\/page\?x=1"/)
  const redirect = await fetch('/redirect')
  assert.deepEqual([redirect.status, redirect.headers.get('location')], [303, '/page?a=b'])
  const leave = await fetch('/leave')
  assert.deepEqual([leave.status, leave.headers.get('location')], [200, null])
  assert.match(await leave.text(), /interactions\/leave.*https:\/\/app.test\/cb/)
  assert.equal((await fetch('/empty')).status, 204)
})

test('a cookie is always __Host-, Secure, HttpOnly, SameSite=Lax, for the whole path, over http too', async (t) => {
  const { fetch } = await serve(t, [
    answering('/set', {
      kind: 'redirect',
      location: '/',
      cookies: [
        { name: '__Host-a', value: '1' },
        { name: '__Host-b', value: '', maxAgeSeconds: 0 },
      ],
    }),
  ])
  assert.deepEqual((await fetch('/set')).headers.getSetCookie(), [
    '__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax',
    '__Host-b=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0',
  ])
})

test('HEAD is answered as GET without the body; another method is 405 and told what is allowed', async (t) => {
  const { fetch } = await serve(t, [
    answering('/a', { kind: 'text', type: 'text/plain', body: 'four' }),
    post('/a')
      .needs(anyone)
      .does(() => ({ kind: 'empty' })),
  ])
  const head = await fetch('/a', { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '4', ''])
  const other = await fetch('/a', { method: 'DELETE' })
  assert.deepEqual([other.status, other.headers.get('allow')], [405, 'GET, HEAD, POST'])
})

test('an answer with an ETag is not sent again to those who have it', async (t) => {
  const { fetch } = await serve(t, [
    answering('/keys', {
      kind: 'text',
      type: 'application/json',
      body: '{}',
      headers: { ETag: '"a"', 'Cache-Control': 'public, max-age=60' },
    }),
  ])
  const full = await fetch('/keys')
  assert.deepEqual([full.status, full.headers.get('cache-control')], [200, 'public, max-age=60'])
  for (const tag of ['"a"', 'W/"a"', '"x", "a"', '*'])
    assert.equal((await fetch('/keys', { headers: { 'if-none-match': tag } })).status, 304)
  assert.equal((await fetch('/keys', { headers: { 'if-none-match': '"b"' } })).status, 200)
})

test('a place for every origin answers preflights and lets scripts read, without credentials', async (t) => {
  const { fetch } = await serve(t, [
    get('/open')
      .needs(anyone)
      .forEveryOrigin()
      .does(() => ({ kind: 'json', body: {} })),
    answering('/closed', { kind: 'empty' }),
  ])
  const preflight = await fetch('/open', {
    method: 'OPTIONS',
    headers: {
      origin: 'https://a.test',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'mcp-protocol-version',
    },
  })
  assert.deepEqual(
    [
      preflight.status,
      preflight.headers.get('access-control-allow-origin'),
      preflight.headers.get('access-control-allow-headers'),
    ],
    [204, '*', 'Authorization, *'],
  )
  const answer = await fetch('/open', { headers: { origin: 'https://a.test' } })
  assert.equal(answer.headers.get('access-control-allow-origin'), '*')
  assert.equal(answer.headers.get('access-control-allow-credentials'), null)
  const closed = await fetch('/closed', { method: 'OPTIONS', headers: { origin: 'https://a.test' } })
  assert.deepEqual([closed.status, closed.headers.get('access-control-allow-origin')], [405, null])
})

test('the engine gets its paths with the issuer pinned, and nothing else', async (t) => {
  const seen: unknown[] = []
  const { fetch } = await serve(t, [], {
    issuer: 'https://licet.test',
    engine: {
      paths: [{ path: '/token', methods: ['POST'], surface: 'oauth' }],
      handle: async ({ req, res }) => {
        seen.push([
          req.headers.host,
          req.headers['x-forwarded-proto'],
          req.headers['x-forwarded-host'],
          req.headers['x-forwarded-for'],
          req.headers.forwarded,
        ])
        res.statusCode = 200
        res.end('engine')
      },
    },
  })
  const spoofed = {
    host: 'LICET.test:443',
    'x-forwarded-host': 'evil.test',
    'x-forwarded-proto': 'http',
    'x-forwarded-for': '9.9.9.9',
    forwarded: 'host=evil.test',
  }
  assert.equal(await (await fetch('/token', { method: 'POST', headers: spoofed })).text(), 'engine')
  assert.deepEqual(seen, [['licet.test', 'https', 'licet.test', '127.0.0.1', undefined]])
  const wrong = await fetch('/token', { headers: { accept: 'text/html' } })
  assert.equal(wrong.status, 405)
  assert.equal(((await wrong.json()) as { error: string }).error, 'invalid_request')
  assert.equal(seen.length, 1)
})

test('a handler that names another site as redirect fails instead of becoming an open redirect', async (t) => {
  const places = [
    '//evil.test',
    '/\\evil.test',
    'https://evil.test/',
    'https:evil.test',
    '/a\tb',
    '/a b',
    'http://licet.test.evil.test/',
    'http://licet.test@evil.test/',
  ]
  const { fetch } = await serve(
    t,
    places.map((location, index) => answering(`/r${index}`, { kind: 'redirect', location })),
  )
  for (const index of places.keys()) {
    const answer = await fetch(`/r${index}`)
    assert.deepEqual([answer.status, answer.headers.get('location')], [500, null], places[index])
  }
})

test('a request in flight is finished while the server drains, idle and unused connections are closed at once', async (t) => {
  const started = gate()
  const release = gate()
  const { server, port } = await serve(t, [
    get('/slow')
      .needs(anyone)
      .does(async () => {
        started.resolve()
        await release.promise
        return { kind: 'json', body: { done: true } }
      }),
    answering('/quick', { kind: 'empty' }),
  ])
  const idle = raw(port, 'GET /quick HTTP/1.1\r\nHost: licet.test\r\n\r\n')
  const unused = raw(port, '')
  const slow = raw(port, 'GET /slow HTTP/1.1\r\nHost: licet.test\r\n\r\n')
  await started.promise
  assert.equal(server.isDraining(), false)
  const closed = server.close()
  assert.equal(server.isDraining(), true)
  await Promise.all([idle, unused])
  await assert.rejects(
    new Promise((resolve, reject) => connect(port, '127.0.0.1').once('error', reject).once('connect', resolve)),
  )
  release.resolve()
  assert.match(await slow, /"done":true/)
  await closed
})

test('a drain does not wait longer than its bound', async (t) => {
  const started = gate()
  const { server, port } = await serve(
    t,
    [
      get('/never')
        .needs(anyone)
        .does(() => {
          started.resolve()
          return new Promise<never>(() => {})
        }),
    ],
    { limits: { drainMs: 50 } },
  )
  const never = raw(port, 'GET /never HTTP/1.1\r\nHost: licet.test\r\n\r\n')
  await started.promise
  await server.close()
  assert.equal(await never, '')
})

test('access is decided before the body is read', async (t) => {
  const { raw } = await serve(t, [
    post('/keys')
      .needs({
        name: 'nobody',
        describe: 'Nobody.',
        admit: () => Promise.reject(new AppError('unauthenticated', 'No.')),
      })
      .takes(z.object({}))
      .does(() => ({ kind: 'empty' })),
  ])
  const answer = await raw(
    'POST /keys HTTP/1.1\r\nHost: licet.test\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n',
    300,
  )
  assert.deepEqual(statusesOf(answer), [401])
})

test('forward auth is answered for any host, method and path below', async (t) => {
  const { fetch } = await serve(t, [
    any('/api/v1/verify/*')
      .needs(anyone)
      .does(({ params }) => ({ kind: 'json', body: params })),
  ])
  for (const method of ['GET', 'POST', 'OPTIONS', 'PROPFIND']) {
    const answer = await fetch('/api/v1/verify/a//b%2Fc?x=1', { method, headers: { host: 'api.example' } })
    assert.deepEqual(await answer.json(), { '*': 'a//b%2Fc' })
  }
})

test('a document is the same by the short way and by the long one, and its refusals are those of every path', async (t) => {
  const document = { body: Buffer.from('{"keys":[]}'), etag: '"a"', contentType: 'application/json; charset=utf-8' }
  const { fetch, raw, metrics } = await serve(
    t,
    [
      get('/jwks')
        .needs(anyone)
        .as('api')
        .forEveryOrigin()
        .publishes(() => document),
    ],
    { requestLog: 'failures', issuer: 'https://licet.test' },
  )
  const linesOf = (answer: Response) =>
    [...answer.headers].filter(([name]) => !['x-request-id', 'date', 'connection'].includes(name)).sort()
  const short = await fetch('/jwks')
  const long = await fetch('/jwks?a=b')
  assert.deepEqual(linesOf(short), linesOf(long))
  assert.deepEqual([short.status, await short.text(), await long.text()], [200, '{"keys":[]}', '{"keys":[]}'])
  assert.match(short.headers.get('x-request-id') ?? '', /^[\w-]{16}$/)
  for (const name of ['strict-transport-security', 'x-content-type-options', 'access-control-allow-origin'])
    assert.ok(short.headers.get(name), name)
  assert.equal(short.headers.get('cache-control'), 'public, max-age=300')
  const known = await fetch('/jwks', { headers: { 'if-none-match': 'W/"a"' } })
  assert.deepEqual([known.status, known.headers.get('content-type')], [304, null])
  assert.equal((await fetch('/jwks', { method: 'HEAD' })).headers.get('content-length'), '11')
  assert.equal((await fetch('/jwks', { headers: { host: 'evil.test' } })).status, 421)
  assert.equal((await fetch('/jwks', { method: 'POST' })).status, 405)
  const doubled = 'GET /jwks HTTP/1.1\r\nHost: licet.test\r\nHost: evil.test\r\nConnection: close\r\n\r\n'
  assert.deepEqual(statusesOf(await raw(doubled)), [400])
  assert.match(await metrics.text(), /route="\/jwks",method="GET",status="304"\} 1/)
})

test('a document that changes is answered anew, with its new tag', async (t) => {
  let document = { body: Buffer.from('one'), etag: '"1"', contentType: 'text/plain' }
  const { fetch } = await serve(
    t,
    [
      get('/keys')
        .needs(anyone)
        .publishes(() => document),
    ],
    { requestLog: 'failures' },
  )
  assert.equal(await (await fetch('/keys')).text(), 'one')
  document = { ...document, body: Buffer.from('two'), etag: '"2"' }
  const next = await fetch('/keys', { headers: { 'if-none-match': '"1"' } })
  assert.deepEqual(
    [await next.text(), next.headers.get('etag'), next.headers.get('content-length')],
    ['two', '"2"', '3'],
  )
})
