/**
 * The options that say who may do what and how much: brand, sign-up, factors, passwords, consent, keys, limits, networks, retention,
 * upstream providers. What is issued stands in `tokens.ts`, apps in `apps.ts`.
 */
import { z } from 'zod'
import { scopeName } from './tokens.ts'
import { listOf, network, onOff, option, rateLimit, seconds, webUrl, wholeNumber, words } from './values.ts'

const link = (describe: string) => option(webUrl().optional(), describe, { takes: 'https URL' })

const links = z.strictObject({
  privacy: link('Your privacy policy.'),
  terms: link('Your terms.'),
  support: link('Where people find help.'),
})

const brand = z
  .strictObject({
    name: option(words(40).default('Licet'), 'What people read as the name of this server.'),
    accent: option(
      z
        .string()
        .regex(/^#[0-9a-fA-F]{6}$/, { error: 'a colour such as #4f46e5' })
        .default('#4f46e5'),
      'The colour of buttons and links.',
    ),
    logo: option(z.string().min(1).optional(), 'A PNG, WebP or SVG file shown instead of the name.', { takes: 'file' }),
    key_prefix: option(
      z
        .string()
        .regex(/^[a-z][a-z0-9]{1,15}$/, { error: '2 to 16 lower-case letters and digits' })
        .default('licet'),
      'What every credential begins with.',
    ),
    links: option(links.prefault({}), 'Links at the foot of every page.'),
  })
  .transform((file) => ({
    name: file.name,
    accent: file.accent,
    logo: file.logo,
    keyPrefix: file.key_prefix,
    links: file.links,
  }))

const signUp = z.strictObject({
  policy: option(
    z.enum(['open', 'invited', 'closed']).default('open'),
    'Who may create an account: anybody, whom an operator has invited, or nobody but operators.',
  ),
})

const mfa = z
  .strictObject({
    policy: option(
      z.enum(['optional', 'administrators', 'required']).default('optional'),
      'Who must have a second factor.',
    ),
    remember_device_days: option(
      wholeNumber(0, 90).prefault(0),
      'How many days a person may spare the second factor on a device of their own; 0: never.',
      { takes: 'number' },
    ),
  })
  .transform((file) => ({ policy: file.policy, rememberDeviceDays: file.remember_device_days }))

const passwords = z
  .strictObject({
    min_length: option(wholeNumber(8, 64).prefault(10), 'The shortest password taken.', { takes: 'number' }),
    breach_file: option(
      z.string().min(1).nullable().default(null),
      'Leaked passwords that are not taken: sorted lines of SHA-1, as Have I Been Pwned gives them. Searched on disk.',
      { takes: 'file' },
    ),
  })
  .transform((file) => ({ minLength: file.min_length, breachFile: file.breach_file }))

const attribute = z.strictObject({
  name: option(
    z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, { error: 'lower-case letters, digits and _' }),
    'The attribute of the account.',
  ),
  label: option(words(60), 'What people read beside it.'),
  choices: option(
    z.array(words(100)).min(1).optional(),
    'The values it may have; any short text when none are named.',
    {
      takes: 'list of texts',
    },
  ),
})

const profile = z.strictObject({
  attributes: option(
    z
      .array(attribute)
      .max(20)
      .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, { error: 'each name once' })
      .prefault([]),
    'Attributes that people may change about themselves. What they say there must decide nothing about what they may do.',
  ),
})

const consent = z
  .strictObject({
    default_duration: option(
      z.enum(['until_revoked', '30d', '1d', 'session']).default('until_revoked'),
      'What the consent page has selected.',
    ),
  })
  .transform((file) => ({ defaultDuration: file.default_duration }))

const keys = z
  .strictObject({
    max_lifetime: option(
      seconds('1h', '3650d').prefault('365d'),
      'The longest life of a key or personal access token.',
      { takes: 'duration' },
    ),
    default_lifetime: option(seconds('1h', '3650d').prefault('90d'), 'Its life when none is chosen.', {
      takes: 'duration',
    }),
    allowed_scopes: option(z.array(scopeName).optional(), 'The scopes keys may hold.', {
      takes: 'list of scopes',
      unset: 'every scope but api:admin',
    }),
  })
  .transform((file) => ({
    maxLifetimeSeconds: file.max_lifetime,
    defaultLifetimeSeconds: file.default_lifetime,
    allowedScopes: file.allowed_scopes,
  }))

const limit = (standard: string, describe: string) =>
  option(rateLimit().prefault(standard), describe, { takes: 'limit or off' })

/** Room for five busy credentials; none where a single credential has no limit. */
function accountLimit(one: { limit: number; windowSeconds: number } | null) {
  return one && { ...one, limit: Math.max(5 * one.limit, Math.ceil((3000 / 60) * one.windowSeconds)) }
}

const rateLimits = z
  .strictObject({
    sign_in_address: limit('10/1m', 'Sign-in attempts from one address.'),
    sign_in_account: limit('5/15m', 'Failed sign-ins of one account.'),
    token_client: limit('600/1m', 'Token requests of one app.'),
    authorize_address: limit('120/1m', 'Authorization requests from one address without a session.'),
    registration_address: limit('5/1m', 'App registrations from one address.'),
    api_credential: limit('600/1m', 'API requests with one credential.'),
    api_account: option(rateLimit().optional(), 'API requests of one account, with all its credentials together.', {
      takes: 'limit or off',
      unset: 'five times api_credential, at least 3000/1m',
    }),
  })
  .transform((file) => ({
    signInAddress: file.sign_in_address,
    signInAccount: file.sign_in_account,
    tokenClient: file.token_client,
    authorizeAddress: file.authorize_address,
    registrationAddress: file.registration_address,
    apiCredential: file.api_credential,
    apiAccount: file.api_account === undefined ? accountLimit(file.api_credential) : file.api_account,
  }))

const outbound = z
  .strictObject({
    allow_networks: option(listOf(network()).prefault([]), 'Private networks that outgoing requests may reach.', {
      takes: 'list of networks',
    }),
    ca_file: option(
      z.string().min(1).nullable().default(null),
      'A PEM file of authorities trusted besides the usual ones.',
      { takes: 'file' },
    ),
  })
  .transform((file) => ({ allowNetworks: file.allow_networks, caFile: file.ca_file }))

const networkRules = z
  .strictObject({
    admin_networks: option(
      listOf(network()).prefault([]),
      'Networks from which administration is allowed; none named: all.',
      { takes: 'list of networks' },
    ),
  })
  .transform((file) => ({ adminNetworks: file.admin_networks }))

const retention = z
  .strictObject({
    activity: option(seconds('1d', '3650d').prefault('365d'), 'Audit entries.', { takes: 'duration' }),
    denials: option(seconds('1d', '365d').prefault('30d'), 'The causes of denials that owners can read.', {
      takes: 'duration',
    }),
    leaving_account: option(
      seconds('0s', '90d').prefault('14d'),
      'How long the owner of an account can take back the wish to have it deleted.',
      { takes: 'duration' },
    ),
  })
  .transform((file) => ({
    activitySeconds: file.activity,
    denialsSeconds: file.denials,
    leavingAccountSeconds: file.leaving_account,
  }))

const upstream = z
  .strictObject({
    id: option(
      z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, { error: 'lower-case letters, digits and -' }),
      'Names it in URLs.',
    ),
    name: option(words(40), 'What the button says.'),
    issuer: option(webUrl(), 'The OpenID provider.', { takes: 'https URL' }),
    client_id: option(z.string().min(1), 'Our client id there.'),
    client_secret: option(z.string().min(1).optional(), 'Our secret there; a file is the better place.', {
      secret: true,
    }),
    client_secret_file: option(z.string().optional(), 'A file that holds our secret there.'),
    scopes: option(z.array(scopeName).default(['openid', 'email', 'profile']), 'What we ask for there.', {
      takes: 'list of scopes',
    }),
    trust_email: option(onOff().prefault(false), 'Believe its email_verified when accounts are linked.', {
      takes: 'on or off',
    }),
  })
  .transform((file) => ({
    id: file.id,
    name: file.name,
    issuer: file.issuer,
    clientId: file.client_id,
    clientSecret: file.client_secret,
    scopes: file.scopes,
    trustEmail: file.trust_email,
  }))

/** Every option of this topic, as the file names them. */
export const policyOptions = {
  brand: option(brand.prefault({}), 'How the pages look.'),
  sign_up: option(signUp.prefault({}), 'New accounts.'),
  mfa: option(mfa.prefault({}), 'Second factors.'),
  passwords: option(passwords.prefault({}), 'Passwords.'),
  profile: option(profile.prefault({}), 'What people may say about themselves besides name, language and picture.'),
  consent: option(consent.prefault({}), 'The consent page.'),
  keys: option(keys.prefault({}), 'API keys and personal access tokens.'),
  rate_limits: option(rateLimits.prefault({}), 'How many requests are answered; `off` switches a limit off.'),
  outbound: option(outbound.prefault({}), 'Requests this server makes.'),
  network: option(networkRules.prefault({}), 'Who may reach what.'),
  retention: option(retention.prefault({}), 'How long records are kept.'),
  upstreams: option(z.array(upstream).prefault([]), 'OpenID providers people may sign in with.'),
}
