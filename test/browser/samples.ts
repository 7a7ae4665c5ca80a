/**
 * One sample of every view, and of every state of a view that looks different: what `views.test.ts` draws and photographs.
 * The hostile sample carries what an attacker would put into names.
 */
import { page, type Views } from '../../src/http/views.ts'
import { adminSamples } from './samples-admin.ts'
import { connectedSamples } from './samples-connected.ts'
import { developerSamples } from './samples-developer.ts'
import { docsSamples } from './samples-docs.ts'
import { keyFormSamples } from './samples-key-forms.ts'
import { keySamples } from './samples-keys.ts'
import { account } from './samples-person.ts'
import { settingsSamples } from './samples-settings.ts'
import { signInSamples } from './samples-sign-in.ts'

const issuer = 'http://localhost:4000'
const app = { name: 'Notebook Studio', host: 'notebook.example', standing: 'verified' } as const
const stranger = { name: 'Desk Agent', host: '127.0.0.1:33418', standing: 'unverified' } as const

const scope = (
  name: string,
  sentence: string,
  more: Partial<Views['interactions/consent']['identity'][number]> = {},
) => ({
  name,
  sentence,
  isNew: false,
  refusable: true,
  checked: true,
  ...more,
})

const consent: Views['interactions/consent'] = {
  app: {
    ...app,
    redirectHost: 'notebook.example',
    warnings: [],
    policyUri: 'https://notebook.example/privacy',
    tosUri: 'https://notebook.example/terms',
  },
  account,
  resource: { identifier: 'http://localhost:4000/api/v1', name: 'Licet API' },
  identity: [scope('openid', '', { refusable: false }), scope('profile', ''), scope('email', '')],
  groups: [
    {
      access: 'read',
      scopes: [
        scope('data:read', 'Read your files and records', { refusable: false }),
        scope('llm:read', 'Use language models on your account'),
      ],
    },
    {
      access: 'write',
      scopes: [scope('data:write', 'Create, change and delete your files and records', { isNew: true })],
    },
  ],
  alreadyGranted: [],
  durations: ['until_revoked', '30d', '1d', 'session'],
  duration: 'until_revoked',
  action: '/interaction/sample/consent',
  switchAction: '/interaction/sample/switch',
}

/** 64 characters without a break, a right-to-left override, and markup. */
export const hostileName = `<b>Licet</b>\u202Elive\u202C${'W'.repeat(48)}"'`

export const samples = {
  ...signInSamples,
  ...settingsSamples,
  ...keyFormSamples,
  ...keySamples,
  ...connectedSamples,
  ...developerSamples,
  ...adminSamples,
  'sign-in': page('interactions/sign-in', {
    app,
    email: '',
    action: '/interaction/sample/sign-in',
    recoverUrl: '/recover',
    signUpUrl: '/signup',
    cancelAction: '/interaction/sample/cancel',
  }),
  'sign-in-wrong': page('interactions/sign-in', {
    app,
    email: 'ada@example.test',
    action: '/interaction/sample/sign-in',
    problem: { kind: 'wrong' },
    recoverUrl: '/recover',
  }),
  'sign-in-missing': page('interactions/sign-in', {
    app: stranger,
    email: '',
    action: '/interaction/sample/sign-in',
    problem: { kind: 'missing', fields: ['email', 'password'] },
  }),
  'sign-in-limited': page('interactions/sign-in', {
    email: 'ada@example.test',
    action: '/sign-in',
    problem: { kind: 'limited', retryAfterSeconds: 840 },
    recoverUrl: '/recover',
  }),
  'sign-in-switch': page('interactions/sign-in', {
    app,
    email: '',
    action: '/interaction/sample/sign-in',
    switchAccount: account,
  }),
  consent: page('interactions/consent', consent),
  'consent-unverified': page('interactions/consent', {
    ...consent,
    app: { ...stranger, redirectHost: '127.0.0.1:33418', warnings: ['unverified', 'loopback'] },
    groups: [
      { access: 'read', scopes: [scope('mcp:read', 'See tools and what they return')] },
      {
        access: 'write',
        scopes: [scope('mcp:write', 'Run tools that change things', { isNew: true, checked: false })],
      },
      { access: 'admin', scopes: [scope('api:admin', 'Administer this server', { isNew: true })] },
    ],
    resource: { identifier: 'https://mcp.example.test/mcp', name: 'Example MCP' },
    alreadyGranted: [
      { name: 'data:read', sentence: 'Read your files and records' },
      { name: 'email', sentence: '' },
    ],
    duration: 'session',
  }),
  'consent-private-scheme': page('interactions/consent', {
    ...consent,
    app: { ...stranger, host: 'desk-agent:', redirectHost: 'desk-agent:', warnings: ['private_scheme'] },
    groups: [],
    problem: 'stale',
  }),
  'consent-hostile': page('interactions/consent', {
    ...consent,
    app: {
      name: hostileName,
      host: `xn--80ak6aa92e.${'long'.repeat(14)}.example`,
      standing: 'unverified',
      redirectHost: 'evil.example',
      warnings: ['unverified'],
      policyUri: 'javascript:alert(1)',
    },
    account: { email: `${'a'.repeat(64)}@${'b'.repeat(60)}.example`, name: hostileName },
    resource: { identifier: `https://api.example/${'x'.repeat(120)}`, name: hostileName },
    groups: [
      {
        access: 'write',
        scopes: [scope(`custom:${'z'.repeat(60)}`, `<img src=x onerror=alert(1)> ${'Y'.repeat(90)}`)],
      },
    ],
  }),
  expired: page('interactions/expired', { appName: app.name, returnUrl: 'https://notebook.example/' }),
  'expired-alone': page('interactions/expired', {}),
  'sign-out': page('interactions/sign-out', { action: '/logout/confirm', appName: app.name, hidden: { xsrf: 'abc' } }),
  'signed-out': page('interactions/signed-out', { appName: app.name, returnUrl: 'https://notebook.example/' }),
  setup: page('interactions/setup', { action: '/setup/token', minimumPasswordLength: 15 }),
  'setup-problem': page('interactions/setup', {
    action: '/setup/token',
    minimumPasswordLength: 15,
    name: 'Ada',
    email: 'ada@',
    problem: {
      kind: 'invalid',
      fields: [
        { field: 'email', reason: 'malformed' },
        { field: 'password', reason: 'too_short' },
      ],
    },
  }),
  'setup-done': page('interactions/setup-done', { signInUrl: '/' }),
  error: page('error', {
    code: 'not_found',
    title: 'Not found',
    detail: 'There is no page at this address.',
    requestId: 'k3mXw9QpT2',
    backUrl: '/',
  }),
  'error-client': page('error', {
    code: 'invalid_request',
    title: 'The request is not valid',
    detail: 'client is invalid',
    requestId: 'k3mXw9QpT2',
    errorRef: 'e_7Hq2',
    oauthError: 'invalid_client',
  }),
  'error-limited': page('error', {
    code: 'rate_limited',
    title: 'Too many requests',
    detail: 'sign_in_address',
    requestId: 'k3mXw9QpT2',
    retryAfterSeconds: 42,
  }),
  home: page('home', { playground: true, mailbox: true, needsAdministrator: true }),
  'home-signed-in': page('home', { account, playground: true, mailbox: true, needsAdministrator: false }),
  mailbox: page('dev/mailbox', {
    mails: [
      {
        to: 'ada@example.test',
        subject: 'Notebook Studio was disconnected from your Licet account',
        at: Date.UTC(2026, 9, 14, 9, 30),
        url: '/dev/mailbox/2',
      },
      { to: 'ada@example.test', subject: 'Licet: mail works', at: Date.UTC(2026, 9, 14, 9, 12), url: '/dev/mailbox/1' },
    ],
  }),
  'mailbox-empty': page('dev/mailbox', { mails: [] }),
  mail: page('dev/mail', {
    to: 'ada@example.test',
    subject: 'Licet: mail works',
    at: Date.UTC(2026, 9, 14, 9, 12),
    text: 'This is a test.\n\nhttp://localhost:4000/',
    links: ['http://localhost:4000/'],
    backUrl: '/dev/mailbox',
  }),
  playground: page('playground/index', {
    clientId: 'playground',
    redirectUri: `${issuer}/playground/callback`,
    endpoints: {
      authorize: `${issuer}/authorize`,
      token: `${issuer}/token`,
      userinfo: `${issuer}/userinfo`,
      revoke: `${issuer}/revoke`,
      jwks: `${issuer}/.well-known/jwks.json`,
      introspect: `${issuer}/introspect`,
      introspectThroughPage: '/playground/introspect',
      api: `${issuer}/api/v1/accounts/me`,
    },
    scopes: [
      'openid',
      'profile',
      'email',
      'offline_access',
      'api:read',
      'api:write',
      'data:read',
      'data:write',
      'llm:read',
      'mcp:read',
    ].map((name) => ({ name, sentence: '', selected: ['openid', 'profile', 'api:read', 'data:read'].includes(name) })),
    resources: [
      {
        identifier: `${issuer}/api/v1`,
        name: 'Licet API',
        scopes: ['api:read', 'api:write', 'data:read', 'data:write', 'llm:read', 'mcp:read'],
      },
      { identifier: 'https://mcp.example.test/mcp', name: 'Example MCP', scopes: ['mcp:read'] },
    ],
  }),
  ...docsSamples,
} as const
