/** Bodies and queries: limits, media types, repeated parameters, lists. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { z } from 'zod'
import { del, get, patch, post, put } from '../../src/http/route.ts'
import { anyone } from '../../src/security/access.ts'
import { serve } from '../support/http.ts'

const Form = z.object({ name: z.string().min(1), scope: z.array(z.string()).optional() })
const Filter = z.object({ after: z.string().optional(), scope: z.string().array().default(['all']) })

const start = (t: TestContext) =>
  serve(t, [
    post('/form')
      .needs(anyone)
      .takes(Form)
      .does(({ input }) => ({ kind: 'json', body: input })),
    post('/any')
      .needs(anyone)
      .takes(z.unknown())
      .does(({ input }) => ({ kind: 'json', body: input as object })),
    get('/list')
      .needs(anyone)
      .takes(Filter)
      .does(({ input }) => ({ kind: 'json', body: input })),
  ])
const form = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }
const json = { 'content-type': 'application/json' }

test('a form becomes typed input: checkboxes are a list, none of them an empty one, csrf is left out', async (t) => {
  const { fetch } = await start(t)
  const send = async (body: string) => (await fetch('/form', { method: 'POST', headers: form, body })).json()
  assert.deepEqual(await send('name=M%C3%BCller+%26+Co&scope=a&scope=b&csrf=x'), {
    name: 'Müller & Co',
    scope: ['a', 'b'],
  })
  assert.deepEqual(await send('name=A'), { name: 'A', scope: [] })
  assert.deepEqual(await send('name=A&scope=a'), { name: 'A', scope: ['a'] })
})

test('a query becomes typed input, with the defaults of the schema', async (t) => {
  const { fetch } = await start(t)
  assert.deepEqual(await (await fetch('/list?after=x&scope=a&scope=b')).json(), { after: 'x', scope: ['a', 'b'] })
  assert.deepEqual(await (await fetch('/list')).json(), { scope: ['all'] })
})

test('a parameter that is there twice is refused and named', async (t) => {
  const { fetch } = await start(t)
  for (const answer of [
    await fetch('/form', { method: 'POST', headers: { ...form, accept: 'application/json' }, body: 'name=a&name=b' }),
    await fetch('/list?after=a&after=b', { headers: { accept: 'application/json' } }),
  ]) {
    assert.equal(answer.status, 400)
    assert.match(JSON.stringify(await answer.json()), /"code":"repeated"/)
  }
})

test('a field that does not fit is named by a pointer, without the value that was sent', async (t) => {
  const { fetch } = await start(t)
  const answer = await fetch('/form', {
    method: 'POST',
    headers: { ...json, accept: 'application/json' },
    body: '{"name":7,"scope":["hunter2",3]}',
  })
  assert.equal(answer.status, 400)
  const text = await answer.text()
  assert.deepEqual(
    JSON.parse(text).errors.map((error: { pointer: string }) => error.pointer),
    ['/name', '/scope/1'],
  )
  assert.doesNotMatch(text, /hunter2/)
})

test('the wrong media type is 415, a body that is no UTF-8, no JSON or packed is refused', async (t) => {
  const { fetch, raw } = await start(t)
  const post = async (headers: Record<string, string>, body: string) =>
    (await fetch('/any', { method: 'POST', headers, body })).status
  assert.equal(await post({ 'content-type': 'multipart/form-data; boundary=x' }, 'x'), 415)
  assert.equal(await post({ 'content-type': 'application/jsonp' }, '{}'), 415)
  assert.equal(await post({}, 'name=a'), 415)
  assert.equal(await post({ ...json, 'content-encoding': 'gzip' }, '{}'), 415)
  assert.equal(await post(json, '{"a":'), 400)
  assert.match(
    await raw(
      'POST /any HTTP/1.1\r\nHost: licet.test\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n"\xff"',
    ),
    /^HTTP\/1\.1 400/,
  )
})

test('a body at the limit is read, one byte more is 413', async (t) => {
  const { fetch } = await start(t)
  const ofSize = async (size: number) =>
    (await fetch('/any', { method: 'POST', headers: json, body: JSON.stringify('a'.repeat(size - 2)) })).status
  assert.equal(await ofSize(102_400), 200)
  assert.equal(await ofSize(102_401), 413)
})

test('the body is the input of PUT and PATCH, the query that of DELETE', async (t) => {
  const Name = z.object({ name: z.string() })
  const echo = ({ input }: { input: unknown }) => ({ kind: 'json' as const, body: input })
  const { fetch } = await serve(t, [
    put('/a').needs(anyone).takes(Name).does(echo),
    patch('/a').needs(anyone).takes(Name).does(echo),
    del('/a').needs(anyone).takes(Name).does(echo),
  ])
  for (const method of ['PUT', 'PATCH'])
    assert.deepEqual(await (await fetch('/a?name=query', { method, headers: json, body: '{"name":"body"}' })).json(), {
      name: 'body',
    })
  assert.deepEqual(await (await fetch('/a?name=query', { method: 'DELETE' })).json(), { name: 'query' })
})
