/**
 * Why a refresh token was refused, for its owner. The app gets a reference and the same `invalid_grant` for an unknown, an ended and a stolen
 * token; what lies behind the reference is kept by whoever gave `note`, and read by the owner only.
 */
import type { AdapterPayload, KoaContextWithOIDC } from 'oidc-provider'
import type { Vault } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { type AccountSource, stands } from './accounts.ts'
import { artefactId, openArtefact } from './artefacts.ts'
import { workOf } from './work.ts'

export interface RefusedToken {
  readonly ownerId: string
  /** `refresh_token:<id of its grant>`; the token itself appears nowhere. */
  readonly credential: string
  readonly reason: string
  readonly at: number
  readonly ip: string
  readonly userAgent: string
  readonly request: string
}

/** Keeps refusals for their owners. */
export interface DenialNotes {
  note(denial: RefusedToken): Promise<string>
  /** A reference that leads nowhere, for what has no owner. */
  newRef(): string
}

interface DeniedParts {
  readonly store: Pick<Store, 'find'>
  readonly vault: Vault
  readonly now: () => number
  readonly accounts: AccountSource
  readonly denials: DenialNotes
  readonly retryWindowSeconds: number
  readonly factsOf: (request: object) => { ip: string; userAgent: string }
}

/** After everything about a refused refresh has been settled: gives the request's answer its reference. */
export function createDeniedRefresh(parts: DeniedParts) {
  const { store, vault, now, accounts, denials, retryWindowSeconds, factsOf } = parts
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { error } = (ctx.body ?? {}) as { error?: string }
    if (error !== 'invalid_grant' || ctx.oidc.params?.['grant_type'] !== 'refresh_token') return
    const id = artefactId('RefreshToken', String(ctx.oidc.params['refresh_token']))
    const stored = workOf(ctx).loaded.get(`refresh_token:${id}`)
    const token = stored && openArtefact(vault, 'RefreshToken', stored.value)
    workOf(ctx).errorRef =
      stored && token?.accountId
        ? await denials.note({
            ownerId: token.accountId,
            credential: `refresh_token:${token.grantId}`,
            reason: await reasonOf(token, stored.value.consumedAt, ctx.oidc.client?.clientId),
            at: now(),
            ...factsOf(ctx.req),
            request: `${ctx.method} ${ctx.path}`,
          })
        : denials.newRef()
  }

  async function reasonOf(
    token: AdapterPayload,
    consumedAt: number | undefined,
    clientId: string | undefined,
  ): Promise<string> {
    if (token.clientId !== clientId) return 'app_mismatch'
    const isRetry = consumedAt !== undefined && now() - consumedAt <= retryWindowSeconds * 1000
    if (consumedAt !== undefined) return isRetry ? 'rotated_out' : 'family_revoked_by_reuse'
    const account = await accounts.find(token.accountId ?? '')
    if (!stands(account, undefined)) return 'account_disabled'
    const isGranted = stands(account, token['authTime'] as number | undefined)
    return isGranted && (await store.find('grant', token.grantId ?? '')) ? 'not_accepted' : 'grant_ended'
  }
}
