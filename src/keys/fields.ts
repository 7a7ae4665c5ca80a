/**
 * What the fields of a key must be. Wrong ones are named together, by their names on the wire. A key never holds what its maker may not give:
 * scopes lie inside the owner's rights, the policy, the credential that makes it and, for a child, its parent.
 */
import { cleanName, NAME_LIMIT } from '../display-name.ts'
import { AppError, type FieldError } from '../errors.ts'
import { barrierTo, type KeyPolicy, type Owner } from './decide.ts'
import type { KeyQuota, KeyRecord } from './key.ts'
import { areWithin, canonicalNetwork } from './networks.ts'

/** What its maker decides about a key. Whatever else a request holds (owner, id, dates) has no place here (AK1). */
export interface NewKey {
  readonly name: string
  readonly scopes: readonly string[]
  /** Seconds; the policy's default when not given, the parent's rest for a child. */
  readonly expiresInSeconds?: number | undefined
  /** Milliseconds since 1970. */
  readonly notBefore?: number | undefined
  /** CIDRs or addresses; none: from everywhere (a child: from where its parent may). */
  readonly allowedIps?: readonly string[] | undefined
  readonly resource?: string | undefined
  readonly quota?: KeyQuota | undefined
  readonly callBudget?: number | undefined
  readonly mayCreateChildren?: boolean | undefined
}

export type KeyFieldsTaken = Pick<
  KeyRecord,
  | 'name'
  | 'scopes'
  | 'expiresAt'
  | 'notBefore'
  | 'allowedIps'
  | 'resource'
  | 'quota'
  | 'callBudget'
  | 'mayCreateChildren'
>

/** What a key must lie inside. */
export interface Bounds {
  readonly policy: KeyPolicy
  readonly owner: Owner
  readonly now: number
  /** The scopes of the credential that makes it; absent: the owner in person. */
  readonly within?: readonly string[] | undefined
  readonly parent?: KeyRecord | undefined
}

const LEAST_LIFE_SECONDS = 60
const NETWORKS_LIMIT = 50
const SCOPES_LIMIT = 50
const MOST_REQUESTS = 1_000_000_000
const MOST_WINDOW_SECONDS = 31 * 86_400

type Refuse = (pointer: string, code: string, detail: string) => undefined

/** The fields as they are kept. @throws invalid_request with one entry per wrong field. */
export function takeFields(wanted: NewKey, bounds: Bounds): KeyFieldsTaken {
  return collect((refuse) => {
    const resource = takeResource(wanted.resource ?? bounds.parent?.resource, bounds, refuse)
    const fields = {
      name: takeName(wanted.name, refuse),
      scopes: takeScopes(wanted.scopes, { ...bounds, resource }, refuse),
      expiresAt: takeLife(wanted, bounds, refuse),
      allowedIps: takeNetworks(wanted.allowedIps, bounds.parent, refuse),
    }
    takeCount(wanted.callBudget, '/call_budget', refuse)
    if (wanted.mayCreateChildren && bounds.parent?.mayCreateChildren === false)
      refuse('/may_create_children', 'beyond_parent', 'Its parent may not create children.')
    return {
      ...fields,
      mayCreateChildren: wanted.mayCreateChildren ?? false,
      ...given('resource', resource),
      ...given('notBefore', wanted.notBefore),
      ...given('quota', takeQuota(wanted.quota, refuse)),
      ...given('callBudget', wanted.callBudget),
    }
  })
}

/** Runs `take`; what it refuses on the way is thrown together. @throws invalid_request */
export function collect<T>(take: (refuse: Refuse) => T): T {
  const fields: FieldError[] = []
  const result = take((pointer, code, detail) => {
    fields.push({ pointer, code, detail })
    return undefined
  })
  const [first] = fields
  if (first) throw new AppError('invalid_request', first.detail, { details: { fields } })
  return result
}

/** The refusal of one field. */
export function refuseField(field: string, detail: string): AppError {
  return new AppError('invalid_request', detail, {
    details: { fields: [{ pointer: `/${field}`, code: 'invalid', detail }] },
  })
}

export function takeName(name: unknown, refuse: Refuse): string {
  const clean = typeof name === 'string' ? cleanName(name) : undefined
  if (clean === undefined) refuse('/name', 'malformed', `Give a name of 1 to ${NAME_LIMIT} characters.`)
  return clean ?? ''
}

export function takeScopes(
  scopes: readonly string[],
  { policy, owner, within, parent, resource }: Bounds & { resource?: string | undefined },
  refuse: Refuse,
): string[] {
  const unique = [...new Set(scopes)].slice(0, SCOPES_LIMIT + 1)
  if (unique.length === 0) refuse('/scopes', 'missing', 'Choose at least one scope.')
  if (unique.length > SCOPES_LIMIT) refuse('/scopes', 'too_many', `Choose at most ${SCOPES_LIMIT} scopes.`)
  const owned = policy.resources.find(({ identifier }) => identifier === resource)?.scopes
  for (const [index, scope] of unique.entries()) {
    const barrier = barrierTo(scope, owner, policy)
    const at = `/scopes/${index}`
    if (barrier === 'scope_beyond_policy') refuse(at, 'not_allowed', 'Keys cannot hold this scope.')
    else if (barrier) refuse(at, 'beyond_owner', 'Your account does not have this right.')
    else if (within && !within.includes(scope)) refuse(at, 'beyond_credential', 'The credential used does not hold it.')
    else if (parent && !parent.scopes.includes(scope)) refuse(at, 'beyond_parent', 'Its parent does not hold it.')
    else if (owned && !owned.includes(scope)) refuse(at, 'not_of_resource', 'The resource does not own this scope.')
  }
  return unique
}

export function takeNetworks(
  cidrs: readonly string[] | undefined,
  parent: Pick<KeyRecord, 'allowedIps'> | undefined,
  refuse: Refuse,
): readonly string[] {
  const outer = parent?.allowedIps ?? []
  if (cidrs === undefined || (cidrs.length === 0 && outer.length > 0)) return outer
  if (cidrs.length > NETWORKS_LIMIT) refuse('/allowed_ips', 'too_many', `Give at most ${NETWORKS_LIMIT} networks.`)
  const networks = cidrs.slice(0, NETWORKS_LIMIT).map((text, index) => {
    const network = canonicalNetwork(text)
    const at = `/allowed_ips/${index}`
    if (!network) refuse(at, 'malformed', 'Give an address or network such as 203.0.113.7 or 2001:db8::/48.')
    else if (!areWithin([network], outer)) refuse(at, 'beyond_parent', 'This is outside of what is allowed now.')
    return network ?? ''
  })
  return [...new Set(networks)]
}

export function takeQuota(quota: KeyQuota | undefined, refuse: Refuse): KeyQuota | undefined {
  if (quota === undefined) return undefined
  const { requests, windowSeconds } = quota
  takeCount(requests, '/quota/requests', refuse)
  if (!isWhole(windowSeconds, MOST_WINDOW_SECONDS))
    refuse('/quota/window_seconds', 'invalid', `Give 1 to ${MOST_WINDOW_SECONDS} seconds.`)
  return { requests, windowSeconds }
}

export function takeCount(count: number | undefined, pointer: string, refuse: Refuse): void {
  if (count !== undefined && !isWhole(count, MOST_REQUESTS)) refuse(pointer, 'invalid', 'Give a whole number from 1.')
}

function takeResource(resource: string | undefined, { policy, parent }: Bounds, refuse: Refuse): string | undefined {
  if (resource === undefined) return undefined
  if (!policy.resources.some(({ identifier }) => identifier === resource))
    refuse('/resource', 'unknown', 'There is no such resource.')
  if (parent?.resource !== undefined && parent.resource !== resource)
    refuse('/resource', 'beyond_parent', 'Its parent works at another resource.')
  return resource
}

export function takeLife(
  { expiresInSeconds }: Pick<NewKey, 'expiresInSeconds'>,
  { policy, now, parent }: Bounds,
  refuse: Refuse,
): number {
  const latest = Math.min(now + policy.maxLifetimeSeconds * 1000, parent?.expiresAt ?? Number.POSITIVE_INFINITY)
  if (expiresInSeconds === undefined) return Math.min(now + policy.defaultLifetimeSeconds * 1000, latest)
  const most = Math.floor((latest - now) / 1000)
  if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < LEAST_LIFE_SECONDS || expiresInSeconds > most)
    refuse('/expires_in', 'out_of_range', `Give ${LEAST_LIFE_SECONDS} to ${most} seconds.`)
  return now + expiresInSeconds * 1000
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most
}

function given<N extends string, V>(name: N, value: V | undefined): { [name in N]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [name in N]?: V })
}
