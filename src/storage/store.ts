/**
 * What a store promises. Two engines keep these promises (`sqlite.ts`, `redis.ts`), and `test/storage/contract.ts`
 * holds one test per sentence. Nothing here knows what is stored: `kinds.ts` names the kinds and their indexes.
 *
 * One entry changes atomically; nothing ever needs two entries to change at once. Unique values are claimed and
 * groups joined first, then the entry is written, so that a crash never leaves an entry its groups do not know; a reader ignores every claim or group member that no entry confirms.
 * An engine that cannot answer in time throws `AppError('store_unavailable')`: the operation has then failed or is unknown,
 * and the caller must not report success.
 */
import type { Kind } from './kinds.ts'

/** An entry as read. `version` changes with every write and is never reused. `expiresAt` is milliseconds since 1970. */
export interface Stored<V> {
  readonly id: string
  readonly value: V
  readonly version: string
  readonly expiresAt?: number
}

/** An entry to write. Without `expiresAt` it stays until removed. `value` is plain JSON. */
export interface Entry<V> {
  readonly id: string
  readonly value: V
  readonly expiresAt?: number
}

/** What `update` did: `entry` is the entry as it stands now, absent when there is none. */
export interface Updated<V> {
  readonly changed: boolean
  readonly entry?: Stored<V>
}

export interface Page<V> {
  readonly items: readonly Stored<V>[]
  /** Absent on the last page. Opaque: only valid for the same kind, group and value. */
  readonly nextCursor?: string
}

/** One record of an audit log with its place in the hash chain. */
export interface LogRecord {
  readonly log: number
  readonly sequence: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** SHA-256 over the previous hash and this record, base64url. */
  readonly hash: string
  readonly record: Readonly<Record<string, unknown>>
}

export interface Store {
  /** The entry, or undefined when there is none or its `expiresAt` is past by the injected clock, whatever the engine still holds. */
  find<V>(kind: Kind, id: string): Promise<Stored<V> | undefined>
  /** The one entry whose unique field `field` holds `value`, confirmed by the entry itself. */
  findBy<V>(kind: Kind, field: string, value: string): Promise<Stored<V> | undefined>
  /**
   * Entries of a group (`field` of the kind's groups), newest first, or every entry of a kind in any order when `group` is absent.
   * `limit` 1–1000, default 50. Paged by an index, never by a scan, when a group is named. Expired and unconfirmed members are skipped.
   */
  list<V>(kind: Kind, options?: ListOptions): Promise<Page<V>>
  /**
   * Writes a whole entry. `create` throws `conflict` when the id exists; both modes throw `conflict` when another living entry
   * holds one of its unique values. Of any number of racing creators of one id or one unique value exactly one succeeds.
   */
  put<V>(kind: Kind, entry: Entry<V>, mode: 'create' | 'replace'): Promise<Stored<V>>
  /**
   * Compare-and-set: reads, asks `change` for the new value, writes only if nobody wrote in between, else asks again.
   * `change` returns undefined to leave the entry as it is (`changed: false`). It may be called several times and must have no effects.
   * `known`, an entry read before, saves the first read. The write keeps `expiresAt` unless `change` gives another.
   */
  update<V>(kind: Kind, id: string, change: Change<V>, known?: Stored<V>): Promise<Updated<V>>
  /** Removes and returns. Of any number of racing callers exactly one gets the entry: the single-use gate. */
  take<V>(kind: Kind, id: string): Promise<Stored<V> | undefined>
  /** Removes; true if a living entry was there. Its unique values are free afterwards. */
  remove(kind: Kind, id: string): Promise<boolean>
  /** Removes every entry of the group; the number removed. */
  removeGroup(kind: Kind, group: string, value: string): Promise<number>
  /**
   * Adds `by` (default 1) to a counter that forgets itself `windowSeconds` after its first addition; of racing callers each sees a
   * different count. Counters may be lost when the engine is.
   */
  increment(counter: string, windowSeconds: number, by?: number): Promise<Counted>
  /** The counter's present count without adding, 0 when there is none. */
  count(counter: string): Promise<Counted>
  /** Appends to the hash-chained log of that account (one of 16, chosen by the account's id); durable when it returns. */
  append(accountId: string, record: Readonly<Record<string, unknown>>): Promise<LogRecord>
  /** Records of one account, newest first. */
  read(accountId: string, options?: { cursor?: string; limit?: number }): Promise<LogPage>
  /** One whole log (0–15) from `fromSequence`, oldest first: for verification and export. */
  readLog(log: number, fromSequence: number, limit: number): Promise<readonly LogRecord[]>
  /** Answers when the engine can read and write; throws `store_unavailable` otherwise. */
  ping(): Promise<void>
  /** What an operator should know about the engine; `problems` make production refuse to start, `warnings` are printed. */
  inspect(): Promise<StoreReport>
  close(): Promise<void>
}

export interface StoreReport {
  readonly engine: string
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

export interface ListOptions {
  readonly group?: string
  readonly value?: string
  readonly cursor?: string
  readonly limit?: number
}

export interface LogPage {
  readonly items: readonly LogRecord[]
  readonly nextCursor?: string
}

export interface Counted {
  readonly count: number
  /** Seconds until the counter forgets itself, rounded up; 0 when there is none. */
  readonly resetSeconds: number
}

/** Returns the new value (and expiry), or undefined to leave the entry alone. */
export type Change<V> = (value: V, entry: Stored<V>) => { value: V; expiresAt?: number } | undefined
