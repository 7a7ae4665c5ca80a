/**
 * Settings, security: second factors. Every change needs a recent sign-in with the second factor of whoever has one, and
 * signs the other browsers out; keys and codes are shown once.
 */
import { z } from 'zod'
import type { Factors } from '../accounts/factors.ts'
import type { Passkeys } from '../accounts/passkeys.ts'
import type { Totp } from '../accounts/totp.ts'
import { hasCode } from '../errors.ts'
import { describeDevice } from '../http/device.ts'
import { type Answer, get, type Handler, post, type RequestFacts, type Route } from '../http/route.ts'
import type { SecondFactorProblem } from '../http/sign-in-views.ts'
import type { PageAnswer } from '../http/views.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

export interface FactorsParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly factors: Factors
  readonly totp: Pick<Totp, 'begin' | 'pending'>
  readonly passkeys: Pick<Passkeys, 'beginRegistration'>
  /** A further factor was proven in this person's session. */
  readonly noteFactor: (person: Person, method: 'totp') => Promise<void>
  readonly endOthers: (accountId: string, keepId: string) => Promise<unknown>
  /** The security page after something could not be done. */
  readonly security: (person: Person, more: { isLastFactor: true }) => Promise<PageAnswer>
}

/** URLs: below `/settings/security`, `totp` (GET, POST) `totp/confirm` `totp/remove` `recovery-codes` `passkeys` `passkeys/new` (GET) `passkeys/:id/rename|remove`. */
const HOME = '/settings/security'

const Nothing = z.object({})
const CodeForm = z.object({ code: z.string().max(200).default('') })
const NameForm = z.object({ name: z.string().max(1000).default('') })
const PasskeyForm = z.object({
  handle: z.string().max(2000).default(''),
  credential: z.string().max(20_000).default(''),
  name: z.string().max(1000).default(''),
})

const done = (what: string): Answer => ({ kind: 'redirect', location: `${HOME}?done=${what}` })

export function createFactorsPages(parts: FactorsParts): readonly Route[] {
  const { access, factors } = parts
  const remove = (act: (person: Person, caller: ReturnType<typeof callerOf>, id: string) => Promise<void>) =>
    removal(parts, act)
  return [
    post(`${HOME}/totp`)
      .needs(access.provenForm)
      .takes(Nothing)
      .does(async ({ caller: { account, sid } }) => {
        await parts.totp.begin(account.id, account.email, sid)
        return { kind: 'redirect', location: `${HOME}/totp` }
      }),
    get(`${HOME}/totp`)
      .needs(access.proven)
      .does(({ caller }) => totpPage(parts, caller)),
    post(`${HOME}/totp/confirm`).needs(access.provenForm).takes(CodeForm).does(confirmTotp(parts)),
    post(`${HOME}/totp/remove`)
      .needs(access.provenForm)
      .takes(Nothing)
      .does(remove(({ account }, caller) => factors.removeTotp(caller, account))),
    post(`${HOME}/recovery-codes`).needs(access.provenForm).takes(Nothing).does(renewCodes(parts)),
    get(`${HOME}/passkeys/new`)
      .needs(access.proven)
      .does(({ caller, request }) => passkeyPage(parts, caller, request)),
    post(`${HOME}/passkeys`).needs(access.provenForm).takes(PasskeyForm).does(addPasskey(parts)),
    post(`${HOME}/passkeys/:id/rename`)
      .needs(access.provenForm)
      .takes(NameForm)
      .does(async ({ caller, params, input, request }) => {
        await factors.renamePasskey(callerOf(caller, request), caller.account, params['id'] ?? '', input.name)
        return done('renamed')
      }),
    post(`${HOME}/passkeys/:id/remove`)
      .needs(access.provenForm)
      .takes(Nothing)
      .does(remove(({ account }, caller, id) => factors.removePasskey(caller, account, id))),
  ]
}

async function totpPage({ totp, draw }: FactorsParts, person: Person, problem?: SecondFactorProblem): Promise<Answer> {
  const { id, email } = person.account
  const pending = await totp.pending(id, email, person.sid)
  if (!pending) return { kind: 'redirect', location: HOME }
  const { key, qrSvg } = pending
  return draw('settings/totp', person, { totp: { key, qrSvg }, ...(problem ? { problem } : {}) })
}

function confirmTotp(parts: FactorsParts): Handler<z.infer<typeof CodeForm>, Person, unknown> {
  return async ({ caller: person, input, request }) => {
    const { tried, recoveryCodes } = await parts.factors
      .confirmTotp(callerOf(person, request), person.account, input.code, { by: person.sid })
      .catch(expired)
    if (tried === 'gone') return { kind: 'redirect', location: HOME }
    if (tried === 'wrong') return totpPage(parts, person, { kind: 'wrong' })
    if (tried !== 'right')
      return totpPage(parts, person, { kind: 'limited', retryAfterSeconds: tried.retryAfterSeconds })
    await parts.noteFactor(person, 'totp')
    return afterAdding(parts, person, 'totp', recoveryCodes)
  }
}

function expired(error: unknown): { tried: 'gone'; recoveryCodes?: readonly string[] } {
  if (hasCode(error, 'gone')) return { tried: 'gone' }
  throw error
}

/** Other browsers go; the first recovery codes are shown now or never. */
async function afterAdding(
  { endOthers, draw }: FactorsParts,
  person: Person,
  what: string,
  codes: readonly string[] | undefined,
): Promise<Answer> {
  await endOthers(person.account.id, person.sid)
  return codes ? draw('settings/recovery-codes', person, { codes }) : done(what)
}

function renewCodes({ factors, draw, endOthers }: FactorsParts): Handler<object, Person, unknown> {
  return async ({ caller: person, request }) => {
    const codes = await factors.regenerateRecoveryCodes(callerOf(person, request), person.account)
    await endOthers(person.account.id, person.sid)
    return draw('settings/recovery-codes', person, { codes })
  }
}

async function passkeyPage(
  { passkeys, draw }: FactorsParts,
  person: Person,
  { userAgent }: RequestFacts,
  isRefused = false,
): Promise<Answer> {
  const { handle, options } = await passkeys.beginRegistration(person.account)
  return draw('settings/passkey', person, {
    passkey: { action: `${HOME}/passkeys`, handle, options: JSON.stringify(options) },
    device: describeDevice(userAgent),
    isRefused,
  })
}

function addPasskey(parts: FactorsParts): Handler<z.infer<typeof PasskeyForm>, Person, unknown> {
  return async ({ caller: person, input, request }) => {
    const { handle, name } = input
    try {
      const answer = { handle, name, response: parsed(input.credential) }
      const { recoveryCodes } = await parts.factors.addPasskey(callerOf(person, request), person.account, answer)
      return await afterAdding(parts, person, 'passkey', recoveryCodes)
    } catch (error) {
      if (!hasCode(error, 'invalid_request') && !hasCode(error, 'conflict')) throw error
      return passkeyPage(parts, person, request, true)
    }
  }
}

function parsed(credential: string): unknown {
  try {
    return JSON.parse(credential)
  } catch {
    return undefined
  }
}

/** The last factor that is needed stays, and the page says so. */
function removal(
  { endOthers, security }: FactorsParts,
  act: (person: Person, caller: ReturnType<typeof callerOf>, id: string) => Promise<void>,
): Handler<object, Person, unknown> {
  return async ({ caller: person, params, request }) => {
    try {
      await act(person, callerOf(person, request), params['id'] ?? '')
    } catch (error) {
      if (!hasCode(error, 'forbidden')) throw error
      return security(person, { isLastFactor: true })
    }
    await endOthers(person.account.id, person.sid)
    return done('removed')
  }
}
