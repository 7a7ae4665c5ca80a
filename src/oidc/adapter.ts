/**
 * The library's storage adapter over our store. It makes single use real: what is redeemed with an answer is only marked here and
 * consumed in one compare-and-set when the answer is ready (`redemption.ts`, `refresh.ts`); what is written back is written only over the version
 * that was read. Sessions have their own rules (`session-adapter.ts`), apps come from `clients.ts`, access tokens from `access-tokens.ts`.
 * Revocation is the removal of the grant, which every use checks; `revokeByGrantId` therefore has nothing to do.
 */
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider'
import { AppError } from '../errors.ts'
import type { Vault } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import {
  artefactId,
  CLOCK_TOLERANCE_SECONDS,
  type Model,
  models,
  openArtefact,
  sealArtefact,
  userCodeDigest,
} from './artefacts.ts'
import { type Artefact, currentContext, currentWork, servedOrRefused } from './work.ts'

export interface AdapterParts {
  readonly store: Store
  readonly vault: Vault
  readonly now: () => number
}

export function createArtefactAdapter({ store, vault, now }: AdapterParts, model: Model): Adapter {
  const { kind, redeemed } = models[model]

  /** What pages have read, for they have no protocol request to keep it with: saves the read before the write of their answer. */
  const readByPages = new Map<string, Stored<Artefact>>()

  const remember = (stored: Stored<Artefact> | undefined): AdapterPayload | undefined => {
    if (!stored) return undefined
    if (currentContext()) currentWork().loaded.set(`${kind}:${stored.id}`, stored)
    else if (model === 'Interaction') keepAtMost(readByPages, stored)
    const payload = openArtefact(vault, model, stored.value)
    // At the token endpoint a used refresh token may be an honest retry: `refresh.ts` decides, once the request has been checked.
    if (payload && model === 'RefreshToken' && currentContext()?.oidc.route === 'token') delete payload.consumed
    // Kept for its owner's sake only: by our clock it has ended.
    const isOver = model === 'RefreshToken' && (stored.expiresAt ?? Infinity) - EXPLAINED_SECONDS * 1000 <= now()
    return payload && isOver ? { ...payload, exp: 1 } : payload
  }

  const known = (id: string) => currentWork().loaded.get(`${kind}:${id}`)

  const writeBack = async (before: Stored<Artefact>, value: Artefact, expiresAt: number): Promise<void> => {
    const change = (_now: Artefact, entry: Stored<Artefact>) =>
      entry.version === before.version ? { value, expiresAt } : undefined
    const { changed, entry } = await store.update(kind, before.id, change, before)
    if (!changed || !entry) throw new errors.InvalidRequest('this request was answered elsewhere in the meantime')
    // The library may write again in the same request: over its own write then.
    currentWork().loaded.set(`${kind}:${entry.id}`, entry)
  }

  /** An answer is kept while somebody still waits for it; it never brings an interaction back that was used up meanwhile (CS6). */
  const keepAnswer = async (id: string, value: Artefact, expiresAt: number): Promise<void> => {
    const before = readByPages.get(id)
    readByPages.delete(id)
    const { changed } = await store.update<Artefact>(kind, id, () => ({ value, expiresAt }), before)
    if (!changed) throw new AppError('gone', 'This sign-in was finished already.')
  }

  return guardStore({
    async find(id) {
      const key = artefactId(model, id)
      // A resumed interaction is used up by whoever resumes it: one read, one winner.
      if (model === 'Interaction' && isResume()) return remember(await store.take<Artefact>(kind, key))
      return remember(await store.find<Artefact>(kind, key))
    },
    async findByUserCode(userCode) {
      return remember(await store.findBy<Artefact>(kind, 'userCodeDigest', userCodeDigest(vault, userCode)))
    },
    async findByUid() {
      return undefined
    },
    async upsert(id, payload, expiresIn = 0) {
      const key = artefactId(model, id)
      const kept = model === 'RefreshToken' ? EXPLAINED_SECONDS : CLOCK_TOLERANCE_SECONDS
      const expiresAt = now() + (expiresIn + kept) * 1000
      const found = model === 'Grant' ? currentWork().grantFields : undefined
      const value = { ...sealArtefact(vault, model, payload), ...found }
      const before = known(key)
      if (model === 'DeviceCode' && before) return writeBack(before, { ...before.value, ...value }, expiresAt)
      // Pages write into an interaction from outside the protocol's requests; only these begin one.
      if (model === 'Interaction' && !currentContext()) return keepAnswer(key, value, expiresAt)
      if (model === 'RefreshToken') currentWork().childId = key
      await store.put(kind, { id: key, value, expiresAt }, 'replace')
    },
    async consume(id) {
      const key = artefactId(model, id)
      const stored = known(key)
      if (!stored) throw new errors.InvalidGrant('unknown artefact')
      if (redeemed === 'at_answer') {
        const grantId = openArtefact(vault, model, stored.value)?.grantId
        currentWork().redemption = { kind, id: key, stored, ...(grantId ? { grantId } : {}) }
        return
      }
      const { changed } = await store.update<Artefact>(
        kind,
        key,
        (value) => (value.consumedAt === undefined ? { value: { ...value, consumedAt: now() } } : undefined),
        stored,
      )
      if (!changed) throw new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used')
    },
    async destroy(id) {
      const key = artefactId(model, id)
      if (model === 'Interaction' && isResume() && known(key)) return
      // The grant ends first, and the audit learns of it: a revocation that broke off in between is found and finished by its retry.
      if (currentContext()?.oidc.route === 'revocation' && model !== 'Grant')
        return void currentWork().lastly.push(() => store.remove(kind, key))
      await store.remove(kind, key)
    },
    async revokeByGrantId() {},
  })
}

/** Seconds that a refresh token which has ended is still known, so that its owner can learn why it was refused. The library sees that it has ended. */
const EXPLAINED_SECONDS = 7 * 86_400

const READ_BY_PAGES_AT_MOST = 256

function keepAtMost(read: Map<string, Stored<Artefact>>, stored: Stored<Artefact>): void {
  const [oldest] = read.keys()
  if (oldest !== undefined && read.size >= READ_BY_PAGES_AT_MOST) read.delete(oldest)
  read.set(stored.id, stored)
}

/** Lets a failing store be told from a failing request: the endpoint then answers 503 instead of the library's 500. */
export function guardStore(adapter: Adapter): Adapter {
  const guarded = Object.entries(adapter).map(([name, operation]) => [
    name,
    (...parameters: unknown[]) =>
      servedOrRefused(async () => (operation as (...all: unknown[]) => Promise<unknown>)(...parameters)),
  ])
  return Object.fromEntries(guarded) as unknown as Adapter
}

function isResume(): boolean {
  const route = currentContext()?.oidc.route
  return route === 'resume' || route === 'device_resume'
}
