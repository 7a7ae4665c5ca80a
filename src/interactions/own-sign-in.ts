/**
 * How the pages of this server sign people in: through its own provider, as an app like any other. What comes back is only the proof that the
 * browser has a session now; the code is put away unused, for the pages look at the session itself.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { isOwnPath } from '../http/own-path.ts'
import { type AccessRule, get, type Route } from '../http/route.ts'
import { page } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'
import { randomToken, type Vault } from '../secrets.ts'

interface OwnSignInParts {
  readonly clientId: string
  readonly issuer: string
  readonly vault: Vault
  readonly now: () => number
  readonly anyone: AccessRule<Caller>
  /** Takes back a code nobody will redeem, with its grant. */
  readonly discardCode: (code: string) => Promise<void>
}

const CALLBACK = '/settings/callback'
const LIFE_MS = 3_600_000

const Answer = z.object({
  code: z.string().max(200).optional(),
  state: z.string().max(12_000).optional(),
  error: z.string().max(100).optional(),
})

/** The path that begins such a sign-in. */
export function createSignInPath({
  clientId,
  issuer,
  vault,
  now,
}: Pick<OwnSignInParts, 'clientId' | 'issuer' | 'vault' | 'now'>) {
  return (
    returnTo: string,
    { fresh, loginHint, acrValues }: { fresh: boolean; loginHint?: string; acrValues?: string },
  ): string => {
    const state = vault.seal(
      'own sign-in',
      JSON.stringify({ returnTo: returnTo.slice(0, 1000), until: now() + LIFE_MS }),
    )
    const challenge = createHash('sha256').update(randomToken()).digest('base64url')
    const query = new URLSearchParams({
      client_id: clientId,
      redirect_uri: `${issuer}${CALLBACK}`,
      response_type: 'code',
      scope: 'openid',
      state,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...(fresh ? { prompt: 'login' } : {}),
      ...(loginHint ? { login_hint: loginHint } : {}),
      ...(acrValues ? { acr_values: acrValues } : {}),
    })
    return `/authorize?${query}`
  }
}

export function createOwnSignIn({ vault, now, anyone, discardCode }: OwnSignInParts): readonly Route[] {
  return [
    get(CALLBACK)
      .needs(anyone)
      .takes(Answer)
      .does(async ({ input }) => {
        if (input.code) await discardCode(input.code)
        const back = returnPath(vault, now(), input.state)
        if (input.error || back === undefined) return page('interactions/signed-out', { returnUrl: '/settings' })
        return { kind: 'redirect', location: back }
      }),
  ]
}

function returnPath(vault: Vault, now: number, state: string | undefined): string | undefined {
  const plain = state === undefined ? undefined : vault.open('own sign-in', state)
  if (plain === undefined) return undefined
  const { returnTo, until } = JSON.parse(plain) as { returnTo: string; until: number }
  return until > now && isOwnPath(returnTo) ? returnTo : undefined
}
