/** Errors on the wire: their form by surface and by what the client accepts, their headers, and what stays inside. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AppError, type ErrorCode, type ErrorDetails } from '../../src/errors.ts'
import { get, post, type Surface } from '../../src/http/route.ts'
import { anyone } from '../../src/security/access.ts'
import { serve } from '../support/http.ts'

const failing = (t: TestContext, surface: Surface, code: ErrorCode, details: ErrorDetails = {}, options = {}) =>
  serve(
    t,
    [
      get('/a')
        .needs(anyone)
        .as(surface)
        .does(() => {
          throw new AppError(code, 'It is so.', { details, cause: new Error('why', { cause: new Error('deeper') }) })
        }),
    ],
    options,
  )

test('the API answers problems whose type leads to the catalogue', async (t) => {
  const { fetch } = await failing(t, 'api', 'insufficient_scope', {
    errorRef: 'K7Q2',
    headers: { 'WWW-Authenticate': 'Bearer error="insufficient_scope"' },
  })
  const answer = await fetch('/a', { headers: { accept: 'text/html' } })
  assert.deepEqual(
    [answer.status, answer.headers.get('content-type'), answer.headers.get('www-authenticate')],
    [403, 'application/problem+json', 'Bearer error="insufficient_scope"'],
  )
  assert.deepEqual(await answer.json(), {
    type: 'http://licet.test/docs/errors/insufficient_scope',
    title: 'The credential lacks a scope',
    status: 403,
    detail: 'It is so.',
    code: 'insufficient_scope',
    request_id: answer.headers.get('x-request-id'),
    error_ref: 'K7Q2',
  })
})

test('OAuth endpoints answer the JSON of RFC 6749', async (t) => {
  const { fetch } = await failing(t, 'oauth', 'rate_limited', {
    policy: 'token_client',
    retryAfterSeconds: 12.2,
    errorRef: 'K7Q2',
  })
  const answer = await fetch('/a')
  assert.deepEqual(
    [answer.status, answer.headers.get('retry-after'), answer.headers.get('cache-control')],
    [429, '13', 'no-store'],
  )
  assert.deepEqual(await answer.json(), {
    error: 'temporarily_unavailable',
    error_description: 'It is so.',
    error_ref: 'K7Q2',
    request_id: answer.headers.get('x-request-id'),
    policy: 'token_client',
  })
})

test('people get a page, unless their client asks for JSON only', async (t) => {
  const { fetch } = await failing(t, 'page', 'gone', { errorRef: 'K7Q2' })
  for (const accept of ['text/html', '*/*', '', 'text/html, application/json', 'image/webp']) {
    const answer = await fetch('/a', { headers: { accept } })
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [410, 'text/html; charset=utf-8'], accept)
    assert.match(
      await answer.text(),
      /"code":"gone","title":"This link or page has expired","detail":"It is so.".*"errorRef":"K7Q2"/,
    )
  }
  for (const accept of ['application/json', 'application/problem+json, */*'])
    assert.equal(
      (await fetch('/a', { headers: { accept } })).headers.get('content-type'),
      'application/problem+json',
      accept,
    )
})

test('a store that cannot be reached is 503 with Retry-After, and the reason stays in the log', async (t) => {
  const { fetch, lines } = await failing(t, 'api', 'store_unavailable')
  const answer = await fetch('/a')
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1'])
  assert.doesNotMatch(await answer.text(), /why|deeper/)
  assert.match(JSON.stringify(lines), /"error_code":"store_unavailable".*why.*deeper/)
})

test('with reasons switched on an answer carries the chain of causes', async (t) => {
  const { fetch } = await failing(t, 'api', 'internal', {}, { showReasons: true })
  assert.equal(((await (await fetch('/a')).json()) as { reason: string }).reason, 'why ← deeper')
})

test('an error page that cannot be drawn is replaced by one that can', async (t) => {
  const { fetch, lines } = await failing(
    t,
    'page',
    'not_found',
    {},
    {
      renderer: {
        render: () => {
          throw new Error('template')
        },
      },
    },
  )
  const answer = await fetch('/a')
  assert.equal(answer.status, 404)
  assert.match(await answer.text(), /<h1>Not found<\/h1>/)
  assert.match(JSON.stringify(lines), /template/)
})

test('a refusal the person caused is not an error in the log', async (t) => {
  const { fetch, lines } = await failing(t, 'api', 'not_found')
  await fetch('/a')
  assert.deepEqual(
    lines.map((line) => line['msg']),
    ['request'],
  )
})

test('a handler that fails after it has written ends the connection instead of mixing two answers', async (t) => {
  const { raw } = await serve(t, [
    post('/a')
      .needs({
        name: 'writes',
        describe: 'Writes.',
        admit: async ({ res }) => {
          res.writeHead(200, { 'content-length': '10' })
          res.write('half')
        },
      })
      .does(() => {
        throw new Error('late')
      }),
  ])
  const text = await raw('POST /a HTTP/1.1\r\nHost: licet.test\r\nContent-Length: 0\r\n\r\n')
  assert.match(text, /half$/)
})

test('what is thrown and is no Error is answered too', async (t) => {
  const { fetch } = await serve(t, [
    get('/api/a')
      .needs(anyone)
      .does(() => {
        throw 'a string'
      }),
    get('/api/b')
      .needs(anyone)
      .does(() => Promise.reject(undefined)),
  ])
  assert.equal((await fetch('/api/a')).status, 500)
  assert.equal((await fetch('/api/b')).status, 500)
})
