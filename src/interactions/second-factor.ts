/**
 * The second factor of a sign-in: the page that asks for it, strongest first and with every other way offered, and what a given code does.
 * Codes are judged, counted and used up by the account's factors; here nothing decides that a sign-in is finished (`progress.ts`).
 *
 *   POST /interaction/:uid/code            a code of the authenticator app
 *   POST /interaction/:uid/recovery-code   one of the ten recovery codes
 *   POST /interaction/:uid/begin-again     forget what was given: another account
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { Method } from '../accounts/assurance.ts'
import type { Guessed } from '../accounts/code-guesses.ts'
import { shownAccount } from '../accounts/describe.ts'
import type { Answer, Handler, RequestFacts } from '../http/route.ts'
import type { FactorWay, PasskeyAsked, SecondFactorProblem } from '../http/sign-in-views.ts'
import { type PageAnswer, page } from '../http/views.ts'
import type { Audit } from '../observability/audit.ts'
import type { HalfSignIn, OpenInteraction } from '../oidc/interaction.ts'
import type { Progress, Shown, UnfinishedStep, Visited } from './progress.ts'
import { shownApp } from './shown.ts'

export interface CodeChecks {
  readonly totp: { check(accountId: string, code: string): Promise<Guessed> }
  readonly factors: { useRecoveryCode(account: Account, code: string): Promise<Guessed> }
}

interface SecondFactorParts extends CodeChecks {
  readonly audit: Audit
  readonly limitAddress: (ip: string) => Promise<unknown>
  readonly progress: Progress
}

const remember = z.enum(['yes']).optional()
export const CodeForm = z.object({ code: z.string().max(200).default(''), remember })
export const RecoveryCodeForm = z.object({ recovery_code: z.string().max(200).default(''), remember })

/** The way the person asked for in the address, if it is one of those offered. */
export function chosenWay(offers: readonly string[], wish: string | undefined): FactorWay {
  const ways = WAYS.filter((way) => offers.includes(way))
  return ways.find((way) => way === wish) ?? ways[0] ?? 'totp'
}

const WAYS: readonly FactorWay[] = ['passkey', 'totp', 'recovery_code']
const ACTIONS: Readonly<Record<FactorWay, string>> = {
  passkey: 'passkey',
  totp: 'code',
  recovery_code: 'recovery-code',
}

export function secondFactorPage(
  interaction: OpenInteraction,
  half: HalfSignIn,
  { offers }: UnfinishedStep,
  {
    wish,
    problem,
    passkey,
    trustDays,
  }: Shown & { passkey?: Omit<PasskeyAsked, 'action'>; trustDays?: number | undefined },
): PageAnswer {
  const { app, uid, redirectUri } = interaction
  const way = chosenWay(offers, wish)
  const others = WAYS.filter((other) => (offers as readonly string[]).includes(other) && other !== way)
  const model = {
    app: shownApp(app, redirectUri),
    account: shownAccount(half.account),
    way,
    action: `/interaction/${uid}/${ACTIONS[way]}`,
    others: others.map((other) => ({ way: other, url: `/interaction/${uid}?way=${other}` })),
    beginAgainAction: `/interaction/${uid}/begin-again`,
    ...(passkey ? { passkey: { ...passkey, action: `/interaction/${uid}/passkey` } } : {}),
    ...(trustDays === undefined || way === 'passkey' ? {} : { trustDays }),
    ...(problem ? { problem } : {}),
  }
  const limited = problem && 'retryAfterSeconds' in problem
  const options = limited ? { status: 429, headers: { 'Retry-After': String(problem.retryAfterSeconds) } } : {}
  return { ...page('interactions/second-factor', model, options), csrfScope: uid }
}

/** One way to give a code: which field, who judges it, what it counts as. */
interface CodeWay<I> {
  readonly method: Extract<Method, 'totp' | 'recovery_code'>
  readonly codeOf: (input: I) => string
}

export const totpWay: CodeWay<z.infer<typeof CodeForm>> = { method: 'totp', codeOf: ({ code }) => code }
export const recoveryWay: CodeWay<z.infer<typeof RecoveryCodeForm>> = {
  method: 'recovery_code',
  codeOf: (input) => input.recovery_code,
}

/** Tries a code; the sign-in goes on when it is right. */
export function giveCode<I extends { remember?: 'yes' | undefined }>(
  parts: SecondFactorParts,
  way: CodeWay<I>,
): Handler<I, Visited, unknown> {
  const { totp, factors, limitAddress, progress } = parts
  const check = (account: Account, code: string): Promise<Guessed> =>
    way.method === 'totp' ? totp.check(account.id, code) : factors.useRecoveryCode(account, code)
  return async ({ caller: interaction, input, request }) => {
    const { half } = interaction
    if (!half) return { kind: 'redirect', location: `/interaction/${interaction.uid}` }
    const refuse = (problem: SecondFactorProblem): Promise<Answer> =>
      progress.show(interaction, half, { wish: way.method, problem })
    if (way.codeOf(input).trim() === '') return refuse({ kind: 'missing' })
    await limitAddress(request.ip)
    const guessed = await check(half.account, way.codeOf(input))
    await note(parts.audit, half, request, { method: way.method, guessed })
    if (guessed === 'wrong') return refuse({ kind: 'wrong' })
    if (guessed !== 'right') return refuse({ kind: 'limited', retryAfterSeconds: guessed.retryAfterSeconds })
    const trusting = { ...interaction, trust: input.remember === 'yes' }
    return progress.proceed(trusting, { ...half, done: [...half.done, way.method] })
  }
}

/** Who got this far had the password: every code given after it is noted, right or wrong. */
async function note(
  audit: Audit,
  { account }: HalfSignIn,
  { ip, userAgent, requestId }: RequestFacts,
  { method, guessed }: { method: Method; guessed: Guessed },
): Promise<void> {
  const right = guessed === 'right'
  await audit.note(
    { kind: right ? 'account' : 'anonymous', ...(right ? { id: account.id } : {}), ip, userAgent, requestId },
    {
      event: right ? 'sign_in.second_factor' : 'sign_in.refused',
      outcome: right ? 'done' : 'refused',
      accountId: account.id,
      details: { method },
      ...(right ? {} : { reason: guessed === 'wrong' ? 'wrong_code' : 'too_many_failures' }),
    },
  )
}
