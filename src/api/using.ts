/**
 * A key that is used for what only a key can do: making children of itself, and proving itself for a request that a gateway passes on.
 */
import { AppError } from '../errors.ts'
import type { AccessRule } from '../http/route.ts'
import type { Allowed } from '../keys/check.ts'
import type { Caller } from '../observability/audit.ts'
import type { Standing } from '../security/rate-limit.ts'
import { agentOf, type CredentialParts, callerOf, credentialOf, requestLine } from './presented.ts'
import { keyRefusal, tellStanding, tellSunset } from './refusals.ts'

/** The key and what it may do here and now. */
export interface Using {
  readonly allowed: Allowed
  readonly caller: Caller
}

/** Only a key or a personal token of ours, whatever it may do. */
export function usingKey(parts: CredentialParts): AccessRule<Using> {
  return {
    name: 'key',
    describe: 'An API key or personal access token.',
    async admit(ctx) {
      const { credential } = credentialOf(parts, ctx)
      if (!parts.isKey(credential)) throw new AppError('forbidden', 'Only a key can do this.')
      const { ip } = ctx.state
      const verdict = await parts.checkKey(credential, {
        ip,
        userAgent: agentOf(ctx),
        request: requestLine(ctx),
        audience: parts.audience,
        limit: (key) => parts.limiter.take('api_credential', key.id),
      })
      tellStanding(ctx, verdict.limit as Standing | undefined)
      if (!verdict.allowed) throw keyRefusal(parts, verdict)
      if (verdict.old) tellSunset(ctx, verdict.old)
      return { allowed: verdict, caller: callerOf(ctx, verdict.key.ownerId) }
    },
  }
}
