/**
 * Lifting one personal access token to one scope for 15 minutes. A refused call leaves a request; its owner approves it once, after a fresh
 * second factor, which the page demands. What was lifted falls back by itself and with the secret it was given to.
 */
import { AppError, hasCode } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { barrierTo, type KeyPolicy, type Owner } from './decide.ts'
import { type Key, type KeyRecord, stateOf, toKey } from './key.ts'

/** The stored value of kind `elevation_request`. */
interface ElevationRecord {
  readonly ownerId: string
  readonly keyId: string
  readonly scope: string
  readonly secretNumber: number
  readonly askedAt: number
  readonly ip?: string
  readonly userAgent?: string
}

/** A request as its owner sees it. Times are milliseconds since 1970. */
export interface ElevationRequest extends ElevationRecord {
  readonly id: string
  readonly expiresAt: number
}

export interface Elevations {
  /** The request of that token for that scope: made, or the one that is open. `key` and `scope` come from a refusal that names `elevation`. */
  ask(key: Key, scope: string, from: { ip: string; userAgent: string }): Promise<ElevationRequest>
  /** An open request, for its owner only. @throws not_found */
  getOwned(ownerId: string, id: string): Promise<ElevationRequest>
  /** The latest first. */
  listOpen(ownerId: string): Promise<ElevationRequest[]>
  /**
   * Lifts the token, once per request. Call it only after a fresh second factor of the owner.
   * @throws not_found for strangers and for a request that is gone or was answered, conflict when the token was rotated or ended meanwhile.
   */
  approve(caller: Caller, ownerId: string, id: string): Promise<Key>
  /** Answers a request with no. @throws not_found */
  refuse(caller: Caller, ownerId: string, id: string): Promise<void>
}

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly policy: KeyPolicy
  readonly owners: { find(id: string): Promise<Owner | undefined> }
  readonly onChange: (keyId: string) => void
}

export const ELEVATION_MS = 15 * 60_000
const REQUEST_MS = 15 * 60_000

export function createElevations(dependencies: Dependencies): Elevations {
  const { store, audit, now } = dependencies

  const getOwned: Elevations['getOwned'] = async (ownerId, id) => {
    const entry = await store.find<ElevationRecord>('elevation_request', id)
    if (entry?.value.ownerId !== ownerId) throw missing()
    return { ...entry.value, id, expiresAt: entry.expiresAt ?? now() }
  }

  /** The request, gone from now on: of racing answers one gets it, and no stranger can use it up. */
  const takeOwned = async (ownerId: string, id: string): Promise<ElevationRecord> => {
    await getOwned(ownerId, id)
    const taken = await store.take<ElevationRecord>('elevation_request', id)
    if (!taken) throw missing()
    return taken.value
  }

  return {
    async ask(key, scope, from) {
      const askedAt = now()
      const userAgent = from.userAgent.slice(0, 256)
      const { ownerId, secretNumber, id: keyId } = key
      const value: ElevationRecord = { ownerId, keyId, scope, secretNumber, askedAt, ip: from.ip, userAgent }
      // One open request per token, secret and scope, however often the call is repeated.
      const id = digest('elevation request', `${keyId}\n${secretNumber}\n${scope}`)
      const expiresAt = askedAt + REQUEST_MS
      try {
        await store.put('elevation_request', { id, value, expiresAt }, 'create')
        return { ...value, id, expiresAt }
      } catch (error) {
        if (!hasCode(error, 'conflict')) throw error
        return getOwned(ownerId, id)
      }
    },
    getOwned,
    async listOpen(ownerId) {
      const { items } = await store.list<ElevationRecord>('elevation_request', { group: 'ownerId', value: ownerId })
      return items.map(({ id, value, expiresAt = now() }) => ({ ...value, id, expiresAt }))
    },
    async approve(caller, ownerId, id) {
      const { scope, keyId } = await getOwned(ownerId, id)
      const entry = { event: 'token.lifted', accountId: ownerId, subject: keyId, details: { scope } }
      return audit.record(caller, entry, async () => lift(dependencies, await takeOwned(ownerId, id)))
    },
    async refuse(caller, ownerId, id) {
      const { scope, keyId } = await getOwned(ownerId, id)
      const entry = { event: 'token.lift_refused', accountId: ownerId, subject: keyId, details: { scope } }
      await audit.record(caller, entry, async () => void (await takeOwned(ownerId, id)))
    },
  }
}

async function lift(dependencies: Dependencies, request: ElevationRecord): Promise<Key> {
  const { store, now, policy, owners, onChange } = dependencies
  const { keyId, scope, secretNumber } = request
  const owner = await owners.find(request.ownerId)
  if (owner?.status !== 'active' || barrierTo(scope, owner, policy) !== undefined) throw ended()
  const { entry, changed } = await store.update<KeyRecord>('key', keyId, (record) => {
    if (!isLiftable(record, secretNumber, now())) return undefined
    return { value: { ...record, elevation: { scope, until: now() + ELEVATION_MS, secretNumber } } }
  })
  onChange(keyId)
  if (!entry || !changed) throw ended()
  return toKey(entry, now())
}

/** A root token that works, with the secret that asked. */
function isLiftable(record: KeyRecord, secretNumber: number, now: number): boolean {
  const state = stateOf(record, now)
  const works = state === 'active' || state === 'rotating'
  const isRootToken = record.kind === 'personal_access_token' && record.ancestors.length === 0
  return works && isRootToken && record.current.number === secretNumber
}

function missing(): AppError {
  return new AppError('not_found', 'There is no such request, or it was answered already.')
}

function ended(): AppError {
  return new AppError('conflict', 'The token has changed since. Try the call again.')
}
