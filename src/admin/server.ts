/**
 * Administrators' pages, the server itself: how fast the store answers, whether mail arrives, and which keys sign. What reads the whole store to judge it
 * is left to `licet doctor`.
 *
 *   GET  /admin/server      POST /admin/server/mail   a test mail to the administrator      POST /admin/server/keys   new signing keys
 */
import { z } from 'zod'
import type { AdminServer } from '../http/admin-views.ts'
import { type Answer, get, post, type Route } from '../http/route.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { SigningKey, SigningKeys } from '../oidc/signing-keys.ts'
import type { Store } from '../storage/store.ts'
import type { Administrator, AdminRoom } from './room.ts'

export interface AdminServerParts<A extends Administrator> extends AdminRoom<A> {
  readonly store: Pick<Store, 'ping'>
  /** By its name: SQLite, Redis, Redis Sentinel, Redis Cluster. */
  readonly engine: string
  readonly mail: AdminServer['mail']
  readonly sendTest: (to: { readonly email: string; readonly locale?: string | undefined }) => Promise<void>
  readonly signingKeys: Pick<SigningKeys, 'list' | 'rotate'>
  /** How long the longest token signed by a replaced key may still be shown. */
  readonly retireSeconds: number
  readonly audit: Audit
  readonly now: () => number
  /** Milliseconds on a clock that nobody sets. */
  readonly elapsed: () => number
}

const HOME = '/admin/server'
/** New keys are published this long before they sign: as long as anybody keeps the published ones. */
const PUBLISH_SECONDS = 3600

const Shown = z.object({ done: z.enum(['mail_sent', 'keys_rotated']).optional().catch(undefined) })
const Nothing = z.object({})

export function createAdminServer<A extends Administrator>(parts: AdminServerParts<A>): readonly Route[] {
  const { access, audit, signingKeys, retireSeconds, sendTest } = parts
  return [
    get(HOME)
      .needs(access.page)
      .takes(Shown)
      .does(({ caller, input: { done } }) => show(parts, caller, done)),
    post(`${HOME}/mail`)
      .needs(access.form)
      .takes(Nothing)
      .does(async ({ caller }) => {
        await sendTest(caller.account)
        return { kind: 'redirect', location: `${HOME}?done=mail_sent` }
      }),
    post(`${HOME}/keys`)
      .needs(access.form)
      .takes(Nothing)
      .does(async ({ caller: { account }, request: { ip, userAgent, requestId } }) => {
        const by: Caller = { kind: 'operator', id: account.id, ip, userAgent, requestId }
        await audit.record(by, { event: 'signing_keys.rotated', accountId: 'system' }, () =>
          signingKeys.rotate({ publishSeconds: PUBLISH_SECONDS, retireSeconds }),
        )
        return { kind: 'redirect', location: `${HOME}?done=keys_rotated` }
      }),
  ]
}

async function show<A extends Administrator>(
  { draw, store, engine, mail, signingKeys, now, elapsed }: AdminServerParts<A>,
  person: A,
  done: AdminServer['done'],
): Promise<Answer> {
  const began = elapsed()
  await store.ping()
  const answeredInMs = Math.ceil(elapsed() - began)
  const keys = await signingKeys.list()
  return draw('admin/server', person, {
    store: { engine, answeredInMs },
    mail,
    yourEmail: person.account.email,
    keys: keys.map((key) => shownKey(key, keys, now())),
    publishSeconds: PUBLISH_SECONDS,
    ...(done ? { done } : {}),
  })
}

/** The newest key of an algorithm whose time has come signs; what it replaced stays published for a while. */
function shownKey(key: SigningKey, all: readonly SigningKey[], now: number): AdminServer['keys'][number] {
  const { kid, algorithm, signsFrom, publishedUntil } = key
  const signing = all.find((one) => one.algorithm === algorithm && one.signsFrom <= now)
  const state = signsFrom > now ? 'coming' : signing?.kid === kid ? 'signs' : 'leaving'
  return { kid, algorithm, signsFrom, state, ...(publishedUntil === undefined ? {} : { publishedUntil }) }
}
