/**
 * Programs that run elsewhere and prove it with an assertion of a trusted issuer, so that no secret of theirs lies anywhere (RFC 7523 §2.1 and §2.2, MCP
 * SEP-1933). The library demands an app that proves itself its own way. So where an assertion stands, the app that it is bound to is named instead
 * with a word that is worth this one request; when the library compares that word, the assertion is checked. Nothing unproven passes: the
 * word comes from here, and without a checked assertion it proves nothing.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import type { Assertions } from '../federation/assertions.ts'
import { bindingOf, type WorkloadBinding } from '../federation/trusted-issuer.ts'
import { equalSecrets, randomToken } from '../secrets.ts'
import { workOf } from './work.ts'

export const GRANT_JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const CLIENT_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
export const ID_JAG_TYPE = 'oauth-id-jag+jwt'

/** What a workload's assertion may call itself: nothing, or no more than it is. */
const TYPES: readonly (string | undefined)[] = [undefined, 'jwt', 'client-authentication+jwt']

/** The assertion that this request stands on until it has been checked, and what it may have. */
export interface Workload {
  readonly word: string
  readonly assertion: string
  readonly as: 'grant' | 'authentication'
  readonly scopes?: readonly string[]
}

type Params = Record<string, unknown>

export interface Workloads {
  /** Puts the bound app in the place of a workload's assertion. @throws what the endpoint answers when it is bound to none */
  adopt(ctx: KoaContextWithOIDC, route: string, params: Params): void
  /** Whether the app of this request has proven itself by an assertion; undefined when it did not try. */
  prove(ctx: KoaContextWithOIDC, app: App, word: string): Promise<boolean | undefined>
}

const ROUTES: ReadonlySet<string> = new Set(['token', 'introspection', 'revocation'])

export function createWorkloads(assertions: Assertions): Workloads {
  return {
    adopt(ctx, route, params) {
      const shown = ROUTES.has(route) ? assertionIn(ctx, params) : undefined
      const claimed = shown && assertions.read(shown.assertion)
      if (!shown || !claimed || claimed.issuer.workloads.length === 0 || claimed.typ === ID_JAG_TYPE) return
      const binding = bindingOf(claimed.issuer, claimed.claims)
      const named = params['client_id']
      if (!binding || (named !== undefined && named !== binding.app)) throw refusal(shown.as)
      const word = randomToken()
      workOf(ctx).workload = { ...shown, word, ...(binding.scopes ? { scopes: binding.scopes } : {}) }
      Object.assign(params, { client_id: binding.app, client_secret: word, ...REPLACED[shown.as] })
    },
    async prove(ctx, app, word) {
      const { workload } = workOf(ctx)
      if (app.auth !== 'workload_identity') return undefined
      if (!workload || !equalSecrets(workload.word, word)) return false
      const verified = await assertions.verify(workload.assertion, TYPES)
      const binding = verified && bindingOf(verified.issuer, verified.claims)
      if (!verified || !isFor(binding, app) || !(await assertions.use(verified))) throw refusal(workload.as)
      return true
    },
  }
}

/** What the library must not see any more. A workload's grant is that of an app acting for itself. */
const REPLACED: Readonly<Record<Workload['as'], Params>> = {
  grant: { assertion: undefined, grant_type: 'client_credentials' },
  authentication: { client_assertion: undefined, client_assertion_type: undefined },
}

function assertionIn(ctx: KoaContextWithOIDC, params: Params): Pick<Workload, 'assertion' | 'as'> | undefined {
  if (ctx.get('authorization') !== '' || params['client_secret'] !== undefined) return undefined
  const { client_assertion: authentication, client_assertion_type: type, assertion, grant_type: grant } = params
  if (typeof authentication === 'string' && type === CLIENT_ASSERTION)
    return { assertion: authentication, as: 'authentication' }
  if (authentication === undefined && typeof assertion === 'string' && grant === GRANT_JWT_BEARER)
    return { assertion, as: 'grant' }
  return undefined
}

const isFor = (binding: WorkloadBinding | undefined, { clientId }: App): boolean => binding?.app === clientId

/** The same for an assertion that is bound to nobody and for one that is not good (RFC 7523 §3.1, §3.2). */
function refusal(as: Workload['as']): Error {
  return as === 'grant'
    ? new errors.InvalidGrant('the assertion is not accepted')
    : new errors.InvalidClientAuth('the assertion is not accepted')
}

/** What of an app's scopes the program behind this request may have. */
export function withinWorkload(ctx: object, scopes: readonly string[]): readonly string[] {
  const allowed = workOf(ctx).workload?.scopes
  return allowed ? scopes.filter((scope) => allowed.includes(scope)) : scopes
}
