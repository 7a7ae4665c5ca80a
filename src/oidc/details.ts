/**
 * `authorization_details` of type `connection` (RFC 9396): single services that a person has connected (`google`, `slack` …), to read or to write.
 * Inside they are rights beside scopes, `connection read google`, so that one arithmetic decides about both; `connection read *` asks the person to
 * choose. On the wire they are objects of RFC 9396 §2: `{type, identifier?, actions?, locations?}`.
 */
import { errors } from 'oidc-provider'
import { keep, type ScopeMap, union } from './scope-map.ts'

export const CONNECTION = 'connection'
export type Action = 'read' | 'write'
const ACTIONS: readonly Action[] = ['read', 'write']
const UNLESS_SAID: readonly Action[] = ['read']

/** What a request asks, and what a person may give in place of something wider. */
export interface Asked {
  readonly rights: ScopeMap
  readonly reading: ScopeMap
}

/** One object of `authorization_details`, as it is answered. */
export interface ConnectionDetail {
  readonly type: typeof CONNECTION
  readonly identifier: string
  readonly actions: readonly Action[]
  readonly locations?: readonly string[]
}

const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const MOST_DETAILS = 20

export const isConnectionId = (id: string): boolean => IDENTIFIER.test(id)
export const isScope = (right: string): boolean => !right.includes(' ')
export const connectionRight = (action: Action, id: string): string => `${CONNECTION} ${action} ${id}`

/** The action and the connection of a right; undefined for a scope. `*` is any that the person chooses. */
export function connectionOf(right: string): { readonly action: Action; readonly id: string } | undefined {
  const [type, action, id] = right.split(' ')
  return type === CONNECTION && id ? { action: action as Action, id } : undefined
}

const isChoice = (right: string): boolean => connectionOf(right)?.id === '*'

/**
 * The library's check of one object (RFC 9396 §5): unknown fields, actions and places are refused. Without `identifier` the person chooses, without
 * `actions` it is reading; `locations` are resources of this request.
 * @throws InvalidAuthorizationDetails
 */
export function checkDetail(detail: Readonly<Record<string, unknown>>, isResource: (uri: string) => boolean): void {
  const refuse = (why: string): never => {
    throw new errors.InvalidAuthorizationDetails(`connection: ${why}`)
  }
  for (const field of Object.keys(detail))
    if (!['type', 'identifier', 'actions', 'locations'].includes(field)) refuse('unknown field')
  const { identifier, actions, locations } = detail as { identifier?: string; actions?: string[]; locations?: string[] }
  if (identifier !== undefined && !isConnectionId(identifier)) refuse('identifier is not one of a connection')
  if (actions?.length === 0 || actions?.some((one) => !ACTIONS.includes(one as Action)))
    refuse('actions are read and write')
  if (locations?.length === 0 || locations?.some((uri) => !isResource(uri)))
    refuse('locations must be resources of this request')
}

type Parsed = { identifier?: string; actions?: readonly Action[]; locations?: readonly string[] }

function parsed(parameter: unknown): readonly Parsed[] {
  if (typeof parameter !== 'string') return []
  const details: unknown = JSON.parse(parameter)
  return Array.isArray(details) ? (details as Parsed[]).slice(0, MOST_DETAILS) : []
}

/** More than anybody can read on a page are refused as a whole. @throws InvalidAuthorizationDetails */
export function checkAmount(parameter: unknown): void {
  if (typeof parameter !== 'string') return
  const details: unknown = (() => {
    try {
      return JSON.parse(parameter)
    } catch {
      return undefined
    }
  })()
  if (Array.isArray(details) && details.length > MOST_DETAILS)
    throw new errors.InvalidAuthorizationDetails(`at most ${MOST_DETAILS} authorization details`)
}

/** The parameter as rights: at the places it names, else at every resource of the request. It has been checked. */
export function askedConnections(
  parameter: unknown,
  identifiers: readonly string[],
  same: (uri: string) => string,
): Asked {
  let rights: ScopeMap = {}
  for (const { identifier = '*', actions = UNLESS_SAID, locations } of parsed(parameter)) {
    const places = locations ? identifiers.filter((one) => locations.some((uri) => same(uri) === one)) : identifiers
    const these = actions.map((action) => connectionRight(action, identifier))
    rights = union(rights, Object.fromEntries(places.map((place) => [place, these])))
  }
  const falls = Object.entries(rights).map(([place, list]) => [
    place,
    list.map((right) => right.replace(/^connection write /, 'connection read ')).filter((one) => !list.includes(one)),
  ])
  return { rights, reading: keep(Object.fromEntries(falls), () => true) }
}

/** Whether the request named places, so that the answer does too. */
export function namesLocations(parameter: unknown): boolean {
  return parsed(parameter).some(({ locations }) => locations !== undefined)
}

/** Adds what may be chosen where the person is asked to choose. */
export function offering(asked: ScopeMap, ids: readonly string[]): ScopeMap {
  const more = Object.entries(asked).map(([place, list]) => [
    place,
    list.filter(isChoice).flatMap((right) => ids.map((id) => right.replace('*', id))),
  ])
  return union(asked, Object.fromEntries(more))
}

/**
 * What stands in both, where the person was asked to choose with what was chosen. A choice without anything chosen is none: it is asked again.
 */
export function chosen(asked: ScopeMap, allowed: ScopeMap): ScopeMap {
  const isAllowed = (right: string, key: string) => allowed[key]?.includes(right) ?? false
  const under = keep(allowed, (right, key) => {
    const one = connectionOf(right)
    const choice = one && connectionRight(one.action, '*')
    return choice !== undefined && right !== choice && isAllowed(choice, key) && (asked[key]?.includes(choice) ?? false)
  })
  const both = union(keep(asked, isAllowed), under)
  return keep(
    both,
    (right, key) =>
      !isChoice(right) || (both[key] ?? []).some((one) => one !== right && one.startsWith(right.slice(0, -1))),
  )
}

/** The rights as answered: one object for each connection at a place, `locations` where the request named places. */
export function detailsOf(scopes: ScopeMap, withLocations: 'locations' | 'anywhere'): ConnectionDetail[] {
  return Object.entries(scopes).flatMap(([place, list]) => {
    const found = list.map(connectionOf).filter((one) => one !== undefined && one.id !== '*')
    const ids = [...new Set(found.map((one) => one?.id ?? ''))]
    return ids.map((identifier) => ({
      type: CONNECTION,
      identifier,
      actions: ACTIONS.filter((action) => found.some((one) => one?.id === identifier && one.action === action)),
      ...(withLocations === 'locations' ? { locations: [place] } : {}),
    }))
  })
}

/** Answered objects as rights at one place; those for other places are left out. */
export function rightsOf(details: readonly ConnectionDetail[] | undefined, place: string): string[] {
  return (details ?? [])
    .filter(({ type, locations }) => type === CONNECTION && (!locations || locations.includes(place)))
    .flatMap(({ identifier, actions }) => actions.map((action) => connectionRight(action, identifier)))
}
