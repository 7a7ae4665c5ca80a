/**
 * The options about what is issued: how long things live, which scopes there are, for which resources, with which claims.
 * Who may ask for them stands in `apps.ts`; cross-checks between topics stand in `schema.ts`.
 */
import { z } from 'zod'
import { protocolClaims } from '../protocol-claims.ts'

import { milliseconds, option, seconds, webUrl, words } from './values.ts'

const life = (standard: string, most: string, describe: string, least = '1s') =>
  option(seconds(least, most).prefault(standard), describe, { takes: 'duration' })

export const lifetimes = z
  .strictObject({
    access_token: life('15m', '1d', 'Access tokens.'),
    id_token: life('1h', '1d', 'ID tokens.'),
    code: life('60s', '10m', 'Authorization codes.'),
    refresh_idle: life('30d', '3650d', 'A refresh token that is not used.'),
    refresh_absolute: life('90d', '3650d', 'A refresh token family, however often it is used.'),
    refresh_retry_window: life(
      '60s',
      '10m',
      'How long the token just replaced still gets the same answer again.',
      '0s',
    ),
    session_idle: life('14d', '365d', 'A browser session without a request.'),
    session_absolute: life('30d', '365d', 'A browser session, however much it is used.'),
    interaction: life('15m', '1d', 'The pages between authorize and redirect.'),
    step_up: life('15m', '1d', 'How long a sign-in counts as recent for sensitive operations.'),
    exchanged_token: life('10m', '10m', 'Access tokens made from an API key or personal access token.'),
    device_code: life('10m', '30m', 'Device and user codes.'),
    pushed_request: life('60s', '10m', 'Pushed authorization requests.'),
  })
  .transform((file) => ({
    accessTokenSeconds: file.access_token,
    idTokenSeconds: file.id_token,
    codeSeconds: file.code,
    refreshIdleSeconds: file.refresh_idle,
    refreshAbsoluteSeconds: file.refresh_absolute,
    refreshRetryWindowSeconds: file.refresh_retry_window,
    sessionIdleSeconds: file.session_idle,
    sessionAbsoluteSeconds: file.session_absolute,
    interactionSeconds: file.interaction,
    stepUpSeconds: file.step_up,
    exchangedTokenSeconds: file.exchanged_token,
    deviceCodeSeconds: file.device_code,
    pushedRequestSeconds: file.pushed_request,
  }))

/** A scope token of RFC 6749 §3.3, at most 100 characters. */
export const scopeName = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, { error: 'a scope name without spaces or quotes' })

/** The scopes of OpenID Connect; the protocol gives them their meaning, configuration cannot. */
export const identityScopes = ['openid', 'profile', 'email', 'offline_access'] as const

const scope = z
  .strictObject({
    family: option(words(40), 'The heading under which the consent page groups it.'),
    access: option(z.enum(['read', 'write', 'admin']), 'What it lets an app do.'),
    describe: option(words(200), 'The sentence a person reads when asked.'),
    third_party: option(z.boolean().default(false), 'Whether apps that are not first-party may ask for it.'),
  })
  .transform((file) => ({
    family: file.family,
    access: file.access,
    describe: file.describe,
    thirdParty: file.third_party,
  }))

export type Scope = z.output<typeof scope>

const builtIn = (family: string, access: Scope['access'], describe: string, thirdParty = true): Scope => ({
  family,
  access,
  describe,
  thirdParty,
})

/** The ten scopes every Licet has. Operators add families beside them. */
export const builtInScopes: Readonly<Record<string, Scope>> = {
  'api:read': builtIn('api', 'read', 'Read what you can see in your account'),
  'api:write': builtIn('api', 'write', 'Change things in your account'),
  'api:admin': builtIn('api', 'admin', 'Administer this server', false),
  'connections:read': builtIn('connections', 'read', 'See which services you have connected'),
  'connections:write': builtIn('connections', 'write', 'Use, add and remove the services you have connected'),
  'data:read': builtIn('data', 'read', 'Read your files and records'),
  'data:write': builtIn('data', 'write', 'Create, change and delete your files and records'),
  'llm:read': builtIn('llm', 'read', 'Use language models on your account'),
  'mcp:read': builtIn('mcp', 'read', 'See tools and what they return'),
  'mcp:write': builtIn('mcp', 'write', 'Run tools that change things'),
}

export const scopes = z.record(scopeName, scope).transform((added) => ({ ...builtInScopes, ...added }))

/** Where a custom claim takes its value. */
export type ClaimSource =
  | { readonly from: 'account' | 'app'; readonly path: readonly string[] }
  | { readonly from: 'constant'; readonly value: z.core.util.JSONType }

const claimName = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, { error: 'a claim name without spaces or quotes' })
  .refine((name) => !protocolClaims.has(name), {
    error: 'another name: the protocol sets this claim and configuration cannot',
  })

const claimSource = z
  .union([z.string(), z.strictObject({ constant: z.json() })], {
    error: 'account.attributes.<name>, app.metadata.<name> or { constant: <value> }',
  })
  .transform((value, ctx): ClaimSource => {
    if (typeof value !== 'string') return { from: 'constant', value: value.constant }
    const match = /^(account\.attributes|app\.metadata)\.([\w-]+(?:\.[\w-]+){0,4})$/.exec(value)
    if (match?.[2]) return { from: match[1] === 'app.metadata' ? 'app' : 'account', path: match[2].split('.') }
    ctx.issues.push({
      code: 'custom',
      message: 'account.attributes.<name>, app.metadata.<name> or { constant: <value> }',
      input: value,
    })
    return z.NEVER
  })

const claimMap = (describe: string) =>
  option(z.record(claimName, claimSource).prefault({}), describe, {
    takes: 'map of claim name to account.attributes.<name>, app.metadata.<name> or { constant: <value> }',
  })

const claimsHook = z
  .strictObject({
    url: option(webUrl(), 'Gets POST {account, app, grant_type, resource, scopes} and answers {claims}.', {
      takes: 'https URL',
    }),
    timeout: option(milliseconds('50ms', '5s').prefault('500ms'), 'How long a token waits for the answer.', {
      takes: 'duration',
    }),
    on_error: option(
      z.enum(['refuse', 'omit']).default('refuse'),
      'Without an answer: refuse the token, or issue it without these claims.',
    ),
    secret: option(
      z.string().min(16, { error: 'at least 16 characters' }).optional(),
      'Signs the request body (HMAC-SHA-256).',
      { secret: true },
    ),
    secret_file: option(z.string().optional(), 'A file that holds the secret.'),
  })
  .transform((file) => ({ url: file.url, timeoutMs: file.timeout, onError: file.on_error, secret: file.secret }))

export const claims = z
  .strictObject({
    access_token: claimMap('Claims added to access tokens.'),
    id_token: claimMap('Claims added to ID tokens.'),
    userinfo: claimMap('Claims added to userinfo answers.'),
    hook: option(claimsHook.optional(), 'An HTTPS endpoint of yours that is asked for further access-token claims.'),
  })
  .transform((file) => ({
    accessToken: file.access_token,
    idToken: file.id_token,
    userinfo: file.userinfo,
    hook: file.hook,
  }))

const identifier = z
  .string()
  .refine((text) => URL.canParse(text) && !/[\s#]/.test(text) && /^(https?:\/\/|urn:)/.test(text), {
    error: 'an absolute URI without fragment, such as https://mcp.example.com/mcp',
  })

const resource = z
  .strictObject({
    identifier: option(identifier, 'The URI that apps name and that becomes the audience, byte for byte.', {
      takes: 'URI',
    }),
    name: option(words(80).optional(), 'What people read on the consent page.', { unset: 'the identifier' }),
    scopes: option(z.array(scopeName).min(1, { error: 'at least one scope' }), 'The scopes it owns.', {
      takes: 'list of scopes',
    }),
    default_scopes: option(z.array(scopeName).default([]), 'What an app gets that asks for no scope.', {
      takes: 'list of scopes',
    }),
    access_token: option(
      z
        .strictObject({
          lifetime: option(seconds('1s', '1d').optional(), 'Life of its access tokens.', {
            takes: 'duration',
            unset: 'lifetimes.access_token',
          }),
          alg: option(z.enum(['ES256', 'RS256', 'EdDSA']).default('ES256'), 'The signature of its access tokens.'),
        })
        .prefault({}),
      'How its access tokens are made.',
    ),
    claims: claimMap('Claims added to its access tokens, over those of claims.access_token.'),
  })
  .transform((file) => ({
    identifier: file.identifier,
    name: file.name ?? file.identifier,
    scopes: file.scopes,
    defaultScopes: file.default_scopes,
    /** Undefined: `lifetimes.accessTokenSeconds`. */
    accessTokenSeconds: file.access_token.lifetime,
    accessTokenAlg: file.access_token.alg,
    claims: file.claims,
  }))

export const resources = z.array(resource)

/** Every option of this topic, as the file names them. */
export const tokenOptions = {
  lifetimes: option(lifetimes.prefault({}), 'How long things live.'),
  scopes: option(scopes.prefault({}), 'Scopes beside the built-in ten.', { takes: 'map of scope name to its meaning' }),
  resources: option(resources.prefault([]), 'Resource servers beside `<issuer>/api/v1`, which owns the built-in ten.'),
  claims: option(claims.prefault({}), 'Custom claims in tokens.'),
}
