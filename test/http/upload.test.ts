/** Forms that carry one file: what is taken, what is refused, and that no malformed form is more than a refusal. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { post } from '../../src/http/route.ts'
import { anyone } from '../../src/security/access.ts'
import { serve } from '../support/http.ts'

const LIMIT = 2000
const picture = { field: 'picture', maxBytes: LIMIT, types: ['image/png'] } as const

/** A server, and what it answers to a body: status and text. */
async function start(t: TestContext) {
  const { port, issuer } = await serve(t, [
    post('/picture')
      .needs(anyone)
      .takes(z.object({ name: z.string().default('') }))
      .carries(picture)
      .does(({ input }) => ({ kind: 'json', body: { name: input.name, bytes: input.picture && [...input.picture] } })),
    post('/plain')
      .needs(anyone)
      .takes(z.object({}))
      .does(() => ({ kind: 'empty' })),
  ])
  return (path: string, body: FormData | URLSearchParams | Blob, options: { chunked?: boolean; type?: string } = {}) =>
    send({ port, path, host: new URL(issuer).host }, body, options)
}

interface Told {
  readonly status: number
  readonly text: string
}

async function send(
  { host, ...place }: { port: number; path: string; host: string },
  body: FormData | URLSearchParams | Blob,
  { chunked = false, type }: { chunked?: boolean; type?: string },
): Promise<Told> {
  const whole = new Response(body)
  const bytes = Buffer.from(await whole.clone().arrayBuffer())
  const headers = {
    host,
    accept: 'application/json',
    'content-type': type ?? whole.headers.get('content-type') ?? '',
    ...(chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': bytes.length }),
  }
  return new Promise((resolve, reject) => {
    const going = request({ ...place, method: 'POST', headers, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
    })
    going.on('error', reject)
    going.end(bytes)
  })
}

function form(parts: Record<string, string | Uint8Array<ArrayBuffer>>, filename = 'a.png'): FormData {
  const made = new FormData()
  for (const [name, value] of Object.entries(parts)) {
    if (typeof value === 'string') made.append(name, value)
    else made.append(name, new Blob([value], { type: 'text/html' }), filename)
  }
  return made
}

test('a form brings its fields and its file, whatever the file calls itself', async (t) => {
  const sent = await start(t)
  const body = form({ name: 'Müller', csrf: 'x', picture: new Uint8Array([0, 13, 10, 255]) }, '../../etc/passwd')
  assert.deepEqual(JSON.parse((await sent('/picture', body)).text), { name: 'Müller', bytes: [0, 13, 10, 255] })
})

test('a form without a chosen file, an ordinary form and a bare file are taken too', async (t) => {
  const sent = await start(t)
  const none = form({ name: 'A', picture: new Uint8Array() }, '')
  assert.deepEqual(JSON.parse((await sent('/picture', none)).text), { name: 'A' })
  assert.deepEqual(JSON.parse((await sent('/picture', new URLSearchParams({ name: 'A' }))).text), { name: 'A' })
  const bare = new Blob([new Uint8Array([1, 2])], { type: 'image/png' })
  assert.deepEqual(JSON.parse((await sent('/picture', bare)).text), { name: '', bytes: [1, 2] })
})

test('a file that is too large is refused, whether its sender says its length or not', async (t) => {
  const sent = await start(t)
  const statusOf = async (size: number, chunked = false) =>
    (await sent('/picture', form({ picture: new Uint8Array(size) }), { chunked })).status
  assert.equal(await statusOf(LIMIT), 200)
  assert.equal(await statusOf(LIMIT + 1), 413)
  assert.equal(await statusOf(30_000), 413)
  assert.equal(await statusOf(30_000, true), 413)
})

test('two files, a file in another field and too many parts are refused', async (t) => {
  const sent = await start(t)
  const two = form({ picture: new Uint8Array([1]) })
  two.append('picture', new Blob(['2']), 'b.png')
  const many = form({})
  for (let index = 0; index < 51; index += 1) many.append(`f${index}`, '')
  for (const body of [two, form({ logo: new Uint8Array([1]) }), many])
    assert.equal((await sent('/picture', body)).status, 400)
})

test('a route that takes no file refuses such a form unread', async (t) => {
  const sent = await start(t)
  assert.equal((await sent('/plain', form({ name: 'A' }))).status, 415)
})

test('a form cut off, altered or invented is a 400 and never a 5xx', async (t) => {
  const sent = await start(t)
  const example = new Response(form({ name: 'A', picture: new Uint8Array([1, 2, 3]) }))
  const type = example.headers.get('content-type') ?? ''
  const whole = new Uint8Array(await example.arrayBuffer())
  const boundary = type.split('boundary=')[1] ?? ''
  const words = [`--${boundary}`, '\r\n', 'Content-Disposition: form-data; name="picture"', '--', '"', '; filename=""']
  const broken = fc.oneof(
    fc.nat(whole.length - 1).map((end) => whole.slice(0, end)),
    fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => Uint8Array.from(whole).fill(byte, at, at + 1)),
    fc.array(fc.constantFrom(...words)).map((some) => new TextEncoder().encode(some.join(''))),
  )
  await fc.assert(
    fc.asyncProperty(broken, async (body) => {
      const { status } = await sent('/picture', new Blob([new Uint8Array(body)]), { type })
      assert.ok(status === 200 || (status >= 400 && status < 500), String(status))
    }),
    { numRuns: 150 },
  )
})
