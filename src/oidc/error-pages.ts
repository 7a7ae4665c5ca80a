/**
 * What the library cannot send back to an app: a page for people, RFC 6749 JSON for programs, never the other way round. A reason that
 * only a developer needs is added when the configuration says so.
 */
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import type { Clients } from './clients.ts'
import { isPageRoute } from './endpoints.ts'
import type { Pages } from './pages.ts'

interface RendererParts {
  readonly pages: Pages
  readonly clients: Clients
  readonly explain: boolean
}

/** The library's `renderError`. */
export function createErrorRenderer({ pages, clients, explain }: RendererParts) {
  return async (ctx: KoaContextWithOIDC, out: ErrorOut, error: Error): Promise<void> => {
    if (!isPageRoute(ctx)) {
      ctx.body = out
      return
    }
    const clientId = ctx.oidc.client?.clientId
    const app = clientId ? await clients.app(clientId) : undefined
    const reason = (error as { error_detail?: string }).error_detail
    const detail = explain && reason ? ` (${reason})` : ''
    pages.oauthError(ctx, {
      error: out.error,
      ...(out.error_description ? { description: `${out.error_description}${detail}` } : {}),
      ...(app ? { app } : {}),
      expired: error.name === 'SessionNotFound',
    })
  }
}
