/**
 * Samples of the developer pages.
 */
import { page } from '../../src/http/views.ts'
import { challenge, developerShell as shell } from './samples-resources.ts'

const at = Date.UTC(2026, 9, 14, 9, 12)
const hostile = `<b>App</b>\u202E${'W'.repeat(40)}`
const clientId = 'k3mXw9QpT2k3mXw9QpT2ab'
const issuer = 'http://localhost:4000'

const scopes = [
  { name: 'data:read', sentence: 'Read your files and records', chosen: 'asked' },
  { name: 'data:write', sentence: 'Create, change and delete your files and records', chosen: 'optional' },
  { name: `custom:${'z'.repeat(40)}`, sentence: `Something ${'Y'.repeat(60)}`, chosen: 'none' },
] as const

const draft = {
  name: 'Notebook Studio',
  redirectUris: 'https://notebook.example/callback',
  verdicts: [{ uri: 'https://notebook.example/callback', warnings: [] }],
  scopes,
  problems: [],
} as const

const types = ['web', 'spa', 'native', 'device', 'service'] as const
const row = {
  clientId,
  name: 'Notebook Studio',
  type: 'web',
  standing: 'verified',
  isSuspended: false,
  createdAt: at,
} as const
const app = { ...row, auth: 'client_secret_basic', hasRedirects: true, holdsSecret: true, isChangeable: true } as const

const snippet = [
  {
    step: 'open',
    code: `verifier=$(openssl rand -hex 32)\nchallenge=$(printf %s "$verifier" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d '=')\necho "${issuer}/authorize?client_id=${clientId}&response_type=code&redirect_uri=https%3A%2F%2Fnotebook.example%2Fcallback&scope=openid%20data%3Aread&code_challenge_method=S256&code_challenge=$challenge"`,
  },
  { step: 'exchange', code: `curl ${issuer}/token \\\n  -u "${clientId}:$CLIENT_SECRET" \\\n  -d code="$code"` },
  { step: 'use', code: `curl -H "Authorization: Bearer $access_token" ${issuer}/api/v1/accounts/me` },
] as const

const form = { shell, mark: 'mark', type: 'web', types, auth: 'secret', jwks: '', ...draft } as const

const bars = Array.from({ length: 48 }, (_none, index) => ({
  at: at - (47 - index) * 3_600_000,
  ok: index,
  denied: index % 7,
  limited: 0,
  heights: { ok: index * 1.7, denied: (index % 7) * 1.7, limited: 0 },
}))
const used = { by: 'hour', total: { ok: 1128, denied: 138, limited: 0 }, bars, csvUrl: '/usage.csv?by=hour' } as const
const caller = { agent: 'python-httpx/0.28.1', lastAt: at, calls: 1204, callsPerHour: 50.2 } as const
const secrets = { shell, mark: 'mark', overlap: '24h', quietHours: '6', usage: used } as const
const face = {
  shell,
  app: { ...row, holdsSecret: true },
  description: 'Takes notes and finds them again',
  links: { client_uri: 'https://notebook.example/', policy_uri: '', tos_uri: '' },
  testers: 'ada@example.test\ngrace@example.test',
  asksTesters: false,
  isWaiting: false,
} as const
export const developerSamples = {
  'developer-face': page('developer/app-face', { ...face, domain: 'notebook.example', done: 'saved' }),
  'developer-face-problem': page('developer/app-face', {
    ...face,
    app: { ...row, name: hostile, standing: 'unverified', holdsSecret: false },
    description: hostile,
    asksTesters: true,
    jwks: '{ "keys": [] }',
    declinedReason: `Looks like ${'another'.repeat(15)}`,
    challenge: { ...challenge, domain: `${'long'.repeat(12)}.example` },
    problem: { field: 'domain', code: 'not_proven' },
  }),
  'developer-apps': page('developer/apps', {
    shell,
    rows: [
      row,
      { ...row, clientId: `${clientId}2`, name: hostile, type: 'native', standing: 'unverified' },
      { ...row, clientId: `${clientId}3`, type: 'service', isSuspended: true },
    ],
    isFirstPage: false,
    nextUrl: '/developer/apps?cursor=x',
    newUrl: '/developer/apps/new',
    done: 'removed',
  }),
  'developer-apps-empty': page('developer/apps', { shell, rows: [], isFirstPage: true, newUrl: '/developer/apps/new' }),
  'developer-apps-unverified': page('developer/apps', { shell, rows: [], isFirstPage: true, done: 'repeated' }),
  'developer-app-new': page('developer/app-new', { ...form, name: '', redirectUris: '', verdicts: [] }),
  'developer-app-new-problem': page('developer/app-new', {
    ...form,
    name: hostile,
    type: 'native',
    redirectUris: 'http://127.0.0.1/cb\nnotes:/cb\njavascript:alert(1)',
    verdicts: [
      { uri: 'http://127.0.0.1/cb', warnings: ['loopback'] },
      { uri: `notes:/${'cb'.repeat(60)}`, warnings: ['private_scheme', 'private_scheme_without_dot'] },
      { uri: 'javascript:alert(1)', reason: 'system_scheme', warnings: [] },
    ],
    problems: [
      { field: 'name', code: 'malformed' },
      { field: 'redirect_uris', code: 'system_scheme' },
      { field: 'scope', code: 'unknown' },
    ],
  }),
  'developer-app-new-keys': page('developer/app-new', {
    ...form,
    type: 'service',
    auth: 'private_key_jwt',
    jwks: 'nonsense',
    problems: [{ field: 'jwks', code: 'malformed' }],
  }),
  'developer-app-reveal': page('developer/app-reveal', {
    shell,
    clientId,
    name: 'Notebook Studio',
    clientSecret: `licet_cs_${'Xq7'.repeat(12)}Zz`,
    isNew: true,
    oldEndsAt: at,
    snippet,
  }),
  'developer-app': page('developer/app', {
    shell,
    ...draft,
    app,
    registered: draft.verdicts,
    secrets: [
      { id: 'one', hint: 'licet_cs_…9QpT', createdAt: at },
      { id: 'two', hint: 'licet_cs_…7aBc', createdAt: at, expiresAt: at },
    ],
    snippet,
    done: 'created',
  }),
  'developer-app-secrets': page('developer/app-secrets', {
    ...secrets,
    app,
    secrets: [
      { id: 'one', hint: 'licet_cs_…9QpT', createdAt: at },
      { id: 'two', hint: 'licet_cs_…7aBc', createdAt: at, expiresAt: at, quietSeconds: 21_600, lastUsedAt: at },
    ],
    callers: [
      { ...caller, ip: '2001:db8:1234:5678:9abc:def0:1234:5678', secret: 'old', moving: 'still' },
      { ...caller, ip: '198.51.100.7', secret: 'old', moving: 'moved' },
      { ...caller, ip: '198.51.100.7', secret: 'current' },
    ],
    overlap: 'quiet',
    quietHours: '0',
    problem: 'quiet_hours',
  }),
  'developer-app-secrets-none': page('developer/app-secrets', {
    ...secrets,
    app: { ...app, name: hostile, holdsSecret: false },
    secrets: [],
    callers: [],
    done: 'old_ended',
  }),
  'developer-app-suspended': page('developer/app', {
    shell,
    ...draft,
    name: hostile,
    app: {
      ...app,
      name: hostile,
      type: 'device',
      standing: 'unverified',
      auth: 'none',
      hasRedirects: false,
      holdsSecret: false,
      isSuspended: true,
      suspendedReason: `Reported ${'often'.repeat(20)}`,
    },
    registered: [],
    secrets: [],
    snippet: [
      { step: 'ask', code: `curl ${issuer}/device_authorization` },
      { step: 'poll', code: `curl ${issuer}/token` },
    ],
    problems: [{ field: 'form', code: 'other_name' }],
  }),
} as const
