/**
 * `/docs/clients`: what this server mends for clients that need it, and whether it does so here, for everybody; which client software it has served how
 * often, for administrators only, for the names are those that strangers gave themselves. The table is `shims.ts`'s, the counts `apps/shim-use.ts`'s.
 */
import type { ShimUse, SoftwareUse } from '../apps/shim-use.ts'
import { type AccessRule, get, type Route } from '../http/route.ts'
import { page } from '../http/views.ts'
import { type Shim, type ShimName, type Shims, shimNames, shims as table } from '../shims.ts'

interface ShimPageParts {
  readonly shims: Shims
  readonly use: Pick<ShimUse, 'list'>
  /** Everybody, and who they are where they are signed in. */
  readonly visitor: AccessRule<{ readonly person?: { readonly account: { readonly role: string } } | undefined }>
}

export function createShimPage({ shims, use, visitor }: ShimPageParts): readonly Route[] {
  const rows = shimNames.map((name) => ({ name, ...described(table[name]), isOn: shims.on(name) }))
  return [
    get('/docs/clients')
      .needs(visitor)
      .as('page')
      .does(async ({ caller: { person } }) => {
        const served = person?.account.role === 'administrator' ? (await use.list()).map(shown) : undefined
        return page('docs/clients', { rows, ...(served ? { served } : {}) })
      }),
  ]
}

const described = ({ at, mends, off }: Shim) => ({ at, mends, off })

function shown({ software, source, shims }: SoftwareUse) {
  const counts = Object.entries(shims).map(([name, { count, lastAt }]) => ({ name: name as ShimName, count, lastAt }))
  return { software, source, shims: counts.toSorted((one, other) => other.count - one.count) }
}
