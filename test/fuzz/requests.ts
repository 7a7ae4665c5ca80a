/**
 * Requests that are almost right: valid ones to every endpoint, and what fast-check does to them. A request is a plain value until it is
 * written, so that a failing one shrinks to the few changes that matter.
 */
import fc from 'fast-check'
import { bodyTypes, headerNames, headerValues, methods, nastyValues, parameterNames, pathTails, RAW } from './words.ts'

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
  | { readonly kind: 'bend'; readonly at: number; readonly place: number; readonly value: string }
  | { readonly kind: 'method'; readonly method: string }
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'type'; readonly type: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'swap' }

export interface Request {
  readonly template: number
  readonly changes: readonly Change[]
}

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
  fc.record({ kind: fc.constant('bend'), at: places, place: fc.nat({ max: 900 }), value: latin }),
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
  } else if (change.kind === 'bend') bendHeader(draft.headers, change)
  else if (change.kind === 'method') draft.method = change.method
  else if (change.kind === 'header') draft.headers.push([change.name, change.value])
  else if (change.kind === 'type') draft.type = change.type
  else if (change.kind === 'path') draft.path += change.path
  else if (draft.form) [draft.query, draft.form] = [[...draft.form], undefined]
  else [draft.form, draft.query] = [[...draft.query], []]
}

function bendHeader(headers: Pair[], { at, place, value }: Extract<Change, { kind: 'bend' }>): void {
  const [name, whole] = headers[at % Math.max(1, headers.length)] ?? []
  if (name === undefined || whole === undefined) return
  const from = place % (whole.length + 1)
  headers[at % headers.length] = [name, whole.slice(0, from) + value + whole.slice(from + 1)]
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
