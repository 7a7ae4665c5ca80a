/**
 * The one state machine of a sign-in: what was done, what the account has and what is asked for → the next step, or complete. Pure; every
 * door (authorize, device approval, settings, keys, step-up) asks it, so that a half-finished sign-in is no sign-in (threats.md MF1).
 * Whether a method succeeded is decided by its own file; where the state is kept between two requests, by the door.
 */
import { type Acr, type Assurance, assuranceOf, isAtLeast, type Method } from './assurance.ts'

/** What the account can sign in with; `listFactors` of `factors.ts` makes it. */
export interface HeldFactors {
  readonly password: boolean
  readonly totp: boolean
  /** How many. */
  readonly passkeys: number
  /** How many are left. */
  readonly recoveryCodes: number
}

export interface SignInState {
  /** What was done in this sign-in, in order; only what really succeeded, for this account. */
  readonly done: readonly Method[]
  readonly held: HeldFactors
  /** `required` when the operator's policy asks this account for a second factor. */
  readonly secondFactor: 'required' | 'optional'
  /** The assurance that the app or page asks for. */
  readonly wanted?: Acr
}

export type Offer = 'password' | 'passkey' | 'totp' | 'recovery_code'

export type NextStep =
  /** Prove who you are; strongest first. */
  | { readonly step: 'first_factor'; readonly offers: readonly Offer[] }
  /** Prove it in a second way; strongest first. */
  | { readonly step: 'second_factor'; readonly offers: readonly Offer[] }
  /** The policy or the request asks for a factor the account does not have: set one up, then it counts as done. */
  | { readonly step: 'enrol'; readonly offers: readonly ('passkey' | 'totp')[] }
  /** `sudo`: whether it counts as the fresh sign-in that sensitive acts need; recovery codes do not grant that. */
  | ({ readonly step: 'complete'; readonly sudo: boolean } & Assurance)

/**
 * What comes next. `complete` is the only answer that is a sign-in. Setting a factor up during `enrol` puts it into `done`, for its code or
 * signature was checked then.
 */
export function nextStep(state: SignInState): NextStep {
  const { done, held, secondFactor, wanted } = state
  if (!done.includes('password') && !done.includes('passkey')) {
    return { step: 'first_factor', offers: offered({ passkey: held.passkeys > 0, password: held.password }) }
  }
  const { acr, amr } = assuranceOf(done)
  if (wanted && !isAtLeast(acr, wanted)) return reach(wanted, isStrong(acr), held)
  // A remembered device spares asking for a factor the account has; it does not stand in for one it lacks.
  const spared = done.includes('remembered_device') && hasSecondFactor(held)
  if (isStrong(acr) || spared) return { step: 'complete', acr, amr, sudo: !done.includes('recovery_code') }
  if (hasSecondFactor(held)) return { step: 'second_factor', offers: secondOffers(held) }
  if (secondFactor === 'required') return { step: 'enrol', offers: ['passkey', 'totp'] }
  return { step: 'complete', acr, amr, sudo: true }
}

/** True when the account is asked for a second factor after its password. */
export function hasSecondFactor({ totp, passkeys }: HeldFactors): boolean {
  return totp || passkeys > 0
}

const isStrong = (acr: Acr) => isAtLeast(acr, 'urn:licet:acr:2fa')

/** The way to an assurance that is not reached yet: only a passkey is `phr`, and no code stands in for it (threats.md MF6). */
function reach(wanted: Acr, strong: boolean, held: HeldFactors): NextStep {
  if (wanted === 'phr' && held.passkeys > 0) return { step: 'second_factor', offers: ['passkey'] }
  // Whoever has a second factor proves it before a passkey is added: a stolen password must not enrol one.
  if (wanted === 'phr' && (strong || !hasSecondFactor(held))) return { step: 'enrol', offers: ['passkey'] }
  if (hasSecondFactor(held)) return { step: 'second_factor', offers: secondOffers(held) }
  return { step: 'enrol', offers: ['passkey', 'totp'] }
}

function secondOffers(held: HeldFactors): Offer[] {
  return offered({ passkey: held.passkeys > 0, totp: held.totp, recovery_code: held.recoveryCodes > 0 })
}

function offered(offers: Partial<Record<Offer, boolean>>): Offer[] {
  return (Object.keys(offers) as Offer[]).filter((name) => offers[name])
}
