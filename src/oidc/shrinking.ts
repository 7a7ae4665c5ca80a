/**
 * Taking back a part of what was allowed: which changes would widen it and are refused, and what is left after the others. Pure; `consents.ts` writes.
 */
import { AppError } from '../errors.ts'
import type { Stored } from '../storage/store.ts'
import { type ConnectionDetail, isScope, rightsOf } from './details.ts'
import type { Consent } from './grants.ts'
import { IDENTITY, keep, type ScopeMap } from './scope-map.ts'

/** What may stay: scopes that are left (identity scopes stay with them), connections that are left, and an earlier end. */
export interface Shrinking {
  readonly scopes?: readonly string[]
  readonly connections?: readonly ConnectionDetail[]
  readonly expiresAt?: number
}

/** @throws invalid_request for a scope, a connection or an end beyond what there is */
export function refuseWidening({ value, expiresAt }: Stored<Consent>, change: Shrinking): void {
  const held = new Set(Object.values(value.scopes).flat())
  const wider = change.scopes?.find((scope) => !held.has(scope))
  if (wider !== undefined) refuse('/scopes', `${wider.slice(0, 100)} was never allowed; an app has to ask for it.`)
  for (const detail of change.connections ?? []) {
    const places = detail.locations ?? Object.keys(value.scopes)
    const isHeld = rightsOf([{ ...detail, type: 'connection' }], places[0] ?? '').every((right) =>
      places.some((place) => value.scopes[place]?.includes(right)),
    )
    if (!isHeld) refuse('/authorization_details', 'A connection that was never allowed; an app has to ask for it.')
  }
  if (change.expiresAt !== undefined && expiresAt !== undefined && change.expiresAt > expiresAt) {
    refuse('/expires_at', 'A consent can only end earlier than it does.')
  }
}

function refuse(pointer: string, detail: string): never {
  throw new AppError('invalid_request', detail, { details: { fields: [{ pointer, code: 'widening', detail }] } })
}

/** What is left. Connections stay unless they are named, as scopes do; a choice stays with what was chosen under it. */
export function reduced(scopes: ScopeMap, { scopes: kept, connections }: Shrinking): ScopeMap {
  return keep(scopes, (right, place) => {
    if (isScope(right)) return kept === undefined || place === IDENTITY || kept.includes(right)
    return connections === undefined || right.endsWith(' *') || rightsOf(connections, place).includes(right)
  })
}
