/**
 * The 16 hash-chained logs in Redis: each a stream, its tail and an index per account, in one hash slot by their tag.
 * Appends of this process to one log travel together; the script compares the tail, so two processes never continue the same link.
 */

import { emptyTail, logOf, nextLink, type Tail } from './chain.ts'
import { fromCursor, toCursor, unavailable } from './entry.ts'
import type { Lanes } from './redis-lanes.ts'
import { appendScript, readScript } from './redis-scripts.ts'
import type { LogPage, LogRecord } from './store.ts'

/** Records of one write; more would make the script long. */
const largestBatch = 200
/** Each failed attempt means that another process appended in between. */
const attempts = 100

const recordsKey = (log: number): string => `licet:log:{${log}}:records`
const tailKey = (log: number): string => `licet:log:{${log}}:tail`
const accountKey = (log: number, accountId: string): string => `licet:log:{${log}}:by:${accountId}`

interface Pending {
  readonly accountId: string
  readonly record: LogRecord['record']
  readonly resolve: (link: LogRecord) => void
  readonly reject: (error: unknown) => void
}

export interface Log {
  append(accountId: string, record: LogRecord['record']): Promise<LogRecord>
  read(accountId: string, cursor: string | undefined, limit: number): Promise<LogPage>
  readLog(log: number, fromSequence: number, limit: number): Promise<readonly LogRecord[]>
}

export function createLog(lanes: Lanes, now: () => number): Log {
  const writers = new Map<number, (pending: Pending) => void>()

  function writerOf(log: number): (pending: Pending) => void {
    const known = writers.get(log)
    if (known) return known
    const writer = createWriter(lanes, log, now)
    writers.set(log, writer)
    return writer
  }

  return {
    append: (accountId, record) =>
      new Promise((resolve, reject) => writerOf(logOf(accountId))({ accountId, record, resolve, reject })),
    async read(accountId, cursor, limit) {
      const log = logOf(accountId)
      const before = cursor === undefined ? '+inf' : fromCursor(cursor, /^\d{1,15}$/)[0]
      const keys: [string, string] = [recordsKey(log), accountKey(log, accountId)]
      const answer = await lanes.send({ name: readScript, keys, args: [before, limit + 1] })
      const found = toRecords(log, answer)
      const items = found.slice(0, limit)
      const last = items.at(-1)
      return found.length > limit && last ? { items, nextCursor: toCursor(String(last.sequence)) } : { items }
    },
    async readLog(log, fromSequence, limit) {
      const args = [`${Math.max(0, fromSequence)}-0`, '+', 'COUNT', limit]
      return toRecords(log, await lanes.send({ name: 'xrange', keys: [recordsKey(log)], args }))
    },
  }
}

/** Answers of XRANGE: `[["<sequence>-0", ["t", time, "h", hash, "r", JSON]], …]`. */
function toRecords(log: number, answer: unknown): LogRecord[] {
  return (answer as [string, string[]][]).map(([id, [, at, , hash = '', , json = '{}']]) => ({
    log,
    sequence: Number.parseInt(id, 10),
    at: Number(at),
    hash,
    record: JSON.parse(json) as LogRecord['record'],
  }))
}

/** One write at a time per log; what arrives meanwhile shares the next one. */
function createWriter(lanes: Lanes, log: number, now: () => number): (pending: Pending) => void {
  let queue: Pending[] = []
  let writing = false
  let tail: Tail | undefined

  async function writeAll(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, largestBatch)
      queue = queue.slice(largestBatch)
      try {
        const links = await write(batch)
        for (const [index, { resolve }] of batch.entries()) resolve(links[index] as LogRecord)
      } catch (error) {
        tail = undefined
        for (const { reject } of batch) reject(error)
      }
    }
    writing = false
  }

  async function write(batch: readonly Pending[]): Promise<LogRecord[]> {
    const keys: [string, ...string[]] = [
      recordsKey(log),
      tailKey(log),
      ...batch.map(({ accountId }) => accountKey(log, accountId)),
    ]
    tail ??= parseTail(await lanes.send({ name: 'get', keys: [tailKey(log)] }))
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const links = chain(tail, batch)
      const last: Tail = links.at(-1) ?? tail
      const records = links.flatMap(({ sequence, at, hash, record }) => [sequence, at, hash, JSON.stringify(record)])
      const args = [formatTail(tail), formatTail(last), ...records]
      const answer = await lanes.send({ name: appendScript, keys, args, durable: true })
      tail = answer === 1 ? { sequence: last.sequence, hash: last.hash } : parseTail(answer)
      if (answer === 1) return links
    }
    throw unavailable(new Error(`log ${log} is being written by others`))
  }

  function chain(from: Tail, batch: readonly Pending[]): LogRecord[] {
    let last: Tail = from
    return batch.map(({ record }) => {
      const link = nextLink(last, { log, at: now(), record })
      last = link
      return link
    })
  }

  return (pending) => {
    queue.push(pending)
    if (writing) return
    writing = true
    void writeAll()
  }
}

function formatTail({ sequence, hash }: Tail): string {
  return sequence === 0 ? '' : `${sequence} ${hash}`
}

function parseTail(text: unknown): Tail {
  if (typeof text !== 'string' || text === '') return emptyTail
  const [sequence, hash = ''] = text.split(' ')
  return { sequence: Number(sequence), hash }
}
