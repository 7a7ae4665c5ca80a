/**
 * The library's grants as they stand now: what it finds is cut to the consent of this moment, and a grant whose consent has ended is not there. So
 * code, refresh, device code, userinfo and introspection all follow what the person took back, whatever the grant held when it was written.
 */
import type { Adapter, AdapterPayload } from 'oidc-provider'
import { guardStore } from './adapter.ts'
import { IDENTITY, intersect } from './scope-map.ts'
import type { Standings } from './standing.ts'
import { currentWork } from './work.ts'

type GrantPayload = AdapterPayload & {
  openid?: { scope?: string }
  resources?: Record<string, string>
}

export function consentedGrants(adapter: Adapter, standings: Standings): Adapter {
  return guardStore({
    ...adapter,
    async find(id) {
      const payload = (await adapter.find(id)) as GrantPayload | undefined
      const stored = currentWork().loaded.get(`grant:${id}`)
      if (!payload || !stored) return undefined
      const consent = await standings.read(payload.accountId ?? '', payload.clientId ?? '')
      const standing = await standings.of(stored.value, consent)
      if (standing) currentWork().standing = standing
      if (!standing?.limits) return standing && payload
      const { scopes, expiresAt } = standing.limits
      const identity = (payload.openid?.scope ?? '').split(' ').filter((one) => scopes[IDENTITY]?.includes(one))
      const held = Object.entries(payload.resources ?? {}).map(([place, list]) => [place, list.split(' ')] as const)
      const left = Object.entries(intersect(Object.fromEntries(held), withIdentity(scopes, identity)))
      const { openid: _openid, ...rest } = payload
      return {
        ...rest,
        ...(identity.length > 0 ? { openid: { ...payload.openid, scope: identity.join(' ') } } : {}),
        resources: Object.fromEntries(left.map(([place, list]) => [place, list.join(' ')])),
        exp: Math.min(payload.exp ?? Number.MAX_SAFE_INTEGER, Math.floor(expiresAt / 1000)),
      }
    },
  })
}

/** Identity scopes stand in every access token's `scope`, so every resource holds them too. */
function withIdentity(scopes: Parameters<typeof intersect>[0], identity: readonly string[]) {
  return Object.fromEntries(Object.entries(scopes).map(([place, list]) => [place, [...identity, ...list]]))
}
