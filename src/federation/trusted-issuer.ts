/**
 * Issuers outside whose assertions this server believes, as the operator configured them: for programs that run there (workloads), and for people
 * of an enterprise whose identity provider says what an app may do for them (ID-JAG).
 */
import { fitsSegments } from '../segments.ts'

export interface TrustedIssuer {
  /** `iss`, byte for byte. */
  readonly issuer: string
  /** Where its keys are; without it and without `jwks` its discovery document says. */
  readonly jwksUri?: string | undefined
  readonly jwks?: { readonly keys: readonly object[] } | undefined
  readonly algorithms: readonly string[]
  /** What `aud` must be; the issuer of this server when absent. */
  readonly audience?: string | undefined
  /** The first one that fits counts. */
  readonly workloads: readonly WorkloadBinding[]
  readonly idJag?: IdJagRules | undefined
}

/** Which program there is which service app here. */
export interface WorkloadBinding {
  readonly app: string
  /** Pattern of `sub`: see `segments.ts`. */
  readonly subject?: string | undefined
  /** Patterns of further claims. */
  readonly claims: Readonly<Record<string, string>>
  /** What it may have of the app's scopes; everything when absent. */
  readonly scopes?: readonly string[] | undefined
}

export interface IdJagRules {
  /** Apps that may present one: client ids; `*` for every app that can prove itself. */
  readonly apps: readonly string[]
  /** Finds accounts by a verified address when nothing links them yet. */
  readonly linkByEmail: boolean
}

export type Claims = Readonly<Record<string, unknown>>

/** The binding of whoever the claims speak of. Only text compares: a number, a list or a nested claim fits nothing. */
export function bindingOf({ workloads }: TrustedIssuer, claims: Claims): WorkloadBinding | undefined {
  const fits = (name: string, pattern: string): boolean => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    return typeof value === 'string' && fitsSegments(pattern, value)
  }
  return workloads.find(
    ({ subject, claims: wanted }) =>
      (subject === undefined || fits('sub', subject)) &&
      Object.entries(wanted).every(([name, pattern]) => fits(name, pattern)),
  )
}

/** Whether an app may present identity assertions of that issuer. One that cannot prove itself must be named. */
export function mayPresent({ idJag }: TrustedIssuer, app: { clientId: string; auth: string }): boolean {
  return idJag?.apps.some((one) => one === app.clientId || (one === '*' && app.auth !== 'none')) ?? false
}
