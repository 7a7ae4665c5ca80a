/**
 * Whose a credential is: from its text to the key, its ancestors and its owner as they stand. A wrong checksum costs no look-up; a key that was
 * seen before costs one journey to the store at most, and none while it is fresh. A secret that the entry in memory does not know is looked for in the store before it is
 * called unknown: it may have been made a moment ago by another process.
 */
import type { Store, Stored } from '../storage/store.ts'
import type { Owner, Standing } from './decide.ts'
import { createFresh, type Fact, FRESH_MS } from './fresh.ts'
import type { KeyId, KeyRecord } from './key.ts'
import { isKeyCredential, keyIdFrom, matchSecret, type SecretUse, secretDigest } from './secret.ts'

export interface Known extends Standing {
  readonly known: true
  readonly id: KeyId
  readonly secretNumber: number
}

/** `malformed` was not looked up; `unknown` was. Outside both are the same. */
export type Looked = Known | { readonly known: false; readonly reason: 'malformed' | 'unknown' }

export interface Look {
  find(credential: string): Promise<Looked>
  /** The key as it stands, whoever asks: for what was made from it. */
  findById(id: KeyId): Promise<Known | undefined>
  /** Drops what is known of a key, or of an owner: the next look reads. */
  forgetKey(id: string): void
  forgetOwner(id: string): void
}

interface Dependencies {
  readonly store: Pick<Store, 'find'>
  readonly now: () => number
  readonly keyPrefix: string
  readonly owners: { find(id: string): Promise<Owner | undefined> }
}

const KEYS_LIMIT = 50_000
const OWNERS_LIMIT = 20_000
const UNKNOWN_LIMIT = 10_000

export function createLook({ store, now, keyPrefix, owners }: Dependencies): Look {
  const load = (id: string) => store.find<KeyRecord>('key', id)
  const keys = createFresh<Stored<KeyRecord>>({ load, now, limit: KEYS_LIMIT })
  const people = createFresh<Owner>({ load: (id) => owners.find(id), now, limit: OWNERS_LIMIT })
  const unknown = createUnknown(now)
  const kin = createKin()

  /** What a key seen before stands on is read along with it, not after it. */
  const readAhead = (id: KeyId): void => {
    const known = kin.get(id)
    if (!known) return
    // Whoever needs the fact waits for the same read, and hears of its failure.
    for (const reading of [people.get(known.ownerId), ...known.ancestors.map((ancestor) => keys.get(ancestor))])
      reading.catch(() => undefined)
  }

  const findSecret = async (id: KeyId, digest: string) => {
    const begun = keys.turn()
    const match = ({ value: entry }: Fact<Stored<KeyRecord>>) => {
      const matched = entry && matchSecret(entry.value, digest)
      return matched && { key: entry.value, ...matched }
    }
    const fact = await keys.get(id)
    const found = match(fact)
    return found || fact.turn > begun ? found : match(await keys.reread(id))
  }

  const withOthers = async (id: KeyId, { key, use, number }: { key: KeyRecord; use: SecretUse; number: number }) => {
    kin.keep(id, key)
    const [owner, ...ancestors] = await Promise.all([
      people.get(key.ownerId).then(({ value }) => value),
      ...key.ancestors.map(async (ancestor) => (await keys.get(ancestor)).value?.value),
    ])
    return { known: true, id, key, use, secretNumber: number, owner, ancestors } as const
  }

  return {
    async find(credential) {
      if (!isKeyCredential(keyPrefix, credential)) return { known: false, reason: 'malformed' }
      const digest = secretDigest(credential)
      if (unknown.has(digest)) return { known: false, reason: 'unknown' }
      const id = keyIdFrom(credential)
      readAhead(id)
      const found = await findSecret(id, digest)
      if (!found) {
        unknown.add(digest)
        return { known: false, reason: 'unknown' }
      }
      return withOthers(id, found)
    },
    async findById(id) {
      readAhead(id)
      const key = (await keys.get(id)).value?.value
      return key && withOthers(id, { key, use: 'current', number: key.current.number })
    },
    forgetKey: (id) => keys.forget(id),
    forgetOwner: (id) => people.forget(id),
  }
}

/** Whose a key is and what it descends from, which never changes while there is one. */
function createKin() {
  const kept = new Map<string, Pick<KeyRecord, 'ownerId' | 'ancestors'>>()
  return {
    get: (id: string) => kept.get(id),
    keep(id: string, { ownerId, ancestors }: KeyRecord): void {
      if (kept.has(id)) return
      kept.set(id, { ownerId, ancestors })
      if (kept.size > KEYS_LIMIT) for (const oldest of kept.keys()) if (kept.delete(oldest)) break
    },
  }
}

/** Credentials that were not there a moment ago: asked again, they cost no read. A key that is made later has another secret. */
function createUnknown(now: () => number) {
  const seen = new Map<string, number>()
  return {
    has(digest: string): boolean {
      const at = seen.get(digest)
      return at !== undefined && at <= now() && now() - at < FRESH_MS
    },
    add(digest: string): void {
      seen.delete(digest)
      seen.set(digest, now())
      if (seen.size > UNKNOWN_LIMIT) for (const oldest of seen.keys()) if (seen.delete(oldest)) break
    },
  }
}
