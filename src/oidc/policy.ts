/**
 * When a person must be asked: the interaction policy. Sign-in rules are the library's plus ours; consent is ours alone, for the library knows
 * one grant per session and we keep a consent per account and app, and a grant per family of tokens.
 */
import { interactionPolicy, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { randomId } from '../secrets.ts'
import type { Shims } from '../shims.ts'
import type { Clients } from './clients.ts'
import {
  accumulated,
  askedScopes,
  type ConsentAnswer,
  consentId,
  type Grants,
  grantSeconds,
  IDENTITY,
  isEmpty,
  type Plan,
  planGrant,
} from './grants.ts'
import { noteMended } from './mending.ts'
import type { Resources } from './resources.ts'
import { stepUpChecks } from './step-up.ts'
import { workOf } from './work.ts'

const { Check, Prompt, base } = interactionPolicy

/** The library's account object with ours beside it. */
export interface ProtocolAccount {
  readonly accountId: string
  readonly account: Account
}

interface Planned {
  readonly plan: Plan
  readonly app: App
  readonly answer?: ConsentAnswer
}

const planned = new WeakMap<object, Planned>()

interface PolicyParts {
  readonly clients: Clients
  readonly grants: Grants
  readonly resources: Resources
  readonly shims: Shims
  readonly refreshAbsoluteSeconds: number
  readonly now: () => number
  /** Called before a person's answer takes effect: afterwards nobody is asked again, and a request that broke off in between would stay unnoted. */
  readonly onConsent: (
    ctx: KoaContextWithOIDC,
    accountId: string,
    clientId: string,
    answer: ConsentAnswer,
  ) => Promise<void>
}

/** The library's `loadExistingGrant`: a new grant for this authorization, holding what was consented of what is asked. Not yet stored. */
export function createGrantLoader({ clients, grants, resources, shims }: PolicyParts) {
  return async (ctx: KoaContextWithOIDC) => {
    const { oidc } = ctx
    const account = (oidc.account as unknown as ProtocolAccount).account
    const clientId = oidc.client?.clientId ?? ''
    const app = await clients.app(clientId)
    if (!app) return undefined
    const identifiers = Object.keys(oidc.resourceServers ?? {})
    const consent = app.firstParty ? undefined : await grants.consentFor(account.id, clientId)
    const asking = [...oidc.requestParamScopes]
    const requested = accumulated({ shims, app, requested: asking, identifiers, consent })
    if (requested.length > new Set(asking).size) noteMended(oidc.params as Record<string, unknown>, 'scope_accumulates')
    if (oidc.params && requested.length > 0) oidc.params['scope'] = requested.join(' ')
    const asked = askedScopes(resources, requested, identifiers, app, account)
    const answer = (oidc.result as { consent?: ConsentAnswer } | undefined)?.consent
    const sessionUid = oidc.session?.uid
    const plan = planGrant({ account, app, asked, consent, answer, ...(sessionUid ? { sessionUid } : {}) })
    planned.set(ctx, { plan, app, ...(answer ? { answer } : {}) })
    return newGrant(oidc.provider, account.id, clientId, plan)
  }
}

function newGrant(provider: Provider, accountId: string, clientId: string, plan: Plan) {
  const grant = new provider.Grant({ accountId, clientId })
  Object.assign(grant, { jti: randomId() })
  const identity = plan.granted[IDENTITY] ?? []
  if (identity.length > 0) grant.addOIDCScope(identity.join(' '))
  for (const [resource, scopes] of Object.entries(plan.granted)) {
    // Identity scopes stand in every access token's `scope`, so a resource holds them too.
    if (resource !== IDENTITY) grant.addResourceScope(resource, [...identity, ...scopes].join(' '))
  }
  return grant
}

/**
 * True where the account may not let an app in yet: an address that nobody has proven may be somebody else's, and whoever signed up with it would
 * act under that name. The operator's own apps are entered all the same.
 */
export function isHeldBack({ emailVerified }: Account, { firstParty }: App): boolean {
  return !emailVerified && !firstParty
}

/** Apps whose redirect anyone on the device could receive are never answered without asking (RFC 8252 §8.6). */
export function mustAlwaysAsk(app: App, redirectUri: unknown): boolean {
  if (app.firstParty || typeof redirectUri !== 'string') return false
  const url = URL.parse(redirectUri)
  return url?.protocol !== 'https:'
}

export function createPolicy(parts: PolicyParts) {
  const policy = base()
  policy
    .get('login')
    ?.checks.add(
      new Check('account_gone', 'the account of this session may not sign in any more', 'login_required', (ctx) =>
        ctx.oidc.session?.accountId !== undefined && ctx.oidc.account === undefined
          ? Check.REQUEST_PROMPT
          : Check.NO_NEED_TO_PROMPT,
      ),
    )
  for (const check of stepUpChecks()) policy.get('login')?.checks.add(check)
  policy.remove('consent')
  policy.add(
    new Prompt(
      { name: 'consent', requestable: true },
      new Check('consent_missing', 'the requested scopes were not consented to', 'consent_required', (ctx) =>
        consentMissing(parts, ctx),
      ),
    ),
  )
  return policy
}

/** True when the person must be asked; otherwise the consent and its grant are stored and the flow may end with a code. */
async function consentMissing(parts: PolicyParts, ctx: KoaContextWithOIDC): Promise<boolean> {
  const found = planned.get(ctx)
  const { oidc } = ctx
  if (!found || !oidc.account || !oidc.session) return true
  const { plan, app, answer } = found
  if (oidc.promptPending('consent')) return false
  if (isHeldBack((oidc.account as unknown as ProtocolAccount).account, app)) return true
  const answered = answer !== undefined
  if (!answered && (!isEmpty(plan.missing) || mustAlwaysAsk(app, oidc.params?.['redirect_uri']))) return true
  const { accountId } = oidc.account
  if (answer) await parts.onConsent(ctx, accountId, app.clientId, answer)
  const consent = answer
    ? await parts.grants.allow(accountId, app, answer, oidc.session.uid)
    : app.firstParty
      ? undefined
      : await parts.grants.consentFor(accountId, app.clientId)
  const grant = oidc.entities['Grant'] as { expiresIn?: number; save(): Promise<string> }
  grant.expiresIn = grantSeconds(consent, parts.refreshAbsoluteSeconds, parts.now())
  workOf(ctx).grantFields = {
    sessionUid: oidc.session.uid,
    consentId: consentId(accountId, app.clientId),
    bound: consent?.duration === 'session',
  }
  await grant.save()
  return false
}
