/**
 * What stands around the library's endpoints, in order. Each middleware owns one rule that the library leaves open; the requests and
 * answers in between are the library's.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import { AppError } from '../errors.ts'
import type { Pages } from './pages.ts'
import type { Refresh } from './refresh.ts'
import { nameForbiddenGrant, nameMissingAuthentication } from './token-response.ts'
import { workOf } from './work.ts'

type Next = () => Promise<void>
export type Middleware = (ctx: KoaContextWithOIDC, next: Next) => Promise<void>

interface EndpointParts {
  readonly pages: Pages
  readonly refresh: Refresh
  readonly settle: (ctx: KoaContextWithOIDC) => Promise<void>
  /** Gives a refusal its reference, and keeps why for the owner of what was refused. */
  readonly noteDenied: (ctx: KoaContextWithOIDC) => Promise<void>
  readonly tokenStatus: (ctx: KoaContextWithOIDC) => Promise<void>
  readonly keyStatus: (ctx: KoaContextWithOIDC) => Promise<void>
  readonly sessionCookie: string
  readonly onUnexpected: (ctx: KoaContextWithOIDC, error: unknown) => void
  /** Told of every request that has been answered. */
  readonly onAnswered: (ctx: KoaContextWithOIDC) => void
  /** Remembers an authorization request so that an expired page can offer to start it again. */
  readonly rememberRequest: (ctx: KoaContextWithOIDC) => void
  readonly afterSignOut: (ctx: KoaContextWithOIDC) => Promise<void>
  /** Answers a request to sign out where nobody is signed in. */
  readonly nobodySignedIn: (ctx: KoaContextWithOIDC) => Promise<void>
}

export function createEndpoints(parts: EndpointParts): readonly Middleware[] {
  return [
    async (ctx, next) => {
      await next()
      parts.onAnswered(ctx)
    },
    exposeHeaders,
    storeFailures(parts),
    sessionCookies(parts),
    tokenAnswers(parts),
    departures(parts),
    responseTypes,
    formAnswers,
  ]
}

/** What a script of an app may read besides the body (contract.md); the library names only the first two. */
const EXPOSED =
  'DPoP-Nonce, WWW-Authenticate, RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, X-Request-Id'

async function exposeHeaders(ctx: KoaContextWithOIDC, next: Next): Promise<void> {
  await next()
  if (ctx.response.get('Access-Control-Allow-Origin')) ctx.set('Access-Control-Expose-Headers', EXPOSED)
}

const PAGE_ROUTES = /^(authorization|resume|code_verification|device_resume|end_session)/

/** Whether this route answers people rather than programs. */
export function isPageRoute(ctx: KoaContextWithOIDC): boolean {
  return PAGE_ROUTES.test(ctx.oidc?.route ?? '')
}

/** A store that cannot answer is 503 with Retry-After, not the library's 500; anything unexpected is a fixed text and one log line. */
function storeFailures({ pages, onUnexpected, noteDenied }: EndpointParts): Middleware {
  return async (ctx, next) => {
    let thrown: unknown
    try {
      await next()
      await Promise.all(workOf(ctx).pending)
      // What could not be finished keeps what its retry needs to be found.
      if (ctx.status < 500) for (const act of workOf(ctx).lastly) await act()
    } catch (error) {
      thrown = error
      if (error instanceof AppError) workOf(ctx).failure = error
    }
    const failure = workOf(ctx).failure
    if (failure && (thrown || ctx.status >= 500 || hasServerError(ctx))) {
      const retryAfterSeconds = failure.details.retryAfterSeconds ?? 1
      ctx.remove('Location')
      ctx.set('Retry-After', String(retryAfterSeconds))
      ctx.status = failure.status
      if (isPageRoute(ctx)) return pages.failed(ctx, { code: failure.code, retryAfterSeconds })
      ctx.set({ ...failure.details.headers })
      const { policy } = failure.details
      ctx.body = {
        error: 'temporarily_unavailable',
        error_description: failure.message,
        ...(policy ? { policy } : {}),
      }
      if (failure.code === 'rate_limited') await noteDenied(ctx)
      return
    }
    if (thrown === undefined) return
    onUnexpected(ctx, thrown)
    ctx.status = 500
    if (isPageRoute(ctx)) pages.failed(ctx, { code: 'internal' })
    else ctx.body = { error: 'server_error', error_description: 'something went wrong' }
  }
}

/** The library may already have turned the failure into an error redirect. */
function hasServerError(ctx: KoaContextWithOIDC): boolean {
  return /[?&]error=server_error(&|$)/.test(String(ctx.response.get('Location')))
}

/**
 * No cookie for a session that holds nothing; none either when the session was ended or got another id elsewhere, for the browser may have
 * the newer one already; the cookie goes when this request signed the person out.
 */
function sessionCookies({ sessionCookie }: EndpointParts): Middleware {
  return async (ctx, next) => {
    await next()
    const { sessionEmpty, sessionEnded, signedOut } = workOf(ctx)
    if (!sessionEmpty && !sessionEnded && !signedOut) return
    const kept = [ctx.response.get('Set-Cookie')]
      .flat()
      .filter((cookie) => cookie && !String(cookie).startsWith(sessionCookie))
    if (kept.length > 0) ctx.set('Set-Cookie', kept as string[])
    else ctx.remove('Set-Cookie')
    if (!signedOut) return
    for (const name of [sessionCookie, `${sessionCookie}.sig`])
      ctx.append('Set-Cookie', `${name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax`)
  }
}

/** Settles single use, answers for structured tokens, and draws the consequences of a refused refresh. */
function tokenAnswers({ settle, refresh, noteDenied, tokenStatus, keyStatus }: EndpointParts): Middleware {
  return async (ctx, next) => {
    await next()
    if (!ctx.oidc) return
    if (ctx.oidc.route === 'token') {
      await settle(ctx)
      if (ctx.status === 400) nameForbiddenGrant(ctx)
      if (ctx.status === 400 && ctx.oidc.params?.['grant_type'] === 'refresh_token') await refresh.refused(ctx)
    } else {
      await tokenStatus(ctx)
      await keyStatus(ctx)
    }
    if (isPageRoute(ctx)) return
    if (ctx.status === 400) nameMissingAuthentication(ctx)
    await noteDenied(ctx)
  }
}

/** Leaving for another site after one of our forms goes by a page (CSP `form-action 'self'`), and a started sign-in is remembered. */
function departures({ pages, rememberRequest, afterSignOut, nobodySignedIn }: EndpointParts): Middleware {
  return async (ctx, next) => {
    await next()
    const location = String(ctx.response.get('Location'))
    if (!ctx.oidc) return
    if (ctx.oidc.route === 'end_session' && ctx.status === 200 && isLibraryForm(ctx)) return nobodySignedIn(ctx)
    if (ctx.status !== 303) return
    if (ctx.oidc.route === 'authorization' && location.includes('/interaction/')) {
      rememberLanguage(ctx, location)
      return rememberRequest(ctx)
    }
    await afterSignOut(ctx)
    if (ctx.oidc.route !== 'end_session_confirm' || URL.parse(location)?.origin === ctx.oidc.issuer) return
    ctx.remove('Location')
    ctx.status = 200
    pages.leave(ctx, location)
  }
}

/**
 * The languages the app asked for (OIDC Core §3.1.2.1) hold for this interaction and nothing else: a cookie that only its pages get, which
 * `http/answer.ts` reads after the person's own choice.
 */
function rememberLanguage(ctx: KoaContextWithOIDC, location: string): void {
  const wished = ctx.oidc.params?.['ui_locales']
  if (typeof wished !== 'string' || !/^[\w -]{1,200}$/.test(wished)) return
  const value = wished.trim().replace(/ +/g, '.')
  ctx.append('Set-Cookie', `__Secure-licet_ui_locales=${value}; Path=${location}; Secure; HttpOnly; SameSite=Lax`)
}

/**
 * `response_mode=form_post`: the one page whose form goes to an app. Its policy names where it goes, which the library has compared with what is
 * registered, and nothing else; an error page of ours shows no such form and keeps `form-action 'self'`.
 */
async function formAnswers(ctx: KoaContextWithOIDC, next: Next): Promise<void> {
  await next()
  const { params, route } = ctx.oidc ?? {}
  const answersByForm = params?.['response_mode'] === 'form_post' && (route === 'authorization' || route === 'resume')
  const target = answersByForm ? URL.parse(String(params['redirect_uri'])) : undefined
  if (!target || !isLibraryForm(ctx)) return
  const source = target.origin === 'null' ? target.protocol : target.origin
  const policy = ctx.response.get('Content-Security-Policy')
  ctx.set('Content-Security-Policy', policy.replace("form-action 'self'", `form-action 'self' ${source}`))
}

/** The library's page that sends a form by itself. */
const isLibraryForm = (ctx: KoaContextWithOIDC): boolean =>
  String(ctx.body).includes('<title>Submitting Callback</title>')

const OTHER_TYPE = { error: 'unsupported_response_type', error_description: 'response_type must be code' }

/**
 * A response type other than `code` brings another default response mode with it, and the library complains of that one first: what is wrong
 * is the type (RFC 6749 §4.1.2.1, threats.md AZ1).
 */
async function responseTypes(ctx: KoaContextWithOIDC, next: Next): Promise<void> {
  await next()
  const { params, route } = ctx.oidc ?? {}
  const { response_type: type, response_mode: mode } = params ?? {}
  if (type === undefined || type === 'code' || mode !== undefined) return
  const { error } = (ctx.body ?? {}) as { error?: unknown }
  if (route === 'pushed_authorization_request' && error === 'invalid_request') ctx.body = { ...OTHER_TYPE }
  const back = route === 'authorization' && ctx.status === 303 ? URL.parse(ctx.response.get('Location')) : null
  const answer = new URLSearchParams(back?.hash.slice(1))
  if (!back || answer.get('error') !== 'invalid_request') return
  for (const [name, value] of Object.entries(OTHER_TYPE)) answer.set(name, value)
  back.hash = answer.toString()
  ctx.redirect(back.href)
  ctx.status = 303
}
