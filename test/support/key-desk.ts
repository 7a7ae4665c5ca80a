/**
 * Keys as two processes on one store have them, with owners and a clock that the test moves. The suites that must hold on every engine run
 * on SQLite and on one Redis.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import type { Allowed, CheckRequest, Denied, Verdict } from '../../src/keys/check.ts'
import type { KeyPolicy, Owner } from '../../src/keys/decide.ts'
import type { NewKey } from '../../src/keys/fields.ts'
import type { KeyKind } from '../../src/keys/key.ts'
import { createKeys, type Keys } from '../../src/keys/keys.ts'
import type { KeyNotice } from '../../src/keys/notices.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/store.ts'
import { startRedis } from './redis.ts'
import { skipWithout } from './tools.ts'

export const HOME = '203.0.113.7'
export const API = 'https://id.example/api/v1'
export const MCP = 'https://mcp.example/mcp'

const access = (name: string) => (name === 'api:admin' ? 'admin' : name.endsWith(':write') ? 'write' : 'read')
const names = ['api:read', 'api:write', 'api:admin', 'data:read', 'data:write', 'mcp:read', 'mcp:write']

export const policy: KeyPolicy = {
  scopes: Object.fromEntries(names.map((name) => [name, { access: access(name) }])),
  allowedScopes: names,
  resources: [
    { identifier: API, scopes: names },
    { identifier: MCP, scopes: ['mcp:read', 'mcp:write'] },
  ],
  defaultLifetimeSeconds: 90 * 86_400,
  maxLifetimeSeconds: 365 * 86_400,
}

export interface KeyDesk {
  readonly keys: Keys
  /** As a second process has them. */
  readonly other: Keys
  readonly store: Store
  /** Everything that was ever sent to the store, as text. */
  dump(): Promise<string>
  readonly owners: Map<string, Owner>
  readonly notices: KeyNotice[]
  readonly troubles: unknown[]
  now(): number
  pass(milliseconds: number): void
  /** Calls of the store by the first keys since the last question. */
  reads(): number
  newOwner(change?: Partial<Owner>): Owner
}

/** Counts the calls of a store that read entries or counters. */
export function countReads(store: Store): { store: Store; reads: () => number } {
  let count = 0
  const counted: Store = {
    ...store,
    find: (kind, id) => {
      count += 1
      return store.find(kind, id)
    },
  }
  return {
    store: counted,
    reads: () => {
      const before = count
      count = 0
      return before
    },
  }
}

/** Two sets of keys over two connections to one store. */
export function createKeyDesk(
  first: Store,
  second: Store,
  clock: { now: () => number; pass: (ms: number) => void },
): KeyDesk {
  const owners = new Map<string, Owner>()
  const notices: KeyNotice[] = []
  const troubles: unknown[] = []
  const { store, reads } = countReads(first)
  const keysOn = (on: Store): Keys => {
    const keys = createKeys({
      store: on,
      audit: createAudit({ store: on, now: clock.now }),
      now: clock.now,
      keyPrefix: 'licet',
      owners: { find: async (id) => owners.get(id) },
      policy,
      denialSeconds: 30 * 86_400,
      onTrouble: (error) => void troubles.push(error),
    })
    keys.onNotice(async (notice) => void notices.push(notice))
    return keys
  }
  return {
    keys: keysOn(store),
    other: keysOn(second),
    store: first,
    dump: () => dumpOf(first, [...owners.keys()]),
    owners,
    notices,
    troubles,
    ...clock,
    reads,
    newOwner(change = {}) {
      const id = `owner${owners.size}${Math.random().toString(36).slice(2, 8)}`
      const owner: Owner = {
        id,
        status: 'active',
        role: 'member',
        email: `${id}@example.test`,
        emailVerified: true,
        ...change,
      }
      owners.set(id, owner)
      return owner
    },
  }
}

async function dumpOf(store: Store, owners: readonly string[]): Promise<string> {
  const kinds = ['key', 'key_roster', 'key_use', 'key_notice', 'usage', 'elevation_request', 'denial'] as const
  const entries = await Promise.all(kinds.map((kind) => store.list(kind, { limit: 1000 })))
  const logs = await Promise.all(owners.map((id) => store.read(id, { limit: 1000 })))
  return JSON.stringify([entries, logs])
}

export interface Made {
  readonly credential: string
  readonly id: string
  readonly owned: { readonly ownerId: string; readonly id: string }
}

/** A key of that owner with `data:read` unless said otherwise. */
export async function newKey(
  { keys }: Pick<KeyDesk, 'keys'>,
  owner: Owner,
  wanted: Partial<NewKey> & { kind?: KeyKind } = {},
): Promise<Made> {
  const { kind = 'api_key', ...fields } = wanted
  const caller = { kind: 'account', id: owner.id, ip: HOME } as const
  const by = { ownerId: owner.id, kind }
  const { key, credential } = await keys.create(caller, by, { name: 'Deploy', scopes: ['data:read'], ...fields })
  return { credential, id: key.id, owned: { ownerId: owner.id, id: key.id } }
}

export const from = (ip = HOME, more: Partial<CheckRequest> = {}): CheckRequest => ({
  ip,
  userAgent: 'curl/8',
  request: 'GET /api/v1/things',
  ...more,
})

/** The reason of a refusal, `allowed` otherwise. */
export const outcome = (verdict: Verdict): string => (verdict.allowed ? 'allowed' : verdict.reason)

export function mustAllow(verdict: Verdict): Allowed {
  if (!verdict.allowed) throw new Error(`it was refused: ${verdict.reason}`)
  return verdict
}

export function mustDeny(verdict: Verdict): Denied {
  if (verdict.allowed) throw new Error('it was allowed')
  return verdict
}

/** Defines the same tests on SQLite and on Redis; `desk()` has a store of its own per engine. */
export function onEveryKeyStore(define: (desk: () => KeyDesk) => void): void {
  const engines = [
    { name: 'SQLite', skip: false as const, open: openSqlite },
    { name: 'Redis', skip: skipWithout('redis-server'), open: openRedis },
  ]
  for (const engine of engines) {
    describe(`on ${engine.name}`, { skip: engine.skip }, () => {
      let opened: Awaited<ReturnType<typeof openSqlite>>
      let desk: KeyDesk
      before(async () => {
        let time = Date.UTC(2026, 0, 1, 10)
        const pass = (milliseconds: number) => {
          time += milliseconds
        }
        const clock = { now: () => time, pass }
        opened = await engine.open()
        const [first, second] = await Promise.all([0, 1].map(() => openStore({ url: opened.url }, clock)))
        if (!first || !second) throw new Error('no store')
        desk = createKeyDesk(first, second, clock)
        const stop = opened.stop
        opened.stop = async () => {
          await Promise.all([first.close(), second.close()])
          await stop()
        }
      })
      after(async () => opened?.stop())
      define(() => desk)
    })
  }
}

async function openSqlite(): Promise<{ url: string; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'licet-keys-'))
  const stop = async () => rmSync(directory, { recursive: true, force: true })
  return { url: `sqlite:${join(directory, 'store.db')}`, stop }
}

async function openRedis(): Promise<{ url: string; stop: () => Promise<void> }> {
  const { url, stop } = await startRedis({ appendfsync: 'everysec' })
  return { url, stop }
}
