/**
 * The OpenAPI document against the running server: every route is called with what the document allows and with what it does not, and answers only as
 * it says.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { callApi, type Json, makeKey, newOwner, type Owner } from '../support/api.ts'
import { type Licet, startLicet } from '../support/licet.ts'

let licet: Licet
let ada: Owner
let document: Json

before(async () => {
  licet = await startLicet()
  ada = await newOwner(licet)
  document = (await callApi(licet.issuer, 'GET', '/api/v1/openapi.json')).body
})
after(() => licet.close())

interface Operation {
  readonly method: string
  readonly path: string
  readonly parameters: readonly { name: string; in: string; schema: Json }[]
  readonly requestBody?: { content: Record<string, { schema: Json }> }
  readonly responses: Readonly<Record<string, { content?: Record<string, { schema: Json }> }>>
  readonly security: readonly unknown[]
  readonly operationId: string
}

function operations(): Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  )
}

test('the document describes every call of the contract', () => {
  assert.equal(document.openapi, '3.1.0')
  assert.deepEqual(document.servers, [{ url: licet.issuer }])
  const named = new Set(operations().map(({ method, path }) => `${method} ${path}`))
  for (const room of ['keys', 'tokens'])
    for (const call of [
      'GET',
      'POST',
      'GET /{id}',
      'PATCH /{id}',
      'DELETE /{id}',
      'POST /{id}/rotate',
      'GET /{id}/usage',
    ]) {
      const [method, rest = ''] = call.split(' ')
      assert.ok(named.has(`${method} /api/v1/${room}${rest}`), `${room} ${call}`)
    }
  for (const call of [
    'GET /api/v1/accounts/me',
    'POST /api/v1/keys/{id}/children',
    'POST /api/v1/leaks',
    'GET /api/v1/apps',
    'POST /api/v1/apps',
    'POST /api/v1/apps/{id}/rotate-secret',
    'GET /api/v1/grants',
    'PATCH /api/v1/grants/{id}',
    'GET /api/v1/sessions',
    'DELETE /api/v1/sessions',
    'GET /api/v1/activity',
    'GET /api/v1/admin/accounts',
    'POST /api/v1/admin/accounts',
    'POST /api/v1/admin/accounts/invite',
    'POST /api/v1/admin/accounts/import',
    'PATCH /api/v1/admin/accounts/{id}',
    'POST /api/v1/admin/accounts/{id}/disable',
    'GET /api/v1/admin/audit',
    'GET /api/v1/denials/{ref}',
    'GET /api/v1/verify',
    'POST /api/v1/verify',
  ])
    assert.ok(named.has(call), call)
  const ids = operations().map(({ operationId }) => operationId)
  assert.equal(new Set(ids).size, ids.length)
})

test('only what anybody may do is without security, and each of the others refuses without a credential', async () => {
  const open = operations().filter(({ security }) => security.length === 0)
  assert.deepEqual(open.map(({ method, path }) => `${method} ${path}`).sort(), [
    'GET /api/v1/key-pattern',
    'POST /api/v1/leaks',
  ])
  for (const { method, path, security } of operations()) {
    if (security.length === 0) continue
    const { status, headers } = await callApi(licet.issuer, method, path.replace(/\{\w+\}/g, 'x'))
    assert.equal(status, 401, `${method} ${path}`)
    assert.match(String(headers['www-authenticate']), /^Bearer realm="licet"/)
  }
})

test('the reference page shows every route', async () => {
  const { text, status } = await callApi(licet.issuer, 'GET', '/api/docs', { headers: { accept: 'text/html' } })
  assert.equal(status, 200)
  for (const { path } of operations())
    assert.ok(text.includes(path.replace(/\{(\w+)\}/g, ':$1').replace(':path', '*')), path)
})

const nasty = fc.oneof(
  fc.constantFrom(
    null,
    '',
    'x',
    '\u0000',
    '__proto__',
    "' OR 1=1 --",
    '🦆'.repeat(50),
    -1,
    0,
    1.5,
    1e300,
    true,
    [],
    {},
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.integer(),
  fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 }),
  fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2 }),
)

/** Words that fit where they are asked for. */
const fitting: Readonly<Record<string, readonly string[]>> = {
  name: ['Deploy', 'Nightly'],
  scopes: ['data:read', 'api:read', 'llm:read'],
  optional_scopes: ['data:write'],
  allowed_ips: ['203.0.113.7', '2001:db8::/48'],
  redirect_uris: ['https://a.example/callback'],
  type: ['web', 'spa'],
  // The owner stays: what would end the token that asks is refused.
  password: ['short'],
  email: ['nobody@example.test'],
}

/** A value that the schema allows, as far as it says. */
function valid(schema: Json, name = ''): fc.Arbitrary<unknown> {
  const words = fitting[name]
  if (schema.type === 'array') return fc.array(valid(schema.items ?? {}, name), { maxLength: 3 })
  if (words && schema.type === 'string') return fc.constantFrom(...words)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'integer' || schema.type === 'number') return fc.constantFrom(0, 1, 60, 3600, 86_400, 1e6)
  if (schema.format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  if (schema.type === 'object' && schema.properties) {
    const fields = Object.entries<Json>(schema.properties).map(([field, inner]) => [field, valid(inner, field)])
    return fc.record(Object.fromEntries(fields), { requiredKeys: schema.required ?? [] })
  }
  return nasty
}

const mostly = (schema: Json, name: string): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 4, arbitrary: valid(schema, name) }, { weight: 1, arbitrary: nasty })

/** What the document allows with as few fields as it can have, with many, or bent. */
function bodyFor(schema: Json): fc.Arbitrary<unknown> {
  const fields = Object.entries<Json>(schema.properties ?? {})
  const least = fields.filter(([name]) => schema.required?.includes(name) || name === 'redirect_uris')
  const record = (list: [string, Json][], make: (inner: Json, name: string) => fc.Arbitrary<unknown>) =>
    fc.record(Object.fromEntries(list.map(([name, inner]) => [name, make(inner, name)])))
  return fc.oneof(record(least, valid), valid(schema), record(fields, mostly), nasty)
}

const written = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value))

test('no request is answered with 5xx or in a way that the document does not say', async () => {
  const rights = { scopes: ['api:read', 'api:write', 'data:read'], mayCreateChildren: true }
  const { id, key } = await makeKey(licet, ada.accountId, rights)
  const more = await Promise.all(Array.from({ length: 20 }, () => makeKey(licet, ada.accountId, rights)))
  const places = [id, ...more.map((one) => one.id), 'nothing', '%00', 'x'.repeat(300), '..%2f..', 'Ünï']
  const answered = new Set<number>()
  const schemas = new Map<object, z.ZodType>()
  const schemaOf = (schema: Json): z.ZodType => {
    const whole = schema.$ref ? document.components.schemas.Problem : schema
    const known = schemas.get(whole) ?? z.fromJSONSchema(whole)
    schemas.set(whole, known)
    return known
  }
  for (const operation of operations()) {
    const { method, path, parameters, requestBody, responses } = operation
    const query = parameters.filter((one) => one.in === 'query')
    const body = requestBody?.content['application/json']?.schema
    const request = fc.record({
      place: fc.constantFrom(...places),
      query: fc.record(Object.fromEntries(query.map(({ name, schema }) => [name, mostly(schema, name)])), {
        requiredKeys: [],
      }),
      body: body ? bodyFor(body) : fc.constant(undefined),
      token: fc.constantFrom(ada.token, ada.token, key, undefined, 'licet_key_x'),
    })
    await fc.assert(
      fc.asyncProperty(request, async ({ place, query: asked, body: json, token }) => {
        const target = path.replace(/\{\w+\}/g, encodeURI(place).replace(/%25/g, '%'))
        const pairs = Object.entries(asked).map(([name, value]): [string, string] => [name, written(value)])
        const text = new URLSearchParams(pairs).toString()
        const answer = await callApi(licet.issuer, method, text ? `${target}?${text}` : target, {
          token,
          ...(json === undefined ? {} : { json }),
        })
        answered.add(answer.status)
        const said = responses[String(answer.status)]
        assert.ok(said, `${method} ${target}: ${answer.status} is not documented: ${answer.text}`)
        assert.ok(answer.status < 500, answer.text)
        const type = String(answer.headers['content-type'] ?? '').split(';')[0] ?? ''
        const content = said.content?.[type]
        if (answer.text === '') return
        assert.ok(content, `${method} ${target}: ${type} is not documented`)
        const judged = schemaOf(content.schema).safeParse(answer.body)
        assert.ok(judged.success, `${method} ${target}: ${answer.text} ${judged.error}`)
      }),
      { numRuns: 60 },
    )
  }
  for (const status of [200, 201, 202, 204, 400, 401, 403, 404]) assert.ok(answered.has(status), `${status} was seen`)
})
