/**
 * The schema read as a reference: every option with its path, sentence, default and environment variable. The documentation,
 * `config print`, the masking of secrets and the house test all read this list; none of them keeps its own.
 */
import { z } from 'zod'
import { configSchema } from './schema.ts'
import type { OptionNotes } from './values.ts'

/** One option. `path` is as in the file, with `[]` for entries of a list and `<name>` for keys of a map. */
export interface Option extends OptionNotes {
  readonly path: string
  readonly describe: string
  readonly takes: string
  /** As it would be written in the file; undefined when there is none. */
  readonly standard?: unknown
  readonly required: boolean
  /** A heading: it only holds other options. */
  readonly holds: boolean
}

interface Shape extends OptionNotes {
  readonly description?: string
  readonly type?: string
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
  readonly additionalProperties?: Shape | boolean
}

// Read once: the schema never changes while the program runs.
const root = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Shape

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  object: 'section',
  array: 'list',
}

/** Every option in the order of the tables, headings before what they hold. */
export function listOptions(): Option[] {
  return readObject(root, '')
}

function readObject(shape: Shape, prefix: string): Option[] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, inner]) => {
    const path = prefix + name
    const within = readWithin(inner, path)
    return [
      { ...describe(inner, path), required: shape.required?.includes(name) ?? false, holds: within.length > 0 },
      ...within,
    ]
  })
}

function readWithin(shape: Shape, path: string): Option[] {
  if (shape.properties) return shape.takes ? [] : readObject(shape, `${path}.`)
  if (shape.items?.properties) return readObject(shape.items, `${path}[].`)
  const values = shape.additionalProperties
  if (typeof values === 'object' && values.properties) return readObject(values, `${path}.<name>.`)
  return []
}

function describe(shape: Shape, path: string): Omit<Option, 'required' | 'holds'> {
  return {
    path,
    describe: shape.description ?? '',
    takes: shape.takes ?? shape.enum?.join(', ') ?? typeNames[shape.type ?? ''] ?? 'value',
    ...(shape.env ? { env: shape.env } : {}),
    ...(shape.secret ? { secret: shape.secret } : {}),
    ...(shape.unset ? { unset: shape.unset } : {}),
    ...(shape.default === undefined ? {} : { standard: shape.default }),
  }
}

/** What is in force, as the file would write it: `raw` with the defaults filled in and secrets masked. */
export function showSettings(raw: unknown, shape: Shape = root): unknown {
  if (raw === undefined) return shape.default === undefined ? undefined : showSettings(shape.default, shape)
  if (shape.secret) return maskSecret(raw)
  // Variables are text.
  if (shape.takes === 'number' && typeof raw === 'string') return Number(raw)
  if (Array.isArray(raw)) return raw.map((item) => (shape.items ? showSettings(item, shape.items) : item))
  if (typeof raw !== 'object' || raw === null) return raw
  if (shape.properties) return showObject(raw, shape.properties)
  const values = shape.additionalProperties
  if (typeof values !== 'object') return raw
  return Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, showSettings(value, values)]))
}

function showObject(raw: object, properties: Readonly<Record<string, Shape>>): Record<string, unknown> {
  const given = raw as Readonly<Record<string, unknown>>
  const shown = Object.entries(properties).map(([name, shape]) => [name, showSettings(given[name], shape)] as const)
  return Object.fromEntries(shown.filter(([, value]) => value !== undefined))
}

/** Text that stands for a secret: URLs keep everything but their credentials, anything else is hidden altogether. */
export function maskSecret(value: unknown): string {
  const text = String(value)
  if (text.startsWith('sqlite:')) return text
  if (!/^[a-z+]+:\/\//.test(text)) return '(hidden)'
  // Greedy up to the last @: a password may hold one.
  return text
    .replace(/\/\/.*@/, '//(hidden)@')
    .replace(/([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*/gi, '$1(hidden)')
}

/** True when what stands at this path of the file must not be shown. */
export function isSecretPath(path: readonly (string | number)[]): boolean {
  let shape: Shape | undefined = root
  for (const part of path) {
    if (shape?.secret) return true
    shape = typeof part === 'number' ? shape?.items : (shape?.properties?.[part] ?? valuesOf(shape))
  }
  return shape?.secret === true || path.includes('jwks')
}

function valuesOf(shape: Shape | undefined): Shape | undefined {
  return typeof shape?.additionalProperties === 'object' ? shape.additionalProperties : undefined
}
