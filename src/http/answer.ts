/**
 * Writes a handler's answer to the wire: the one place that knows what each kind of `Answer` looks like in HTTP.
 * Security headers have been set on arrival; what an answer names itself wins over them. Errors are `failure.ts`'s.
 */

import { appendCookie, readCookie } from './cookies.ts'
import { isFresh } from './documents.ts'
import { negotiateLocale } from './locale.ts'
import { isOwnPath } from './own-path.ts'
import type { PageContext, Renderer } from './page.ts'
import type { Answer, PageAnswer, RequestFacts } from './route.ts'
import type { HttpContext } from './server.ts'

/** Where a person's choice of language is kept. */
export const LOCALE_COOKIE = '__Host-licet_locale'

export interface Csrf {
  /** The token for the forms of a page, bound to this browser and to `scope`; sets the browser's cookie when there is none. */
  issue(ctx: HttpContext, scope?: string): string
}

export interface AnswerOptions {
  readonly renderer: Pick<Renderer, 'render'>
  readonly csrf: Csrf
  readonly issuer: string
}

type Headers = Readonly<Record<string, string>>

/** What goes on the wire. */
interface Wire {
  readonly status: number
  readonly headers?: Headers | undefined
  /** Content-Type, or nothing for an answer without content. */
  readonly type?: string
  readonly body?: string | Uint8Array
}

const html = 'text/html; charset=utf-8'
const json = 'application/json; charset=utf-8'

/** @returns the function that writes an answer. `defaultStatus` is the route's. */
export function createAnswerWriter({ renderer, csrf, issuer }: AnswerOptions) {
  return (ctx: HttpContext, answer: Answer, defaultStatus: number): void => {
    if (answer.kind === 'done') return
    if ('cookies' in answer) for (const cookie of answer.cookies ?? []) appendCookie(ctx.res, cookie)
    send(ctx, toWire(ctx, answer, defaultStatus))
  }

  function toWire(ctx: HttpContext, answer: Exclude<Answer, { kind: 'done' }>, defaultStatus: number): Wire {
    const status = 'status' in answer ? (answer.status ?? defaultStatus) : defaultStatus
    switch (answer.kind) {
      case 'json':
        return { status, headers: answer.headers, type: json, body: JSON.stringify(answer.body) }
      case 'text':
        return { status, headers: answer.headers, type: answer.type, body: answer.body }
      case 'page':
        return { status, headers: answer.headers, type: html, body: drawPage(ctx, answer) }
      case 'leave':
        return {
          status: 200,
          type: html,
          body: renderer.render('interactions/leave', { url: answer.url }, pageContext(ctx)),
        }
      case 'redirect':
        // 303, never 307: the method and the body of a form must not travel on (RFC 9700 §4.12).
        return { status: 303, headers: { Location: ownLocation(answer.location, issuer) }, body: '' }
      case 'empty':
        return { status: answer.status ?? 204, headers: answer.headers }
    }
  }

  function drawPage(ctx: HttpContext, { view, model, account, csrfScope }: PageAnswer): string {
    const tokens = { forms: csrf.issue(ctx, csrfScope), language: csrf.issue(ctx) }
    return renderer.render(view, model, pageContext(ctx, tokens, account))
  }
}

/**
 * What a page of this request is rendered with. `forms` is the token of the page's own forms, whatever they are bound to; `language` that of
 * the language menu and of whatever else belongs to no page: without it there is no menu.
 */
export function pageContext(
  ctx: HttpContext,
  { forms = '', language = '' }: { forms?: string; language?: string } = {},
  account?: PageAnswer['account'],
): PageContext {
  return {
    locale: localeOf(ctx),
    csrf: forms,
    requestId: ctx.state.requestId,
    ...(account ? { account } : {}),
    ...(language === '' ? {} : { browserCsrf: language, ...(ctx.method === 'GET' ? { path: pathOf(ctx) } : {}) }),
  }
}

/** What a handler may know of the request. The language is worked out when it is asked for. */
export function factsOf(ctx: HttpContext): RequestFacts {
  return {
    requestId: ctx.state.requestId,
    ip: ctx.state.ip,
    userAgent: (ctx.req.headers['user-agent'] ?? '').slice(0, 256),
    path: pathOf(ctx),
    get locale() {
      return localeOf(ctx)
    },
  }
}

const pathOf = ({ state }: HttpContext): string => (state.query === '' ? state.path : `${state.path}?${state.query}`)

/** What the app of this interaction asked for; the protocol sets it for the pages of one interaction (`oidc/endpoints.ts`). */
const UI_LOCALES_COOKIE = '__Secure-licet_ui_locales'

function localeOf({ req, state }: HttpContext): string {
  const cookie = readCookie(req, LOCALE_COOKIE)
  const asked = state.query.includes('ui_locales=') ? new URLSearchParams(state.query).get('ui_locales') : null
  const uiLocales = asked ?? readCookie(req, UI_LOCALES_COOKIE)?.replaceAll('.', ' ') ?? null
  const acceptLanguage = req.headers['accept-language']
  return negotiateLocale({
    ...(cookie === undefined ? {} : { cookie }),
    ...(uiLocales === null ? {} : { uiLocales }),
    ...(acceptLanguage === undefined ? {} : { acceptLanguage }),
  })
}

/** A path on this server or a URL of the issuer. A handler that builds any other location has a bug that would be an open redirect (RU6). */
function ownLocation(location: string, issuer: string): string {
  if (isOwnPath(location) || location === issuer || location.startsWith(`${issuer}/`)) return location
  throw new TypeError('a redirect leads to a path of this server; to leave it, answer `leave`')
}

function send({ req, res }: HttpContext, { status, headers = {}, type, body }: Wire): void {
  if (type !== undefined) res.setHeader('Content-Type', type)
  for (const name in headers) res.setHeader(name, headers[name] ?? '')
  const etag = res.getHeader('ETag')
  if (status === 200 && etag !== undefined && isFresh(req.headers['if-none-match'], String(etag))) {
    res.statusCode = 304
    res.end()
    return
  }
  res.statusCode = status
  if (body !== undefined) res.setHeader('Content-Length', Buffer.byteLength(body))
  res.end(body)
}
