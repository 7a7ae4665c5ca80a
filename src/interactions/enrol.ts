/**
 * Setting up a second factor in the middle of a sign-in, because the operator's policy or the app asks for one that the account does not have.
 * A code of the new app proves it and counts as given; then the recovery codes are shown, once, and the sign-in goes on.
 *
 *   POST /interaction/:uid/enrol      a code of the app that was just set up
 *   POST /interaction/:uid/continue   the recovery codes are kept
 */
import type { z } from 'zod'
import { shownAccount } from '../accounts/describe.ts'
import type { Factors } from '../accounts/factors.ts'
import type { Totp } from '../accounts/totp.ts'
import { hasCode } from '../errors.ts'
import type { Handler } from '../http/route.ts'
import type { SecondFactorProblem } from '../http/sign-in-views.ts'
import { type PageAnswer, page } from '../http/views.ts'
import type { HalfSignIn, Interactions, OpenInteraction } from '../oidc/interaction.ts'
import type { Progress, Shown, Visited } from './progress.ts'
import type { CodeForm } from './second-factor.ts'
import { shownApp } from './shown.ts'

export interface EnrolParts {
  readonly totp: Pick<Totp, 'begin' | 'pending'>
  readonly factors: Pick<Factors, 'confirmTotp'>
  readonly interactions: Pick<Interactions, 'halfSignIn'>
  readonly limitAddress: (ip: string) => Promise<unknown>
  readonly progress: Progress
}

/** The page with the key of a new authenticator app; the one begun before, as long as it lives. */
export async function enrolPage(
  { totp }: Pick<EnrolParts, 'totp'>,
  interaction: OpenInteraction,
  half: HalfSignIn,
  { problem }: Shown,
): Promise<PageAnswer> {
  const { app, uid, redirectUri } = interaction
  const { id, email } = half.account
  const { key, qrSvg } = (await totp.pending(id, email, uid)) ?? (await totp.begin(id, email, uid))
  const model = {
    app: shownApp(app, redirectUri),
    account: shownAccount(half.account),
    action: `/interaction/${uid}/enrol`,
    totp: { key, qrSvg },
    beginAgainAction: `/interaction/${uid}/begin-again`,
    ...(problem ? { problem } : {}),
  }
  const limited = problem && 'retryAfterSeconds' in problem
  const options = limited ? { status: 429, headers: { 'Retry-After': String(problem.retryAfterSeconds) } } : {}
  return { ...page('interactions/enrol', model, options), csrfScope: uid }
}

/** An authenticator app is no passkey: whoever needs one adds it in the settings, which ask for the second factor first, and comes back here. */
export function passkeyFirstPage({ app, uid, redirectUri }: OpenInteraction, half: HalfSignIn): PageAnswer {
  const model = {
    app: shownApp(app, redirectUri),
    account: shownAccount(half.account),
    addUrl: '/settings/security/passkeys/new',
    action: `/interaction/${uid}/continue`,
    beginAgainAction: `/interaction/${uid}/begin-again`,
    cancelAction: `/interaction/${uid}/deny`,
  }
  return { ...page('interactions/passkey-first', model), csrfScope: uid }
}

export function confirmEnrolment(parts: EnrolParts): Handler<z.infer<typeof CodeForm>, Visited, unknown> {
  const { factors, interactions, limitAddress, progress } = parts
  return async ({ caller: interaction, input, request }) => {
    const { half, uid } = interaction
    if (!half) return { kind: 'redirect', location: `/interaction/${uid}` }
    await limitAddress(request.ip)
    const caller = { kind: 'account', id: half.account.id, ...from(request) } as const
    const refuse = (problem: SecondFactorProblem) => progress.show(interaction, half, { problem })
    // Only as the first: the owner may have secured the account since this sign-in gave the password.
    const setUp = { by: uid, only: 'first' } as const
    const { tried, recoveryCodes } = await factors.confirmTotp(caller, half.account, input.code, setUp).catch(expired)
    if (tried === 'gone' || tried === 'wrong') return refuse({ kind: tried })
    if (tried !== 'right') return refuse({ kind: 'limited', retryAfterSeconds: tried.retryAfterSeconds })
    const done = { ...half, done: [...half.done, 'totp' as const] }
    if (!recoveryCodes) return progress.proceed(interaction, done)
    await interactions.halfSignIn(interaction, done)
    const shown = { codes: recoveryCodes, continueAction: `/interaction/${uid}/continue` }
    return { ...page('interactions/recovery-codes', shown), csrfScope: uid }
  }
}

function expired(error: unknown): { tried: 'gone'; recoveryCodes?: readonly string[] } {
  if (hasCode(error, 'gone')) return { tried: 'gone' }
  throw error
}

const from = ({ ip, userAgent, requestId }: { ip: string; userAgent: string; requestId: string }) => ({
  ip,
  userAgent,
  requestId,
})
