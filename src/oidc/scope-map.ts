/**
 * Rights by resource, and the arithmetic of granting: what stands in both, in either, in one but not the other. A right is a scope, or a connection
 * as `details.ts` writes it; that one holds spaces, so it is never taken for a scope.
 */

/** Rights by resource identifier; identity scopes under `IDENTITY`. */
export type ScopeMap = Readonly<Record<string, readonly string[]>>
export const IDENTITY = 'identity'

export function isEmpty(scopes: ScopeMap): boolean {
  return Object.values(scopes).every((list) => list.length === 0)
}

export function union(a: ScopeMap, b: ScopeMap): ScopeMap {
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return Object.fromEntries(keys.map((key) => [key, [...new Set([...(a[key] ?? []), ...(b[key] ?? [])])]]))
}

/** What stands in both, under the keys of the first. */
export function intersect(a: ScopeMap, b: ScopeMap): ScopeMap {
  return keep(a, (right, key) => b[key]?.includes(right) ?? false)
}

/** What stands in the first and not in the second. */
export function subtract(a: ScopeMap, b: ScopeMap): ScopeMap {
  return keep(a, (right, key) => !b[key]?.includes(right))
}

/** The rights that fit; resources without any are left out. */
export function keep(scopes: ScopeMap, fits: (right: string, key: string) => boolean): ScopeMap {
  const left = Object.entries(scopes).map(([key, list]) => [key, list.filter((right) => fits(right, key))] as const)
  return Object.fromEntries(left.filter(([, list]) => list.length > 0))
}
