/**
 * Registered apps: those of the configuration, in memory, and stored ones. Configured ones win and cannot be changed here.
 * Every change names its caller and is noted once in the audit; whoever caches apps listens with `onChange`. What apps may do at the
 * protocol's endpoints is decided in `oidc/`.
 */
import { AppError, hasCode } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { OverlapWish } from '../overlap.ts'
import { randomId } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { type App, type AppRecord, type AppSecret, usageSubject } from './app.ts'
import type { ClientDocuments } from './client-documents.ts'
import { type ConfiguredApp, takeConfigured } from './configured.ts'
import type { ScopeRules } from './fields.ts'
import { createFind } from './find.ts'
import { logoId } from './logos.ts'
import type { NameGuard } from './lookalike.ts'
import { type AppChange, changedRecord, type NewApp, newRecord, toApp } from './records.ts'
import type { Registration } from './registration.ts'
import { rotating } from './rotating.ts'
import { findSecret } from './secrets.ts'

/** `clientSecret` is there once and never again; absent when the app holds no secret. */
export interface IssuedApp {
  readonly app: App
  readonly clientSecret?: string
}

export interface AppPage {
  readonly items: readonly App[]
  readonly nextCursor?: string
}

/** Apps of one owner, or those that wait for an operator's decision. */
export interface AppQuery {
  readonly ownerId?: string
  readonly review?: 'waiting'
  readonly cursor?: string
  readonly limit?: number
}

/** What the audit says of a change. */
interface Noted {
  readonly event: string
  readonly details?: Readonly<Record<string, string>>
}

export interface Apps {
  /** @throws invalid_request with one entry per wrong field. */
  create(caller: Caller, wanted: NewApp): Promise<IssuedApp>
  /** Costs no store call for configured apps. Suspended ones are found too: look at `suspended`. */
  find(clientId: string): Promise<App | undefined>
  /** @throws not_found */
  getById(clientId: string): Promise<App>
  /** The configured ones first, on the first page, unless an owner or the queue is named. */
  list(options?: AppQuery): Promise<AppPage>
  /** Takes `verified` away when name, redirect URIs or links change. @throws invalid_request, not_found, forbidden for a configured app. */
  change(caller: Caller, clientId: string, change: AppChange): Promise<App>
  suspend(caller: Caller, clientId: string, reason: string): Promise<App>
  resume(caller: Caller, clientId: string): Promise<App>
  /** Removes the app itself; its grants and tokens are removed by those who hold them. */
  remove(caller: Caller, clientId: string): Promise<void>
  /** A new secret; the old one works as the wish says, a day if it says nothing. @throws invalid_request, also for an app without secrets. */
  rotateSecret(caller: Caller, clientId: string, wish?: OverlapWish): Promise<IssuedApp>
  /** Ends the old secret of a rotation now, or only that one. An app without one stays as it is. @throws not_found, forbidden for a configured app. */
  endOldSecret(caller: Caller, clientId: string, secretId?: string): Promise<App>
  /** True for any living secret of the app, in equal time. */
  verifySecret(app: Pick<App, 'secrets'>, clientSecret: string): boolean
  /** The living secret that it is, in equal time. */
  findSecret(app: Pick<App, 'secrets'>, clientSecret: string): AppSecret | undefined
  /** Apps whose old secret waits for what its callers do, in any order. */
  listWaiting(paging?: { cursor?: string; limit?: number }): Promise<AppPage>
  /**
   * Stores an app that registered itself, as a person was just shown it, until `forgetAfterSeconds` have passed without another consent. Does nothing
   * for every other app.
   */
  keep(clientId: string): Promise<void>
  /** Replaces the record of a stored app. What `next` throws leaves it as it is. @throws not_found, forbidden for a configured app. */
  replace(caller: Caller, clientId: string, next: (app: AppRecord) => AppRecord, noted?: Noted): Promise<App>
  /** Calls after every change in this process, with the app's id. Returns the way to stop. */
  onChange(listener: (clientId: string) => void): () => void
}

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  /** What every credential begins with. */
  readonly keyPrefix: string
  readonly scopes: ScopeRules
  readonly names?: NameGuard
  readonly configured: readonly ConfiguredApp[]
  /** How long an app that registered itself is kept after a person last allowed it; half a year if not given. */
  readonly forgetAfterSeconds?: number
  /** Opens the ids of apps that registered themselves; absent when none may. */
  readonly registration?: Pick<Registration, 'open'>
  /** Finds apps that are documents; absent when none are taken. */
  readonly documents?: ClientDocuments
}

type Find = Apps['find']

export function createApps(dependencies: Dependencies): Apps {
  const { store, now } = dependencies
  const configured = takeConfigured(dependencies.configured, dependencies.scopes, now())
  const listeners = new Set<(clientId: string) => void>()
  const tell = (clientId: string) => {
    for (const listener of listeners) listener(clientId)
  }
  const find = createFind({ ...dependencies, configured })
  return {
    find,
    async getById(clientId) {
      return (await find(clientId)) ?? missing()
    },
    async list({ ownerId, review, ...paging } = {}) {
      const isWhole = ownerId === undefined && review === undefined
      const group = isWhole
        ? {}
        : review
          ? { group: 'review', value: review }
          : { group: 'ownerId', value: ownerId ?? '' }
      const { items, ...more } = await store.list<AppRecord>('app', { ...group, ...paging })
      const stored = items.filter(({ id }) => !configured.has(id)).map(toApp)
      const first = isWhole && paging.cursor === undefined ? [...configured.values()] : []
      return { items: [...first, ...stored], ...more }
    },
    verifySecret: (app, clientSecret) => findSecret(app.secrets, clientSecret, now()) !== undefined,
    findSecret: (app, clientSecret) => findSecret(app.secrets, clientSecret, now()),
    async listWaiting(paging = {}) {
      const { items, ...more } = await store.list<AppRecord>('app', { group: 'waiting', value: 'use', ...paging })
      return { items: items.map(toApp), ...more }
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    ...changing(dependencies, find, tell),
  }
}

type Changing = Omit<Apps, 'find' | 'getById' | 'list' | 'listWaiting' | 'verifySecret' | 'findSecret' | 'onChange'>

function changing(dependencies: Dependencies, find: Find, tell: (clientId: string) => void): Changing {
  const { store, audit, now, keyPrefix, scopes, names, documents } = dependencies
  /** Notes the act once in the owner's log, or the app's; then tells who listens. */
  const record = async <T>(
    caller: Caller,
    event: string,
    clientId: string,
    act: () => Promise<T>,
    details = {},
  ): Promise<T> => {
    const app = await find(clientId)
    const done = await audit.record(
      caller,
      { event, accountId: app?.ownerId ?? clientId, subject: clientId, details },
      async () => {
        if (app?.source === 'configuration')
          throw new AppError('forbidden', 'This app stands in the configuration. Change it there.')
        return act()
      },
    )
    tell(clientId)
    return done
  }
  const rewrite = async (clientId: string, next: (app: AppRecord) => AppRecord) => {
    const { entry } = await store.update<AppRecord>('app', clientId, (app, { expiresAt }) => {
      const value = { ...next(app), updatedAt: now() }
      return expiresAt === undefined ? { value } : { value, expiresAt: isBarred(value) ? NEVER : keptUntil() }
    })
    return toApp(entry ?? missing())
  }
  const keptUntil = () => now() + (dependencies.forgetAfterSeconds ?? 15_552_000) * 1000

  return {
    async create(caller, wanted) {
      const clientId = randomId()
      const details = { type: wanted.type, first_party: wanted.firstParty ?? false }
      const entry = { event: 'app.created', accountId: wanted.ownerId ?? clientId, subject: clientId, details }
      return audit.record(caller, entry, async () => {
        const { value, ...issued } = newRecord(dependencies, wanted)
        await names?.refuseLookalike(value.name, { ownerId: wanted.ownerId })
        return { app: toApp(await store.put('app', { id: clientId, value }, 'create')), ...issued }
      })
    },
    async change(caller, clientId, change) {
      const act = async () => {
        await names?.refuseLookalike(change.name, await find(clientId))
        return rewrite(clientId, (app) => changedRecord(app, change, scopes))
      }
      return record(caller, 'app.changed', clientId, act, { fields: Object.keys(change).slice(0, 20).join(' ') })
    },
    async suspend(caller, clientId, reason) {
      const suspended = { at: now(), reason: reason.slice(0, 200) }
      await this.keep(clientId)
      return record(caller, 'app.suspended', clientId, () => rewrite(clientId, (app) => ({ ...app, suspended })), {
        reason: suspended.reason,
      })
    },
    async resume(caller, clientId) {
      return record(caller, 'app.resumed', clientId, () =>
        rewrite(clientId, ({ suspended: _suspended, ...app }) => app),
      )
    },
    async remove(caller, clientId) {
      await record(caller, 'app.removed', clientId, async () => {
        if (!(await store.remove('app', clientId))) missing()
        await store.remove('picture', logoId(clientId))
        await store.removeGroup('usage', 'subject', usageSubject(clientId))
        await store.remove('key_use', usageSubject(clientId))
      })
    },
    async keep(clientId) {
      const app = await find(clientId)
      if (!app?.selfRegistered) return
      const { clientId: _id, source, ...value } = app
      const expiresAt = keptUntil()
      if (source === 'stored')
        await store.update<AppRecord>('app', clientId, (kept) =>
          isBarred(kept) ? undefined : { value: documents?.isAddress(clientId) ? value : kept, expiresAt },
        )
      else await store.put<AppRecord>('app', { id: clientId, value, expiresAt }, 'create').catch(ignoreConflict)
      tell(clientId)
    },
    async replace(caller, clientId, next, { event, details } = { event: 'app.changed' }) {
      return record(caller, event, clientId, () => rewrite(clientId, next), details)
    },
    ...rotating({ record, rewrite, keyPrefix, now }),
  }
}

/** Later than anything lasts: what must not come back by itself is not forgotten. */
const NEVER = Date.UTC(2200, 0)

/** Its id must go on being refused. */
const isBarred = ({ suspended, removedAt }: AppRecord) => suspended !== undefined || removedAt !== undefined

/** Two people consented at once: one of them stored it. */
function ignoreConflict(error: unknown): void {
  if (!hasCode(error, 'conflict')) throw error
}

function missing(): never {
  throw new AppError('not_found', 'There is no such app.')
}
