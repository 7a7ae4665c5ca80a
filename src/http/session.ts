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
  readonly signInPath: (returnTo: string, options: { fresh: boolean; loginHint?: string; acrValues?: string }) => string
  /** True for somebody who has to set up a second factor before anything else. */
  readonly lacksFactor: (person: S) => Promise<boolean>
  /** Where somebody whose sign-in never counts as recent is told what does. */
  readonly notRecentPath: (returnTo: string) => string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long a sign-in counts as recent. */
  readonly recentSeconds: number
  /** The assurance this person has to reach for `proven`, where their sign-in falls short of it. */
  readonly missingAssurance: (person: S) => Promise<string | undefined>
}

export interface PageRules<S> {
  /** Somebody who is signed in. */
  readonly signedIn: AccessRule<S>
  /** Somebody whose sign-in is recent: for keys, factors, secrets, everything that would outlive a borrowed browser. */
  readonly recent: AccessRule<S>
  /** As `recent`, with the second factor of whoever has one: a remembered browser is not enough. */
  readonly proven: AccessRule<S>
}

interface SignedIn {
  /** Seconds since 1970. */
  readonly authTime: number
  /** False for a sign-in that never counts as recent enough. */
  readonly sudo: boolean
  readonly account: { readonly email: string }
}

export function createPageRules<S extends SignedIn>(parts: PageRulesParts<S>): PageRules<S> {
  const { current, signInPath, lacksFactor, notRecentPath, now, recentSeconds, missingAssurance } = parts

  const again = (ctx: HttpContext, { account }: S, acrValues?: string): AppError => {
    const more = acrValues === undefined ? {} : { acrValues }
    const continueAt = signInPath(returnPath(ctx), { fresh: true, loginHint: account.email, ...more })
    return new AppError('insufficient_user_authentication', 'Sign in again to do this.', { details: { continueAt } })
  }
  const admit = async (ctx: HttpContext): Promise<S> => {
    const person = await current(ctx.req, ctx.res)
    // The way there is a sign-in, which sets the factor up and comes back.
    if (person && (await lacksFactor(person))) throw again(ctx, person)
    if (person) return person
    throw new AppError('unauthenticated', 'Sign in first.', {
      details: { continueAt: signInPath(returnPath(ctx), { fresh: false }) },
    })
  }
  const admitRecent = async (ctx: HttpContext): Promise<S> => {
    const person = await admit(ctx)
    const isFresh = now() / 1000 - person.authTime <= recentSeconds
    if (person.sudo && isFresh) return person
    if (!isFresh) throw again(ctx, person)
    throw new AppError('insufficient_user_authentication', 'A recovery code is not enough to do this.', {
      details: { continueAt: notRecentPath(returnPath(ctx)) },
    })
  }

  return {
    signedIn: { name: 'signed in', describe: 'A person who is signed in in this browser.', admit },
    recent: {
      name: 'signed in recently',
      describe: 'A person who has signed in within the last minutes.',
      admit: admitRecent,
    },
    proven: {
      name: 'signed in recently, with a second factor',
      describe: 'A person who has signed in within the last minutes, with the second factor where there is one.',
      async admit(ctx) {
        const person = await admitRecent(ctx)
        const missing = await missingAssurance(person)
        if (missing === undefined) return person
        throw again(ctx, person, missing)
      },
    },
  }
}

/** Everybody; and who they are, where somebody is signed in in this browser. */
export function visitorRule<S>(current: PageRulesParts<S>['current']): AccessRule<{ readonly person: S | undefined }> {
  return {
    name: 'anyone',
    describe: 'Open to everyone; people who are signed in may see more.',
    admit: async (ctx) => ({ person: await current(ctx.req, ctx.res) }),
  }
}

/** After a form the page it stood on: the form itself was not kept. */
export function returnPath({ method, req, state }: HttpContext): string {
  if (method === 'GET') return state.query === '' ? state.path : `${state.path}?${state.query}`
  const referer = URL.parse(req.headers.referer ?? '')
  return referer && referer.host === req.headers.host ? `${referer.pathname}${referer.search}` : '/settings'
}
