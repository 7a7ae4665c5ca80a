/**
 * Proof that a form came from a page of ours in the same browser (CS2, CS3). The token is an HMAC over 256 random bits that live in
 * a `__Host-` cookie, which neither a subdomain nor another site can set, and over a scope such as one interaction. `Sec-Fetch-Site`
 * is asked besides; `Origin` alone decides nothing. Works before anybody has signed in.
 */
import { AppError } from '../errors.ts'
import { appendCookie, readCookie } from '../http/cookies.ts'
import type { HttpContext } from '../http/server.ts'
import { equalSecrets, type Vault } from '../secrets.ts'

export const PRE_SESSION_COOKIE = '__Host-licet_pre'

export interface Csrf {
  /** The token for the forms of a page; gives this browser its cookie when it has none. */
  issue(ctx: HttpContext, scope?: string): string
  /** Throws `cross_site_request` unless `token` was issued to this browser for `scope` and the form was not sent from another site. */
  check(ctx: HttpContext, token: string | undefined, scope?: string): void
}

export interface CsrfOptions {
  readonly vault: Pick<Vault, 'fingerprint'>
  /** 43 characters of base64url. */
  readonly randomToken: () => string
}

export function createCsrf({ vault, randomToken }: CsrfOptions): Csrf {
  const tokenFor = (browser: string, scope: string): string => vault.fingerprint('csrf', `${browser}\0${scope}`)
  /** Cookies given out while answering a request, so that all forms of one page belong to one. */
  const given = new WeakMap<HttpContext, string>()
  return {
    issue(ctx, scope = '') {
      const known = browserOf(ctx) ?? given.get(ctx)
      if (known) return tokenFor(known, scope)
      const browser = randomToken()
      given.set(ctx, browser)
      appendCookie(ctx.res, { name: PRE_SESSION_COOKIE, value: browser })
      return tokenFor(browser, scope)
    },
    check(ctx, token, scope = '') {
      const browser = browserOf(ctx)
      if (isFromElsewhere(ctx.req.headers['sec-fetch-site'])) throw refusal()
      if (!browser || !token || !equalSecrets(token, tokenFor(browser, scope))) throw refusal()
    },
  }
}

/** The cookie's value when it has the form we give out: anything else was not set by us. */
function browserOf(ctx: HttpContext): string | undefined {
  const value = readCookie(ctx.req, PRE_SESSION_COOKIE)
  return value !== undefined && /^[\w-]{43}$/.test(value) ? value : undefined
}

/** `same-origin`, or `none` (the person typed it or reloaded); browsers without Fetch Metadata send nothing and are held by the token. */
const isFromElsewhere = (site: string | string[] | undefined): boolean =>
  site !== undefined && site !== 'same-origin' && site !== 'none'

function refusal(): AppError {
  return new AppError('cross_site_request', 'This form is no longer valid. Go back, reload the page and send it again.')
}
