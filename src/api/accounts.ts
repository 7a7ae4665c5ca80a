/**
 * `/api/v1/accounts/me`: who a credential is, what it may do from here, and why it may not do something. One shape for access tokens, API keys and
 * personal access tokens. Explaining decides by the rule that protects the routes, spends nothing and leaves no mark.
 */
import { z } from 'zod'
import { get, type Route } from '../http/route.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { Me } from './shapes.ts'

const Query = z.object({ explain: z.string().max(100).optional() })

export function createAccountRoutes(credentials: Credentials): readonly Route[] {
  return [
    get('/api/v1/accounts/me')
      .needs(credentials.look())
      .takes(Query)
      .gives(200, Me)
      .says('Who this credential is and what it may do; `explain` tells why it may not use a scope.')
      .does(async ({ caller, input }) => {
        const asked = input.explain
        const explained = asked === undefined ? {} : { explain: { scope: asked, ...(await caller.explain?.(asked)) } }
        return { kind: 'json', body: { ...shown(caller), ...explained } }
      }),
  ]
}

const isoTime = (seconds: number): string => new Date(seconds * 1000).toISOString()

function shown(caller: ApiCaller): object {
  const { account, key, limit } = caller
  return {
    account: account
      ? { id: account.id, email: account.email, email_verified: account.emailVerified, name: account.name }
      : null,
    credential: {
      type: caller.kind,
      id: caller.id,
      name: caller.name,
      client_id: caller.clientId ?? null,
      created_at: isoTime(caller.createdAt),
      expires_at: isoTime(caller.expiresAt),
    },
    scopes: caller.scopes,
    audience: [caller.audience],
    assurance: { acr: caller.acr ?? null, amr: caller.amr, auth_time: caller.authTime ?? null },
    network: { ip: caller.ip, allowed: true, rule: key && key.allowedIps.length > 0 ? key.allowedIps.join(' ') : null },
    rate_limit: limit
      ? { policy: limit.policy, limit: limit.limit, remaining: limit.remaining, reset_seconds: limit.resetSeconds }
      : null,
  }
}
