/**
 * A key in use: checked, spent and counted for this request, with what its answer must say on the way. And the rule for what only a key can do:
 * making children of itself.
 */
import { AppError } from '../errors.ts'
import type { AccessRule } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import type { Allowed, Denied } from '../keys/check.ts'
import type { Caller } from '../observability/audit.ts'
import { takeLimits } from './limits.ts'
import { agentOf, type CredentialParts, callerOf, credentialOf, requestLine } from './presented.ts'
import { keyRefusal, keyStanding, type Lift, tellStanding, tellSunset } from './refusals.ts'
import { useToken } from './token-use.ts'

/** The key and what it may do here and now. */
export interface Using {
  readonly allowed: Allowed
  readonly caller: Caller
}

/** What the request needs; the resource is our own API unless said otherwise. */
interface Needed {
  readonly audience?: string
  readonly scopes?: readonly string[]
  readonly mustHoldSome?: true
}

/** The key behind a credential, allowed to do this, with its limits told on the answer. @throws AppError for a key that is refused */
export async function useKey(
  parts: CredentialParts,
  ctx: HttpContext,
  credential: string,
  { audience = parts.audience, scopes = [], ...needed }: Needed = {},
): Promise<Allowed> {
  const verdict = await parts.checkKey(credential, {
    ip: ctx.state.ip,
    userAgent: agentOf(ctx),
    request: requestLine(ctx),
    audience,
    scopes,
    ...needed,
    limit: (key) => takeLimits(parts, { credential: key.id, accountId: key.ownerId }),
  })
  tellStanding(ctx, keyStanding(verdict))
  if (!verdict.allowed) throw keyRefusal(parts, verdict, await offeredLift(parts, ctx, verdict))
  parts.bearers.remember(ctx, { ownerId: verdict.owner.id, credential: verdict.credential })
  if (verdict.old) tellSunset(ctx, verdict.old)
  return verdict
}

/** What its owner may lift a refused token to, with the page on which they do. A request that cannot be kept leaves the refusal without its link. */
async function offeredLift(
  { askLift, issuer }: CredentialParts,
  ctx: HttpContext,
  { key, elevation: scope }: Denied,
): Promise<Lift | undefined> {
  if (!key || scope === undefined) return undefined
  try {
    const { id } = await askLift(key, scope, { ip: ctx.state.ip, userAgent: agentOf(ctx) })
    return { scope, approvalUrl: `${issuer}/settings/lifts/${id}` }
  } catch {
    return { scope }
  }
}

/** Only a key or a personal token of ours, whatever it may do. */
export function usingKey(parts: CredentialParts): AccessRule<Using> {
  return {
    name: 'key',
    describe: 'An API key or personal access token.',
    async admit(ctx) {
      const { credential, scheme } = credentialOf(parts, ctx)
      if (!parts.isKey(credential)) {
        await useToken(parts, ctx, { scheme, token: credential })
        throw new AppError('forbidden', 'Only a key can do this.', { details: { reason: 'key_needed' } })
      }
      const allowed = await useKey(parts, ctx, credential)
      return { allowed, caller: callerOf(ctx, allowed.key.ownerId, allowed.credential) }
    },
  }
}
