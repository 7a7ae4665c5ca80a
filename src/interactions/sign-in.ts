/**
 * The sign-in page of an authorization: the app that asks stands above the fields, and every refusal of a password reads the same.
 */
import { z } from 'zod'
import { type Account, signInSecond } from '../accounts/account.ts'
import type { Authenticated } from '../accounts/authenticate.ts'
import { type PageAnswer, page, type SignInProblem } from '../http/views.ts'
import type { OpenInteraction, SignIn } from '../oidc/interaction.ts'
import { shownAccount, shownApp } from './shown.ts'

export const SignInForm = z.object({
  email: z.string().max(1000).default(''),
  password: z.string().max(20_000).default(''),
})
export type SignInForm = z.infer<typeof SignInForm>

const STATUS: Readonly<Record<SignInProblem['kind'], number>> = {
  wrong: 200,
  stale: 200,
  missing: 200,
  limited: 429,
  busy: 503,
}

export function signInPage(interaction: OpenInteraction, email?: string, problem?: SignInProblem): PageAnswer {
  const { app, uid, account, redirectUri } = interaction
  const model = {
    app: shownApp(app, redirectUri),
    email: email ?? interaction.loginHint ?? '',
    action: `/interaction/${uid}/sign-in`,
    cancelAction: `/interaction/${uid}/deny`,
    ...(account ? { switchAccount: shownAccount(account) } : {}),
    ...(problem ? { problem } : {}),
  }
  const retry =
    problem && 'retryAfterSeconds' in problem ? { headers: { 'Retry-After': String(problem.retryAfterSeconds) } } : {}
  return {
    ...page('interactions/sign-in', model, { status: problem ? STATUS[problem.kind] : 200, ...retry }),
    csrfScope: uid,
  }
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

/** A password alone: one factor (RFC 8176 `pwd`). `startedAt` is when the form came in: what happens meanwhile ends this sign-in too. */
export function passwordSignIn(account: Account, startedAt: number): SignIn {
  return { accountId: account.id, acr: 'urn:licet:acr:1fa', amr: ['pwd'], at: signInSecond(account, startedAt) }
}
