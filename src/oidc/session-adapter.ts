/**
 * Browser sessions. The library saves them last-write-wins at the end of every request; here a save is a merge into the version that is
 * stored, and a session that was ended meanwhile stays ended: a request in flight cannot undo a sign-out (threats.md SS2, RC6), and two tabs
 * do not lose each other's authorizations (RC7). A session that holds nothing is not stored at all.
 */
import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { Store, Stored } from '../storage/store.ts'
import { type AdapterParts, guardStore } from './adapter.ts'
import { artefactId, openArtefact, sealArtefact } from './artefacts.ts'
import type { LimitSessions } from './session-limit.ts'
import { type Artefact, currentContext, currentWork } from './work.ts'

/** What a session entry shows beside its sealed payload, for lists under Settings. */
interface SessionFacts {
  readonly ip: string
  readonly userAgent: string
}

interface SessionAdapterParts extends AdapterParts {
  readonly factsOf: (request: object) => SessionFacts
  readonly limitSessions: LimitSessions
}

export function createSessionAdapter(parts: SessionAdapterParts): Adapter {
  const { store, vault, now, factsOf, limitSessions } = parts

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

  /** Writes over the version that was read, joins with what others wrote meanwhile, and follows a session that got another id. */
  const merge = async (read: Stored<Artefact>, payload: AdapterPayload, expiresAt: number): Promise<void> => {
    const base = () => openArtefact(vault, 'Session', read.value)
    const write = (entry: Stored<Artefact>) =>
      store.update<Artefact>('session', entry.id, (value, { id, version }) => {
        const theirs = id === read.id && version === read.version ? undefined : openArtefact(vault, 'Session', value)
        return { value: storedSession(theirs ? joined(theirs, payload, base()) : payload, value), expiresAt }
      })
    if ((await write(read)).changed) return
    const work = currentWork()
    work.sessionEnded = true
    const moved = await store.findBy<Artefact>('session', 'uid', read.value.uid ?? '')
    if (moved) await write(moved)
  }

  /** The session under its new id, with what others wrote into it under the old one. */
  const renew = async (id: string, payload: AdapterPayload, expiresAt: number): Promise<void> => {
    const work = currentWork()
    const before = work.renewed
    const theirs = before && openArtefact(vault, 'Session', before.value)
    const whole = theirs ? { ...joined(theirs, payload, undefined), jti: payload.jti } : payload
    const stored = await store.put('session', { id, value: storedSession(whole, before?.value), expiresAt }, 'create')
    work.loaded.set(`session:${id}`, stored)
    // Between the two ids the session could not be found: whoever ended it then left word.
    if (before && (await store.count(endedCounter(payload.uid))).count > 0) {
      await store.remove('session', id)
      work.sessionEnded = true
      return
    }
    // Beside what is left to do: the answer waits for it, nothing else does.
    if (!payload.accountId || !payload.uid) return
    const limiting = limitSessions(payload.accountId, payload.uid)
    limiting.catch(() => undefined)
    work.pending.push(limiting)
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
      const read = work.loaded.get(`session:${key}`) ?? work.moved
      if (read) return merge(read, payload, expiresAt)
      if (work.sessionEnded) return
      if (!payload.accountId && !payload.state) {
        work.sessionEmpty = true
        return
      }
      await renew(key, payload, expiresAt)
    },
    async consume() {},
    async destroy(id) {
      const work = currentWork()
      const key = artefactId('Session', id)
      const read = work.loaded.get(`session:${key}`)
      if (work.signedOut) return void (read?.value.uid && (await endSession(store, read.value.uid)))
      // The id changes. What is not there any more was ended by somebody else and must not come back, or has got another id already.
      const renewed = await store.take<Artefact>('session', key)
      if (renewed) work.renewed = renewed
      if (renewed || !read) return
      work.sessionEnded = true
      const moved = await store.findBy<Artefact>('session', 'uid', read.value.uid ?? '')
      if (moved) work.moved = { ...moved, version: '' }
    },
    async revokeByGrantId() {},
  })
}

/** Both requests' authorizations; the form's secret from the one that changed it; the rest from the one that signed in last. */
function joined(theirs: AdapterPayload, ours: AdapterPayload, base: AdapterPayload | undefined): AdapterPayload {
  const newer = (ours.loginTs ?? 0) >= (theirs.loginTs ?? 0) ? ours : theirs
  const authorizations = { ...theirs.authorizations, ...ours.authorizations }
  const isUntouched = base !== undefined && base.state?.['secret'] === ours.state?.['secret']
  const { state } = isUntouched ? theirs : ours
  return { ...newer, jti: theirs.jti, authorizations, ...(state ? { state } : {}) } as AdapterPayload
}

const ENDED_SECONDS = 60
const endedCounter = (uid: unknown): string => `session-ended:${uid}`

/** Ends one session by its public id, also while it is changing its own; true if it was there. */
export async function endSession(store: Store, uid: string): Promise<boolean> {
  await store.increment(endedCounter(uid), ENDED_SECONDS)
  const session = await store.findBy<Artefact>('session', 'uid', uid)
  return session !== undefined && store.remove('session', session.id)
}
