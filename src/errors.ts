/**
 * The one error type of Licet and its closed list of codes.
 * A domain throws `AppError`; each edge translates it once: `http/failure.ts` (problem+json or a page),
 * `oidc/` (OAuth errors), `main.ts` (exit codes). Everything that is not an `AppError` becomes `internal` there.
 */

/** Every code: the HTTP status it means and the title a person reads. The error catalogue in `docs/` is made from this table. */
export const errorCodes = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  invalid_configuration: { status: 500, title: 'The configuration is not valid' },
  unauthenticated: { status: 401, title: 'Sign in first' },
  invalid_token: { status: 401, title: 'The credential is not valid' },
  insufficient_user_authentication: { status: 401, title: 'A more recent or stronger sign-in is needed' },
  insufficient_scope: { status: 403, title: 'The credential lacks a scope' },
  forbidden: { status: 403, title: 'Not allowed' },
  cross_site_request: { status: 403, title: 'This form was sent from another site' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  conflict: { status: 409, title: 'It exists already' },
  gone: { status: 410, title: 'This link or page has expired' },
  payload_too_large: { status: 413, title: 'The request is too large' },
  uri_too_long: { status: 414, title: 'The address is too long' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  misdirected: { status: 421, title: 'This server does not answer for that host' },
  rate_limited: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'Something went wrong' },
  outbound_refused: { status: 502, title: 'An outgoing request was refused or failed' },
  unavailable: { status: 503, title: 'Something this answer needs cannot be reached' },
  overloaded: { status: 503, title: 'Busy right now' },
  store_unavailable: { status: 503, title: 'The store cannot be reached' },
} as const

export type ErrorCode = keyof typeof errorCodes

/** What an edge may tell besides the code. `retryAfterSeconds` becomes `Retry-After`; `fields` become `errors[]` of a problem document. */
export interface ErrorDetails {
  readonly retryAfterSeconds?: number
  readonly fields?: readonly FieldError[]
  readonly errorRef?: string
  /** The exact cause of a refusal, as its owner reads it; in answers only with `LICET_DEBUG`. */
  readonly reason?: string
  /** Extra response headers, e.g. `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Where a person can do what is missing, a path of this server; a page then goes there instead of refusing. */
  readonly continueAt?: string
  /** The word of an OAuth specification that says it better than the table does. */
  readonly oauthError?: string
  /** Where the owner of the credential can allow what was refused, for a while. */
  readonly approvalUrl?: string
  /** Name of the rate-limit policy that refused. */
  readonly policy?: string
}

/** One wrong field: a JSON pointer into the input, a code and a sentence. */
export interface FieldError {
  readonly pointer: string
  readonly code: string
  readonly detail: string
}

/** Thrown when the caller cannot go on. `message` is for people and safe to show; `cause` is for the log only. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }

  get status(): number {
    return errorCodes[this.code].status
  }
}

/** True for an `AppError` with that code. */
export function hasCode(error: unknown, code: ErrorCode): error is AppError {
  return error instanceof AppError && error.code === code
}
