/**
 * How things lie in Redis: the names of the keys and the fixed layouts that the scripts cut by position.
 * An entry is `version (24) expiresAt (15 digits, zeros: none) place and marks as JSON, or nothing \n value as JSON`.
 * A claim is `mark (24) made at (15 digits) id`; a group member `place (16 digits) mark (24) joined at (15 digits) id`.
 */
import { versionLength } from './entry.ts'
import type { Kind } from './kinds.ts'
import type { Stored } from './store.ts'

const timeDigits = 15
const placeDigits = 16
const latest = 10 ** timeDigits - 1
const headLength = versionLength + timeDigits

/** Redis keeps what has expired this much longer: clocks differ, and the injected one decides. */
export const marginMs = 60_000

/**
 * What an indexed entry knows about its indexes: its place in groups and, for each indexed field, the mark that its claim and its
 * memberships carry. A claim or member is removed by its mark, so nobody removes what another write has made since.
 */
export interface Indexed {
  readonly place: number
  readonly marks: Readonly<Record<string, string>>
}

/** An entry as it lies there; `indexed` only for kinds with indexes. */
export interface Raw<V> extends Stored<V> {
  readonly indexed?: Indexed
}

export const entryKey = (kind: Kind, id: string): string => `licet:e:${kind}:${id}`
export const entryPattern = (kind: Kind): string => `licet:e:${kind}:*`
export const claimKey = (kind: Kind, field: string, value: string): string => `licet:u:${kind}:${field}:${value}`
export const groupKey = (kind: Kind, field: string, value: string): string => `licet:g:${kind}:${field}:${value}`
export const counterKey = (counter: string): string => `licet:c:${counter}`

/** How many milliseconds Redis keeps what expires then; 0 for ever. Reckoned by the server's own clock from now on. */
export function lifetimeMs(expiresAt: number | undefined, now: number): number {
  return expiresAt === undefined ? 0 : Math.max(1, Math.trunc(Math.min(expiresAt, latest) - now) + marginMs)
}

/** The id inside an entry's key. */
export function idOfKey(kind: Kind, key: string): string {
  return key.slice(entryPattern(kind).length - 1)
}

export function encodeEntry(entry: Omit<Raw<unknown>, 'id'>): string {
  // 0 means none, so what expired before 1970 expires one millisecond later.
  const expiresAt = entry.expiresAt === undefined ? 0 : Math.min(Math.max(1, Math.trunc(entry.expiresAt)), latest)
  const expiry = String(expiresAt).padStart(timeDigits, '0')
  const indexed = entry.indexed ? JSON.stringify(entry.indexed) : ''
  return `${entry.version}${expiry}${indexed}\n${JSON.stringify(entry.value)}`
}

/** The entry of an envelope. What is no envelope of ours is a fault of the store's contents and throws a SyntaxError. */
export function decodeEntry<V>(id: string, envelope: string): Raw<V> {
  const split = envelope.indexOf('\n', headLength)
  if (split < 0) throw new SyntaxError('not an entry')
  const expiresAt = Number(envelope.slice(versionLength, headLength))
  const indexed = envelope.slice(headLength, split)
  return {
    id,
    value: JSON.parse(envelope.slice(split + 1)) as V,
    version: envelope.slice(0, versionLength),
    ...(expiresAt === 0 ? {} : { expiresAt }),
    ...(indexed === '' ? {} : { indexed: JSON.parse(indexed) as Indexed }),
  }
}

/** Without what only this engine knows. */
export function toStored<V>({ indexed: _, ...stored }: Raw<V>): Stored<V> {
  return stored
}

export interface Claim {
  readonly mark: string
  readonly id: string
}

export function decodeClaim(claim: string): Claim {
  return { mark: claim.slice(0, versionLength), id: claim.slice(headLength) }
}

/** What a member of a group begins with; the server adds when it joined. */
export function memberPrefix(place: number, mark: string): string {
  return String(place).padStart(placeDigits, '0') + mark
}

export interface Member {
  readonly prefix: string
  readonly place: number
  readonly mark: string
  readonly id: string
}

/** The form of `memberPrefix`, for cursors. */
export const prefixForm = new RegExp(`^\\d{${placeDigits}}[0-9A-Za-z]{${versionLength}}$`)

export function decodeMember(member: string): Member {
  const prefix = member.slice(0, placeDigits + versionLength)
  return {
    prefix,
    place: Number(member.slice(0, placeDigits)),
    mark: prefix.slice(placeDigits),
    id: member.slice(placeDigits + versionLength + timeDigits),
  }
}
