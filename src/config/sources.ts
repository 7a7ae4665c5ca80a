/**
 * Where settings come from: the file, the environment over it, `LICET_*_FILE` over both, and the secrets the file keeps in files of
 * their own. It only gathers and remembers where each value stood; `together.ts` judges the values, `load.ts` makes the `Config`.
 */
import { resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { listOptions } from './reference.ts'
import type { Issue } from './together.ts'

export type ReadFile = (path: string) => string

export interface Place {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly readFile: ReadFile
}

/** What was gathered. `origins` names the variable that set an option; an option it does not name stood in the file. */
export interface Gathered {
  readonly raw: Record<string, unknown>
  readonly origins: ReadonlyMap<string, string>
  readonly issues: readonly Issue[]
}

/** Gathers every value. A missing file is fine unless `LICET_CONFIG` names it. */
export function gatherSettings(place: Place): Gathered {
  const file = readSettingsFile(place)
  const environment = readEnvironment(place)
  const raw = { ...file.raw, ...environment.raw }
  return {
    raw,
    origins: environment.origins,
    issues: [...file.issues, ...environment.issues, ...readNamedSecrets(raw, place)],
  }
}

function readSettingsFile({ env, cwd, readFile }: Place): { raw: Record<string, unknown>; issues: Issue[] } {
  const named = env['LICET_CONFIG']
  const path = resolve(cwd, named || 'config/licet.yaml')
  let text: string
  try {
    text = readFile(path)
  } catch (error) {
    if (!named && isMissing(error)) return { raw: {}, issues: [] }
    return {
      raw: {},
      issues: [
        { path: [named ? 'LICET_CONFIG' : 'config/licet.yaml'], expected: 'a file that can be read', found: path },
      ],
    }
  }
  return parseFile(text, named || 'config/licet.yaml')
}

/** YAML problems are told by place and kind only: the text around them may hold a secret. */
function parseFile(text: string, name: string): { raw: Record<string, unknown>; issues: Issue[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines })
  const issues = [...document.errors, ...document.warnings].map((problem) => {
    const { line, col } = lines.linePos(problem.pos[0])
    return { path: [name], expected: 'YAML', found: `${problem.code} in line ${line}, column ${col}` }
  })
  if (issues.length > 0) return { raw: {}, issues }
  const raw = toPlain(document)
  if (raw === undefined)
    return { raw: {}, issues: [{ path: [name], expected: 'YAML', found: 'an alias that leads nowhere or too far' }] }
  if (isMap(raw)) return { raw, issues: refusePrototypes(raw, []) }
  return {
    raw: {},
    issues: [{ path: [name], expected: 'a map of options', found: Array.isArray(raw) ? 'a list' : 'a value' }],
  }
}

/** The values of a document, an empty map when it holds none, undefined for aliases that lead nowhere or explode. */
function toPlain(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS() ?? {}
  } catch {
    return undefined
  }
}

/** A key `__proto__` is never meant well, and maps would drop it silently. */
function refusePrototypes(value: unknown, path: readonly (string | number)[]): Issue[] {
  if (Array.isArray(value)) return value.flatMap((item, at) => refusePrototypes(item, [...path, at]))
  if (!isMap(value)) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === '__proto__')
      return [{ path: [...path, key], expected: 'an option that exists', found: 'an unknown option' }]
    return refusePrototypes(inner, [...path, key])
  })
}

function readEnvironment({ env, cwd, readFile }: Place) {
  const raw: Record<string, unknown> = {}
  const origins = new Map<string, string>()
  const issues: Issue[] = []
  const known = new Set(['LICET_CONFIG'])
  for (const { path, env: name, secret } of listOptions()) {
    if (!name) continue
    known.add(name)
    if (env[name]) set(path, name, env[name])
    if (!secret) continue
    known.add(`${name}_FILE`)
    const file = env[`${name}_FILE`]
    if (file) readSecretFile(`${name}_FILE`, resolve(cwd, file), (text) => set(path, `${name}_FILE`, text))
  }
  for (const name of Object.keys(env)) {
    if (name.startsWith('LICET_') && !known.has(name))
      issues.push({ path: [name], expected: 'a variable that exists', found: 'an unknown variable' })
  }
  return { raw, origins, issues }

  function set(option: string, name: string, value: string): void {
    raw[option] = value
    origins.set(option, name)
  }
  function readSecretFile(name: string, path: string, use: (text: string) => void): void {
    try {
      use(readFile(path).trim())
    } catch {
      issues.push({ path: [name], expected: 'a file that can be read', found: path })
    }
  }
}

/** Puts the content of `client_secret_file` and `secret_file` where the secret itself would stand. */
function readNamedSecrets(raw: Record<string, unknown>, { cwd, readFile }: Place): Issue[] {
  const issues: Issue[] = []
  for (const { path, holder, field } of secretHolders(raw)) {
    const file = holder[`${field}_file`]
    if (typeof file !== 'string') continue
    if (holder[field] !== undefined)
      issues.push({ path: [...path, field], expected: `either ${field} or ${field}_file`, found: 'both' })
    try {
      holder[field] = readFile(resolve(cwd, file)).trim()
    } catch {
      issues.push({ path: [...path, `${field}_file`], expected: 'a file that can be read', found: resolve(cwd, file) })
    }
  }
  return issues
}

function secretHolders(raw: Record<string, unknown>) {
  const inList = (list: string) =>
    (Array.isArray(raw[list]) ? raw[list] : []).map((holder: unknown, at) => ({
      path: [list, at],
      holder,
      field: 'client_secret',
    }))
  const hookOf = (topic: 'claims' | 'connections') => {
    const found = raw[topic]
    return { path: [topic, 'hook'], holder: isMap(found) ? found['hook'] : undefined, field: 'secret' }
  }
  return [...inList('apps'), ...inList('upstreams'), hookOf('claims'), hookOf('connections')].flatMap((found) =>
    isMap(found.holder) ? [{ ...found, holder: found.holder }] : [],
  )
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
