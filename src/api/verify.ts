/**
 * Forward auth: a gateway asks whether a request may pass, and gets who asks and a short token for the service behind it. Any method and any path
 * below are answered, for gateways that keep those of the request. What a path below carries as query is the client's: it may only demand more.
 */
import { type AccessRule, any, type Route } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import { endOf } from '../keys/check.ts'
import type { ApiCaller } from './caller.ts'
import { type CredentialParts, credentialOf } from './presented.ts'
import { useToken } from './token-use.ts'
import { useKey } from './using.ts'

/** Who may pass, as the gateway is told. */
interface Passing {
  readonly subject: string
  readonly scopes: readonly string[]
  /** `api_key:<id>`, `personal_access_token:<id>` or `access_token:<jti>`. */
  readonly credential: string
  readonly token: string
}

interface KeyTokenWish {
  readonly accountId: string
  readonly credential: string
  readonly scopes: readonly string[]
  readonly audience: string
  /** Milliseconds since 1970. */
  readonly endsAt: number
}

export interface VerifyParts extends CredentialParts {
  /** The same token with what is left of it, where its owner has taken some back. */
  readonly narrowToken: (claims: NonNullable<ApiCaller['narrowed']>) => Promise<string>
  /** A short access token that is made from a key. */
  readonly makeKeyToken: (wish: KeyTokenWish) => Promise<{ readonly token: string }>
}

/** A token is handed out again for so long: most requests need no signature, and what is handed out still lives for minutes. */
const REUSE_MS = 60_000
const KEPT_TOKENS = 10_000

export function createVerifyRoutes(parts: VerifyParts): readonly Route[] {
  const access = passing(parts)
  return ['/api/v1/verify', '/api/v1/verify/*'].map((path) =>
    any(path)
      .needs(access)
      .says('Whether a request may pass: 200 with who asks and a short token, 401, 403 or 429. For gateways.')
      .does(({ caller: { subject, scopes, credential, token } }) => ({
        kind: 'empty',
        status: 200,
        headers: {
          'X-Licet-Subject': subject,
          'X-Licet-Scope': scopes.join(' '),
          'X-Licet-Credential': credential,
          Authorization: `Bearer ${token}`,
        },
      })),
  )
}

function passing(parts: VerifyParts): AccessRule<Passing> {
  const tokenOf = rememberTokens(parts)
  return {
    name: 'forwarded credential',
    describe: 'The credential of the request that the gateway asks about.',
    async admit(ctx) {
      const { scheme, credential } = credentialOf(parts, ctx)
      const needed = demanded(parts, ctx)
      if (!parts.isKey(credential)) {
        const {
          id,
          account,
          clientId = '',
          scopes,
          narrowed,
        } = await useToken(parts, ctx, {
          scheme,
          token: credential,
          ...needed,
        })
        // The service behind reads the token and not the header: it gets no more than what still stands.
        const token = narrowed ? await parts.narrowToken(narrowed) : credential
        return { subject: account?.id ?? clientId, scopes, credential: `access_token:${id}`, token }
      }
      const isElsewhere = needed.audience !== parts.audience
      const allowed = await useKey(parts, ctx, credential, {
        ...needed,
        ...(isElsewhere ? { mustHoldSome: true } : {}),
      })
      const { owner, scopes, credential: name } = allowed
      const wish = { accountId: owner.id, credential: name, scopes, audience: needed.audience, endsAt: endOf(allowed) }
      return { subject: owner.id, scopes, credential: name, token: await tokenOf(wish) }
    },
  }
}

/** What the gateway asks for. Every `scope` counts. `audience` is not taken from a path below: the client could choose it there. */
function demanded({ audience }: VerifyParts, { state }: HttpContext): { scopes: string[]; audience: string } {
  const query = new URLSearchParams(state.query)
  const scopes = query.getAll('scope').flatMap((list) => list.split(' ').filter(Boolean))
  const isBelow = state.params['*'] !== undefined
  return { scopes, audience: (isBelow ? undefined : query.get('audience')) ?? audience }
}

function rememberTokens({ makeKeyToken, now }: VerifyParts): (wish: KeyTokenWish) => Promise<string> {
  const known = new Map<string, { token: string; until: number }>()
  return async (wish) => {
    const { credential, audience, endsAt, scopes } = wish
    // Everything that stands in the token, so that a change of the key is never answered with what it was before.
    const name = [credential, audience, endsAt, ...scopes].join(' ')
    const kept = known.get(name)
    if (kept && kept.until > now()) return kept.token
    const { token } = await makeKeyToken(wish)
    known.delete(name)
    known.set(name, { token, until: Math.min(now() + REUSE_MS, endsAt) })
    if (known.size > KEPT_TOKENS) for (const oldest of known.keys()) if (known.delete(oldest)) break
    return token
  }
}
