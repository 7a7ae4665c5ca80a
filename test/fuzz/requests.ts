/**
 * Requests that are almost right: valid ones to every endpoint, and what fast-check does to them. A request is a plain value until it is
 * written, so that a failing one shrinks to the few changes that matter.
 */
import fc from 'fast-check'

type Pair = readonly [string, string]

/** A valid request, as pieces that can be changed one by one. Values are not encoded yet. */
export interface Template {
  readonly method: string
  readonly path: string
  readonly query?: readonly Pair[]
  readonly form?: readonly Pair[]
  readonly headers?: readonly Pair[]
}

/** One change. Places are taken modulo what is there. */
export type Change =
  | { readonly kind: 'drop' | 'repeat' | 'array' | 'empty' | 'bare'; readonly at: number }
  | { readonly kind: 'value'; readonly at: number; readonly value: string }
  | { readonly kind: 'add'; readonly name: string; readonly value: string }
  | { readonly kind: 'splice'; readonly at: number; readonly place: number; readonly value: string }
  | { readonly kind: 'method'; readonly method: string }
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'type'; readonly type: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'swap' }

export interface Request {
  readonly template: number
  readonly changes: readonly Change[]
}

/** Already percent-encoded: what no encoder would write. */
const RAW = '\u0001raw:'

const parameterNames = [
  ...[
    'client_id',
    'client_secret',
    'client_assertion',
    'client_assertion_type',
    'redirect_uri',
    'scope',
    'state',
    'nonce',
  ],
  ...[
    'response_type',
    'response_mode',
    'prompt',
    'max_age',
    'claims',
    'acr_values',
    'login_hint',
    'ui_locales',
    'resource',
  ],
  ...[
    'request',
    'request_uri',
    'id_token_hint',
    'dpop_jkt',
    'code_challenge',
    'code_challenge_method',
    'code',
    'display',
  ],
  ...[
    'code_verifier',
    'refresh_token',
    'grant_type',
    'token',
    'token_type_hint',
    'device_code',
    'user_code',
    'audience',
  ],
  ...[
    'authorization_details',
    'subject_token',
    'assertion',
    'username',
    'password',
    'email',
    'csrf',
    'xsrf',
    'decision',
  ],
  ...['duration', 'logout', 'locale', 'return_to', 'post_logout_redirect_uri', 'access_token', 'iss', 'registration'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'scope[]', 'a[b][c]', '', ' ', '\u0000'],
]

const nastyValues = [
  ...[
    '',
    ' ',
    '\u0000',
    'null',
    'undefined',
    '[object Object]',
    '-1',
    '0',
    '1e309',
    'NaN',
    '9007199254740993',
    '0x10',
    'true',
  ],
  ...[
    '__proto__',
    'constructor',
    '../../etc/passwd',
    '//evil.example',
    '/\\evil.example',
    'https:evil',
    'javascript:alert(1)',
  ],
  ...[
    'data:text/html,x',
    'http://127.0.0.1:1/',
    'https://app.example.test/callback#f',
    'https://[::1',
    'urn:',
    'http://a b',
  ],
  ...[
    '{}',
    '[]',
    '{"id_token":{"sub":{"value":1}}}',
    '{"userinfo":null}',
    '{"id_token":{"acr":{"values":[{}]}}}',
    '{"a":',
    '"',
  ],
  ...[
    'eyJhbGciOiJub25lIn0.e30.',
    'eyJhbGciOiJFUzI1NiJ9.e30.AAAA',
    'a.b.c',
    '..',
    'e30.e30.e30',
    'eyJhbGciOjF9.bnVsbA.AA',
  ],
  ...[
    'openid '.repeat(200),
    'none',
    'login consent none',
    'code token',
    'query',
    'fragment',
    'form_post',
    'web_message',
    'S256',
  ],
  ...[
    '\r\nSet-Cookie: a=b',
    '<script>alert(1)</script>',
    '\u202e\u2066',
    '\ud83d\ude00',
    '\ufffe',
    'é',
    'ﬀ',
    'İ',
    '\u0130\u0307',
  ],
  ...['urn:ietf:params:oauth:request_uri:x', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', 'refresh_token'],
  ...['urn:ietf:params:oauth:grant-type:device_code', 'urn:ietf:params:oauth:grant-type:token-exchange', 'password'],
  ...['a'.repeat(300), 'a'.repeat(2100), 'a'.repeat(7000), 'ä'.repeat(1500), ' '.repeat(600)],
  ...[
    '%',
    '%zz',
    '%00',
    '%ff%fe',
    '%E0%80%80',
    '%c0%ae',
    '%F0%28%8C%28',
    '%ED%A0%80',
    '+',
    '&',
    '=',
    '%u0041',
    '%0d%0a',
  ].map((text) => RAW + text),
]

const headerNames = [
  ...[
    'authorization',
    'dpop',
    'cookie',
    'accept',
    'accept-language',
    'origin',
    'referer',
    'x-forwarded-for',
    'forwarded',
  ],
  ...[
    'sec-fetch-site',
    'if-none-match',
    'range',
    'content-encoding',
    'x-forwarded-host',
    'x-forwarded-proto',
    'user-agent',
  ],
  ...[
    'x-http-method-override',
    'upgrade',
    'te',
    'expect',
    'access-control-request-method',
    'x-request-id',
    'accept-encoding',
  ],
]

const headerValues = [
  ...[
    '',
    ' ',
    'Basic',
    'Basic ',
    'Basic !!!',
    'Basic Og==',
    'Basic YTpi',
    'Basic JTp6Og==',
    `Basic ${'A'.repeat(4000)}`,
  ],
  ...[
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Bearer a.b.c',
    `Bearer ${'a'.repeat(9000)}`,
    'DPoP x',
    'Digest username="x"',
    ': :',
  ],
  ...[
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6Im5vbmUifQ.e30.',
    'eyJhbGciOiJFUzI1NiIsInR5cCI6ImRwb3Arand0IiwiandrIjp7fX0.e30.AA',
    'a, b',
  ],
  ...[
    '__Host-licet_session=x',
    '__Host-licet_pre=',
    '__Secure-licet_interaction=a; __Secure-licet_interaction.sig=b',
    '=;=;;',
    'a',
  ],
  ...[
    'text/html',
    'application/json',
    '*/*;q=x',
    'null',
    'http://evil.example',
    'cross-site',
    'same-origin',
    '*',
    'W/"',
    'bytes=0-',
  ],
  ...[
    'gzip',
    'br',
    'deflate, gzip',
    'identity',
    '100-continue',
    'websocket',
    'h2c',
    'trailers',
    '\xff\xfe',
    'é',
    'de;q=a,\t,x',
  ],
  ...['127.0.0.1', '::1', 'unknown', '1.2.3.4, 5.6.7.8', '999.1.1.1', 'for="[::1]:x"', '2130706433', 'a'.repeat(5000)],
]

const bodyTypes = [
  ...[
    'application/x-www-form-urlencoded',
    'application/x-www-form-urlencoded; charset=utf-16',
    'application/json',
    'text/plain',
  ],
  ...[
    'APPLICATION/X-WWW-FORM-URLENCODED',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded;;;',
    '',
    ';',
    'a/b/c',
  ],
]

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE', 'PROPFIND', 'QUERY']
const pathTails = [
  '/',
  '//',
  '/..',
  '/%2e%2e',
  '/%00',
  ';a=b',
  '/x',
  '%20',
  '/%ff',
  '.json',
  '/confirm',
  '/success',
  `/${'a'.repeat(3000)}`,
  '\\',
]

const places = fc.nat({ max: 30 })
const values = fc.oneof(
  { arbitrary: fc.constantFrom(...nastyValues), weight: 6 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 60 }), weight: 2 },
  { arbitrary: fc.string({ unit: 'grapheme', maxLength: 60 }), weight: 1 },
  { arbitrary: fc.json({ maxDepth: 3 }), weight: 1 },
  { arbitrary: fc.nat({ max: 60_000 }).map((length) => 'x'.repeat(length)), weight: 1 },
)
const latin = fc.string({ maxLength: 40 }).map((text) => text.replace(/[^\t\x20-\x7e]/g, '~'))

const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('drop', 'repeat', 'array', 'empty', 'bare'), at: places }),
  fc.record({ kind: fc.constant('value'), at: places, value: values }),
  fc.record({ kind: fc.constant('value'), at: places, value: values }),
  fc.record({ kind: fc.constant('splice'), at: places, place: fc.nat({ max: 300 }), value: values }),
  fc.record({ kind: fc.constant('add'), name: fc.constantFrom(...parameterNames), value: values }),
  fc.record({ kind: fc.constant('add'), name: fc.constantFrom(...parameterNames), value: values }),
  fc.record({ kind: fc.constant('method'), method: fc.constantFrom(...methods) }),
  fc.record({
    kind: fc.constant('header'),
    name: fc.constantFrom(...headerNames),
    value: fc.oneof(fc.constantFrom(...headerValues), latin),
  }),
  fc.record({ kind: fc.constant('type'), type: fc.constantFrom(...bodyTypes) }),
  fc.record({ kind: fc.constant('path'), path: fc.constantFrom(...pathTails) }),
  fc.record({ kind: fc.constant('swap') }),
) as fc.Arbitrary<Change>

/** One to four changes to one of `count` templates. */
export const changedRequests = (count: number): fc.Arbitrary<Request> =>
  fc.record({ template: fc.nat({ max: count - 1 }), changes: fc.array(changes, { minLength: 1, maxLength: 4 }) })

interface Draft {
  method: string
  path: string
  query: Pair[]
  form: Pair[] | undefined
  headers: Pair[]
  type: string | undefined
}

/** The bytes of a request; `extra` headers come last. */
export function write(template: Template, changed: readonly Change[], host: string, extra: readonly Pair[]): Buffer {
  const draft: Draft = {
    method: template.method,
    path: template.path,
    query: [...(template.query ?? [])],
    form: template.form && [...template.form],
    headers: [...(template.headers ?? [])],
    type: undefined,
  }
  for (const change of changed) apply(draft, change)
  const query = draft.query.length > 0 ? `?${encode(draft.query)}` : ''
  const type = draft.type ?? (draft.form ? 'application/x-www-form-urlencoded' : undefined)
  const body = draft.form ? Buffer.from(bodyOf(draft.form, type)) : Buffer.alloc(0)
  const headers: Pair[] = [['host', host], ...draft.headers, ...extra]
  if (type !== undefined) headers.push(['content-type', type])
  if (draft.form) headers.push(['content-length', String(body.length)])
  const head = [
    `${draft.method} ${draft.path}${query} HTTP/1.1`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ].join('\r\n')
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), body])
}

function apply(draft: Draft, change: Change): void {
  const pairs = draft.form ?? draft.query
  const at = 'at' in change && pairs.length > 0 ? change.at % pairs.length : 0
  const [name = 'x', value = ''] = pairs[at] ?? []
  if (change.kind === 'drop') pairs.splice(at, 1)
  else if (change.kind === 'repeat') pairs.push([name, value])
  else if (change.kind === 'bare') draft.headers.splice(change.at % Math.max(1, draft.headers.length), 1)
  else if (change.kind === 'array') pairs[at] = [`${name}[]`, value]
  else if (change.kind === 'empty') pairs[at] = [name, '']
  else if (change.kind === 'value') pairs[at] = [name, change.value]
  else if (change.kind === 'add') pairs.push([change.name, change.value])
  else if (change.kind === 'splice') {
    const place = change.place % (value.length + 1)
    pairs[at] = [name, value.slice(0, place) + change.value.replace(RAW, '') + value.slice(place + 1)]
  } else if (change.kind === 'method') draft.method = change.method
  else if (change.kind === 'header') draft.headers.push([change.name, change.value])
  else if (change.kind === 'type') draft.type = change.type
  else if (change.kind === 'path') draft.path += change.path
  else if (draft.form) [draft.query, draft.form] = [[...draft.form], undefined]
  else [draft.form, draft.query] = [[...draft.query], []]
}

function bodyOf(form: readonly Pair[], type: string | undefined): string {
  if (!type?.includes('json')) return encode(form)
  return JSON.stringify(Object.fromEntries(form.map(([name, value]) => [name, value.toWellFormed()])))
}

function encode(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${encodePart(name)}=${encodePart(value)}`).join('&')
}

const encodePart = (text: string): string =>
  text.startsWith(RAW) ? text.slice(RAW.length) : encodeURIComponent(text.toWellFormed())
