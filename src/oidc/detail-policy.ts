/**
 * The library's `richAuthorizationRequests` (RFC 9396): what a request may name, what a code or device code carries, and what stands in a token. A
 * refresh keeps what was chosen or narrows it; nothing ever widens it, and what the person took back since is left out.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import {
  askedConnections,
  CONNECTION,
  type ConnectionDetail,
  checkAmount,
  checkDetail,
  connectionOf,
  connectionRight,
  detailsOf,
  namesLocations,
  rightsOf,
} from './details.ts'
import { canonicalOf, planOf } from './policy.ts'
import type { Resources } from './resources.ts'
import { keep } from './scope-map.ts'
import { workOf } from './work.ts'

interface Source {
  readonly rar?: readonly ConnectionDetail[]
}

interface IssuedToken {
  readonly resourceServer?: { identifier(): string }
}

interface Parts {
  readonly resources: Resources
  /** Where the list is the same for everybody, what is not in it is refused at once. */
  readonly known?: ReadonlySet<string> | undefined
}

export function createDetails({ resources, known }: Parts) {
  const same = canonicalOf(resources)
  /** Resources of this request; at the token endpoint any, for there is compared with what was chosen. */
  const isPlace = ({ oidc }: KoaContextWithOIDC) => {
    const named = [oidc.params?.['resource'] ?? resources.standard.identifier].flat().map((one) => same(String(one)))
    return (uri: string) => oidc.route === 'token' || named.includes(same(uri))
  }

  return {
    types: {
      [CONNECTION]: {
        validate(ctx: KoaContextWithOIDC, detail: Record<string, unknown>): void {
          checkAmount(ctx.oidc.params?.['authorization_details'])
          checkDetail(detail, isPlace(ctx))
          const { identifier } = detail
          if (known && typeof identifier === 'string' && !known.has(identifier))
            throw new errors.InvalidAuthorizationDetails('connection: identifier is not one of a connection')
        },
      },
    },
    authorizationDetailsForGrantSource(ctx: KoaContextWithOIDC): ConnectionDetail[] {
      const granted = planOf(ctx)?.granted ?? {}
      const connections = keep(granted, (right) => connectionOf(right) !== undefined)
      const { authorization_details: parameter, resource } = ctx.oidc.params ?? {}
      const isOnePlace = [resource].flat().length === 1
      return detailsOf(connections, isOnePlace && !namesLocations(parameter) ? 'anywhere' : 'locations')
    },
    authorizationDetailsForAccessToken(
      ctx: KoaContextWithOIDC,
      token: IssuedToken,
      source: Source | undefined,
    ): ConnectionDetail[] {
      const place = token.resourceServer?.identifier() ?? ''
      const parameter = ctx.oidc.params?.['authorization_details']
      if (!source) throw new errors.InvalidAuthorizationDetails('connection: only a person can allow it')
      const left = stillAllowed(ctx, place, rightsOf(source.rar, place))
      const wanted = askedConnections(parameter, [place], same).rights
      const rights = parameter === undefined ? left : narrowed(left, wanted[place] ?? [])
      return detailsOf({ [place]: rights }, source.rar?.some(({ locations }) => locations) ? 'locations' : 'anywhere')
    },
    authorizationDetailsForIntrospection(ctx: KoaContextWithOIDC, { rar = [] }: Source): ConnectionDetail[] {
      const limits = workOf(ctx).standing?.limits
      const places = limits ? Object.keys(limits.scopes) : []
      return rar.flatMap((detail) => {
        const at = places.filter((place) => !detail.locations || detail.locations.includes(place))
        const actions = detail.actions.filter(
          (action) => !limits || at.some((place) => isLeft(limits.scopes[place], action, detail.identifier)),
        )
        return actions.length > 0 ? [{ ...detail, actions }] : []
      })
    },
  }
}

const isLeft = (rights: readonly string[] | undefined, action: 'read' | 'write', id: string): boolean =>
  rights?.includes(connectionRight(action, id)) ?? false

function stillAllowed(ctx: KoaContextWithOIDC, place: string, rights: readonly string[]): string[] {
  const limits = workOf(ctx).standing?.limits
  return rights.filter((right) => !limits || limits.scopes[place]?.includes(right))
}

/** RFC 9396 §6: a token request may ask for less. Without an identifier it asks for every connection that was chosen. */
function narrowed(held: readonly string[], wanted: readonly string[]): string[] {
  const named = wanted.flatMap((right) => {
    const { action, id } = connectionOf(right) ?? {}
    return id === '*' ? held.filter((one) => connectionOf(one)?.action === action) : [right]
  })
  if (named.every((right) => held.includes(right))) return named
  throw new errors.InvalidAuthorizationDetails('connection: more than was allowed')
}
