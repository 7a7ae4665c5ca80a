/**
 * The hash chain of the 16 logs: which log an account writes to, and what binds a record to the one before it.
 * Engines store the links in one unbroken sequence per log; who verifies or exports a log recomputes the hashes with `chainHash`.
 */
import { hash } from 'node:crypto'
import type { LogRecord } from './store.ts'

/** How many logs there are. Changing it would orphan every record. */
export const logCount = 16

/** The last link of a log; `sequence` 0 and an empty hash before the first record. */
export interface Tail {
  readonly sequence: number
  readonly hash: string
}

export const emptyTail: Tail = { sequence: 0, hash: '' }

/** The log (0–15) of an account: the first byte of SHA-256 over its id, so every process and every version agrees. */
export function logOf(accountId: string): number {
  return (hash('sha256', accountId, 'buffer')[0] ?? 0) % logCount
}

/**
 * The hash of a record: SHA-256 over the previous record's hash, its place, its time and its JSON, base64url.
 * A record changed, removed, moved or inserted later does not fit the hash of its successor.
 */
export function chainHash(previousHash: string, link: Omit<LogRecord, 'hash'>): string {
  return hash('sha256', JSON.stringify([previousHash, link.log, link.sequence, link.at, link.record]), 'base64url')
}

/** The next link after `tail`. `record` is kept as its JSON reads back, so that the hash can be recomputed from storage. */
export function nextLink(tail: Tail, entry: { log: number; at: number; record: LogRecord['record'] }): LogRecord {
  const record = JSON.parse(JSON.stringify(entry.record)) as LogRecord['record']
  const link = { log: entry.log, sequence: tail.sequence + 1, at: entry.at, record }
  return { ...link, hash: chainHash(tail.hash, link) }
}
