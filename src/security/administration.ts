/**
 * Who may administer this server, whichever way they come: an active administrator whose address is proven, from a network the operator has named. The scope of a token and
 * how recent a sign-in must be are asked by the rules of the API and of the pages, which both end here.
 */
import { AppError } from '../errors.ts'
import type { AccessRule } from '../http/route.ts'
import { createNetworkList } from './addresses.ts'

/** As much of an account as the question needs. */
interface Somebody {
  readonly role: string
  readonly status: string
  readonly emailVerified: boolean
}

export interface Administration {
  /** @throws forbidden for everybody but an active administrator with a proven address in a network from which administration is allowed. */
  refuseOthers(account: Somebody | undefined, ip: string): void
  /** Whoever `rule` admits, if they may administer. */
  among<P extends { readonly account: Somebody }>(rule: AccessRule<P>): AccessRule<P>
}

/** @param adminNetworks CIDRs; none named: all. */
export function createAdministration(adminNetworks: readonly string[]): Administration {
  const networks = createNetworkList(adminNetworks)
  const refuseOthers: Administration['refuseOthers'] = (account, ip) => {
    if (account?.role !== 'administrator' || account.status !== 'active')
      throw new AppError('forbidden', 'Only an administrator may do this.')
    // Whoever signed up with the address of somebody else must not be given the role in their place.
    if (!account.emailVerified) throw new AppError('forbidden', 'Confirm your mail address first.')
    if (!networks.isEmpty && !networks.has(ip))
      throw new AppError('forbidden', 'This server is not administered from this network.')
  }
  return {
    refuseOthers,
    among: (rule) => ({
      ...rule,
      name: `administrator, ${rule.name}`,
      describe: `An administrator. ${rule.describe}`,
      async admit(ctx) {
        const person = await rule.admit(ctx)
        refuseOthers(person.account, ctx.state.ip)
        return person
      },
    }),
  }
}
