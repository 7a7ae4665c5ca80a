/**
 * Looking at a credential without using it: nothing is spent, counted or noted, and each scope can be asked about. It decides by the same rules as
 * `credentials.ts`, so what it says about a route is what the route will do.
 */
import type { HttpContext } from '../http/server.ts'
import { type ApiCaller, keyCaller, tokenCaller } from './caller.ts'
import { askKeysBehind, lookAtLimits, tokenCounted } from './limits.ts'
import { type CredentialParts, callerOf, credentialOf } from './presented.ts'
import { isRecent } from './recent.ts'
import { invalidToken } from './refusals.ts'

/** A caller that can be asked why. */
export type Looking = ApiCaller & { readonly explain?: (scope: string) => Promise<Explained> }

interface Explained {
  readonly allowed: boolean
  readonly reason: string | null
  /** Whether it may do what needs a recent interactive sign-in besides the scope. */
  readonly recent_sign_in: boolean
}

/** Whether the request only asks. */
export const isExplaining = ({ state }: HttpContext): boolean => new URLSearchParams(state.query).has('explain')

/** As `admit` for no scope, without spending, counting or noting anything. */
export async function looking(parts: CredentialParts, ctx: HttpContext): Promise<Looking> {
  const { credential, scheme } = credentialOf(parts, ctx)
  const { ip } = ctx.state
  if (!parts.isKey(credential)) {
    const proof = scheme === 'dpop' ? { proof: String(ctx.req.headers['dpop'] ?? '') } : {}
    const checked = await parts.checkToken(credential, { method: ctx.method, path: ctx.state.path, ...proof })
    if (!checked.ok || checked.claims.aud !== parts.audience)
      throw invalidToken(parts, 'The access token is not valid.', {
        reason: checked.ok ? 'audience_mismatch' : checked.fault,
      })
    const { claims } = checked
    const account = claims.sub === claims.client_id ? undefined : await parts.findAccount(claims.sub)
    const limit = await lookAtLimits(parts, tokenCounted(claims))
    const told = tokenCaller({ claims, account, caller: callerOf(ctx, claims.sub), limit })
    const recent = await isRecent(parts, told)
    return {
      ...told,
      explain: async (scope) => {
        if (limit && !limit.allowed) return explained('rate_limited', recent)
        if (!told.scopes.includes(scope)) return explained('scope_missing', recent)
        return explained((await askKeysBehind(claims.act, parts.lookAtKey))?.reason, recent)
      },
    }
  }
  const audience = parts.audience
  const found = await parts.explainKey(credential, { ip, audience })
  const { key, scopes } = found
  // A key that has used up its quota is a good one: it is told of itself, and why it may do nothing.
  if (!key || !scopes)
    throw invalidToken(parts, 'The credential is not valid.', found.allowed ? {} : { reason: found.reason })
  const account = await parts.findAccount(key.ownerId)
  const limit = await lookAtLimits(parts, { credential: key.id, accountId: key.ownerId })
  const told = keyCaller({ key, scopes, account, audience, caller: callerOf(ctx, key.ownerId), limit })
  return {
    ...told,
    explain: async (scope) => {
      if (limit && !limit.allowed) return explained('rate_limited', false)
      const answer = await parts.explainKey(credential, { ip, audience, scopes: [scope] })
      return explained(answer.allowed ? undefined : answer.reason, false)
    },
  }
}

/** `scope_not_granted` is what a plain missing scope is called here (contract.md). */
function explained(reason: string | undefined, recent: boolean): Explained {
  const told = reason === 'scope_missing' ? 'scope_not_granted' : reason
  return { allowed: reason === undefined, reason: told ?? null, recent_sign_in: recent }
}
