/**
 * Fifteen thousand requests that are almost right, to every protocol endpoint and form: parameters dropped, repeated, bent and blown up, wrong
 * encodings, types, methods and headers. Another seed: run this file itself with `--seed=N`.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { type Answer, openConnection } from './connection.ts'
import { type Change, changedRequests, write } from './requests.ts'
import { type Footprint, faultOf, startTarget, type Target } from './target.ts'

const { values } = parseArgs({ options: { seed: { type: 'string', default: '20260101' } }, strict: false })
const SEED = Number(values.seed)
const REQUESTS = 15_000
const AT_ONCE = 16
const PER_BATCH = 32

let target: Target
before(async () => {
  target = await startTarget()
})
after(() => target?.stop())

test(`a malformed request is never a 5xx, a hang, a leak or a stored kilobyte: ${REQUESTS} requests`, async (t) => {
  t.diagnostic(`seed ${SEED}`)
  const connections = Array.from({ length: AT_ONCE }, () => openConnection(target.port))
  t.after(() => {
    for (const connection of connections) connection.close()
  })
  const seen = new Map<string, number>()
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
  let sent = 0

  const send = async (template: number, changes: readonly Change[], at: number): Promise<string | undefined> => {
    sent += 1
    // Everybody comes from an address of their own: limits per address are not what is tested.
    const address = `10.${(sent >> 16) & 255}.${(sent >> 8) & 255}.${sent & 255}`
    const valid = target.templates[template]
    assert.ok(valid)
    const bytes = write(valid, changes, target.host, [['x-forwarded-for', address]])
    const isHead = bytes.subarray(0, 5).toString() === 'HEAD '
    const answer = await connections[at % AT_ONCE]?.exchange(bytes, isHead)
    assert.ok(answer)
    count(String(answer.status))
    const promise = promiseOf(valid.path, answer)
    if (promise) count(promise)
    const fault = faultOf(answer)
    return fault && `${valid.method} ${valid.path} ${JSON.stringify(changes).slice(0, 600)}: ${fault}`
  }

  /** One connection sends one request after the other. */
  const sendAll = async (batch: readonly { template: number; changes: readonly Change[] }[]): Promise<string[]> => {
    const lanes = Array.from({ length: AT_ONCE }, async (_, lane) => {
      const faults: (string | undefined)[] = []
      for (let at = lane; at < batch.length; at += AT_ONCE) {
        const one = batch[at]
        if (one) faults.push(await send(one.template, one.changes, lane))
      }
      return faults
    })
    return (await Promise.all(lanes)).flat().filter((fault) => fault !== undefined)
  }

  // The valid ones first: they must be understood, and everything that is loaded once is loaded.
  const plain = target.templates.map((_, template) => ({ template, changes: [] }))
  assert.deepEqual(await sendAll(plain), [])
  const before = target.footprint()
  let memory = target.memory()

  const batches = fc.array(changedRequests(target.templates.length), {
    minLength: 1,
    maxLength: PER_BATCH,
    size: 'max',
  })
  const property = fc.asyncProperty(batches, async (batch) => {
    assert.deepEqual(await sendAll(batch), [])
  })
  for (let round = 0; sent < REQUESTS; round += 1) {
    await fc.assert(property, { seed: SEED + round, numRuns: 100, interruptAfterTimeLimit: 100_000 })
    if (sent < REQUESTS / 3) memory = target.memory()
  }

  const grown = target.memory() - memory
  const after = target.footprint()
  const counts = [...seen].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `${what} ×${count}`)
  t.diagnostic(`${sent} requests: ${counts.join(', ')}`)
  t.diagnostic(`memory ${Math.round(target.memory())} MB, ${Math.round(grown)} MB more than after a third`)
  assertStoredOnly(before, after, seen)
  // Without a leak everything has about its size by then.
  assert.ok(grown < 220 && target.memory() < 700, `memory grew by ${grown} MB`)
})

/** What an app that proved itself did is counted in entries of the app: who calls, the day's calls (the turn of a day makes two), what its software needed. */
const COUNTED: Readonly<Record<string, number>> = { key_use: 1, usage: 2, client_software: 1 }
/** However often and from however many addresses an app calls, such an entry has at most this size. */
const COUNTED_BYTES = 32_768

/** What was stored belongs to answers that say so, is small, and goes by itself. */
function assertStoredOnly(before: Footprint, after: Footprint, seen: ReadonlyMap<string, number>): void {
  assert.deepEqual(after.lasting, before.lasting, 'nothing that stays was stored')
  assert.equal(after.strangers, 0, 'nothing of a stranger stays long')
  const limits: Record<string, number> = {
    interaction: seen.get('began a sign-in') ?? 0,
    authorization_code: seen.get('got a code') ?? 0,
    grant: seen.get('got a code') ?? 0,
    pushed_request: seen.get('pushed') ?? 0,
    device_code: seen.get('began with a device') ?? 0,
    session: seen.get('got a session') ?? 0,
    // Of one credential at most a hundred an hour, whoever sends how much.
    denial: 100 * target.apps,
  }
  for (const [kind, { rows, bytes }] of Object.entries(after.expiring)) {
    const known = before.expiring[kind] ?? { rows: 0, bytes: 0 }
    const [newRows, newBytes] = [rows - known.rows, bytes - known.bytes]
    const each = COUNTED[kind]
    if (each !== undefined) {
      assert.ok(newRows <= each * target.apps, `${newRows} entries of ${kind} for ${target.apps} apps`)
      assert.ok(newBytes <= rows * COUNTED_BYTES, `${rows} entries of ${kind} have ${newBytes} bytes more`)
      continue
    }
    if (kind === 'counter')
      assert.ok(newRows === 0 || newBytes / newRows < 100, `counters with long names: ${newBytes} bytes`)
    else assert.ok(newRows <= (limits[kind] ?? 0), `${newRows} entries of ${kind} for ${limits[kind] ?? 0} answers`)
    assert.ok(newBytes <= newRows * 2048 + 16_384, `${newRows} entries of ${kind} have ${newBytes} bytes`)
  }
  const { 'sign_in.refused': refused = 0, 'app.token_issued': issued = 0, ...noted } = after.noted
  const { 'sign_in.refused': refusedBefore = 0, 'app.token_issued': issuedBefore = 0, ...notedBefore } = before.noted
  assert.deepEqual(noted, notedBefore, 'the audit tells of nothing but refused sign-ins and tokens of services')
  assert.ok(refused - refusedBefore <= (seen.get('tried a password') ?? 0))
  assert.ok(issued - issuedBefore <= (seen.get('got a token') ?? 0))
}

/** What an answer says was begun. */
function promiseOf(path: string, { status, head, body }: Answer): string | undefined {
  if (/\r\nlocation: [^\r]*\/interaction\//i.test(head)) return 'began a sign-in'
  if (/\r\nlocation: [^\r]*[?&]code=/i.test(head) || body.includes('name="code"')) return 'got a code'
  if (status === 201 && body.includes('request_uri')) return 'pushed'
  if (status === 200 && body.includes('"access_token"')) return 'got a token'
  if (status === 200 && body.includes('"user_code"')) return 'began with a device'
  if (/\r\nset-cookie: __Host-licet_session=[^;]/i.test(head)) return 'got a session'
  return path.endsWith('/sign-in') ? 'tried a password' : undefined
}
