/**
 * Access rules for pages of signed-in people. Who is signed in is asked from whoever keeps the browser sessions; who is not, or not recently
 * enough for what the page does, is taken to the sign-in and comes back.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../errors.ts'
import type { AccessRule } from './route.ts'
import type { HttpContext } from './server.ts'

export interface PageRulesParts<S> {
  /** Whoever is signed in in this browser. */
  readonly current: (request: IncomingMessage, response: ServerResponse) => Promise<S | undefined>
  /** The path that begins a sign-in and ends at `returnTo`; `fresh` asks for it although somebody is signed in. */
  readonly signInPath: (returnTo: string, options: { fresh: boolean; loginHint?: string }) => string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long a sign-in counts as recent. */
  readonly recentSeconds: number
}

export interface PageRules<S> {
  /** Somebody who is signed in. */
  readonly signedIn: AccessRule<S>
  /** Somebody whose sign-in is recent: for keys, factors, secrets, everything that would outlive a borrowed browser. */
  readonly recent: AccessRule<S>
}

interface SignedIn {
  /** Seconds since 1970. */
  readonly authTime: number
  /** False for a sign-in that never counts as recent enough. */
  readonly sudo: boolean
  readonly account: { readonly email: string }
}

export function createPageRules<S extends SignedIn>(parts: PageRulesParts<S>): PageRules<S> {
  const { current, signInPath, now, recentSeconds } = parts

  const admit = async (ctx: HttpContext): Promise<S> => {
    const person = await current(ctx.req, ctx.res)
    if (person) return person
    throw new AppError('unauthenticated', 'Sign in first.', {
      details: { continueAt: signInPath(returnTo(ctx), { fresh: false }) },
    })
  }

  return {
    signedIn: { name: 'signed in', describe: 'A person who is signed in in this browser.', admit },
    recent: {
      name: 'signed in recently',
      describe: 'A person who has signed in within the last minutes.',
      async admit(ctx) {
        const person = await admit(ctx)
        if (person.sudo && now() / 1000 - person.authTime <= recentSeconds) return person
        const continueAt = signInPath(returnTo(ctx), { fresh: true, loginHint: person.account.email })
        throw new AppError('insufficient_user_authentication', 'Sign in again to do this.', { details: { continueAt } })
      },
    },
  }
}

/** After a form the page it stood on: the form itself was not kept. */
function returnTo({ method, req, state }: HttpContext): string {
  if (method === 'GET') return state.query === '' ? state.path : `${state.path}?${state.query}`
  const referer = URL.parse(req.headers.referer ?? '')
  return referer && referer.host === req.headers.host ? `${referer.pathname}${referer.search}` : '/settings'
}
