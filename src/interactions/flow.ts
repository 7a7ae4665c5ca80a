/**
 * What a person sees between authorize and redirect. Every step opens the interaction of this browser anew and shows the page of its stage,
 * so that Back, reload and two tabs always show what is true now. What each page is and does stands in the files beside this one.
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { Attempt, Authenticated } from '../accounts/authenticate.ts'
import type { Passkeys } from '../accounts/passkeys.ts'
import type { RememberedDevices } from '../accounts/remembered-devices.ts'
import { hasCode } from '../errors.ts'
import { factsOf } from '../http/answer.ts'
import { readCookie } from '../http/cookies.ts'
import { type AccessRule, type Answer, get, type Handler, post, type Route } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import { page } from '../http/views.ts'
import type { Audit } from '../observability/audit.ts'
import type { Interactions, OpenInteraction } from '../oidc/interaction.ts'
import { answerOf, ConsentForm, type ConsentRules, consentPage } from './consent.ts'
import { confirmEnrolment, type EnrolParts, enrolPage, passkeyFirstPage } from './enrol.ts'
import { askPasskey, givePasskey, PasskeyForm } from './passkey.ts'
import { createProgress, DEVICE_COOKIE, type Factors, type Progress, type Visited } from './progress.ts'
import {
  type CodeChecks,
  CodeForm,
  giveCode,
  RecoveryCodeForm,
  recoveryWay,
  secondFactorPage,
  totpWay,
} from './second-factor.ts'
import { type Doors, missingFields, passwordSignIn, problemOf, SignInForm, signInPage } from './sign-in.ts'
import { type BeginVerification, heldBackPage, verifyFirst } from './unverified.ts'

export interface FlowParts extends ConsentRules {
  readonly interactions: Interactions
  readonly authenticate: (attempt: Attempt) => Promise<Authenticated>
  readonly factors: Factors & CodeChecks['factors'] & EnrolParts['factors']
  readonly totp: CodeChecks['totp'] & EnrolParts['totp']
  readonly devices: RememberedDevices
  readonly tellNewDevice: Parameters<typeof createProgress>[0]['tellNewDevice']
  readonly audit: Audit
  readonly now: () => number
  readonly beginVerification: BeginVerification
  /** Where the sign-in page leads besides. */
  readonly doors: Omit<Doors, 'passkey'>
  readonly passkeys: Pick<Passkeys, 'beginSignIn' | 'finishSignIn'>
  readonly findAccount: (id: string) => Promise<Account | undefined>
  /** Refuses when this address has tried too often. */
  readonly limitAddress: (ip: string) => Promise<unknown>
  readonly countSignIn: (result: 'ok' | 'wrong' | 'limited') => void
  /** A form made for this interaction in this browser. */
  readonly form: AccessRule<unknown>
  /** The authorization that an expired page can start again, and its app's name. */
  readonly recall: (ctx: HttpContext) => Promise<{ path: string; appName: string } | undefined>
}

/** An interaction that is open, or what can be offered in its place. */
type Opened = { readonly open: Visited } | { readonly expired: { path: string; appName: string } | undefined }

const Nothing = z.object({})
const Shown = z.object({ way: z.string().max(20).optional() })

export function createFlow(parts: FlowParts): readonly Route[] {
  const opened = ofThisBrowser(parts)
  const form = { ...opened, admit: (ctx: HttpContext) => parts.form.admit(ctx).then(() => opened.admit(ctx)) }
  const progress: Progress = createProgress({
    ...parts,
    consentPage: (interaction) => lastPage(interaction, parts),
    stepPage: async (interaction, half, step, shown) => {
      if (step.step === 'enrol')
        return step.offers.includes('totp')
          ? enrolPage(parts, interaction, half, shown)
          : passkeyFirstPage(interaction, half)
      return secondFactorPage(interaction, half, step, {
        ...shown,
        trustDays: parts.devices.trustDays,
        ...(step.offers.includes('passkey') ? { passkey: await askPasskey(parts.passkeys, half.account.id) } : {}),
      })
    },
  })
  const signInAgain: SignInAgain = async (open, said) =>
    signInPage(open, { ...parts.doors, passkey: await askPasskey(parts.passkeys) }, said)
  const stage = stagePage(parts, progress, signInAgain)
  const refused = async (open: OpenInteraction) => signInAgain(open, { problem: { kind: 'passkey' } })
  const steps = { ...parts, progress, refused }
  const act = <I>(path: string, input: z.ZodType<I>, handler: Handler<I, Visited, unknown>): Route =>
    post(`/interaction/:uid/${path}`)
      .needs(form)
      .takes(input)
      .does(unlessExpired(handler as Handler<unknown, Visited, unknown>))
  return [
    get('/interaction/:uid')
      .needs(opened)
      .takes(Shown)
      .does(({ caller, input }) => ('open' in caller ? stage(caller.open, input.way) : expiredPage(caller.expired))),
    act('sign-in', SignInForm, signIn(parts, progress, signInAgain)),
    act('passkey', PasskeyForm, unlessConsent(givePasskey(steps), stage)),
    act('code', CodeForm, giveCode(steps, totpWay)),
    act('recovery-code', RecoveryCodeForm, giveCode(steps, recoveryWay)),
    act('enrol', CodeForm, confirmEnrolment(steps)),
    act('continue', Nothing, ({ caller }) => stage(caller)),
    act('begin-again', Nothing, async ({ caller }) =>
      stage(again(caller, await parts.interactions.beginAgain(caller))),
    ),
    act('consent', ConsentForm, consent(parts, stage)),
    act('verify', Nothing, verifyFirst(parts.beginVerification, stage)),
    act('deny', Nothing, async ({ caller }) => ({ kind: 'leave', url: await parts.interactions.deny(caller) })),
    act('switch', Nothing, async ({ caller }) => stage(again(caller, await parts.interactions.switchAccount(caller)))),
  ]
}

function ofThisBrowser({ interactions, recall }: FlowParts): AccessRule<Opened> {
  return {
    name: 'interaction',
    describe: 'The browser in which this authorization was begun.',
    async admit(ctx) {
      try {
        const open = await interactions.open(ctx.req, ctx.res, ctx.state.params['uid'] ?? '')
        return { open: { ...open, ...browserOf(ctx) } }
      } catch (error) {
        if (hasCode(error, 'gone')) return { expired: await recall(ctx) }
        throw error
      }
    },
  }
}

/** The interaction as it is now, in the same browser. */
function again({ from, device }: Visited, open: OpenInteraction): Visited {
  return { ...open, from, ...(device === undefined ? {} : { device }) }
}

function browserOf(ctx: HttpContext): Pick<Visited, 'device' | 'from'> {
  const { ip, userAgent } = factsOf(ctx)
  const device = readCookie(ctx.req, DEVICE_COOKIE)
  return { from: { ip, userAgent }, ...(device === undefined ? {} : { device }) }
}

type StagePage = (open: Visited, wish?: string) => Promise<Answer>

/** The sign-in page, with what is to be said there. */
type SignInAgain = (open: OpenInteraction, said?: Parameters<typeof signInPage>[2]) => Promise<Answer>

function stagePage(parts: FlowParts, progress: Progress, signInAgain: SignInAgain): StagePage {
  return async (open, wish) => {
    if (open.half) return progress.show(open, open.half, wish ? { wish } : {})
    return open.stage === 'sign_in' ? signInAgain(open) : lastPage(open, parts)
  }
}

/** What is left for somebody who has signed in: to consent, unless their address has to be proven first. */
function lastPage(open: OpenInteraction, rules: ConsentRules) {
  return open.isHeldBack ? heldBackPage(open) : consentPage(open, rules)
}

function unlessExpired<I>(handler: Handler<I, Visited, unknown>): Handler<I, Opened, unknown> {
  return (call) =>
    'open' in call.caller ? handler({ ...call, caller: call.caller.open }) : expiredPage(call.caller.expired)
}

function expiredPage(back: { path: string; appName: string } | undefined) {
  return page('interactions/expired', back ? { appName: back.appName, returnUrl: back.path } : {}, { status: 410 })
}

/** Who has signed in already is asked for consent and nothing else. */
function unlessConsent<I>(handler: Handler<I, Visited, unknown>, stage: StagePage): Handler<I, Visited, unknown> {
  return (call) => (call.caller.stage === 'consent' ? stage(call.caller) : handler(call))
}

function signIn(parts: FlowParts, progress: Progress, signInAgain: SignInAgain): Handler<SignInForm, Visited, unknown> {
  const { authenticate, limitAddress, countSignIn, now } = parts
  return async ({ caller: interaction, input, request }) => {
    if (interaction.stage === 'consent') return lastPage(interaction, parts)
    const { email } = input
    const fields = missingFields(input)
    if (fields.length > 0) return signInAgain(interaction, { email, problem: { kind: 'missing', fields } })
    await limitAddress(request.ip)
    const { ip, userAgent, requestId } = request
    const startedAt = now()
    const knownDevice = await parts.devices.knownFor(interaction.device, email)
    const known = knownDevice ? { knownDevice } : {}
    const result = await authenticate({ ...input, ip, userAgent, requestId, ...known })
    countSignIn(result.ok ? 'ok' : result.reason)
    if (!result.ok) return signInAgain(interaction, { email, problem: problemOf(result) })
    return progress.proceed(interaction, passwordSignIn(result.account, startedAt))
  }
}

function consent({ interactions, scope }: FlowParts, stage: StagePage): Handler<ConsentForm, Visited, unknown> {
  return async ({ caller: interaction, input }) => {
    if (interaction.stage !== 'consent' || interaction.isHeldBack) return stage(interaction)
    if (input.decision === 'deny') return { kind: 'leave', url: await interactions.deny(interaction) }
    return { kind: 'leave', url: await interactions.consent(interaction, answerOf(interaction, input, scope)) }
  }
}
