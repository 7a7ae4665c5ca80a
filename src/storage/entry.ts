/**
 * What every engine does alike: which index values an entry has, whether it still lives, how versions and marks are made,
 * how pages are bounded and how an unreachable engine is reported. Engines keep the promises of `store.ts`; this file holds none.
 */
import { AppError } from '../errors.ts'
import { randomId } from '../secrets.ts'
import { type Kind, type KindShape, kinds } from './kinds.ts'

/** A field and one value it is indexed under. */
export type IndexValue = readonly [field: string, value: string]

/** Every version has this length, so that scripts can cut it out by position. */
export const versionLength = 24

/**
 * Makes versions: unique over all processes (80 random bits per maker, then a counter) and never reused.
 * They are no secret: nobody gains anything by guessing one.
 */
export function createVersions(): () => string {
  const prefix = randomId(14)
  let count = 0
  return () => {
    count += 1
    return prefix + count.toString(36).padStart(versionLength - prefix.length, '0')
  }
}

/** Makes places in time for "newest first": microseconds that rise with every call, also within one millisecond. */
export function createPlaces(now: () => number): () => number {
  let last = 0
  return () => {
    last = Math.max(now() * 1000, last + 1)
    return last
  }
}

/** True unless `expiresAt` is reached. Exactly at `expiresAt` an entry is gone. */
export function isAlive(entry: { expiresAt?: number | null | undefined }, now: number): boolean {
  return entry.expiresAt === undefined || entry.expiresAt === null || entry.expiresAt > now
}

/** The unique values of an entry's value; a field that is missing or no string is not indexed. */
export function uniqueValues(kind: Kind, value: unknown): readonly IndexValue[] {
  const shape: KindShape = kinds[kind]
  return shape.unique.length === 0 ? [] : valuesOf(shape.unique, value)
}

/** The groups of an entry's value: a string field, or an array of strings, each once. */
export function groupValues(kind: Kind, value: unknown): readonly IndexValue[] {
  const shape: KindShape = kinds[kind]
  return shape.groups.length === 0 ? [] : valuesOf(shape.groups, value)
}

/** True if the value belongs to that group or holds that unique value. */
export function holds(value: unknown, [field, wanted]: IndexValue): boolean {
  const found = fieldOf(value, field)
  return Array.isArray(found) ? found.includes(wanted) : found === wanted
}

function valuesOf(fields: readonly string[], value: unknown): IndexValue[] {
  return fields.flatMap((field): IndexValue[] => {
    const found = fieldOf(value, field)
    const values = Array.isArray(found) ? [...new Set<unknown>(found)] : [found]
    return values.filter((one) => typeof one === 'string').map((one): IndexValue => [field, one])
  })
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, field)
    ? (value as Record<string, unknown>)[field]
    : undefined
}

/** The page size asked for, held to 1–1000; 50 when nothing is asked. */
export function pageLimit(limit: number | undefined): number {
  if (limit === undefined || !Number.isFinite(limit)) return 50
  return Math.min(1000, Math.max(1, Math.trunc(limit)))
}

/** A cursor is opaque to callers: the engine's own place, base64url. */
export function toCursor(place: string): string {
  return Buffer.from(place, 'utf8').toString('base64url')
}

/** The place inside a cursor. @throws AppError `invalid_request` when it does not have the form of this engine's places. */
export function fromCursor(cursor: string, form: RegExp): RegExpExecArray {
  const place = form.exec(Buffer.from(cursor, 'base64url').toString('utf8'))
  if (!place) throw new AppError('invalid_request', 'The cursor is not valid.')
  return place
}

/** @throws AppError `invalid_request` when the kind has no such index: asking for one would mean a scan. */
export function requireIndex(kind: Kind, index: 'unique' | 'groups', field: string): void {
  const shape: KindShape = kinds[kind]
  if (!shape[index].includes(field)) throw new AppError('invalid_request', `There is no index "${field}" of ${kind}.`)
}

/** The error of an engine that cannot answer in time; the cause is for the log only. */
export function unavailable(cause: unknown): AppError {
  return new AppError('store_unavailable', 'The store cannot be reached right now. Try again in a moment.', {
    details: { retryAfterSeconds: 1 },
    cause,
  })
}

/** The error of a write that would make a second entry with one id or one unique value. */
export function conflict(kind: Kind, field = 'id'): AppError {
  return new AppError('conflict', `Another ${kind.replaceAll('_', ' ')} has this ${field} already.`)
}
