/**
 * What may be written into an app, field by field. The same rules hold for apps from the configuration, from the command line and from
 * their developers; all wrong fields are named together, by the names of the wire.
 */
import { takeAttributes } from '../attributes.ts'
import { cleanName, cleanText, NAME_LIMIT } from '../display-name.ts'
import { AppError, type FieldError } from '../errors.ts'
import type { AppFields, JwkSet } from './app.ts'
import { type AppAuth, type AppType, appTypes } from './app-types.ts'
import { findKeyProblem } from './public-keys.ts'
import { judgeRedirectUris } from './redirect-uris.ts'

type Maybe<T> = T | undefined

/** What is asked for. `undefined` and absent are the same. */
export interface WantedFields {
  readonly name: string
  readonly type: AppType
  readonly auth?: Maybe<AppAuth>
  readonly redirectUris?: Maybe<readonly string[]>
  readonly postLogoutRedirectUris?: Maybe<readonly string[]>
  readonly scopes?: Maybe<readonly string[]>
  readonly optionalScopes?: Maybe<readonly string[]>
  readonly metadata?: unknown
  readonly dpop?: Maybe<boolean>
  readonly agent?: Maybe<boolean>
  readonly idTokenSignedResponseAlg?: Maybe<'ES256' | 'RS256'>
  readonly jwks?: Maybe<JwkSet>
  readonly jwksUri?: Maybe<string>
  readonly backchannelLogoutUri?: Maybe<string>
  readonly clientUri?: Maybe<string>
  readonly logoUri?: Maybe<string>
  readonly policyUri?: Maybe<string>
  readonly tosUri?: Maybe<string>
  readonly description?: Maybe<string>
  readonly testers?: Maybe<readonly string[]>
}

/** What the operator has decided about the app, as far as it bears on its fields. */
export interface Standing {
  readonly firstParty: boolean
  readonly ownerId?: Maybe<string>
}

/** The configured scopes, by name. */
export type ScopeRules = Readonly<Record<string, { readonly thirdParty: boolean }>>

const IDENTITY_SCOPES = new Set(['openid', 'profile', 'email', 'offline_access'])
const SCOPE_LIMIT = 100
const DESCRIPTION_LIMIT = 200
const TESTER_LIMIT = 100
const URI_FIELDS = [
  ['jwksUri', 'jwks_uri'],
  ['backchannelLogoutUri', 'backchannel_logout_uri'],
  ['clientUri', 'client_uri'],
  ['logoUri', 'logo_uri'],
  ['policyUri', 'policy_uri'],
  ['tosUri', 'tos_uri'],
] as const

/** The fields as they are kept. @throws invalid_request with one entry per wrong field. */
export function takeFields(wanted: WantedFields, standing: Standing, scopeRules: ScopeRules): AppFields {
  const rules = appTypes[wanted.type]
  const auth = wanted.auth ?? rules.auth[0] ?? 'none'
  const wrong: FieldError[] = []
  const refuse = (field: string, code: string, detail: string) => wrong.push({ pointer: `/${field}`, code, detail })

  const name = cleanName(wanted.name)
  if (!name) refuse('name', 'malformed', `Give a name of 1 to ${NAME_LIMIT} visible characters.`)
  if (!rules.auth.includes(auth))
    refuse('auth', 'not_for_type', `Apps of type ${wanted.type} use ${rules.auth.join(' or ')}.`)
  const redirects = judgeRedirectUris(wanted.redirectUris ?? [], wanted.type, '/redirect_uris')
  const returns = judgeRedirectUris(wanted.postLogoutRedirectUris ?? [], wanted.type, '/post_logout_redirect_uris')
  wrong.push(...redirects.problems, ...returns.problems)
  if (rules.redirectUris === 'required' && !wanted.redirectUris?.length)
    refuse('redirect_uris', 'missing', 'Give at least one redirect URI.')
  const scopes = [...new Set(wanted.scopes ?? [])]
  const optionalScopes = [...new Set(wanted.optionalScopes ?? [])]
  wrong.push(...scopeProblems('scopes', scopes, wanted.type, standing, scopeRules))
  wrong.push(...scopeProblems('optional_scopes', optionalScopes, wanted.type, standing, scopeRules))
  wrong.push(...keyProblems(wanted, auth), ...uriProblems(wanted), ...testerProblems(wanted.testers ?? []))
  const description = cleanText(wanted.description ?? '')
  if ([...description].length > DESCRIPTION_LIMIT)
    refuse('description', 'too_long', `Use at most ${DESCRIPTION_LIMIT} characters.`)
  const metadata = takeAttributes(wanted.metadata ?? {}, '/metadata')
  if (!name || wrong.length > 0) throw refusal(wrong)

  return {
    name,
    type: wanted.type,
    auth,
    redirectUris: redirects.uris,
    postLogoutRedirectUris: returns.uris,
    scopes,
    optionalScopes,
    metadata,
    dpop: wanted.dpop ?? false,
    agent: wanted.agent ?? false,
    idTokenSignedResponseAlg: wanted.idTokenSignedResponseAlg ?? 'ES256',
    ...(wanted.jwks ? { jwks: wanted.jwks } : {}),
    ...(description === '' ? {} : { description }),
    ...(wanted.testers?.length ? { testers: [...new Set(wanted.testers)] } : {}),
    ...Object.fromEntries(URI_FIELDS.flatMap(([field]) => (wanted[field] ? [[field, wanted[field]]] : []))),
  }
}

/** An app of the operator may hold scopes that are not for third parties; a service app never `api:admin`: no person stands behind it. */
function scopeProblems(
  field: string,
  scopes: readonly string[],
  type: AppType,
  { firstParty, ownerId }: Standing,
  rules: ScopeRules,
): FieldError[] {
  const refuse = (at: string, code: string, detail: string) => ({ pointer: `/${field}${at}`, code, detail })
  if (scopes.length > SCOPE_LIMIT) return [refuse('', 'too_many', `Give at most ${SCOPE_LIMIT} scopes.`)]
  const isOperators = firstParty || (type === 'service' && ownerId === undefined)
  return scopes.flatMap((scope, index) => {
    if (IDENTITY_SCOPES.has(scope)) return []
    const rule = Object.hasOwn(rules, scope) ? rules[scope] : undefined
    if (!rule) return [refuse(`/${index}`, 'unknown', `There is no scope ${JSON.stringify(scope.slice(0, 100))}.`)]
    if (type === 'service' && scope === 'api:admin')
      return [refuse(`/${index}`, 'not_for_type', 'A service app cannot hold api:admin.')]
    return rule.thirdParty || isOperators
      ? []
      : [refuse(`/${index}`, 'not_for_third_parties', `${scope} is for first-party apps only.`)]
  })
}

function keyProblems({ jwks, jwksUri }: WantedFields, auth: AppAuth): FieldError[] {
  const problem = jwks && findKeyProblem(jwks)
  if (problem) return [{ pointer: '/jwks', code: 'malformed', detail: problem }]
  if (auth !== 'private_key_jwt' || !jwks !== !jwksUri) return []
  return [{ pointer: '/jwks', code: 'missing', detail: 'private_key_jwt needs either jwks or jwks_uri.' }]
}

/** Other URLs of an app: the redirect rules for a web app, which are https with nothing odd in it. */
function uriProblems(wanted: WantedFields): FieldError[] {
  return URI_FIELDS.flatMap(([field, name]) => {
    const uri = wanted[field]
    return uri === undefined
      ? []
      : judgeRedirectUris([uri], 'web', `/${name}`).problems.map((problem) => ({ ...problem, pointer: `/${name}` }))
  })
}

/** Only the form is looked at: whether somebody has an account under that address is nobody's business. */
function testerProblems(testers: readonly string[]): FieldError[] {
  const refuse = (at: string, code: string, detail: string) => ({ pointer: `/testers${at}`, code, detail })
  if (testers.length > TESTER_LIMIT) return [refuse('', 'too_many', `Name at most ${TESTER_LIMIT} people.`)]
  return testers.flatMap((tester, index) =>
    tester.length <= 254 && /^[^\s@]+@[^\s@]+$/.test(tester)
      ? []
      : [refuse(`/${index}`, 'malformed', 'Give a mail address.')],
  )
}

function refusal(fields: readonly FieldError[]): AppError {
  const message = fields.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`).join('\n')
  return new AppError('invalid_request', message, { details: { fields } })
}
