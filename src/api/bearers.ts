/**
 * Who has been let in with what, for the length of a request: what is refused later in it (an act that needs a person, a right the key was not made
 * with) is noted for the owner too. A refusal of nobody's credential has a reference that leads nowhere.
 */
import type { AppError } from '../errors.ts'
import type { HttpContext } from '../http/server.ts'
import type { Denials } from '../keys/denials.ts'
import { agentOf, requestLine } from './presented.ts'

interface Bearer {
  readonly ownerId: string
  /** `api_key:<id>`, `personal_access_token:<id>` or `access_token:<jti>`. */
  readonly credential: string
}

export interface Bearers {
  remember(ctx: HttpContext, bearer: Bearer): void
  /** The reference of a refusal that has none yet, at once. */
  refOf(ctx: HttpContext, error: AppError): string
}

export function createBearers({ denials, now }: { denials: Denials; now: () => number }): Bearers {
  const known = new WeakMap<HttpContext, Bearer>()
  return {
    remember: (ctx, bearer) => void known.set(ctx, bearer),
    refOf(ctx, { code, details }) {
      const bearer = known.get(ctx)
      if (!bearer) return denials.newRef()
      return denials.noteAside({
        ...bearer,
        reason: details.reason ?? code,
        at: now(),
        ip: ctx.state.ip,
        userAgent: agentOf(ctx),
        request: requestLine(ctx),
      })
    },
  }
}
