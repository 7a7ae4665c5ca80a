/**
 * Reads queries, forms, JSON bodies and files, each with its limits, and hands them to a route's schema. Nothing is read before a route
 * asks for it: the protocol engine reads its own bodies. A parameter sent twice is refused unless the schema wants a list there,
 * because two readers of one request must never see two values.
 */
import type { IncomingMessage } from 'node:http'
import type { ZodType } from 'zod'
import { AppError } from '../errors.ts'
import { mediaTypeOf, readBytes } from './bytes.ts'
import { parseJson } from './json.ts'
import type { HttpContext } from './server.ts'
import { type FileField, readUpload } from './upload.ts'

export const MAX_FORM = 57_344
export const MAX_JSON = 102_400
const MAX_PARAMETERS = 200

/** Parameters in the order they came. */
export type Pairs = readonly (readonly [string, string])[]

/** What a route's schema expects, looked up once. */
export interface InputShape {
  readonly schema: ZodType
  /** Fields that are lists: they may come several times, and a form without them means an empty list. */
  readonly lists: ReadonlySet<string>
}

/** @returns the shape of a route's schema; wrappers, unions, intersections and pipes are looked through. */
export function shapeOf(schema: ZodType): InputShape {
  return { schema, lists: new Set(listFields(schema)) }
}

/** The query through the schema. Throws `invalid_request` or a ZodError. */
export function readQuery(ctx: HttpContext, { schema, lists }: InputShape): unknown {
  return schema.parse(toRecord(parsePairs(ctx.state.query), lists))
}

/** The form or JSON body through the schema; `csrf` is left out, the access rule has looked at it. No body at all is an empty object. */
export async function readInput(ctx: HttpContext, { schema, lists }: InputShape): Promise<unknown> {
  if (hasNoBody(ctx.req)) return schema.parse({})
  if (mediaTypeOf(ctx.req) === 'application/json') return schema.parse(await readJson(ctx.req))
  const pairs = (await readForm(ctx)).filter(([name]) => name !== 'csrf')
  const absent = [...lists].map((name): [string, string[]] => [name, []])
  return schema.parse({ ...Object.fromEntries(absent), ...toRecord(pairs, lists) })
}

/**
 * The form's parameters, read once per request; a route that takes a file is sent one beside them. Throws `unsupported_media_type`,
 * `payload_too_large`, `invalid_request`.
 */
export async function readForm(ctx: HttpContext): Promise<Pairs> {
  if (ctx.state.form) return ctx.state.form
  const type = mediaTypeOf(ctx.req)
  const file = fileFieldOf(ctx)
  if (file && type === 'multipart/form-data') {
    const upload = await readUpload(ctx.req, file)
    ctx.state.file = upload.file
    ctx.state.form = withoutNul(upload.pairs)
  } else if (type === 'application/x-www-form-urlencoded')
    ctx.state.form = parsePairs(await readText(ctx.req, MAX_FORM))
  else
    throw new AppError(
      'unsupported_media_type',
      `Send ${file ? 'multipart/form-data' : 'application/x-www-form-urlencoded'}.`,
    )
  return ctx.state.form
}

/** The file of a route that takes one: from its form, or as the whole body. Undefined when the form came without. */
export async function readFile(ctx: HttpContext, { types, maxBytes }: FileField): Promise<Uint8Array | undefined> {
  if (ctx.state.form === undefined && types.includes(mediaTypeOf(ctx.req))) {
    ctx.state.form = []
    return readBytes(ctx.req, maxBytes)
  }
  await readForm(ctx)
  return ctx.state.file
}

function fileFieldOf({ state: { target } }: HttpContext): FileField | undefined {
  return target?.kind === 'route' ? target.route.file : undefined
}

/** Any JSON value of at most 100 kB that `parseJson` takes. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  return parseJson(await readText(request, MAX_JSON))
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  const { 'content-type': type, 'content-length': length = '0', 'transfer-encoding': coding } = headers
  return type === undefined && coding === undefined && length === '0'
}

function parsePairs(text: string): Pairs {
  if (text === '') return []
  let count = 1
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) count += 1
  if (count > MAX_PARAMETERS) throw new AppError('invalid_request', `There are more than ${MAX_PARAMETERS} parameters.`)
  return withoutNul([...new URLSearchParams(text)])
}

function withoutNul(pairs: Pairs): Pairs {
  if (pairs.some(([name, value]) => name.includes('\0') || value.includes('\0')))
    throw new AppError('invalid_request', 'A parameter holds a NUL character.')
  return pairs
}

function toRecord(pairs: Pairs, lists: ReadonlySet<string>): Record<string, string | string[]> {
  const record = new Map<string, string | string[]>()
  for (const [name, value] of pairs) {
    const known = record.get(name)
    if (name === '__proto__') throw new AppError('invalid_request', 'A parameter has a name that is not allowed.')
    if (lists.has(name)) record.set(name, [...(known ?? []), value])
    else if (known === undefined) record.set(name, value)
    else throw new AppError('invalid_request', 'A parameter is there twice.', { details: { fields: [twice(name)] } })
  }
  return Object.fromEntries(record)
}

const twice = (name: string) => ({ pointer: pointerOf([name]), code: 'repeated', detail: 'Send it once.' })

/** A JSON pointer (RFC 6901); names from outside are cut. */
export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

async function readText(request: IncomingMessage, limit: number): Promise<string> {
  const bytes = await readBytes(request, limit)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new AppError('invalid_request', 'The body is not valid UTF-8.')
  }
}

/** The parts of zod's published definitions (`_zod.def`) that are looked through. */
interface Definition {
  readonly type: string
  readonly shape?: Readonly<Record<string, ZodType>>
  readonly innerType?: ZodType
  readonly in?: ZodType
  readonly options?: readonly ZodType[]
  readonly left?: ZodType
  readonly right?: ZodType
}

function listFields(schema: ZodType): string[] {
  const { shape } = definitionOf(schema)
  if (shape) return Object.keys(shape).filter((name) => shape[name] && isList(shape[name]))
  return innerOf(schema).flatMap(listFields)
}

function isList(schema: ZodType): boolean {
  return ['array', 'set', 'tuple'].includes(definitionOf(schema).type) || innerOf(schema).some(isList)
}

function innerOf(schema: ZodType): ZodType[] {
  const { innerType, in: input, options = [], left, right } = definitionOf(schema)
  return [innerType, input, left, right, ...options].filter((inner) => inner !== undefined)
}

const definitionOf = (schema: ZodType): Definition => schema._zod.def as unknown as Definition
