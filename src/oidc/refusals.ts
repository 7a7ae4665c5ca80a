/**
 * Errors that would go back to an app by themselves. Towards an app that nobody of the operator's has looked at, a mistake in the request must
 * not make this server a redirector to wherever that app points (RFC 9700 §4.11.2, threats.md RU5): a page says what is wrong and who asked,
 * and going there is a person's decision. Answers to silent requests and what a person has decided still go back at once.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import type { Clients } from './clients.ts'
import type { Middleware } from './endpoints.ts'
import type { Pages } from './pages.ts'

interface Refusal {
  readonly error: string
  readonly error_description?: string
  readonly allow_redirect?: boolean
}

/** What `prompt=none` asks to be told without a page (OpenID Connect Core §3.1.2.6). */
const SILENT_ANSWERS: ReadonlySet<string> = new Set([
  'login_required',
  'consent_required',
  'interaction_required',
  'account_selection_required',
])

/**
 * Whether an operator stands behind where the app sends people: its own, a checked one, or one that an operator registered. Apps that
 * register themselves or belong to an account must be checked first.
 */
export function isTrustedToRedirect(app: App): boolean {
  const isOperators = app.ownerId === undefined && app.selfRegistered === undefined
  return app.firstParty || app.verified || isOperators
}

export interface Refusals {
  /** The library's listener for `authorization.error`. */
  note(ctx: KoaContextWithOIDC, error: unknown): void
  readonly middleware: Middleware
}

export function createRefusals({ pages, clients }: { pages: Pages; clients: Clients }): Refusals {
  const noted = new WeakMap<object, Refusal>()
  return {
    note: (ctx, error) => void noted.set(ctx, error as Refusal),
    async middleware(ctx, next) {
      await next()
      const refusal = noted.get(ctx)
      if (!refusal || ctx.oidc.route !== 'authorization' || !isOnItsWay(ctx, refusal)) return
      const app = await clients.app(ctx.oidc.client?.clientId ?? '')
      if (!app || isTrustedToRedirect(app)) return
      const { error, error_description: description } = refusal
      const link = ctx.response.get('Location')
      const { redirect_uri: redirectUri } = ctx.oidc.params ?? {}
      ctx.remove('Location')
      ctx.status = 400
      pages.oauthError(ctx, {
        error,
        ...(description ? { description } : {}),
        app,
        expired: false,
        // A POST to the app cannot be a link: the person goes there without the answer.
        toApp: link || String(redirectUri),
      })
    },
  }
}

/** Whether the library has answered with a redirect, or a form that sends itself, to the app. */
function isOnItsWay({ oidc, query }: KoaContextWithOIDC, { error, allow_redirect }: Refusal): boolean {
  const { redirect_uri: redirectUri, prompt } = (oidc.params ?? query) as Record<string, unknown>
  if (prompt === 'none' && SILENT_ANSWERS.has(error)) return false
  return allow_redirect === true && oidc.client !== undefined && typeof redirectUri === 'string'
}
