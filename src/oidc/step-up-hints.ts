/**
 * A resource server's word that a token is not enough (mcp.md F13): some clients answer a 403 by refreshing, get the same scope again and give up. When the
 * resource server says so at introspection (`step_up=true`), the next refresh of that family answers `invalid_grant` once, and the client asks the person.
 * Nothing ends: the refresh after that works. The word counts only from the resource server the token is for.
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Store } from '../storage/store.ts'
import { type Artefact, workOf } from './work.ts'

export interface StepUpHints {
  /** Notes it for one family. */
  ask(grantId: string): Promise<void>
  /** Whether the family of this refresh is to ask the person; true once per word. */
  takes(ctx: KoaContextWithOIDC): Promise<boolean>
}

export function createStepUpHints(store: Store): StepUpHints {
  return {
    async ask(grantId) {
      await store.update<Artefact>('grant', grantId, (value) => ({ value: { ...value, stepUpAsked: true } }))
    },
    async takes(ctx) {
      const grant = workOf(ctx).loaded.get(`grant:${ctx.oidc.grant?.jti}`)
      if (grant?.value['stepUpAsked'] !== true) return false
      const { changed } = await store.update<Artefact>(
        'grant',
        grant.id,
        ({ stepUpAsked, ...value }) => (stepUpAsked ? { value } : undefined),
        grant,
      )
      return changed
    },
  }
}
