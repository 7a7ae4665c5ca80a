/**
 * A way back for pages that have expired. When a sign-in starts, its authorization request is kept in a sealed cookie for a day; the page "this
 * sign-in has expired" can then offer to start it again, with the same parameters and therefore only towards a registered URI.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Vault } from '../secrets.ts'

const COOKIE = '__Host-licet_restart'
const DAY_SECONDS = 86_400
/** Cookies are limited to 4,096 bytes; a longer request is not offered again. */
const LONGEST_QUERY = 2600

export interface Restart {
  remember(ctx: KoaContextWithOIDC): void
  /** The path that starts the remembered request again, and the app it is for. */
  recall(cookieHeader: string | undefined): { path: string; clientId: string } | undefined
}

export function createRestart({ vault, now }: { vault: Vault; now: () => number }): Restart {
  return {
    remember(ctx) {
      const { querystring } = ctx.request
      if (querystring.length > LONGEST_QUERY || querystring.includes('request_uri=')) return
      const value = vault.seal('restart', JSON.stringify({ query: querystring, until: now() + DAY_SECONDS * 1000 }))
      ctx.append('Set-Cookie', `${COOKIE}=${value}; Path=/; Max-Age=${DAY_SECONDS}; Secure; HttpOnly; SameSite=Lax`)
    },
    recall(cookieHeader) {
      const sealed = cookieHeader
        ?.split(/;\s*/)
        .find((pair) => pair.startsWith(`${COOKIE}=`))
        ?.slice(COOKIE.length + 1)
      const plain = sealed && vault.open('restart', sealed)
      if (!plain) return undefined
      const { query, until } = JSON.parse(plain) as { query: string; until: number }
      const clientId = new URLSearchParams(query).get('client_id')
      return until > now() && clientId ? { path: `/authorize?${query}`, clientId } : undefined
    },
  }
}
