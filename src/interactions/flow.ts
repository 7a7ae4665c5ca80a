/**
 * What a person sees between authorize and redirect. Every step opens the interaction of this browser anew and shows the page of its stage,
 * so that Back, reload and two tabs always show what is true now.
 */
import { z } from 'zod'
import type { Attempt, Authenticated } from '../accounts/authenticate.ts'
import { hasCode } from '../errors.ts'
import { type AccessRule, get, type Handler, post, type Route } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import { page } from '../http/views.ts'
import type { Interactions, OpenInteraction } from '../oidc/interaction.ts'
import { answerOf, ConsentForm, type ConsentRules, consentPage } from './consent.ts'
import { missingFields, passwordSignIn, problemOf, SignInForm, signInPage } from './sign-in.ts'

export interface FlowParts extends ConsentRules {
  readonly interactions: Interactions
  readonly authenticate: (attempt: Attempt) => Promise<Authenticated>
  readonly now: () => number
  /** Refuses when this address has tried too often. */
  readonly limitAddress: (ip: string) => Promise<unknown>
  readonly countSignIn: (result: 'ok' | 'wrong' | 'limited') => void
  /** A form made for this interaction in this browser. */
  readonly form: AccessRule<unknown>
  /** The authorization that an expired page can start again, and its app's name. */
  readonly recall: (ctx: HttpContext) => Promise<{ path: string; appName: string } | undefined>
}

/** An interaction that is open, or what can be offered in its place. */
type Opened = { readonly open: OpenInteraction } | { readonly expired: { path: string; appName: string } | undefined }

export function createFlow(parts: FlowParts): readonly Route[] {
  const opened = ofThisBrowser(parts)
  const form = { ...opened, admit: (ctx: HttpContext) => parts.form.admit(ctx).then(() => opened.admit(ctx)) }
  const stage = stagePage(parts)
  return [
    get('/interaction/:uid')
      .needs(opened)
      .does(({ caller }) => ('open' in caller ? stage(caller.open) : expiredPage(caller.expired))),
    post('/interaction/:uid/sign-in')
      .needs(form)
      .takes(SignInForm)
      .does(unlessExpired(signIn(parts))),
    post('/interaction/:uid/consent')
      .needs(form)
      .takes(ConsentForm)
      .does(unlessExpired(consent(parts))),
    post('/interaction/:uid/deny')
      .needs(form)
      .takes(z.object({}))
      .does(unlessExpired(deny(parts))),
    post('/interaction/:uid/switch')
      .needs(form)
      .takes(z.object({}))
      .does(unlessExpired(async ({ caller }) => stage(await parts.interactions.switchAccount(caller)))),
  ]
}

function ofThisBrowser({ interactions, recall }: FlowParts): AccessRule<Opened> {
  return {
    name: 'interaction',
    describe: 'The browser in which this authorization was begun.',
    async admit(ctx) {
      try {
        return { open: await interactions.open(ctx.req, ctx.res, ctx.state.params['uid'] ?? '') }
      } catch (error) {
        if (hasCode(error, 'gone')) return { expired: await recall(ctx) }
        throw error
      }
    },
  }
}

function stagePage(rules: ConsentRules) {
  return (open: OpenInteraction) => (open.stage === 'sign_in' ? signInPage(open) : consentPage(open, rules))
}

function unlessExpired<I>(handler: Handler<I, OpenInteraction, unknown>): Handler<I, Opened, unknown> {
  return (call) =>
    'open' in call.caller ? handler({ ...call, caller: call.caller.open }) : expiredPage(call.caller.expired)
}

function expiredPage(back: { path: string; appName: string } | undefined) {
  return page('interactions/expired', back ? { appName: back.appName, returnUrl: back.path } : {}, { status: 410 })
}

function signIn(parts: FlowParts): Handler<SignInForm, OpenInteraction, unknown> {
  const { interactions, authenticate, limitAddress, countSignIn, now } = parts
  return async ({ caller: interaction, input, request }) => {
    if (interaction.stage === 'consent') return consentPage(interaction, parts)
    const fields = missingFields(input)
    if (fields.length > 0) return signInPage(interaction, input.email, { kind: 'missing', fields })
    await limitAddress(request.ip)
    const { ip, userAgent, requestId } = request
    const startedAt = now()
    const result = await authenticate({ ...input, ip, userAgent, requestId })
    countSignIn(result.ok ? 'ok' : result.reason)
    if (!result.ok) return signInPage(interaction, input.email, problemOf(result))
    const done = await interactions.signIn(interaction, passwordSignIn(result.account, startedAt))
    return 'next' in done ? consentPage(done.next, parts) : { kind: 'leave', url: done.location }
  }
}

function consent({ interactions, scope }: FlowParts): Handler<ConsentForm, OpenInteraction, unknown> {
  return async ({ caller: interaction, input }) => {
    if (interaction.stage === 'sign_in') return signInPage(interaction)
    if (input.decision === 'deny') return { kind: 'leave', url: await interactions.deny(interaction) }
    return { kind: 'leave', url: await interactions.consent(interaction, answerOf(interaction, input, scope)) }
  }
}

function deny({ interactions }: FlowParts): Handler<object, OpenInteraction, unknown> {
  return async ({ caller }) => ({ kind: 'leave', url: await interactions.deny(caller) })
}
