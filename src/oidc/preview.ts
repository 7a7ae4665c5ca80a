/**
 * What a person would be asked by an authorization request, for the eyes of the app's developer: the same plan from the same rules, made of nothing
 * that is stored, and with nothing behind it that could be allowed.
 */
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { askedScopes, type Plan, planGrant } from './plan.ts'
import { IDENTITY_SCOPES, type Resources } from './resources.ts'
import type { Resource } from './settings.ts'

export interface PreviewedRequest {
  readonly scope: readonly string[]
  readonly resource?: string
  readonly redirectUri?: string
}

export interface Previewed {
  readonly app: App
  readonly account: Account
  readonly plan: Plan
  readonly resources: readonly Resource[]
  readonly redirectUri?: string
  readonly scopesByDefault: boolean
}

/** Undefined for a resource that is not there. */
export function createPreview(resources: Resources) {
  return async (
    app: App,
    account: Account,
    { scope, resource: named, redirectUri }: PreviewedRequest,
  ): Promise<Previewed | undefined> => {
    const resource = named === undefined ? resources.standard : await resources.look(named)
    if (!resource) return undefined
    const identity = scope.filter((name) => IDENTITY_SCOPES.includes(name))
    const scopesByDefault = identity.length === scope.length
    const requested = scopesByDefault ? [...identity, ...resources.standardScopes(app, resource)] : scope
    const asked = askedScopes(resources, requested, [resource.identifier], app, account)
    const plan = planGrant({ account, app, asked })
    return { app, account, plan, resources: [resource], scopesByDefault, ...(redirectUri ? { redirectUri } : {}) }
  }
}
