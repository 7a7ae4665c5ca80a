/**
 * One sample of every view, and of every state of a view that looks different: what `views.test.ts` draws and photographs.
 * The hostile sample carries what an attacker would put into names.
 */
import { page } from '../../src/http/views.ts'
import { adminSamples } from './samples-admin.ts'
import { connectedSamples } from './samples-connected.ts'
import { consentSamples } from './samples-consent.ts'
import { developerSamples } from './samples-developer.ts'
import { docsSamples } from './samples-docs.ts'
import { keyFormSamples } from './samples-key-forms.ts'
import { keySamples } from './samples-keys.ts'
import { account } from './samples-person.ts'
import { resourceSamples } from './samples-resources.ts'
import { settingsSamples } from './samples-settings.ts'
import { signInSamples } from './samples-sign-in.ts'

const issuer = 'http://localhost:4000'
const app = {
  name: 'Notebook Studio',
  host: 'notebook.example',
  standing: 'verified',
  logo: '/logos/sample/sample',
} as const
const stranger = { name: 'Desk Agent', host: '127.0.0.1:33418', standing: 'unverified' } as const

export const samples = {
  ...signInSamples,
  ...consentSamples,
  ...settingsSamples,
  ...keyFormSamples,
  ...keySamples,
  ...connectedSamples,
  ...developerSamples,
  ...resourceSamples,
  ...adminSamples,
  ...consentSamples,
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
