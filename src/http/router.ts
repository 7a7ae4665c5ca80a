/**
 * Which target a path and a method have. Paths match exactly and by case as they were sent: nothing is folded, collapsed or
 * decoded before matching, so access rules and routes can never see two different paths (HD6). Only parameters are decoded, once.
 * What a target does is `server.ts`'s and `answer.ts`'s.
 */
import type { Method, Route, Surface } from './route.ts'

/** Paths that the protocol engine answers itself, with the methods it knows there. */
export interface EnginePath {
  readonly path: string
  readonly methods: readonly string[]
  readonly surface: Surface
  readonly isForEveryOrigin?: true
}

export type Target = { readonly pattern: string; readonly surface: Surface; readonly isForEveryOrigin: boolean } & (
  | { readonly kind: 'route'; readonly route: Route }
  | { readonly kind: 'engine' }
)

/** One path with everything that answers there. */
export interface Place {
  readonly pattern: string
  readonly surface: Surface
  readonly allow: string
  readonly isForEveryOrigin: boolean
  /** The target of a method; HEAD is answered by GET. */
  find(method: string): Target | undefined
}

export interface Match {
  readonly place: Place
  readonly params: Readonly<Record<string, string>>
}

export interface Router {
  match(path: string): Match | undefined
}

interface Draft {
  readonly pattern: string
  readonly segments: readonly string[]
  readonly targets: Map<string, Target>
}

const noParams: Readonly<Record<string, string>> = Object.freeze({})

/** @throws TypeError when two routes claim one path and method. */
export function createRouter(routes: readonly Route[], enginePaths: readonly EnginePath[] = []): Router {
  const drafts = new Map<string, Draft>()
  for (const route of routes) {
    const surface = route.surface ?? surfaceOf(route.path)
    const isForEveryOrigin = route.isForEveryOrigin === true
    claim(drafts, route.path, route.method, { kind: 'route', pattern: route.path, surface, isForEveryOrigin, route })
  }
  for (const { path, methods, surface, isForEveryOrigin = false } of enginePaths)
    for (const method of methods)
      claim(drafts, path, method, { kind: 'engine', pattern: path, surface, isForEveryOrigin })

  const places = [...drafts.values()].map((draft) => ({ draft, match: { place: toPlace(draft), params: noParams } }))
  const fixed = new Map(places.filter(({ draft }) => isFixed(draft)).map(({ draft, match }) => [draft.pattern, match]))
  const open = places
    .filter(({ draft }) => !isFixed(draft))
    .sort((left, right) => rank(left.draft).localeCompare(rank(right.draft)))
    .map(({ draft, match }) => ({ segments: draft.segments, place: match.place }))
  const byHead = new Map<string, typeof open>()
  for (const one of open) {
    const head = one.segments[0] ?? ''
    byHead.set(head, [...(byHead.get(head) ?? []), one])
  }

  return {
    match(path) {
      const exact = fixed.get(path)
      if (exact) return exact
      const given = path.split('/').slice(1)
      for (const { segments, place } of byHead.get(given[0] ?? '') ?? []) {
        const params = paramsOf(segments, given)
        if (params) return { place, params }
      }
      return undefined
    },
  }
}

/** `api` for machines' paths, else `page`. */
export function surfaceOf(path: string): Surface {
  return path.startsWith('/api/') || path.startsWith('/.well-known/') ? 'api' : 'page'
}

function claim(drafts: Map<string, Draft>, pattern: string, method: Method | string, target: Target): void {
  const segments = pattern.split('/').slice(1)
  if (!pattern.startsWith('/') || segments[0]?.startsWith(':')) throw new TypeError(`${pattern} cannot be a path`)
  const shape = segments.map((segment) => (segment.startsWith(':') ? ':' : segment)).join('/')
  const draft = drafts.get(shape) ?? { pattern, segments, targets: new Map<string, Target>() }
  if (draft.targets.has(method)) throw new TypeError(`${method} ${pattern} is claimed twice`)
  if (draft.pattern !== pattern) throw new TypeError(`${pattern} and ${draft.pattern} name one path differently`)
  draft.targets.set(method, target)
  drafts.set(shape, draft)
}

const isFixed = ({ segments }: Draft): boolean =>
  !segments.some((segment) => segment.startsWith(':') || segment === '*')

/** Sorts fixed segments before parameters and parameters before `*`. */
const rank = ({ segments }: Draft): string =>
  segments.map((segment) => (segment === '*' ? '3' : segment.startsWith(':') ? '2' : '1')).join('')

function toPlace({ pattern, targets }: Draft): Place {
  const [first] = targets.values()
  const methods = [...targets.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  const isForEveryOrigin = [...targets.values()].some((target) => target.isForEveryOrigin)
  if (isForEveryOrigin) methods.push('OPTIONS')
  const fallback = targets.get('ANY')
  return {
    pattern,
    surface: first?.surface ?? 'page',
    allow: [...new Set(methods)].sort().join(', '),
    isForEveryOrigin,
    find: (method) => targets.get(method) ?? (method === 'HEAD' ? targets.get('GET') : undefined) ?? fallback,
  }
}

function paramsOf(segments: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const takesRest = segments.at(-1) === '*'
  if (takesRest ? given.length < segments.length : given.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, segment] of segments.entries()) {
    const value = given[index] ?? ''
    if (segment === '*') params['*'] = given.slice(index).join('/')
    else if (segment.startsWith(':')) {
      const decoded = decodeOnce(value)
      if (decoded === undefined) return undefined
      params[segment.slice(1)] = decoded
    } else if (segment !== value) return undefined
  }
  return params
}

/** A parameter's text; undefined when empty, malformed, or hiding a separator, a dot segment or a control character. */
function decodeOnce(value: string): string | undefined {
  if (value === '' || value.length > 2_100) return undefined
  if (!value.includes('%')) return value === '.' || value === '..' || value.includes(';') ? undefined : value
  try {
    const decoded = decodeURIComponent(value)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    return /[/\\\u0000-\u001f\u007f]|^\.\.?$/.test(decoded) ? undefined : decoded
  } catch {
    return undefined
  }
}
