/**
 * What apps say of themselves when they register or publish a document (RFC 7591 §2): read once, cleaned, mended by the shims that are on and
 * refused by name where it cannot be mended. Only how the app is shown and where people are sent back to is taken; scopes, grants and standing are
 * never an app's to choose.
 */
import { cleanName, NAME_LIMIT } from '../display-name.ts'
import { AppError, type FieldError } from '../errors.ts'
import { type ShimName, type Shims, shims as table } from '../shims.ts'
import type { JwkSet } from './app.ts'
import type { AppAuth } from './app-types.ts'
import { findKeyProblem } from './public-keys.ts'
import { judgeRedirectUris } from './redirect-uris.ts'

/** Metadata as it came in. Members that are not named here are ignored, as RFC 7591 §2 allows. */
export interface ClientMetadata {
  /** Never chosen; sent again where metadata is changed. */
  readonly client_id?: unknown
  readonly redirect_uris?: unknown
  readonly token_endpoint_auth_method?: unknown
  readonly application_type?: unknown
  readonly grant_types?: unknown
  readonly response_types?: unknown
  readonly scope?: unknown
  readonly client_name?: unknown
  readonly client_uri?: unknown
  readonly policy_uri?: unknown
  readonly tos_uri?: unknown
  readonly post_logout_redirect_uris?: unknown
  readonly jwks?: unknown
  readonly jwks_uri?: unknown
  readonly dpop_bound_access_tokens?: unknown
  /** Ours: the app says of itself that it is an agent. */
  readonly agent?: unknown
}

/** The metadata as it is kept. */
export interface TakenMetadata {
  readonly name: string
  readonly type: 'web' | 'spa' | 'native'
  readonly auth: AppAuth
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris: readonly string[]
  readonly dpop: boolean
  readonly agent: boolean
  readonly jwks?: JwkSet
  readonly jwksUri?: string
  readonly clientUri?: string
  readonly policyUri?: string
  readonly tosUri?: string
  /** The shims without which it would have been refused. */
  readonly mended: readonly ShimName[]
}

export const SELF_REGISTERED_AUTH: readonly AppAuth[] = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
]
const GRANTS: readonly unknown[] = ['authorization_code', 'refresh_token']
const IDENTITY_SCOPES = ['openid', 'profile', 'email', 'offline_access']

interface MetadataRules {
  readonly shims: Shims
  /** Every scope there is. */
  readonly scopes: readonly string[]
}

/** Applies a shim that is on, and throws what the app is told when it is off. */
type Mend = (name: ShimName, pointer: string) => void

/** @throws invalid_request: one field whose pointer is `/redirect_uris…` or another member, for the error code of RFC 7591 §3.2.2. */
export function takeMetadata(given: ClientMetadata, { shims, scopes }: MetadataRules): TakenMetadata {
  const mended = new Set<ShimName>()
  const mend: Mend = (name, pointer) => {
    if (!shims.on(name)) throw refusal(pointer, name, `Not mended here: ${table[name].mends}`)
    mended.add(name)
  }
  const metadata = withoutEmpty(given, mend)
  const auth = authOf(metadata, mend)
  ignoreOthers(metadata, scopes, mend)
  const places = placesOf(metadata, auth, mend)
  return {
    name: nameOf(metadata.client_name, places.redirectUris[0] ?? ''),
    auth,
    ...places,
    dpop: metadata.dpop_bound_access_tokens === true,
    agent: metadata.agent === true,
    ...(auth === 'private_key_jwt' ? keysOf(metadata) : {}),
    ...link('clientUri', metadata, 'client_uri', mend),
    ...link('policyUri', metadata, 'policy_uri', mend),
    ...link('tosUri', metadata, 'tos_uri', mend),
    mended: [...mended],
  }
}

function withoutEmpty(given: ClientMetadata, mend: Mend): ClientMetadata {
  const isEmpty = (value: unknown) => value === null || value === ''
  for (const [name, value] of Object.entries(given)) if (isEmpty(value)) mend('metadata_empty_values', `/${name}`)
  return Object.fromEntries(Object.entries(given).filter(([, value]) => !isEmpty(value)))
}

/** RFC 7591 §2: `client_secret_basic` when nothing is said. */
function authOf({ token_endpoint_auth_method: method }: ClientMetadata, mend: Mend): AppAuth {
  if (method === undefined) return 'client_secret_basic'
  const known = SELF_REGISTERED_AUTH.find((one) => one === method)
  if (!known) mend('auth_method_unknown', '/token_endpoint_auth_method')
  return known ?? 'none'
}

/** What an app may ask for and does not get by asking. */
function ignoreOthers(metadata: ClientMetadata, scopes: readonly string[], mend: Mend): void {
  const { grant_types: grants = GRANTS, response_types: responses = ['code'], scope = '' } = metadata
  const others = (value: unknown, known: readonly unknown[]) =>
    !Array.isArray(value) || value.some((one) => !known.includes(one))
  if (others(grants, GRANTS)) mend('grant_types_unknown', '/grant_types')
  if (others(responses, ['code'])) mend('response_types_unknown', '/response_types')
  const asked = typeof scope === 'string' ? scope.split(' ').filter(Boolean) : [scope]
  if (others(asked, [...IDENTITY_SCOPES, ...scopes])) mend('metadata_scope', '/scope')
}

/** Where people are sent back to, and the type of app that follows from it. */
function placesOf(metadata: ClientMetadata, auth: AppAuth, mend: Mend) {
  const uris = strings(metadata.redirect_uris, '/redirect_uris')
  if (uris.length === 0) throw refusal('/redirect_uris', 'missing', 'Give at least one redirect URI.')
  const said = metadata.application_type
  const looksNative = uris.some((uri) => !/^https:/i.test(uri))
  const type = said === 'native' || looksNative ? 'native' : auth === 'none' ? 'spa' : 'web'
  const judged = judgeRedirectUris(uris, type, '/redirect_uris')
  const [problem] = judged.problems
  if (problem) throw refusal(problem.pointer, problem.code, problem.detail)
  if (looksNative && said === undefined) mend('application_type_missing', '/redirect_uris')
  if (looksNative && said !== undefined && said !== 'native') mend('application_type_wrong', '/redirect_uris')
  if (judged.warnings.includes('private_scheme_without_dot')) mend('private_scheme', '/redirect_uris')
  const returns = strings(metadata.post_logout_redirect_uris ?? [], '/post_logout_redirect_uris')
  const postLogoutRedirectUris = judgeRedirectUris(returns, type, '/post_logout_redirect_uris').uris
  return { type, redirectUris: judged.uris, postLogoutRedirectUris } as const
}

function nameOf(name: unknown, firstUri: string): string {
  const clean = typeof name === 'string' ? cleanName([...name.slice(0, 1024)].slice(0, NAME_LIMIT).join('')) : undefined
  const url = URL.parse(firstUri)
  return clean ?? (url?.host || url?.protocol || 'An app').slice(0, NAME_LIMIT)
}

function link<K extends string>(
  field: K,
  metadata: ClientMetadata,
  name: 'client_uri' | 'policy_uri' | 'tos_uri',
  mend: Mend,
): { [field in K]?: string } {
  const value = metadata[name]
  if (value === undefined) return {}
  if (isHttps(value)) return { [field]: value } as { [field in K]?: string }
  mend('links_not_https', `/${name}`)
  return {}
}

function isHttps(value: unknown): value is string {
  const url = typeof value === 'string' && value.length <= 500 ? URL.parse(value) : null
  return url?.protocol === 'https:' && url.username === '' && url.password === ''
}

function keysOf({ jwks, jwks_uri: uri }: ClientMetadata): { jwks?: JwkSet; jwksUri?: string } {
  if (typeof jwks === 'object' && jwks !== null) {
    const problem = findKeyProblem(jwks as JwkSet)
    if (problem) throw refusal('/jwks', 'malformed', problem)
    return { jwks: jwks as JwkSet }
  }
  if (!isHttps(uri)) throw refusal('/jwks', 'missing', 'private_key_jwt needs jwks or an https jwks_uri.')
  return { jwksUri: uri }
}

function strings(value: unknown, pointer: string): string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw refusal(pointer, 'malformed', 'Give a list of strings.')
  return value
}

/** One field, as RFC 7591 §3.2.2 knows no list. */
export function refusal(pointer: string, code: string, detail: string): AppError {
  const fields: FieldError[] = [{ pointer, code, detail }]
  return new AppError('invalid_request', detail, { details: { fields } })
}
