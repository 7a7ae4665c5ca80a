/**
 * When a person must be asked: the interaction policy. Sign-in rules are the library's plus ours; consent is ours alone, for the library knows
 * one grant per session and we keep a consent per account and app, and a grant per family of tokens.
 */
import { errors, interactionPolicy, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { hasCode } from '../errors.ts'
import { randomId } from '../secrets.ts'
import type { Shims } from '../shims.ts'
import type { Clients } from './clients.ts'
import type { ConsentHistory } from './consent-history.ts'
import { askedConnections, isScope } from './details.ts'
import { type ConsentAnswer, consentId, type Grants, grantSeconds, type LivingConsent } from './grants.ts'
import { noteMended } from './mending.ts'
import { accumulated, askedScopes, type Plan, planGrant, withConnections } from './plan.ts'
import { canonical, type Resources } from './resources.ts'
import { IDENTITY, isEmpty } from './scope-map.ts'
import { stepUpChecks } from './step-up.ts'
import { isOutsider } from './trial.ts'
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
  readonly consent?: LivingConsent
  readonly answer?: ConsentAnswer
}

const planned = new WeakMap<object, Planned>()

interface PolicyParts {
  readonly clients: Clients
  readonly grants: Grants
  readonly resources: Resources
  readonly shims: Shims
  readonly history: Pick<ConsentHistory, 'note'>
  readonly refreshAbsoluteSeconds: number
  readonly sessionAbsoluteSeconds: number
  readonly now: () => number
  readonly lacksFactor: (account: Account) => Promise<boolean>
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
    const asked = withConnections(
      askedScopes(resources, requested, identifiers, app, account),
      askedConnections(oidc.params?.['authorization_details'], identifiers, canonicalOf(resources)),
    )
    const answer = (oidc.result as { consent?: ConsentAnswer } | undefined)?.consent
    const sessionUid = oidc.session?.uid
    const plan = planGrant({ account, app, asked, consent, answer, ...(sessionUid ? { sessionUid } : {}) })
    planned.set(ctx, { plan, app, ...(consent ? { consent } : {}), ...(answer ? { answer } : {}) })
    // What the person gave in place of something wider has to be among what was asked, or the library drops it.
    const instead = Object.values(plan.granted).flat().filter(isScope)
    const all = [...new Set([...requested, ...instead])]
    if (oidc.params && all.length > 0) oidc.params['scope'] = all.join(' ')
    return newGrant(oidc.provider, account.id, clientId, plan)
  }
}

/** The registered identifier that a spelling means. */
export function canonicalOf(resources: Resources): (uri: string) => string {
  return (uri) => resources.find(uri)?.identifier ?? canonical(uri)
}

/** What this authorization was found to give. */
export function planOf(ctx: KoaContextWithOIDC): Plan | undefined {
  return planned.get(ctx)?.plan
}

function newGrant(provider: Provider, accountId: string, clientId: string, plan: Plan) {
  const grant = new provider.Grant({ accountId, clientId })
  Object.assign(grant, { jti: randomId() })
  const identity = plan.granted[IDENTITY] ?? []
  if (identity.length > 0) grant.addOIDCScope(identity.join(' '))
  for (const [resource, scopes] of Object.entries(plan.granted)) {
    // Identity scopes stand in every access token's `scope`, so a resource holds them too.
    const rights = [...identity, ...scopes.filter(isScope)]
    if (resource !== IDENTITY && rights.length > 0) grant.addResourceScope(resource, rights.join(' '))
  }
  return grant
}

/**
 * True where the account may not let an app in yet: an address that nobody has proven may be somebody else's, and whoever signed up with it would
 * act under that name. The operator's own apps are entered all the same. And where an app is still being tried by others.
 */
export function isHeldBack(account: Account, app: App): boolean {
  return (!account.emailVerified && !app.firstParty) || isOutsider(account, app)
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
  policy.get('login')?.checks.add(
    new Check('factor_missing', 'a second factor has to be set up first', 'login_required', async ({ oidc }) => {
      const found = oidc.account as unknown as ProtocolAccount | undefined
      return found !== undefined && !oidc.result?.login && (await parts.lacksFactor(found.account))
    }),
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
  const { plan, app, answer, consent: before } = found
  if (oidc.promptPending('consent')) return false
  if (isHeldBack((oidc.account as unknown as ProtocolAccount).account, app)) return true
  const answered = answer !== undefined
  if (!answered && (!isEmpty(plan.missing) || mustAlwaysAsk(app, oidc.params?.['redirect_uri']))) return true
  const { accountId } = oidc.account
  const isNothing = isEmpty(plan.granted)
  // Who refuses everything may be taking back what was allowed before.
  const consent = answer && (before || !isNothing) ? await allow(parts, ctx, app, answer) : before
  if (isNothing) throw new errors.AccessDenied('nothing of what was asked was allowed')
  const grant = oidc.entities['Grant'] as { expiresIn?: number; save(): Promise<string> }
  grant.expiresIn = grantSeconds(consent, parts.refreshAbsoluteSeconds, parts.now())
  workOf(ctx).grantFields = {
    sessionUid: oidc.session.uid,
    consentId: consentId(accountId, app.clientId),
    ...(consent ? { generation: consent.generation, vendorId: consent.vendorId } : {}),
    bound: consent?.duration === 'session',
  }
  await grant.save()
  return false
}

interface Answering {
  readonly account: { readonly accountId: string }
  readonly session: { readonly uid: string; readonly loginTs?: number }
}

/** Notes the answer, then lets it take effect. @throws AccessDenied when the person has stopped the app since answering */
async function allow(
  { grants, history, onConsent, now, sessionAbsoluteSeconds }: PolicyParts,
  ctx: KoaContextWithOIDC,
  app: App,
  answer: ConsentAnswer,
): Promise<LivingConsent> {
  const { account, session } = ctx.oidc as unknown as Answering
  const { accountId } = account
  const { scopes, refused, duration } = answer
  await onConsent(ctx, accountId, app.clientId, answer)
  const named = { accountId, clientId: app.clientId, consentId: consentId(accountId, app.clientId) }
  await history.note({ ...named, act: 'allowed', scopes, refused, duration })
  const signedInAt = session.loginTs === undefined ? now() : session.loginTs * 1000
  try {
    const endsAt = signedInAt + sessionAbsoluteSeconds * 1000
    return await grants.allow(accountId, app, answer, { uid: session.uid, endsAt })
  } catch (error) {
    if (hasCode(error, 'conflict')) throw new errors.AccessDenied('the person stopped this app meanwhile')
    throw error
  }
}
