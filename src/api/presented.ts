/**
 * What a request to the API presents, and what is needed to judge it. Judging is `credentials.ts`'s; looking without a trace is `looking.ts`'s.
 */
import type { Account } from '../accounts/account.ts'
import type { HttpContext } from '../http/server.ts'
import type { Spent } from '../keys/allowance.ts'
import type { Explanation, Verdict } from '../keys/check.ts'
import type { Denial } from '../keys/denials.ts'
import type { Key } from '../keys/key.ts'
import type { Caller } from '../observability/audit.ts'
import type { CheckedToken } from '../oidc/interaction.ts'
import type { Administration } from '../security/administration.ts'
import type { RateLimiter, Standing } from '../security/rate-limit.ts'
import type { Bearers } from './bearers.ts'
import type { ApiPolicy } from './limits.ts'
import { invalidToken, unauthenticated } from './refusals.ts'

export interface CredentialParts {
  readonly issuer: string
  /** What proofs of possession may be signed by (RFC 9449 §7.1). */
  readonly proofAlgorithms: readonly string[]
  /** The resource this API is. */
  readonly audience: string
  readonly checkToken: (
    token: string,
    request: { proof?: string; method: string; path: string },
  ) => Promise<CheckedToken>
  readonly isKey: (credential: string) => boolean
  readonly checkKey: (
    credential: string,
    request: {
      ip: string
      userAgent: string
      request: string
      audience: string
      scopes?: readonly string[]
      mustHoldSome?: true
      limit: (key: Key) => Promise<Standing | undefined>
    },
  ) => Promise<Verdict>
  readonly explainKey: (
    credential: string,
    asked: { ip: string; audience: string; scopes?: readonly string[] },
  ) => Promise<Explanation>
  /** The open request of that token for that scope. */
  readonly askLift: (
    key: Key,
    scope: string,
    from: { ip: string; userAgent: string },
  ) => Promise<{ readonly id: string }>
  /** Spends one call of a key, for a token that was made from it. */
  readonly spendKey: (keyId: string) => Promise<Spent>
  /** What `spendKey` would answer. */
  readonly lookAtKey: (keyId: string) => Promise<Spent>
  /** Counts a call that an app made with one of its access tokens. */
  readonly countApp: (clientId: string, call: { outcome: 'ok' | 'denied' | 'limited'; at: number }) => void
  readonly denials: { newRef(): string; note(denial: Denial): Promise<string> }
  readonly bearers: Pick<Bearers, 'remember'>
  readonly findApp: (
    clientId: string,
  ) => Promise<{ readonly ownerId?: string; readonly firstParty?: boolean } | undefined>
  /** Whether the browser session that a token came from counts as a recent sign-in at all; one by recovery code does not. */
  readonly countsAsRecent: (sid: string) => Promise<boolean>
  readonly findAccount: (id: string) => Promise<Account | undefined>
  readonly limiter: Pick<RateLimiter<ApiPolicy>, 'take' | 'look'>
  readonly now: () => number
  readonly recentSeconds: number
  readonly administration: Administration
}

/** RFC 6750 §2.1: the header, and nothing else; a token in the query is refused wherever it comes. */
export function credentialOf(parts: CredentialParts, { req }: HttpContext): { scheme: string; credential: string } {
  const header = req.headers.authorization
  if (header === undefined) throw unauthenticated(parts)
  const [, scheme = '', credential = ''] = /^(Bearer|DPoP) ([\w.~+/=-]{1,8192})$/i.exec(header) ?? []
  if (credential === '')
    throw invalidToken(parts, 'The Authorization header is not well-formed.', { reason: 'malformed' })
  return { scheme: scheme.toLowerCase(), credential }
}

/** How the request shows its token. */
export function schemeOf({ req }: HttpContext): 'Bearer' | 'DPoP' {
  return /^dpop /i.test(req.headers.authorization ?? '') ? 'DPoP' : 'Bearer'
}

export const agentOf = ({ req }: HttpContext) => (req.headers['user-agent'] ?? '').slice(0, 256)

/** Method and path for the owner's eyes: of the request that a gateway asks about, as the gateway tells it, else of this one. */
export function requestLine({ method, req, state }: HttpContext): string {
  if (!state.route.startsWith('/api/v1/verify')) return `${method} ${state.route}`
  const told = (name: string) => [req.headers[`x-original-${name}`] ?? req.headers[`x-forwarded-${name}`]].flat()[0]
  const below = state.params['*'] === undefined ? undefined : `/${state.params['*']}`
  return `${told('method') ?? method} ${told('uri') ?? below ?? state.path}`
}

export function callerOf(ctx: HttpContext, id: string, actor?: string): Caller {
  return {
    kind: 'account',
    id,
    ...(actor === undefined ? {} : { actor }),
    ip: ctx.state.ip,
    userAgent: agentOf(ctx),
    requestId: ctx.state.requestId,
  }
}
