/**
 * Browser sessions. The library saves them last-write-wins at the end of every request; here a save is a merge into the version that is
 * stored, and a session that was ended meanwhile stays ended: a request in flight cannot undo a sign-out (threats.md SS2, RC6), and two tabs
 * do not lose each other's authorizations (RC7). A session that holds nothing is not stored at all.
 */
import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { Store, Stored } from '../storage/store.ts'
import { type AdapterParts, guardStore } from './adapter.ts'
import { artefactId, openArtefact, sealArtefact } from './artefacts.ts'
import { type Artefact, currentContext, currentWork } from './work.ts'

/** What a session entry shows beside its sealed payload, for lists under Settings. */
interface SessionFacts {
  readonly ip: string
  readonly userAgent: string
}

export function createSessionAdapter(parts: AdapterParts & { factsOf: (request: object) => SessionFacts }): Adapter {
  const { store, vault, now, factsOf } = parts

  const remember = (stored: Stored<Artefact> | undefined): AdapterPayload | undefined => {
    if (!stored) return undefined
    currentWork().loaded.set(`session:${stored.id}`, stored)
    return openArtefact(vault, 'Session', stored.value)
  }

  const storedSession = (payload: AdapterPayload, before?: Artefact): Artefact => {
    const ctx = currentContext()
    return {
      ...sealArtefact(vault, 'Session', payload),
      createdAt: before?.['createdAt'] ?? now(),
      lastSeenAt: now(),
      ...(payload.loginTs ? { signedInAt: payload.loginTs * 1000 } : {}),
      ...(payload.acr ? { acr: payload.acr } : {}),
      ...(payload.amr ? { amr: payload.amr } : {}),
      ...(ctx ? factsOf(ctx.req) : {}),
    }
  }

  const merge = async (before: Stored<Artefact>, payload: AdapterPayload, expiresAt: number): Promise<void> => {
    const change = (value: Artefact, entry: Stored<Artefact>) => {
      const theirs = entry.version === before.version ? undefined : openArtefact(vault, 'Session', value)
      return { value: storedSession(theirs ? joined(theirs, payload) : payload, value), expiresAt }
    }
    const { changed } = await store.update('session', before.id, change, before)
    if (!changed) currentWork().sessionEnded = true
  }

  return guardStore({
    async find(id) {
      return remember(await store.find<Artefact>('session', artefactId('Session', id)))
    },
    async findByUid(uid) {
      return remember(await store.findBy<Artefact>('session', 'uid', uid))
    },
    async findByUserCode() {
      return undefined
    },
    async upsert(id, payload, expiresIn = 0) {
      const work = currentWork()
      const key = artefactId('Session', id)
      const expiresAt = now() + expiresIn * 1000
      const before = work.loaded.get(`session:${key}`)
      if (before) return merge(before, payload, expiresAt)
      if (work.sessionEnded) return
      if (!payload.accountId && !payload.state) {
        work.sessionEmpty = true
        return
      }
      const stored = await store.put('session', { id: key, value: storedSession(payload), expiresAt }, 'create')
      work.loaded.set(`session:${key}`, stored)
    },
    async consume() {},
    async destroy(id) {
      const existed = await store.remove('session', artefactId('Session', id))
      // Called before an id changes too: if it was gone already, somebody ended the session and it must not come back under a new id.
      if (!existed) currentWork().sessionEnded = true
    },
    async revokeByGrantId() {},
  })
}

/** Both requests' authorizations; the rest from the one that signed in last. */
function joined(theirs: AdapterPayload, ours: AdapterPayload): AdapterPayload {
  const newer = (ours.loginTs ?? 0) >= (theirs.loginTs ?? 0) ? ours : theirs
  return { ...newer, authorizations: { ...theirs.authorizations, ...ours.authorizations } }
}

/** Ends one session by its public id; true if it was there. */
export async function endSession(store: Store, uid: string): Promise<boolean> {
  const session = await store.findBy<Artefact>('session', 'uid', uid)
  return session ? store.remove('session', session.id) : false
}
