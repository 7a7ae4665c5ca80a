/**
 * Refresh with rotation that survives lost answers. The library rotates; here the parent is consumed and the sealed answer kept in one
 * write. A retry with the parent by the same app for the same scope, resource and key inside the window gets that same answer again;
 * asked for anything else it is refused and the family lives; after the window, or from another app, the family dies and its owner is told
 * (RFC 9700 §4.14.2). Whatever crashes between, an honest retry gets through exactly once: the child is written first and is unknown
 * to everybody until the parent names it.
 */
import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, decodeProtectedHeader, type JWK } from 'jose'
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Vault } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import { artefactId, openArtefact } from './artefacts.ts'
import type { StepUpHints } from './step-up-hints.ts'
import { answer, refuse } from './token-response.ts'
import { type Artefact, type Redemption, workOf } from './work.ts'

export interface RefreshParts {
  readonly hints: Pick<StepUpHints, 'takes'>
  readonly store: Store
  readonly vault: Vault
  readonly now: () => number
  readonly retryWindowSeconds: number
  readonly onReuse: (ctx: KoaContextWithOIDC, grantId: string, accountId: string, clientId: string) => Promise<void>
}

export interface Refresh {
  /** The library's `rotateRefreshToken`, reached when everything about the request has been checked: always rotates, unless this is a retry. */
  rotate(ctx: KoaContextWithOIDC): Promise<boolean>
  /** Consumes the parent together with the answer, or turns the losing request into a retry. */
  settle(ctx: KoaContextWithOIDC, redemption: Redemption): Promise<void>
  /** What follows from a refused refresh: of a replaced token, inside the window by its own app, `invalid_grant` and no more; else the family dies. */
  refused(ctx: KoaContextWithOIDC): Promise<void>
}

export function createRefresh({ store, vault, now, retryWindowSeconds, onReuse, hints }: RefreshParts): Refresh {
  const presented = (ctx: KoaContextWithOIDC): Stored<Artefact> | undefined => {
    const id = artefactId('RefreshToken', String(ctx.oidc.params?.['refresh_token']))
    return workOf(ctx).loaded.get(`refresh_token:${id}`)
  }

  const isInWindow = ({ value }: Stored<Artefact>): boolean =>
    value.consumedAt !== undefined && now() - value.consumedAt <= retryWindowSeconds * 1000

  /** Told once: who goes on presenting tokens of a dead family changes nothing. */
  const familyDies = async (ctx: KoaContextWithOIDC, stored: Stored<Artefact>): Promise<void> => {
    const payload = openArtefact(vault, 'RefreshToken', stored.value)
    if (!payload?.grantId || !(await store.remove('grant', payload.grantId))) return
    await onReuse(ctx, payload.grantId, payload.accountId ?? '', payload.clientId ?? '')
  }

  /** The kept answer if this request may have it. */
  const retryAnswer = async (ctx: KoaContextWithOIDC, stored: Stored<Artefact>): Promise<string | undefined> => {
    const { answer: kept } = stored.value
    if (!kept || !isInWindow(stored) || kept.binding !== (await binding(ctx))) return undefined
    return vault.open('refresh answer', kept.sealed)
  }

  return {
    async rotate(ctx) {
      const stored = presented(ctx)
      if (stored?.value.consumedAt === undefined) {
        if (await hints.takes(ctx)) throw new errors.InvalidGrant('the resource server asks for another scope')
        return true
      }
      const body = await retryAnswer(ctx, stored)
      if (body !== undefined) workOf(ctx).replay = body
      throw new errors.InvalidGrant('refresh token already used')
    },
    async settle(ctx, redemption) {
      const sealed = vault.seal('refresh answer', JSON.stringify(ctx.body))
      const kept = { sealed, binding: await binding(ctx) }
      const consume = (value: Artefact) =>
        value.consumedAt === undefined ? { value: { ...value, consumedAt: now(), answer: kept } } : undefined
      const { changed, entry } = await store.update<Artefact>(
        'refresh_token',
        redemption.id,
        consume,
        redemption.stored,
      )
      if (changed) return
      const { childId } = workOf(ctx)
      if (childId) await store.remove('refresh_token', childId)
      const body = entry ? await retryAnswer(ctx, entry) : undefined
      if (body === undefined) refuse(ctx)
      else answer(ctx, JSON.parse(body))
    },
    async refused(ctx) {
      const stored = presented(ctx)
      if (stored?.value.consumedAt === undefined) return
      if (isInWindow(stored) && stored.value.clientId === ctx.oidc.client?.clientId) refuse(ctx)
      else await familyDies(ctx, stored)
    },
  }
}

/** What a retry must match: app, scope, connections, resource, and the key it proves. */
async function binding(ctx: KoaContextWithOIDC): Promise<string> {
  const { params, client } = ctx.oidc
  const scope = String(params?.['scope'] ?? '')
    .split(' ')
    .sort()
    .join(' ')
  const resource = [params?.['resource'] ?? ''].flat().sort().join(' ')
  const details = String(params?.['authorization_details'] ?? '')
  const parts = [client?.clientId ?? '', scope, resource, await proofThumbprint(ctx), ...(details ? [details] : [])]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

/** Thumbprint of the DPoP proof the library has verified for this request; empty without one. */
async function proofThumbprint(ctx: KoaContextWithOIDC): Promise<string> {
  const proof = ctx.get('DPoP')
  return proof ? calculateJwkThumbprint(decodeProtectedHeader(proof).jwk as JWK) : ''
}
