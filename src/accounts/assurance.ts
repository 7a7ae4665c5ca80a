/**
 * What a sign-in is worth: the methods that were really used → `acr` and `amr` (RFC 8176). One table, used for every sign-in and step-up.
 * Which methods an account must use is decided in `sign-in-state.ts`.
 */

/** One thing a person did to sign in. A remembered device spares the second factor and proves nothing. */
export type Method = 'password' | 'passkey' | 'totp' | 'recovery_code' | 'remembered_device'

/** Assurance, rising. */
export const acrValues = ['urn:licet:acr:1fa', 'urn:licet:acr:2fa', 'phr'] as const
export type Acr = (typeof acrValues)[number]

export interface Assurance {
  readonly acr: Acr
  readonly amr: readonly string[]
}

/** Method → what it adds to `amr`, and what kind of proof it is. */
const worth: Readonly<Record<Method, { readonly amr: readonly string[]; readonly proof?: 'know' | 'code' | 'key' }>> = {
  password: { amr: ['pwd'], proof: 'know' },
  passkey: { amr: ['pop', 'user'], proof: 'key' },
  totp: { amr: ['otp'], proof: 'code' },
  recovery_code: { amr: ['otp'], proof: 'code' },
  remembered_device: { amr: [] },
}

/** `acr` and `amr` of a sign-in in which `done` happened. A passkey with user verification is `phr` by itself. */
export function assuranceOf(done: readonly Method[]): Assurance {
  const proofs = new Set(done.map((method) => worth[method].proof).filter((proof) => proof !== undefined))
  const amr = [...new Set(done.flatMap((method) => worth[method].amr))]
  return { acr: acrOf(proofs), amr: proofs.size > 1 ? [...amr, 'mfa'] : amr }
}

function acrOf(proofs: ReadonlySet<string>): Acr {
  if (proofs.has('key')) return 'phr'
  return proofs.size > 1 ? 'urn:licet:acr:2fa' : 'urn:licet:acr:1fa'
}

/** The methods behind an `amr` of ours; a recovery code reads as an authenticator app, whose `amr` it shares. */
export function methodsIn(amr: readonly string[]): Method[] {
  const named = { password: 'pwd', passkey: 'pop', totp: 'otp' } as const
  return (Object.keys(named) as (keyof typeof named)[]).filter((method) => amr.includes(named[method]))
}

/** True when `acr` is at least `wanted`. Anything that is no assurance of ours is worth nothing. */
export function isAtLeast(acr: string | undefined, wanted: Acr): boolean {
  return acrValues.indexOf(acr as Acr) >= acrValues.indexOf(wanted)
}

/**
 * The least of the asked values that this server knows: any of them satisfies the request (OpenID Connect Core §3.1.2.1). Undefined when
 * none is known.
 */
export function leastAcr(asked: readonly string[]): Acr | undefined {
  return acrValues.find((acr) => asked.includes(acr))
}
