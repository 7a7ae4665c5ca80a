/**
 * How strong and how recent a sign-in an authorization asks for (RFC 9470: `acr_values`, `max_age`), whether or not it has the `openid` scope
 * that the library demands for these parameters. What satisfies it is only ever a sign-in of a person, never a token or a key.
 */
import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { type Acr, isAtLeast, leastAcr } from '../accounts/assurance.ts'

const { Check } = interactionPolicy

type Fields = Record<string, unknown>

/** Standard name → the name under which a request without `openid` carries it past the library. */
const CARRIED = { acr_values: 'asked_acr_values', max_age: 'asked_max_age' } as const

/** For the library's `extraParams`. */
export const stepUpParams: readonly string[] = Object.values(CARRIED)

/** Renames the parameters of a request without `openid`. What a client sends under our names counts for nothing. */
export function carryStepUp(params: Fields, route: string): void {
  // A resumed or pushed request carries them already, as they were renamed when it came in.
  const isArriving =
    route === 'authorization' || route === 'pushed_authorization_request' || route === 'device_authorization'
  if (!isArriving) return
  const hasOpenid = String(params['scope'] ?? '')
    .split(' ')
    .includes('openid')
  for (const [name, carried] of Object.entries(CARRIED)) {
    params[carried] = undefined
    if (hasOpenid || params[name] === undefined) continue
    params[carried] = params[name]
    params[name] = undefined
  }
}

/** The least assurance that satisfies the request; undefined when it asks for none that this server knows. */
export function wantedAcr(params: Fields): Acr | undefined {
  const asked = params['acr_values'] ?? params[CARRIED.acr_values]
  return typeof asked === 'string' ? leastAcr(asked.split(' ')) : undefined
}

/** The checks that the library does not make: a sign-in that is too weak, and one that is too old for a request without `openid`. */
export function stepUpChecks() {
  return [
    new Check('acr', 'a stronger sign-in is needed', 'unmet_authentication_requirements', ({ oidc }) => {
      const wanted = wantedAcr((oidc.params ?? {}) as Fields)
      return wanted !== undefined && oidc.session?.accountId !== undefined && !isAtLeast(oidc.session.acr, wanted)
    }),
    new Check('asked_max_age', 'a more recent sign-in is needed', 'login_required', ({ oidc }) => {
      const maxAge = askedMaxAge(oidc.params?.[CARRIED.max_age])
      if (maxAge === undefined || oidc.session?.accountId === undefined || oidc.result?.login) return false
      return maxAge === 0 || isPast(oidc, maxAge)
    }),
  ]
}

function askedMaxAge(value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (!/^\d{1,15}$/.test(String(value))) throw new errors.InvalidRequest('invalid max_age parameter value')
  return Number(value)
}

function isPast({ session }: KoaContextWithOIDC['oidc'], age: number): boolean {
  return (session as unknown as { past(age: number): boolean }).past(age)
}
