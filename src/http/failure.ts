/**
 * The one translation of errors into answers: problem+json (RFC 9457) for the API, RFC 6749 JSON where OAuth is spoken, a page for
 * people. What is not an `AppError` becomes `internal`: a fixed sentence and the request id outside, the chain in one log line inside.
 * Codes, statuses and titles stand in `errors.ts`.
 */
import { ZodError } from 'zod'
import { AppError, type ErrorCode, errorCodes, type FieldError } from '../errors.ts'
import type { Log } from '../observability/log.ts'
import { pointerOf } from './body.ts'
import type { Surface } from './route.ts'
import type { HttpContext } from './server.ts'
import type { ErrorPage } from './views.ts'

export interface FailureOptions {
  readonly issuer: string
  readonly log: Log
  /** Draws the error page. */
  readonly draw: (ctx: HttpContext, model: ErrorPage) => string
  /** `LICET_DEBUG`: answers carry the reason, or the chain of causes. */
  readonly showReasons: boolean
  /** The reference of a refusal to a program that has none yet; behind it whoever owns what was refused finds the cause. */
  readonly refOf?: (ctx: HttpContext, error: AppError) => string
}

/** What is a refusal of whoever asks, rather than of what they say. */
const DENIALS: ReadonlySet<number> = new Set([401, 403, 429])

/** What RFC 6749 §5.2 calls it, where it has a word; `invalid_request` otherwise. */
const oauthCodes: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'invalid_client',
  invalid_token: 'invalid_token',
  insufficient_scope: 'insufficient_scope',
  insufficient_user_authentication: 'insufficient_user_authentication',
  forbidden: 'access_denied',
  internal: 'server_error',
  invalid_configuration: 'server_error',
  outbound_refused: 'server_error',
  rate_limited: 'temporarily_unavailable',
  unavailable: 'temporarily_unavailable',
  overloaded: 'temporarily_unavailable',
  store_unavailable: 'temporarily_unavailable',
}

/** Seconds a caller should wait when the error itself does not say. */
const defaultRetryAfter: Partial<Record<ErrorCode, number>> = {
  unavailable: 1,
  overloaded: 1,
  store_unavailable: 1,
  rate_limited: 1,
}

/** @returns a function that answers a request with an error; it never throws, whatever it is given. */
export function createFailure({ issuer, log, draw, showReasons, refOf }: FailureOptions) {
  const referred = (ctx: HttpContext, error: AppError, form: Surface): AppError => {
    if (!refOf || form === 'page' || error.details.errorRef !== undefined || !DENIALS.has(error.status)) return error
    const details = { ...error.details, errorRef: refOf(ctx, error) }
    return new AppError(error.code, error.message, { details, cause: error.cause })
  }

  return (ctx: HttpContext, thrown: unknown): void => {
    const form = formOf(ctx.state.surface, ctx.req.headers.accept)
    const error = referred(ctx, toAppError(thrown), form)
    if (error.status >= 500) report(log, ctx, error)
    if (ctx.res.writableEnded) return
    if (ctx.res.headersSent || ctx.res.destroyed) {
      // Half an answer is out: ending the connection tells the client that it is no whole one.
      ctx.res.destroy()
      return
    }
    const retryAfter = error.details.retryAfterSeconds ?? defaultRetryAfter[error.code]
    if (retryAfter !== undefined) ctx.res.setHeader('Retry-After', String(Math.max(1, Math.ceil(retryAfter))))
    for (const [name, value] of Object.entries(error.details.headers ?? {})) ctx.res.setHeader(name, value)
    // Gateways that ask on behalf of a request pass headers on, not bodies.
    if (error.details.errorRef !== undefined) ctx.res.setHeader('X-Licet-Error-Ref', error.details.errorRef)
    const reason = showReasons ? reasonOf(error) : undefined
    const { continueAt } = error.details
    if (form === 'page' && continueAt !== undefined) goOn(ctx, continueAt)
    else if (form === 'page') send(ctx, error.status, 'text/html; charset=utf-8', page(ctx, error, reason))
    else if (form === 'oauth')
      send(ctx, error.status, 'application/json; charset=utf-8', JSON.stringify(oauth(ctx, error, reason)))
    else send(ctx, error.status, 'application/problem+json', JSON.stringify(problem(ctx, error, reason)))
  }

  function page(ctx: HttpContext, error: AppError, reason: string | undefined): string {
    const { errorRef, retryAfterSeconds } = error.details
    try {
      return draw(ctx, {
        code: error.code,
        title: errorCodes[error.code].title,
        detail: reason === undefined ? error.message : `${error.message} (${reason})`,
        requestId: ctx.state.requestId,
        ...(errorRef === undefined ? {} : { errorRef }),
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      })
    } catch (broken) {
      report(log, ctx, toAppError(broken))
      return plainPage(error, ctx.state.requestId)
    }
  }

  function problem(ctx: HttpContext, error: AppError, reason: string | undefined): object {
    return {
      type: `${issuer}/docs/errors/${error.code}`,
      title: errorCodes[error.code].title,
      status: error.status,
      detail: error.message,
      code: error.code,
      request_id: ctx.state.requestId,
      error_ref: error.details.errorRef,
      approval_url: error.details.approvalUrl,
      policy: error.details.policy,
      errors: error.details.fields,
      reason,
    }
  }
}

/** An `AppError` as it is; a schema's refusal as `invalid_request` with a pointer per field; everything else as `internal`. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  if (thrown instanceof ZodError)
    return new AppError('invalid_request', 'Some fields are not valid.', { details: { fields: fieldsOf(thrown) } })
  return new AppError('internal', 'Something went wrong on our side. It has been noted.', { cause: thrown })
}

/** At most 20 fields; a message names the rule that was broken, never the value. */
function fieldsOf(error: ZodError): FieldError[] {
  return error.issues
    .slice(0, 20)
    .map(({ path, code, message }) => ({ pointer: pointerOf(path), code, detail: message.slice(0, 200) }))
}

/** People get a page unless their client asks for JSON and not for HTML; machines never get one. */
function formOf(surface: Surface, accept = ''): Surface {
  if (surface !== 'page') return surface
  const wantsJson = accept.includes('json') && !accept.includes('text/html')
  return wantsJson ? 'api' : 'page'
}

/** A person who only has to sign in first is taken there. The path was made by an access rule, never by the request. */
function goOn({ res }: HttpContext, path: string): void {
  res.statusCode = 303
  res.setHeader('Location', path)
  res.setHeader('Content-Length', '0')
  res.end()
}

function oauth(ctx: HttpContext, error: AppError, reason: string | undefined): object {
  return {
    error: error.details.oauthError ?? oauthCodes[error.code] ?? 'invalid_request',
    error_description: error.message,
    error_ref: error.details.errorRef,
    request_id: ctx.state.requestId,
    policy: error.details.policy,
    reason,
  }
}

function send({ res }: HttpContext, status: number, type: string, text: string): void {
  res.statusCode = status
  res.setHeader('Content-Type', type)
  res.setHeader('Content-Length', Buffer.byteLength(text))
  // An error is never kept by a cache, whatever the route had set before it failed.
  res.setHeader('Cache-Control', 'no-store')
  res.removeHeader('ETag')
  // A text, not bytes: head and body then leave in one write.
  res.end(text)
}

function report(log: Log, { state }: HttpContext, error: AppError): void {
  const about = { request_id: state.requestId, route: state.route, error_code: error.code }
  if (error.code === 'internal') log.error({ ...about, error: error.cause ?? error }, 'a request failed')
  else log.warn({ ...about, error }, 'a request was not served')
}

function reasonOf(error: AppError): string | undefined {
  if (error.details.reason !== undefined) return error.details.reason
  const chain: string[] = []
  for (let cause = error.cause; cause instanceof Error && chain.length < 5; cause = cause.cause)
    chain.push(cause.message)
  return chain.length > 0 ? chain.join(' ← ') : undefined
}

/** For when not even the error page can be drawn. Holds nothing from outside. */
function plainPage(error: AppError, requestId: string): string {
  const { title } = errorCodes[error.code]
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1><p>${requestId}</p></html>`
}
