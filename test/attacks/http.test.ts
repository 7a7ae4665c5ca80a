/** Attacks on the HTTP layer itself: hosts, forwarding headers, smuggling, paths, sizes, slowness (threats.md HD, DO, TSLK5, TSLK6). */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { type TestContext, test } from 'node:test'
import { z } from 'zod'
import { any, get, post } from '../../src/http/route.ts'
import { anyone, loopbackOrToken } from '../../src/security/access.ts'
import { parse, raw, serve, statusesOf } from '../support/http.ts'

const routes = [
  get('/page')
    .needs(anyone)
    .does(() => ({ kind: 'page', view: 'home', model: {} })),
  get('/where')
    .needs(anyone)
    .as('api')
    .does(({ request }) => ({ kind: 'json', body: { ip: request.ip, locale: request.locale } })),
  post('/token')
    .needs(anyone)
    .as('oauth')
    .does(() => ({ kind: 'json', body: { token: true } })),
  post('/input')
    .needs(anyone)
    .as('api')
    .takes(z.unknown())
    .does(() => ({ kind: 'empty' })),
  get('/healthz')
    .needs(anyone)
    .does(() => ({ kind: 'empty' })),
  get('/readyz')
    .needs(anyone)
    .does(() => ({ kind: 'empty' })),
  get('/metrics')
    .needs(loopbackOrToken('a-token-of-the-operators'))
    .as('api')
    .does(() => ({ kind: 'empty' })),
  any('/api/v1/verify')
    .needs(anyone)
    .does(() => ({ kind: 'empty' })),
]
const start = (t: TestContext, options = {}) => serve(t, routes, options)
const head = 'Host: licet.test\r\nConnection: close\r\n'

test('HD1 a foreign, odd or doubled Host is refused with 421 or 400, except where machines ask', async (t) => {
  const { fetch, raw } = await start(t)
  for (const host of [
    'evil.example',
    'licet.test.evil.example',
    'evil.example:80',
    'licet.test:81',
    'licet.test@evil.example',
    'licet.test/',
    '127.0.0.1',
    '',
  ])
    assert.equal((await fetch('/where', { headers: { host } })).status, 421, host)
  for (const host of ['LICET.test', 'licet.test:80'])
    assert.equal((await fetch('/where', { headers: { host } })).status, 200, host)
  for (const path of ['/healthz', '/readyz', '/metrics', '/api/v1/verify'])
    assert.equal((await fetch(path, { headers: { host: 'evil.example' } })).status, 200 + 4, path)
  assert.deepEqual(
    statusesOf(await raw('GET /where HTTP/1.1\r\nHost: licet.test\r\nhost: evil.example\r\nConnection: close\r\n\r\n')),
    [400],
  )
  assert.deepEqual(statusesOf(await raw('GET /where HTTP/1.1\r\nConnection: close\r\n\r\n')), [400])
})

test('HD1 an absolute target counts instead of Host, so neither hides the other', async (t) => {
  const { raw } = await start(t)
  const ask = async (target: string, host: string) =>
    statusesOf(await raw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))
  assert.deepEqual(await ask('http://licet.test/where', 'licet.test'), [200])
  assert.deepEqual(await ask('http://evil.example/where', 'licet.test'), [421])
  assert.deepEqual(await ask('HTTPS://licet.test@evil.example/where', 'licet.test'), [421])
  assert.deepEqual(await ask('ftp://licet.test/where', 'licet.test'), [404])
})

test('HD1 the refusal of a foreign host does not repeat it', async (t) => {
  const { fetch } = await start(t)
  const answer = await fetch('/page', { headers: { host: 'evil.example' } })
  assert.doesNotMatch(await answer.text(), /evil/)
  assert.equal(answer.headers.get('location'), null)
})

test('HD2 forwarding headers of a peer that is not trusted change nothing', async (t) => {
  const { fetch } = await start(t)
  for (const name of [
    'x-forwarded-for',
    'x_forwarded_for',
    'x-real-ip',
    'x-client-ip',
    'cf-connecting-ip',
    'true-client-ip',
  ])
    assert.equal(
      ((await (await fetch('/where', { headers: { [name]: '9.9.9.9' } })).json()) as { ip: string }).ip,
      '127.0.0.1',
      name,
    )
  for (const [name, value] of [
    ['forwarded', 'for=9.9.9.9;host=evil.example;proto=https'],
    ['x-forwarded-host', 'evil.example'],
    ['x-original-url', '/metrics'],
    ['x-rewrite-url', '/metrics'],
    ['x-http-method-override', 'POST'],
  ])
    assert.deepEqual(
      await (await fetch('/where', { headers: { [name ?? '']: value ?? '' } })).json(),
      { ip: '127.0.0.1', locale: 'en' },
      name,
    )
})

test('HD2 behind a trusted proxy the right-most hop that is not trusted counts', async (t) => {
  const { fetch } = await start(t, { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] })
  const answer = await fetch('/where', { headers: { 'x-forwarded-for': '9.9.9.9, 203.0.113.7, 10.1.1.1' } })
  assert.equal(((await answer.json()) as { ip: string }).ip, '203.0.113.7')
})

test('HD3 requests that two parsers could read differently are refused, and nothing behind them is served', async (t) => {
  const { raw } = await start(t)
  const smuggled = 'GET /where HTTP/1.1\r\nHost: licet.test\r\n\r\n'
  for (const [what, bytes] of Object.entries({
    'both lengths': `POST /token HTTP/1.1\r\n${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'two lengths': `POST /token HTTP/1.1\r\n${head}Content-Length: 0\r\nContent-Length: 44\r\n\r\n${smuggled}`,
    'signed length': `POST /token HTTP/1.1\r\n${head}Content-Length: +4\r\n\r\nabcd${smuggled}`,
    'odd encoding': `POST /token HTTP/1.1\r\n${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'space before colon': `POST /token HTTP/1.1\r\n${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'obs-fold': `POST /token HTTP/1.1\r\n${head}X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n${smuggled}`,
    'bare CR': `POST /token HTTP/1.1\r\n${head}X-A: b\rTransfer-Encoding: chunked\r\n\r\n${smuggled}`,
    'bare LF': `GET /where HTTP/1.1\nHost: licet.test\n\n${smuggled}`,
    'NUL in a header': `GET /where HTTP/1.1\r\n${head}X-A: b\0c\r\n\r\n${smuggled}`,
    'CRLF in the target': `GET /where\r\nX: y HTTP/1.1\r\n${head}\r\n${smuggled}`,
    'no HTTP at all': `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${smuggled}`,
  })) {
    const answer = await raw(bytes)
    assert.deepEqual(statusesOf(answer), [400], what)
    assert.match(answer, /Connection: close/i, what)
    assert.doesNotMatch(answer, /"ip"/, what)
  }
})

test('HD5 every page carries the headers that browsers need, and none tells what runs here', async (t) => {
  const { fetch, raw, port } = await start(t, { issuer: 'https://licet.test' })
  const demanded = [
    'content-security-policy',
    'x-frame-options',
    'strict-transport-security',
    'x-content-type-options',
    'referrer-policy',
    'cross-origin-opener-policy',
    'cross-origin-resource-policy',
    'permissions-policy',
  ]
  for (const answer of [
    await fetch('/page'),
    await fetch('/nothing'),
    await fetch('/page', { method: 'DELETE' }),
    await fetch(`/page?${'a'.repeat(9000)}`),
  ]) {
    for (const name of demanded) assert.ok(answer.headers.get(name), `${answer.status} ${name}`)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.match(
      answer.headers.get('content-security-policy') ?? '',
      /^default-src 'none'; .*frame-ancestors 'none'; base-uri 'none'$/,
    )
    assert.doesNotMatch(answer.headers.get('content-security-policy') ?? '', /unsafe/)
    for (const name of ['server', 'x-powered-by', 'via']) assert.equal(answer.headers.get(name), null)
  }
  const api = await fetch('/where')
  for (const name of ['content-security-policy', 'strict-transport-security', 'x-content-type-options'])
    assert.ok(api.headers.get(name), name)
  assert.doesNotMatch((await raw('x', 500)) + String(port), /node|koa/i)
})

test('HD6 no spelling of a path but its own is answered', async (t) => {
  const { raw } = await start(t)
  for (const path of [
    '//token',
    '/token/',
    '/TOKEN',
    '/Token',
    '/%74oken',
    '/token;x',
    '/token;x=y',
    '/./token',
    '/a/../token',
    '/token/.',
    '/token%20',
    '/token%00',
    '/token%2f',
    '/%2ftoken',
    '\\token',
    '/\\token',
    '/token#',
    '/token%23',
    '/to%EF%BD%8Ben',
    '/token\u00a0',
  ])
    assert.deepEqual(
      statusesOf(await raw(`POST ${path} HTTP/1.1\r\n${head}Content-Length: 0\r\n\r\n`)).map(
        (status) => status === 400 || status === 404,
      ),
      [true],
      path,
    )
  assert.deepEqual(statusesOf(await raw(`POST /token HTTP/1.1\r\n${head}Content-Length: 0\r\n\r\n`)), [200])
})

test('HD6 a method that a place does not know is 405 with Allow, whatever it is', async (t) => {
  const { fetch, raw } = await start(t)
  for (const method of ['TRACE', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'GET', 'HEAD']) {
    const answer = await fetch('/token', { method })
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST'], method)
  }
  assert.deepEqual(statusesOf(await raw(`get /where HTTP/1.1\r\n${head}\r\n`)), [400])
  assert.deepEqual(statusesOf(await raw(`CONNECT licet.test:443 HTTP/1.1\r\n${head}\r\n`, 500)), [])
  assert.deepEqual(statusesOf(await raw(`OPTIONS * HTTP/1.1\r\n${head}\r\n`)), [404])
})

test('DO4 heads that are too large are refused quickly: query 414, header bytes and lines 431', async (t) => {
  const { fetch, raw } = await start(t)
  assert.equal((await fetch(`/where?state=${'a'.repeat(8_186)}`)).status, 200)
  for (const path of [`/where?state=${'a'.repeat(8_187)}`, `/page?state=${'a'.repeat(9_000)}`, `/${'a'.repeat(4_096)}`])
    assert.equal((await fetch(path)).status, 414)
  const get = (fields: string) => raw(`GET /where HTTP/1.1\r\n${head}${fields}\r\n`).then(statusesOf)
  assert.deepEqual(await get(`Cookie: ${'a'.repeat(17_000)}\r\n`), [431])
  assert.deepEqual(await get('a: b\r\n'.repeat(101)), [431])
  assert.deepEqual(await get('a: b\r\n'.repeat(10_000)), [431])
  assert.deepEqual(await get('a: b\r\n'.repeat(90)), [200])
})

test('DO4 bodies that are too large, too many, too deep or poisoned are refused, large ones before they are read', async (t) => {
  const { fetch, raw } = await start(t)
  const form = 'Content-Type: application/x-www-form-urlencoded\r\n'
  const announced = await raw(`POST /input HTTP/1.1\r\nHost: licet.test\r\n${form}Content-Length: 2097152\r\n\r\n`)
  assert.deepEqual(statusesOf(announced), [413])
  const chunk = `4000\r\n${'a'.repeat(0x4000)}\r\n`
  const streamed = await raw(
    `POST /input HTTP/1.1\r\nHost: licet.test\r\n${form}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(8)}`,
  )
  assert.deepEqual(statusesOf(streamed), [413])
  const status = async (type: string, body: string) =>
    (await fetch('/input', { method: 'POST', headers: { 'content-type': type }, body })).status
  const [url, json] = ['application/x-www-form-urlencoded', 'application/json']
  assert.equal(await status(url, Array.from({ length: 201 }, (_, index) => `a${index}=1`).join('&')), 400)
  assert.equal(await status(url, '&'.repeat(50_000)), 400)
  assert.equal(await status(url, 'a=%00'), 400)
  assert.equal(await status(url, '__proto__=1'), 400)
  assert.equal(await status(json, '['.repeat(20) + ']'.repeat(20)), 204)
  assert.equal(await status(json, '['.repeat(21) + ']'.repeat(21)), 400)
  assert.equal(await status(json, '['.repeat(50_000) + ']'.repeat(50_000)), 400)
  assert.equal(await status(json, '{"a":{"__proto__":{"isAdmin":true}}}'), 400)
  assert.equal(await status(json, '{"\\u005f_proto__":{"isAdmin":true}}'), 400)
  assert.equal(Object.hasOwn(Object.prototype, 'isAdmin'), false)
})

test('DO5 slow headers and slow bodies are cut, while others are served', async (t) => {
  const { raw, fetch, port } = await start(t, { limits: { headersTimeoutMs: 300, requestTimeoutMs: 600, checkMs: 50 } })
  const slowHead = raw('GET /where HTTP/1.1\r\nHost: lic')
  const silent = raw('')
  const slowBody = raw(
    'POST /input HTTP/1.1\r\nHost: licet.test\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
  )
  const dripping = connect(port, '127.0.0.1').on('error', () => {})
  const drip = setInterval(() => dripping.write('a'), 50)
  dripping.write('GET /where HTTP/1.1\r\nX: ')
  const cut = new Promise((resolve) => dripping.once('close', resolve))
  assert.equal((await fetch('/where')).status, 200)
  assert.deepEqual(statusesOf(await slowHead), [408])
  await silent
  await cut
  clearInterval(drip)
  assert.deepEqual(
    statusesOf(await slowBody).filter((status) => status !== 408),
    [],
  )
})

test('DO5 three hundred half-open requests do not keep others from being served', async (t) => {
  const { port, fetch } = await start(t)
  const slow = Array.from({ length: 300 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  t.after(() => slow.map((socket) => socket.destroy()))
  await Promise.all(
    slow.map((socket) => new Promise<void>((resolve) => socket.write('GET / HTTP/1.1\r\nX: ', () => resolve()))),
  )
  const startedAt = performance.now()
  assert.equal((await fetch('/where')).status, 200)
  assert.ok(performance.now() - startedAt < 1_000)
})

test('DO5 connections beyond the cap are dropped, and an idle one is closed', async (t) => {
  const { port } = await start(t, { limits: { maxConnections: 2, keepAliveMs: 100 } })
  const held = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  assert.equal(await raw(port, `GET /where HTTP/1.1\r\n${head}\r\n`), '')
  for (const socket of held) socket.destroy()
  await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
  const startedAt = performance.now()
  let idle = ''
  while (idle === '') idle = await raw(port, 'GET /where HTTP/1.1\r\nHost: licet.test\r\n\r\n')
  assert.deepEqual(statusesOf(idle), [200])
  assert.ok(performance.now() - startedAt < 3_000)
})

test('DO5 a client that asks and does not read is cut', async (t) => {
  const big = get('/big')
    .needs(anyone)
    .does(() => ({ kind: 'text', type: 'text/plain', body: Buffer.alloc(64 << 20) }))
  const { port } = await serve(t, [big], { limits: { stallMs: 300 } })
  const reader = connect(port, '127.0.0.1').on('error', () => {})
  reader.write('GET /big HTTP/1.1\r\nHost: licet.test\r\n\r\n')
  reader.pause()
  const { promise, received } = closedAfterPause(reader)
  await promise
  assert.ok(received() < 64 << 20)
})

/** Reads nothing for a second, then whatever is left until the end. */
function closedAfterPause(reader: ReturnType<typeof connect>) {
  let bytes = 0
  const promise = new Promise<void>((resolve) => {
    reader.once('close', () => resolve())
    setTimeout(
      () =>
        reader
          .on('data', (chunk) => {
            bytes += chunk.length
          })
          .resume(),
      1_000,
    )
  })
  return { promise, received: () => bytes }
}

test('DO7 clients that vanish in the middle of a request or an answer leave nothing behind', async (t) => {
  const { port, fetch, lines } = await start(t)
  const heads = [
    'POST /input HTTP/1.1\r\nHost: licet.test\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    'GET /page HTTP/1.1\r\nHost: licet.test\r\n\r\n',
    'GET /pa',
  ]
  for (const bytes of [...heads, ...heads, ...heads]) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    await new Promise<void>((resolve) => socket.write(bytes, () => resolve()))
    socket.resetAndDestroy()
  }
  assert.equal((await fetch('/where')).status, 200)
  assert.deepEqual(
    lines.filter((line) => line['level'] !== 'info'),
    [],
  )
})

test('DO6 long hostile texts in headers take no time to read', async (t) => {
  const { fetch } = await start(t, { trustedProxies: ['127.0.0.0/8'] })
  const long = (piece: string) => piece.repeat(Math.floor(14_000 / piece.length))
  for (const headers of [
    { 'user-agent': long('(((a') },
    { 'accept-language': long('en;q=0.5,') },
    { cookie: long('a= ;') },
    { 'x-forwarded-for': long(' ,') },
    { 'x-forwarded-for': long('[::') },
    { forwarded: long('for="[') },
    { forwarded: long('for=;') },
    { accept: long('text/,*;') },
    { authorization: `Bearer ${long('a.')}` },
    { 'if-none-match': long('W/"') },
    { 'content-type': long('a/b; ') },
  ]) {
    const startedAt = performance.now()
    assert.equal(
      (await fetch('/where', { headers: { ...headers, 'x-pad': 'a' } as Record<string, string> })).status,
      200,
      JSON.stringify(headers).slice(0, 40),
    )
    assert.ok(performance.now() - startedAt < 500, JSON.stringify(headers).slice(0, 40))
  }
})

test('DO7 malformed credentials are refused and the process lives on', async (t) => {
  const { fetch } = await start(t)
  for (const authorization of [
    'Bearer',
    'Bearer ',
    'Basic %%%',
    'Basic \xff\xfe',
    'a'.repeat(5_000),
    'Bearer a b c',
    ',,,',
  ])
    assert.equal(
      (await fetch('/metrics', { headers: { authorization, 'x-forwarded-for': '9.9.9.9' } })).status,
      401,
      authorization.slice(0, 20),
    )
  assert.equal((await fetch('/where')).status, 200)
})

test('TSLK5 what a request says cannot forge or flood a log line', async (t) => {
  const { raw, lines } = await start(t)
  await raw(`GET /where?a=%0d%0a{"level":"error"} HTTP/1.1\r\n${head}User-Agent: \x9b31m"}{"level":"fatal"\r\n\r\n`)
  await raw(`GET /${'%1b%5b31m'.repeat(100)} HTTP/1.1\r\n${head}\r\n`)
  assert.deepEqual(
    lines.map((line) => line['level']),
    ['info', 'info'],
  )
  assert.ok(JSON.stringify(lines).length < 600)
})

test('TSLK6 what is for the machine itself is refused to whom a proxy on this machine passes on', async (t) => {
  const { fetch } = await start(t)
  assert.equal((await fetch('/metrics')).status, 204)
  for (const headers of [
    { 'x-forwarded-for': '127.0.0.1' },
    { forwarded: 'for=127.0.0.1' },
    { via: '1.1 proxy' },
    { 'x-real-ip': '127.0.0.1' },
    { 'x-forwarded-for': '127.0.0.1', authorization: 'Bearer a wrong token' },
    { via: '1.1 proxy', authorization: 'Bearer wrong' },
  ])
    assert.equal(
      (await fetch('/metrics', { headers: headers as Record<string, string> })).status,
      401,
      JSON.stringify(headers),
    )
})

test('TSLK4 errors are told without a stack, a path or a version, to machines as problems and to people as a page', async (t) => {
  const secret = 'connect ECONNREFUSED redis.internal:6379'
  const broken = () => {
    throw new Error(secret, { cause: new Error('deeper') })
  }
  const { fetch, lines } = await serve(t, [
    get('/api/a').needs(anyone).does(broken),
    get('/a').needs(anyone).does(broken),
    post('/token').needs(anyone).as('oauth').does(broken),
  ])
  const machine = await fetch('/api/a', { headers: { accept: 'text/html' } })
  const person = await fetch('/a', { headers: { accept: 'text/html,*/*' } })
  const oauth = await fetch('/token', { method: 'POST' })
  assert.deepEqual(
    [machine, person, oauth].map(({ status, headers }) => [status, headers.get('content-type')]),
    [
      [500, 'application/problem+json'],
      [500, 'text/html; charset=utf-8'],
      [500, 'application/json; charset=utf-8'],
    ],
  )
  for (const answer of [machine, person, oauth]) {
    const text = await answer.text()
    assert.doesNotMatch(text, /redis|deeper|at |\.ts|node/)
    assert.match(text, new RegExp(answer.headers.get('x-request-id') ?? 'none'))
  }
  assert.equal(JSON.stringify(lines).match(/redis\.internal/g)?.length, 3)
  assert.match(JSON.stringify(lines), /deeper/)
})

test('two requests on one connection are answered in their order', async (t) => {
  const { raw } = await start(t)
  const both = await raw(`GET /where HTTP/1.1\r\nHost: licet.test\r\n\r\nGET /nothing HTTP/1.1\r\n${head}\r\n`)
  assert.deepEqual(statusesOf(both), [200, 404])
  assert.equal(parse(both).status, 200)
})
