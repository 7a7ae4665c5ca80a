/**
 * Proving an e-mail address, by the six digits where they were asked for or by the link anywhere. Opening a link consumes nothing: scanners do.
 * A link in another browser proves the mailbox only, so a password is chosen there (pre-hijacking).
 *
 *   GET  POST /verify                  the code
 *   POST      /verify/resend           another mail
 *   GET  POST /verify/:token           the link, confirmed by a button
 *   POST      /verify/:token/password  the link in another browser
 */
import { z } from 'zod'
import type { MailChallenge, Verification } from '../accounts/verification.ts'
import { AppError, hasCode } from '../errors.ts'
import { forget, keep, keeping } from '../http/kept.ts'
import { type AccessRule, type Answer, type Cookie, get, post, type Route } from '../http/route.ts'
import type { VerifyProblem } from '../http/sign-in-views.ts'
import { page } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'
import { wrongFields } from './setup.ts'

/** The browser's half of a verification that was asked for. */
const VERIFY_COOKIE = '__Host-licet_verify' satisfies Cookie['name']

/** The cookie with which the page of the code opens. */
export const keepVerification = (handle: string): Cookie => keep(VERIFY_COOKIE, handle, 3600)

const CodeForm = z.object({ code: z.string().max(200).default('') })
const PasswordForm = z.object({ password: z.string().max(20_000).default('') })
const Nothing = z.object({})

interface VerifyParts {
  readonly verification: Verification
  readonly anyone: AccessRule<Caller>
  readonly form: AccessRule<Caller>
  readonly minimumPasswordLength: number
  readonly limitAddress: (ip: string) => Promise<unknown>
  readonly now: () => number
}

export function createVerify(parts: VerifyParts): readonly Route[] {
  const { verification, limitAddress } = parts
  const anyone = keeping(parts.anyone, VERIFY_COOKIE)
  const form = keeping(parts.form, VERIFY_COOKIE)
  return [
    get('/verify')
      .needs(anyone)
      .does(async ({ caller }) => codePage(parts, await verification.look(handleOf(caller.value)))),
    post('/verify')
      .needs(form)
      .takes(CodeForm)
      .does(async ({ caller, input, request }) => {
        await limitAddress(request.ip)
        const handle = handleOf(caller.value)
        const tried = await verification.proveByCode(caller.caller, handle, input.code)
        if (tried.kind === 'proven') return verified(tried)
        return codePage(parts, await verification.look(handle), { kind: tried.kind })
      }),
    post('/verify/resend')
      .needs(form)
      .takes(Nothing)
      .does(async ({ caller }) => resend(parts, handleOf(caller.value))),
    get('/verify/:token')
      .needs(anyone)
      .does(async ({ params }) => linkPage(parts, params['token'] ?? '')),
    post('/verify/:token')
      .needs(form)
      .takes(Nothing)
      .does(async ({ caller, params }) => {
        const token = params['token'] ?? ''
        const tried = await verification.proveByLink(caller.caller, token, caller.value)
        return tried.kind === 'proven' ? verified(tried) : linkPage(parts, token, { needsPassword: true })
      }),
    post('/verify/:token/password')
      .needs(form)
      .takes(PasswordForm)
      .does(async ({ caller, params, input }) => {
        const token = params['token'] ?? ''
        try {
          await verification.proveWithPassword(caller.caller, token, input.password)
          return verified({ isSignUp: true })
        } catch (error) {
          const [wrong] = wrongFields(error) ?? []
          if (!wrong) throw error
          return linkPage(parts, token, { needsPassword: true, passwordProblem: wrong.reason })
        }
      }),
  ]
}

function handleOf(value: string | undefined): string {
  if (value === undefined) throw new AppError('gone', 'This browser has not asked for a code, or it has expired.')
  return value
}

/** Whoever was on the way somewhere goes on there; a sign-up learns first that it is done. */
function verified({ returnTo = '/settings', isSignUp }: { returnTo?: string; isSignUp: boolean }): Answer {
  const cookies = [forget(VERIFY_COOKIE)]
  if (!isSignUp) return { kind: 'redirect', location: returnTo, cookies }
  return page('interactions/done', { kind: 'verified', continueUrl: returnTo }, { cookies })
}

function codePage(
  { now }: Pick<VerifyParts, 'now'>,
  { email, resendAt }: MailChallenge,
  problem?: VerifyProblem,
): Answer {
  const wait = Math.max(0, Math.ceil((resendAt - now()) / 1000))
  return page('interactions/verify', {
    email,
    ...(wait > 0 ? { resendInSeconds: wait } : {}),
    ...(problem ? { problem } : {}),
  })
}

async function resend(parts: VerifyParts, handle: string): Promise<Answer> {
  try {
    const challenge = await parts.verification.resend(handle)
    return { kind: 'redirect', location: '/verify', cookies: [keepVerification(challenge.handle)] }
  } catch (error) {
    if (!hasCode(error, 'rate_limited')) throw error
    const retryAfterSeconds = error.details.retryAfterSeconds ?? 60
    return codePage(parts, await parts.verification.look(handle), { kind: 'too_soon', retryAfterSeconds })
  }
}

async function linkPage(
  { verification, minimumPasswordLength }: VerifyParts,
  token: string,
  more: { needsPassword?: true; passwordProblem?: NonNullable<ReturnType<typeof wrongFields>>[number]['reason'] } = {},
): Promise<Answer> {
  const { email } = await verification.openLink(token)
  return page('interactions/verify-link', {
    action: `/verify/${encodeURIComponent(token)}`,
    email,
    minimumPasswordLength,
    ...more,
  })
}
