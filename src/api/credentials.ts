/**
 * Who calls the API: the bearer of one of our access tokens, an API key or a personal access token. One rule for all three, so that every protected
 * route demands the same things in the same order and says no more than it must; the exact cause goes to the owner's denials.
 */
import { AppError } from '../errors.ts'
import type { AccessRule } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import { type ApiCaller, keyCaller } from './caller.ts'
import { isExplaining, type Looking, looking } from './looking.ts'
import { type CredentialParts, callerOf, credentialOf, schemeOf } from './presented.ts'
import { isRecent } from './recent.ts'
import { challenge, keyStanding } from './refusals.ts'
import { noteDenial, useToken } from './token-use.ts'
import { useKey } from './using.ts'

export interface Credentials {
  /** Any credential of ours, and with `?explain=` in the query one that is only looked at: nothing is spent and no mark is left. */
  look(): AccessRule<Looking>
  /** A credential of ours that holds the scope; without a scope any of ours. */
  bearer(scope?: string): AccessRule<ApiCaller>
  /** As `bearer`, but never a key: what would change keys must come from a person's access token. */
  personal(scope: string): AccessRule<ApiCaller>
  /** An administrator's own access token with `api:admin`, from a network that may administer. */
  administrator(): AccessRule<ApiCaller>
  /** As `bearer`, but only an access token of a person whose interactive sign-in is recent (RFC 9470). */
  recent(scope: string): AccessRule<ApiCaller>
}

export function createCredentials(parts: CredentialParts): Credentials {
  const admit = admitting(parts)
  const rule = (
    name: string,
    describe: string,
    scope: string | undefined,
    check: (ctx: HttpContext) => Promise<ApiCaller>,
  ): AccessRule<ApiCaller> => ({
    name,
    describe,
    ...(scope ? { scopes: [scope] } : {}),
    admit: check,
  })
  return {
    look: () =>
      rule('bearer', 'Any credential of ours.', undefined, (ctx) =>
        isExplaining(ctx) ? looking(parts, ctx) : admit(ctx, undefined),
      ),
    bearer: (scope) =>
      rule(
        `bearer ${scope ?? ''}`.trim(),
        scope ? `A credential of ours with \`${scope}\`.` : 'Any credential of ours.',
        scope,
        (ctx) => admit(ctx, scope),
      ),
    personal: (scope) =>
      rule(`bearer ${scope}, no key`, `An access token of a person with \`${scope}\`.`, scope, async (ctx) =>
        onlyPerson(await admit(ctx, scope)),
      ),
    administrator: () =>
      rule('administrator', 'An access token of an administrator with `api:admin`.', 'api:admin', async (ctx) => {
        const caller = onlyPerson(await admit(ctx, 'api:admin'))
        parts.administration.refuseOthers(caller.account, caller.ip)
        return caller
      }),
    recent: (scope) =>
      rule(
        `bearer ${scope}, recent sign-in`,
        `An access token with \`${scope}\` from a recent interactive sign-in.`,
        scope,
        async (ctx) => {
          const caller = await admit(ctx, scope)
          if (await isRecent(parts, caller)) return caller
          throw await stepUp(parts, ctx, caller)
        },
      ),
  }
}

function onlyPerson(caller: ApiCaller): ApiCaller {
  if (caller.kind === 'access_token' && caller.account && caller.actor === undefined) return caller
  throw new AppError('forbidden', 'Only a person can do this: sign in instead of using a key.', {
    details: { reason: 'person_needed' },
  })
}

function admitting(parts: CredentialParts) {
  return async (ctx: HttpContext, scope: string | undefined): Promise<ApiCaller> => {
    const { scheme, credential } = credentialOf(parts, ctx)
    const needed = scope ? { scopes: [scope] } : {}
    if (!parts.isKey(credential)) return useToken(parts, ctx, { scheme, token: credential, ...needed })
    const verdict = await useKey(parts, ctx, credential, needed)
    const { key, scopes } = verdict
    const account = await parts.findAccount(key.ownerId)
    return keyCaller({
      key,
      scopes,
      account,
      audience: parts.audience,
      caller: callerOf(ctx, key.ownerId, verdict.credential),
      limit: keyStanding(verdict),
    })
  }
}

/** RFC 9470 §3: what would satisfy it. A refresh, a key or a personal token never does. */
export async function stepUp(
  parts: CredentialParts,
  ctx: HttpContext,
  { account, kind, id }: ApiCaller,
  acrValues = 'urn:licet:acr:1fa',
): Promise<AppError> {
  const told = { ownerId: account?.id ?? id, credential: `${kind}:${id}`, reason: 'step_up_required' }
  const errorRef = await noteDenial(parts, ctx, told)
  const fields = {
    error: 'insufficient_user_authentication',
    error_description: 'A more recent sign-in is needed',
    acr_values: acrValues,
    max_age: String(parts.recentSeconds),
  }
  return new AppError('insufficient_user_authentication', 'Sign in again to do this.', {
    details: { ...challenge({ ...parts, scheme: schemeOf(ctx) }, fields), errorRef, reason: told.reason },
  })
}
