/**
 * The access rules that need no sign-in: anyone, anyone with a form of ours, the local machine or a token, and rules put together.
 * Rules bound to a session or a credential come from those who know them. A rule returns who calls or throws the refusal.
 */
import { AppError } from '../errors.ts'
import { readForm } from '../http/body.ts'
import type { AccessRule } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import type { Caller } from '../observability/audit.ts'
import { equalSecrets } from '../secrets.ts'
import { isLoopback } from './addresses.ts'
import type { Csrf } from './csrf.ts'

/** Whoever sent the request; nothing is known of them but where they are. */
export function anonymous(ctx: HttpContext): Caller {
  const userAgent = ctx.req.headers['user-agent']?.slice(0, 256)
  const { ip, requestId } = ctx.state
  return { kind: 'anonymous', ip, requestId, ...(userAgent === undefined ? {} : { userAgent }) }
}

export const anyone: AccessRule<Caller> = {
  name: 'anyone',
  describe: 'Open to everyone.',
  admit: async (ctx) => anonymous(ctx),
}

/** Anyone who sends a form that this server gave to the same browser. */
export function anyForm(csrf: Csrf): AccessRule<Caller> {
  return formRule(csrf, 'A form of this server, sent from the same browser.', () => '')
}

/** As `anyForm`, for a form whose page was made with `csrfScope` equal to the path's parameter: another interaction's token is refused. */
export function formFor(csrf: Csrf, param: string): AccessRule<Caller> {
  return formRule(csrf, `A form of this server for this ${param}, sent from the same browser.`, (ctx) => {
    const scope = ctx.state.params[param]
    if (!scope) throw new TypeError(`the path has no parameter ${param}`)
    return scope
  })
}

/** Whoever `rule` admits, with a form of a page that was made for them: `csrfScope` of the page is `scopeOf` the caller. */
export function formOf<C>(csrf: Csrf, rule: AccessRule<C>, scopeOf: (caller: C) => string): AccessRule<C> {
  return {
    ...rule,
    name: `form, ${rule.name}`,
    async admit(ctx) {
      const caller = await rule.admit(ctx)
      const form = formRule(csrf, rule.describe, () => scopeOf(caller))
      await form.admit(ctx)
      return caller
    },
  }
}

function formRule(csrf: Csrf, describe: string, scopeOf: (ctx: HttpContext) => string): AccessRule<Caller> {
  return {
    name: 'form',
    describe,
    async admit(ctx) {
      const tokens = (await readForm(ctx)).filter(([name]) => name === 'csrf')
      csrf.check(ctx, tokens.length === 1 ? tokens[0]?.[1] : undefined, scopeOf(ctx))
      return anonymous(ctx)
    },
  }
}

/**
 * The machine itself, or a bearer of `token` when one is configured. A request that a proxy passed on is not local, even when the
 * proxy is: without this, a proxy on the same machine would open the place to the world (TSLK6).
 */
export function loopbackOrToken(token: string | undefined): AccessRule<Caller> {
  return {
    name: 'loopback or token',
    describe: 'From the machine itself, or with the configured token as a bearer.',
    async admit(ctx) {
      const given = /^Bearer ([\w.~+/=-]{1,512})$/i.exec(ctx.req.headers.authorization ?? '')?.[1]
      if (token && given && equalSecrets(given, token)) return anonymous(ctx)
      if (isLocal(ctx)) return anonymous(ctx)
      throw new AppError('unauthenticated', 'This address answers the machine itself or the bearer of its token.', {
        details: { headers: { 'WWW-Authenticate': 'Bearer realm="operators"' } },
      })
    },
  }
}

/** Both rules must admit, the first before the second is asked; the caller is the second's. */
export function and<A, B>(first: AccessRule<A>, second: AccessRule<B>): AccessRule<B> {
  const scopes = [...(first.scopes ?? []), ...(second.scopes ?? [])]
  return {
    name: `${first.name} and ${second.name}`,
    describe: `${first.describe} ${second.describe}`,
    ...(scopes.length > 0 ? { scopes } : {}),
    async admit(ctx) {
      await first.admit(ctx)
      return second.admit(ctx)
    },
  }
}

const forwardingHeaders = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'via'] as const

function isLocal({ req }: HttpContext): boolean {
  return (
    isLoopback(req.socket.remoteAddress ?? '') && forwardingHeaders.every((name) => req.headers[name] === undefined)
  )
}
