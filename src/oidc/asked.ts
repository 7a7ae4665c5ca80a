/**
 * What an authorization that waits for a person asks: the plan for this account, and the connections it could choose from.
 */
import type { Provider } from 'oidc-provider'
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import type { Shims } from '../shims.ts'
import type { Connection, ConnectionSource } from './connections.ts'
import { askedConnections, isScope } from './details.ts'
import type { Grants } from './grants.ts'
import { accumulated, askedScopes, type Plan, planGrant, withConnections } from './plan.ts'
import { canonicalOf } from './policy.ts'
import type { Resources } from './resources.ts'
import type { Resource } from './settings.ts'

export interface AskedParts {
  readonly grants: Grants
  readonly resources: Resources
  readonly shims: Shims
  readonly connections?: ConnectionSource | undefined
}

type Waiting = Pick<InstanceType<Provider['Interaction']>, 'params' | 'session'>

export function createAsked({ grants, resources, shims, connections }: AskedParts) {
  return {
    async plan({ params, session }: Waiting, app: App, account: Account, named: readonly Resource[]): Promise<Plan> {
      const identifiers = named.map((resource) => resource.identifier)
      const consent = app.firstParty ? undefined : await grants.consentFor(account.id, app.clientId)
      const asking = String(params['scope'] ?? '').split(' ')
      const requested = accumulated({ shims, app, requested: asking, identifiers, consent })
      const asked = withConnections(
        askedScopes(resources, requested, identifiers, app, account),
        askedConnections(params['authorization_details'], identifiers, canonicalOf(resources)),
      )
      const sessionUid = session?.uid
      return planGrant({ account, app, asked, consent, ...(sessionUid ? { sessionUid } : {}) })
    },
    /** Asked for only when the request is about them; `unknown` without an answer, and then nothing can be chosen. */
    async connections({ asked }: Plan, account: Account): Promise<readonly Connection[] | 'unknown' | undefined> {
      if (Object.values(asked).flat().every(isScope)) return undefined
      return (await connections?.(account)) ?? 'unknown'
    },
  }
}
