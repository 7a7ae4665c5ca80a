/**
 * What the developer pages share: what they need, finding an app of one's own, and the one answer that shows a secret.
 */
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import type { Apps, IssuedApp } from '../apps/apps.ts'
import { getOwnApp } from '../apps/ownership.ts'
import type { AccessRule, Answer, Handler, RequestFacts } from '../http/route.ts'
import type { ViewName, Views } from '../http/views.ts'
import type { SecretCaller } from '../keys/callers.ts'
import type { Period, UsageReport } from '../keys/usage-report.ts'
import type { Caller } from '../observability/audit.ts'
import type { OfferedScopes } from './app-form.ts'
import { snippetOf } from './snippet.ts'

/** `secretsUsedAt`: secret id → when it was last used, in milliseconds since 1970. */
interface AppUsed extends UsageReport {
  readonly callers: readonly SecretCaller[]
  readonly secretsUsedAt: Readonly<Record<string, number>>
}

/** Somebody who is signed in in this browser. */
export interface Developer {
  readonly account: Account
}

type DeveloperView = Extract<ViewName, `developer/${string}`>

export interface DeveloperParts<D extends Developer> {
  readonly access: {
    readonly signedIn: AccessRule<D>
    readonly recent: AccessRule<D>
    readonly form: AccessRule<D>
    readonly recentForm: AccessRule<D>
  }
  /** Draws a page with the navigation around it. */
  readonly draw: <V extends DeveloperView>(view: V, person: D, model: Omit<Views[V], 'shell'>) => Answer
  readonly once: { mark(): string; isFirst(accountId: string, mark: string): Promise<boolean> }
  readonly apps: Apps
  /** Calls of an app by day or hour, and who called with which of its secrets. */
  readonly usage: (app: App, period: Period) => Promise<AppUsed>
  readonly scopes: OfferedScopes
  readonly issuer: string
  readonly now: () => number
}

export const HOME = '/developer/apps'

export type Does<D extends Developer, I> = Handler<I, D, unknown>

export function owned<D extends Developer>({ apps }: DeveloperParts<D>, { account }: D, id = ''): Promise<App> {
  return getOwnApp(apps, account.id, id)
}

export function callerOf({ account }: Developer, { ip, userAgent, requestId }: RequestFacts): Caller {
  return { kind: 'account', id: account.id, ip, userAgent, requestId }
}

/** The one answer that holds a client secret. */
export function reveal<D extends Developer>(
  { draw, issuer }: DeveloperParts<D>,
  person: D,
  { app, clientSecret = '' }: IssuedApp,
  { isNew }: { readonly isNew: boolean },
): Answer {
  const oldEndsAt = app.secrets.find(({ expiresAt }) => expiresAt !== undefined)?.expiresAt
  return draw('developer/app-reveal', person, {
    clientId: app.clientId,
    name: app.name,
    clientSecret,
    isNew,
    snippet: snippetOf({ issuer, app, clientSecret }),
    ...(oldEndsAt === undefined ? {} : { oldEndsAt }),
  })
}
