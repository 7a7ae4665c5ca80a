/**
 * The limits of the API: each credential has its own, and all credentials of an account share one, so that many keys are not many limits. Counting is
 * `security/rate-limit.ts`'s.
 */
import type { Spent } from '../keys/allowance.ts'
import type { Standing } from '../security/rate-limit.ts'
import type { CredentialParts } from './presented.ts'

export type ApiPolicy = 'api_credential' | 'api_account'

/** By what a request is counted; an app that acts for itself has no account. */
export interface Counted {
  readonly credential: string
  readonly accountId?: string | undefined
}

/** An access token's requests are counted by app and account together, however many tokens there are. */
export function tokenCounted({ client_id: clientId, sub }: { client_id: string; sub: string }): Counted {
  return { credential: `${clientId} ${sub}`, ...(sub === clientId ? {} : { accountId: sub }) }
}

/** Counts a request under both limits; how it stands under the tighter one. */
export function takeLimits(parts: Pick<CredentialParts, 'limiter'>, counted: Counted): Promise<Standing | undefined> {
  return both(counted, (policy, key) => parts.limiter.take(policy, key))
}

/** As `takeLimits`, without counting. */
export function lookAtLimits(parts: Pick<CredentialParts, 'limiter'>, counted: Counted): Promise<Standing | undefined> {
  return both(counted, (policy, key) => parts.limiter.look(policy, key))
}

/** Whoever acts in a token, the present one first (RFC 8693 §4.1). */
interface Actor {
  readonly sub: string
  readonly act?: Actor
}

/**
 * Asks every key that a token was made from for one call; the refusal of the first that has nothing left. With `spendKey` it spends, with
 * `lookAtKey` it only looks.
 */
export async function askKeysBehind(
  act: Actor | undefined,
  ask: (keyId: string) => Promise<Spent>,
): Promise<Extract<Spent, { allowed: false }> | undefined> {
  for (let actor = act; actor; actor = actor.act) {
    const keyId = /^(?:api_key|personal_access_token):(.+)$/.exec(actor.sub)?.[1]
    const spent = keyId === undefined ? undefined : await ask(keyId)
    if (spent && !spent.allowed) return spent
  }
  return undefined
}

async function both(
  { credential, accountId }: Counted,
  ask: (policy: ApiPolicy, key: string) => Promise<Standing | undefined>,
): Promise<Standing | undefined> {
  const [own, whole] = await Promise.all([
    ask('api_credential', credential),
    accountId === undefined ? undefined : ask('api_account', accountId),
  ])
  if (!own || !whole) return own ?? whole
  if (own.allowed !== whole.allowed) return own.allowed ? whole : own
  return whole.remaining < own.remaining ? whole : own
}
