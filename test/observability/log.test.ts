/** Log lines: their form, and that nothing usable gets into them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatCredential } from '../../src/credential-format.ts'
import { AppError } from '../../src/errors.ts'
import { createLog, type LogFields } from '../../src/observability/log.ts'
import { randomId, randomToken } from '../../src/secrets.ts'

function logged(fields: LogFields, message = 'something happened'): string {
  const lines: string[] = []
  createLog({ level: 'debug', write: (line) => lines.push(line), now: () => 1_700_000_000_000 }).info(fields, message)
  assert.equal(lines.length, 1)
  return lines[0] ?? ''
}

test('a line is one JSON object with level, time, fields and message', () => {
  const line = logged({ request_id: 'abcdefghij123456', count: 3, isDone: true })
  assert.deepEqual(JSON.parse(line), {
    level: 'info',
    time: '2023-11-14T22:13:20.000Z',
    request_id: 'abcdefghij123456',
    count: 3,
    isDone: true,
    msg: 'something happened',
  })
  assert.match(line, /\}\n$/)
})

test('TSLK3 what a key is called hides its value, whatever it looks like', () => {
  for (const key of [
    'authorization',
    'Authorization',
    'cookie',
    'Set-Cookie',
    'password',
    'newPassword',
    'client_secret',
    'clientSecret',
    'access_token',
    'refreshToken',
    'id_token_hint',
    'code_verifier',
    'client_assertion',
    'DPoP',
    'otp',
    'totpSeed',
    'recovery_code',
    'user_code',
    'device_code',
    'apiKey',
    'key',
    'privateKey',
    'csrf',
    'state',
    'nonce',
    'code',
  ]) {
    assert.doesNotMatch(logged({ [key]: 'hunter2' }), /hunter2/, key)
    assert.doesNotMatch(logged({ deep: [{ [key]: { inner: 'hunter2' } }] }), /hunter2/, key)
  }
  assert.doesNotMatch(logged({ code: '123456' }), /123456/)
  assert.match(
    logged({ error_code: 'invalid_request', code: 'store_unavailable', token_type: 'Bearer' }),
    /"error_code":"invalid_request","code":"store_unavailable","token_type":"Bearer"/,
  )
})

test('TSLK3 what a value looks like hides it, wherever it stands', () => {
  const canaries = [
    randomToken(),
    formatCredential('licet', 'key', randomId(32)),
    formatCredential('acme', 'pat', randomId(32)),
    formatCredential('licet', 'cs', randomId(32)),
    `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from('{"sub":"a"}').toString('base64url')}.${randomToken()}`,
    randomId(43),
    'a3f1'.repeat(16),
  ]
  for (const canary of canaries)
    for (const line of [
      logged({ note: canary }),
      logged({ note: `before ${canary}, after` }),
      logged({ list: [canary] }),
      logged({ [canary]: 1 }),
      logged({}, `failed for ${canary}`),
      logged({ error: new Error(`bad ${canary}`, { cause: new Error(canary) }) }),
      logged({ url_path: `/setup/${canary}?a=${canary}` }),
    ])
      assert.ok(!line.includes(canary) && !line.includes(canary.slice(4, 30)), line)
  assert.doesNotMatch(logged({ note: 'Authorization: Basic dXNlcjpwYXNz' }), /dXNlcjpwYXNz/)
  assert.doesNotMatch(logged({ note: 'redis://user:hunter2@host:6379' }), /hunter2/)
})

test('names of errors, routes and times stay readable', () => {
  const line = logged({
    error_code: 'insufficient_user_authentication',
    route: '/.well-known/oauth-authorization-server',
    id: '018f3c1e-1111-7222-8333-444455556666',
    at: new Date(0),
  })
  assert.doesNotMatch(line, /redacted/)
})

test('an error is told with its chain, its code and a short stack', () => {
  const line = logged({
    error: new AppError('store_unavailable', 'The store is down.', {
      cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    }),
  })
  const { error } = JSON.parse(line)
  assert.deepEqual(
    [error.name, error.code, error.message, error.cause.code],
    ['AppError', 'store_unavailable', 'The store is down.', 'ECONNREFUSED'],
  )
  assert.ok(error.stack.length > 0 && error.stack.length <= 12)
})

test('TSLK5 line breaks, terminal codes and direction marks cannot leave their field, and long texts are cut', () => {
  const line = logged({ name: 'a\r\n{"level":"error"}\u001b[2J\u009b31m\u202eb\u2028c' })
  assert.equal(line.split('\n').length, 2)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  assert.doesNotMatch(JSON.parse(line).name, /[\u001b\u009b\u202e\u2028\r]/)
  const long = logged({
    name: 'é '.repeat(1_000_000),
    list: Array.from({ length: 10_000 }, () => 'a'),
    wide: Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`a${index}`, index])),
  })
  assert.ok(long.length < 10_000, String(long.length))
})

test('things that cannot be written do not break the line', () => {
  const loop: Record<string, unknown> = {}
  loop['self'] = loop
  const line = JSON.parse(
    logged({
      loop,
      big: 10n,
      run: () => 1,
      symbol: Symbol('a'),
      bytes: Buffer.from('hunter2'),
      bad: new Date(Number.NaN),
      nothing: null,
      thrown: new AggregateError([new Error('one')]),
    }),
  )
  assert.deepEqual(
    [line.big, line.bytes, line.nothing, line.thrown.errors[0].message],
    ['10', '[7 bytes]', null, 'one'],
  )
})

test('a child adds its fields, and a level that is off costs nothing', () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', write: (line) => lines.push(line), now: () => 0 }).child({
    worker: 2,
    secret: 'hunter2',
  })
  log.debug(
    {
      get never(): never {
        throw new Error('was read')
      },
    },
    'not written',
  )
  log.warn({}, 'written')
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /"worker":2,"secret":"\[redacted\]"/)
})
