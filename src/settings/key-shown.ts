/**
 * Keys, their callers, their usage and their refusals as the pages show them. What a key is and what was counted is asked of `keys/`.
 */
import type { ChildRow, DenialRow, KeyDetail, KeyRow, KeyShown } from '../http/key-views.ts'
import { agentShown, callersShown, usageShown } from '../http/usage-shown.ts'
import type { StoredDenial } from '../keys/denials.ts'
import type { UsedKey } from '../keys/describe.ts'
import { credentialName } from '../keys/key.ts'
import type { Keys } from '../keys/keys.ts'
import { type KeyOffer, scopeShown } from './key-form.ts'

export function rowOf({ id, name, hint, scopes, state, createdAt, expiresAt, rotation, ...use }: UsedKey): KeyRow {
  return {
    id,
    name,
    hint,
    scopes,
    state,
    createdAt,
    expiresAt,
    ...(use.lastUsedAt === undefined ? {} : { lastUsedAt: use.lastUsedAt }),
    ...(use.lastUsedIp ? { lastUsedIp: use.lastUsedIp } : {}),
    ...(rotation ? { oldEndsAt: rotation.endsAt } : {}),
  }
}

export function keyShown(offer: KeyOffer, key: UsedKey): KeyShown {
  const { resource, quota, callBudget, revoked, rotation, elevation, lastUserAgent } = key
  const parentId = key.ancestors.at(-1)
  return {
    ...rowOf(key),
    scopes: key.scopes.map((name) => scopeShown(offer, name)),
    networks: key.allowedIps,
    mayCreateChildren: key.mayCreateChildren,
    ...(resource === undefined ? {} : { resource }),
    ...(lastUserAgent ? { lastAgent: agentShown(lastUserAgent) } : {}),
    ...(quota ? { quota } : {}),
    ...(callBudget === undefined ? {} : { callBudget }),
    ...(parentId === undefined ? {} : { parentId }),
    ...(revoked ? { revoked } : {}),
    ...(elevation ? { lifted: { scope: elevation.scope, until: elevation.until } } : {}),
    ...(rotation ? { rotation } : {}),
  }
}

/** Everything below the key's page that is asked of the store. */
export async function aroundKey(
  keys: Pick<Keys, 'usage' | 'descendants' | 'denials' | 'elevations'>,
  { key, ownerId, by, path }: { key: UsedKey; ownerId: string; by: 'day' | 'hour'; path: string },
): Promise<Pick<KeyDetail, 'usage' | 'callers' | 'children' | 'denials' | 'lifts'>> {
  const owned = { ownerId, id: key.id }
  const [used, below, refused, asked] = await Promise.all([
    keys.usage(owned, { by }),
    keys.descendants(owned),
    keys.denials.list(ownerId, { limit: DENIALS_LOOKED_AT }),
    keys.elevations.listOpen(ownerId),
  ])
  return {
    usage: usageShown(used, by, `${path}/${key.id}/usage.csv?by=${by}`),
    callers: callersShown(used.callers),
    children: inTree(below, key.id).map((child) => childShown(child, key.id)),
    denials: refused.items.filter(({ credential }) => credential === credentialName(key)).map(denialShown),
    lifts: asked.filter(({ keyId }) => keyId === key.id).map(({ id, scope, askedAt }) => ({ id, scope, askedAt })),
  }
}

const DENIALS_LOOKED_AT = 200

/** Each child below its parent, the oldest first. */
function inTree(below: readonly UsedKey[], parentId: string): UsedKey[] {
  return below
    .filter(({ ancestors }) => ancestors.at(-1) === parentId)
    .toSorted((one, other) => one.createdAt - other.createdAt)
    .flatMap((child) => [child, ...inTree(below, child.id)])
}

function childShown({ id, name, hint, state, scopes, ancestors, lastUsedAt }: UsedKey, fromId: string): ChildRow {
  const depth = ancestors.length - ancestors.indexOf(fromId as (typeof ancestors)[number])
  return { id, name, hint, depth, state, scopes, ...(lastUsedAt === undefined ? {} : { lastUsedAt }) }
}

function denialShown({ ref, reason, detail, at, ip, request }: StoredDenial): DenialRow {
  return { ref, reason, at, ip, ...(detail ? { detail } : {}), ...(request ? { request } : {}) }
}
