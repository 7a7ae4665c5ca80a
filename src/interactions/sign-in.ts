/**
 * The sign-in page of an authorization: the app that asks stands above the fields, and every refusal of a password reads the same.
 */
import { z } from 'zod'
import { type Account, signInSecond } from '../accounts/account.ts'
import type { Authenticated } from '../accounts/authenticate.ts'
import { shownAccount } from '../accounts/describe.ts'
import type { PasskeyAsked } from '../http/sign-in-views.ts'
import { type PageAnswer, page, type SignIn, type SignInProblem } from '../http/views.ts'
import type { HalfSignIn, OpenInteraction } from '../oidc/interaction.ts'
import { shownApp } from './shown.ts'

export const SignInForm = z.object({
  email: z.string().max(1000).default(''),
  password: z.string().max(20_000).default(''),
})
export type SignInForm = z.infer<typeof SignInForm>

const STATUS: Readonly<Record<SignInProblem['kind'], number>> = {
  wrong: 200,
  passkey: 200,
  stale: 200,
  missing: 200,
  limited: 429,
  busy: 503,
}

/** Where else the page leads; absent where the operator has closed it. */
export interface Doors {
  readonly recoverUrl?: string
  readonly signUpUrl?: string
  /** The ceremony for a passkey of anybody. */
  readonly passkey?: Omit<PasskeyAsked, 'action'>
}

/** Reasons for which somebody who is signed in has to prove it again, as the same person. */
const STEP_UP = ['login_prompt', 'max_age', 'asked_max_age', 'acr', 'factor_missing']

export function signInPage(
  interaction: OpenInteraction,
  { passkey, ...doors }: Doors,
  { email, problem }: { email?: string; problem?: SignInProblem } = {},
): PageAnswer {
  const { app, uid, account, redirectUri, reasons, isSwitching } = interaction
  const isStepUp = account !== undefined && !isSwitching && reasons.some((reason) => STEP_UP.includes(reason))
  const model = {
    app: shownApp(app, redirectUri),
    email: email ?? (isStepUp ? account.email : (interaction.loginHint ?? '')),
    action: `/interaction/${uid}/sign-in`,
    cancelAction: `/interaction/${uid}/deny`,
    ...doors,
    ...(doors.signUpUrl ? { signUpUrl: `${doors.signUpUrl}?interaction=${uid}` } : {}),
    ...(passkey ? { passkey: { ...passkey, action: `/interaction/${uid}/passkey` } } : {}),
    ...(account ? shownAs(account, isStepUp ? `/interaction/${uid}/switch` : undefined) : {}),
    ...(problem ? { problem } : {}),
  }
  const retry =
    problem && 'retryAfterSeconds' in problem ? { headers: { 'Retry-After': String(problem.retryAfterSeconds) } } : {}
  return {
    ...page('interactions/sign-in', model, { status: problem ? STATUS[problem.kind] : 200, ...retry }),
    csrfScope: uid,
  }
}

function shownAs(account: Account, switchAction: string | undefined): Pick<SignIn, 'stepUp' | 'switchAccount'> {
  const shown = shownAccount(account)
  return switchAction ? { stepUp: { account: shown, switchAction } } : { switchAccount: shown }
}

/** Fields that are empty; a form with one of them is not tried. */
export function missingFields({ email, password }: SignInForm): ('email' | 'password')[] {
  const fields = { email: email.trim(), password }
  return (['email', 'password'] as const).filter((name) => fields[name] === '')
}

export function problemOf(refusal: Extract<Authenticated, { ok: false }>): SignInProblem {
  return refusal.reason === 'limited'
    ? { kind: 'limited', retryAfterSeconds: refusal.retryAfterSeconds }
    : { kind: 'wrong' }
}

/** What a password is in a sign-in. `startedAt` is when the form came in: what happens meanwhile ends this sign-in too. */
export function passwordSignIn(account: Account, startedAt: number): HalfSignIn {
  return { account, done: ['password'], at: signInSecond(account, startedAt) }
}
