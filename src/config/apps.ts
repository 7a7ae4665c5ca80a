/**
 * The options of apps written into the configuration (the operator's own, first-party unless said otherwise) and of the two ways
 * in which apps introduce themselves. The exact redirect rules belong to `apps/redirect-uris.ts`, which sees these again at start.
 */
import { z } from 'zod'
import { type ShimName, shimNames, shims } from '../shims.ts'
import { scopeName } from './tokens.ts'
import { listOf, onOff, option, seconds, webUrl, words } from './values.ts'

const appTypes = ['web', 'spa', 'native', 'device', 'service'] as const
const authMethods = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'workload_identity',
] as const

export type AppType = (typeof appTypes)[number]
export type AppAuth = (typeof authMethods)[number]

/** How an app of each type proves itself when nothing is said. */
const standardAuth: Readonly<Record<AppType, AppAuth>> = {
  web: 'client_secret_basic',
  spa: 'none',
  native: 'none',
  device: 'none',
  service: 'client_secret_basic',
}

const redirectUri = z.string().refine((text) => URL.canParse(text) && !/[\s#*\\]/.test(text), {
  error: 'an absolute URI without fragment or wildcard',
})

const publicJwk = z
  .record(z.string(), z.json())
  .refine((key) => !['d', 'k', 'p', 'q'].some((member) => member in key), { error: 'public keys only' })

const uris = (describe: string) => option(z.array(redirectUri).default([]), describe, { takes: 'list of URIs' })
const link = (describe: string) => option(webUrl().optional(), describe, { takes: 'https URL' })

const appFile = z.strictObject({
  client_id: option(
    z.string().regex(/^[A-Za-z0-9._~-]{1,100}$/, { error: '1 to 100 of the characters A–Z a–z 0–9 . _ ~ -' }),
    'What the app calls itself on the wire.',
  ),
  name: option(words(80), 'What people read.'),
  type: option(z.enum(appTypes), 'What kind of program it is; sets its grants and how it proves itself.'),
  redirect_uris: uris('Where people are sent back to; compared exactly (loopback ports of native apps aside).'),
  post_logout_redirect_uris: uris('Where people are sent after signing out.'),
  scopes: option(z.array(scopeName).default([]), 'What it may ask for.', { takes: 'list of scopes' }),
  optional_scopes: option(z.array(scopeName).default([]), 'Scopes a person may refuse without refusing the app.', {
    takes: 'list of scopes',
  }),
  auth: option(z.enum(authMethods).optional(), 'How it proves itself at the token endpoint.', {
    unset: 'by type: client_secret_basic for web and service, else none',
  }),
  client_secret: option(
    z.string().min(16, { error: 'at least 16 characters' }).optional(),
    'Its secret; a file is the better place.',
    { secret: true },
  ),
  client_secret_file: option(z.string().optional(), 'A file that holds its secret.'),
  jwks: option(
    z.strictObject({ keys: z.array(publicJwk).min(1) }).optional(),
    'Its public keys, for private_key_jwt.',
    { takes: 'JWK set' },
  ),
  jwks_uri: link('Where its public keys are.'),
  metadata: option(
    z.record(z.string().min(1).max(100), z.json()).default({}),
    'Your own values, for claims taken from app.metadata.',
    { takes: 'map' },
  ),
  first_party: option(z.boolean().default(true), 'Your own app: people are not asked for consent.'),
  backchannel_logout_uri: link('Gets a logout token when a session ends.'),
  id_token_signed_response_alg: option(z.enum(['ES256', 'RS256']).default('ES256'), 'The signature of its ID tokens.'),
  dpop: option(z.boolean().default(false), 'Its access tokens are always bound to a DPoP key.'),
  resource_server: option(z.string().min(1).optional(), 'The resource whose tokens it may introspect.', {
    takes: 'URI',
  }),
  agent: option(
    z.boolean().default(false),
    'It acts by itself for the people who allow it: its tokens say so (`act`).',
  ),
  may_act: option(z.string().min(1).max(2048).optional(), 'The service app that may act with its tokens (`may_act`).', {
    takes: 'client id',
  }),
  acts_for: option(
    z.array(z.string().min(1).max(2048)).default([]),
    'Apps whose tokens for its resource_server it may exchange, to act for the same people; * for every app.',
    { takes: 'list of client ids' },
  ),
  client_uri: link('Its home page.'),
  logo_uri: link('Its logo.'),
  policy_uri: link('Its privacy policy.'),
  tos_uri: link('Its terms.'),
})

type AppFile = z.output<typeof appFile>

/** The rules that tie one option of an app to another. */
function checkApp(app: AppFile, ctx: z.core.$RefinementCtx<AppFile>): void {
  const refuse = (path: string, message: string) =>
    ctx.addIssue({ code: 'custom', path: [path], message, input: app[path as keyof AppFile] })
  const auth = app.auth ?? standardAuth[app.type]
  const needsRedirect = ['web', 'spa', 'native'].includes(app.type)
  if (needsRedirect && app.redirect_uris.length === 0) refuse('redirect_uris', `at least one URI for type ${app.type}`)
  if (!needsRedirect && app.redirect_uris.length > 0) refuse('redirect_uris', `none for type ${app.type}`)
  if (app.type === 'spa' && auth !== 'none') refuse('auth', 'none: a browser app cannot keep a secret')
  if (app.type === 'service' && auth === 'none') refuse('auth', 'a way to prove itself')
  if (auth.startsWith('client_secret') && !app.client_secret) refuse('client_secret_file', `a secret for auth ${auth}`)
  if (!auth.startsWith('client_secret') && app.client_secret) refuse('client_secret', `no secret for auth ${auth}`)
  if (auth === 'private_key_jwt' && !app.jwks === !app.jwks_uri) refuse('jwks', 'either jwks or jwks_uri')
  if (app.acts_for.length > 0 && (app.type !== 'service' || app.resource_server === undefined))
    refuse('acts_for', 'a service app with resource_server: it acts with tokens that are meant for it')
  if (auth === 'workload_identity' && app.type !== 'service')
    refuse('auth', 'another way: only a service is a workload')
  if (app.type === 'service' && app.scopes.includes('api:admin')) refuse('scopes', 'no api:admin for type service')
}

const app = appFile.superRefine(checkApp).transform((file) => ({
  clientId: file.client_id,
  name: file.name,
  type: file.type,
  redirectUris: file.redirect_uris,
  postLogoutRedirectUris: file.post_logout_redirect_uris,
  scopes: file.scopes,
  optionalScopes: file.optional_scopes,
  auth: file.auth ?? standardAuth[file.type],
  clientSecret: file.client_secret,
  jwks: file.jwks,
  jwksUri: file.jwks_uri,
  metadata: file.metadata,
  firstParty: file.first_party,
  backchannelLogoutUri: file.backchannel_logout_uri,
  idTokenSignedResponseAlg: file.id_token_signed_response_alg,
  dpop: file.dpop,
  agent: file.agent,
  mayAct: file.may_act,
  actsFor: file.acts_for,
  resourceServer: file.resource_server,
  clientUri: file.client_uri,
  logoUri: file.logo_uri,
  policyUri: file.policy_uri,
  tosUri: file.tos_uri,
}))

const host = z
  .string()
  .regex(/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/, { error: 'a host name in lower case, or *.example.com' })

const dynamicRegistration = z
  .strictObject({
    policy: option(
      z.enum(['open', 'token', 'off']).default('open'),
      'Who may register apps at /register: anyone, holders of an initial access token, nobody.',
    ),
    tokens_file: option(
      z.string().min(1).nullable().default(null),
      'Initial access tokens for policy token, one a line, besides those made with `licet registration-token create`.',
      { takes: 'file' },
    ),
    forget_after: option(
      seconds('1d', '3650d').prefault('180d'),
      'How long an app that registered itself is kept after a person last allowed it. It can come back, and asks again.',
      { takes: 'duration' },
    ),
  })
  .transform((file) => ({
    policy: file.policy,
    tokensFile: file.tokens_file,
    forgetAfterSeconds: file.forget_after,
  }))

const clientDocuments = z
  .strictObject({
    policy: option(
      z.enum(['open', 'listed', 'off']).default('open'),
      'Whose client ID metadata documents are read: any host, only allow_hosts, nobody.',
    ),
    allow_hosts: option(listOf(host).prefault([]), 'Hosts that are always read.', { takes: 'list of hosts' }),
    deny_hosts: option(listOf(host).prefault([]), 'Hosts that are never read.', { takes: 'list of hosts' }),
  })
  .transform((file) => ({ policy: file.policy, allowHosts: file.allow_hosts, denyHosts: file.deny_hosts }))

type Switches = Record<ShimName, z.ZodType<boolean>>

const switches = z.strictObject(
  Object.fromEntries(
    shimNames.map((name) => [name, option(onOff().prefault(true), shims[name].mends, { takes: 'on or off' })]),
  ) as unknown as Switches,
)

const mcp = z
  .strictObject({ shims: option(switches.prefault({} as never), 'What is mended for clients that need it.') })
  .transform((file) => ({ shimsOff: shimNames.filter((name) => !file.shims[name]) }))

const unverifiedApps = z.strictObject({
  policy: option(
    z.enum(['open', 'testers']).default('open'),
    'Who may use an app that a developer registered and nobody has verified: everybody, with a warning, or its owner and the people named in it.',
  ),
  scopes: option(z.array(scopeName).optional(), 'What unverified apps may ask for.', {
    takes: 'list of scopes',
    unset: 'every scope that third parties may ask for',
  }),
})

const developerResources = z.strictObject({
  policy: option(
    z.enum(['proven', 'reviewed', 'off']).default('proven'),
    'Which resources of developers (MCP servers) get tokens: of a host they have proven, those an administrator has allowed besides, none.',
  ),
  scopes: option(z.array(scopeName).default(['mcp:read', 'mcp:write']), 'The scopes such resources may own.', {
    takes: 'list of scopes',
  }),
})

/** Every option of this topic, as the file names them. */
export const appOptions = {
  apps: option(z.array(app).prefault([]), 'Your own apps.'),
  dynamic_registration: option(dynamicRegistration.prefault({}), 'Apps that register themselves (RFC 7591).'),
  unverified_apps: option(unverifiedApps.prefault({}), 'Apps of third parties that no administrator has verified.'),
  developer_resources: option(developerResources.prefault({}), 'Protected resources that developers bring.'),
  client_documents: option(clientDocuments.prefault({}), 'Apps whose client_id is the URL of their description.'),
  mcp: option(mcp.prefault({}), 'The Model Context Protocol.'),
}
