/**
 * Samples of the administrators' pages.
 */
import { page } from '../../src/http/views.ts'

const ids = ['profile', 'security', 'keys', 'tokens', 'apps', 'developer', 'sessions', 'activity', 'admin'] as const
const shell = { here: 'admin', sections: ids.map((id) => ({ id, path: `/settings/${id}` })) } as const
const at = Date.UTC(2026, 9, 14, 9, 12)
const hostile = `<b>App</b>\u202E${'W'.repeat(40)}`
const clientId = 'k3mXw9QpT2k3mXw9QpT2ab'

const row = {
  clientId,
  name: 'Notebook Studio',
  type: 'web',
  standing: 'unverified',
  isSuspended: false,
  isWaiting: true,
  domain: 'notebook.example',
  createdAt: at,
} as const
const app = { ...row, auth: 'client_secret_basic', source: 'stored', isChangeable: true } as const
const rest = {
  shell,
  owner: 'ada@example.test',
  redirects: [{ uri: 'https://notebook.example/callback', warnings: [] }],
  links: [
    { kind: 'home', uri: 'https://notebook.example/' },
    { kind: 'privacy', uri: 'https://notebook.example/privacy' },
  ],
  scopes: [{ name: 'data:read', sentence: 'Read your files and records' }],
  seen: at,
} as const

const account = {
  id: 'Qp3mXw9QpT2k3mXw9QpT2a',
  email: 'grace@example.test',
  emailVerified: true,
  name: 'Grace Hopper',
  role: 'administrator',
  status: 'active',
  createdAt: at,
} as const
const stranger = { ...account, email: `${'w'.repeat(60)}@example.test`, name: hostile, role: 'member' } as const
const factors = { totp: true, passkeys: 2, recoveryCodes: 8, required: true } as const
const trail = [
  { at, event: 'sign_in.done', outcome: 'done', by: 'account', ip: '203.0.113.24' },
  {
    at,
    event: 'account.disabled',
    outcome: 'done',
    by: 'operator',
    why: hostile,
    ip: '2001:db8:1234:5678:9abc:def0:1234:5678',
  },
  { at, event: 'sign_in.refused', outcome: 'refused', by: 'anonymous', reason: 'wrong_password', ip: '198.51.100.7' },
] as const

export const adminSamples = {
  'admin-accounts': page('admin/accounts', {
    shell,
    query: 'grace',
    rows: [
      account,
      { ...stranger, status: 'disabled', emailVerified: false },
      { ...stranger, name: '', status: 'leaving' },
    ],
    isFirstPage: false,
    nextUrl: '/admin/accounts?cursor=x',
    mayInvite: true,
    invited: 'ada@example.test',
    refused: { email: 'grace@example.test', taken: true },
  }),
  'admin-accounts-empty': page('admin/accounts', {
    shell,
    query: 'x',
    role: 'member',
    status: 'leaving',
    rows: [],
    mayInvite: false,
    isFirstPage: true,
  }),
  'admin-account': page('admin/account', {
    shell,
    account: { ...account, hasPassword: true, attributes: [{ name: 'plan', value: '"pro"' }] },
    factors,
    isYou: false,
    trail,
    done: 'signed_out',
  }),
  'admin-account-disabled': page('admin/account', {
    shell,
    account: {
      ...stranger,
      status: 'disabled',
      emailVerified: false,
      hasPassword: false,
      disabledReason: hostile,
      leavesAt: at,
      attributes: [{ name: hostile, value: `"${'x'.repeat(90)}"` }],
    },
    factors: { totp: false, passkeys: 0, recoveryCodes: 0, required: true },
    isYou: false,
    trail: [],
    problem: 'last_administrator',
  }),
  'admin-server': page('admin/server', {
    shell,
    store: { engine: 'Redis Cluster', answeredInMs: 1 },
    mail: 'smtp',
    yourEmail: 'ada@example.test',
    keys: (['signs', 'coming', 'leaving'] as const).map((state) => ({
      kid: 'o7Jc3kN2b1mQeY8xkq0cPpY6yZsVbHn4u9dDq2R1wXk',
      algorithm: 'ES256',
      signsFrom: at,
      state,
      ...(state === 'leaving' ? { publishedUntil: at } : {}),
    })),
    publishSeconds: 3600,
    done: 'mail_sent',
  }),
  'admin-apps': page('admin/apps', {
    shell,
    queue: 'all',
    rows: [
      row,
      {
        ...row,
        clientId: `dyn.${'x'.repeat(900)}`,
        name: hostile,
        type: 'native',
        isWaiting: false,
        isSuspended: true,
      },
      { ...row, clientId: `${clientId}3`, type: 'service', standing: 'first_party', isWaiting: false },
    ],
    isFirstPage: false,
    nextUrl: '/admin/apps?cursor=x',
  }),
  'admin-apps-empty': page('admin/apps', { shell, queue: 'review', rows: [], isFirstPage: true }),
  'admin-app': page('admin/app', {
    ...rest,
    app: { ...app, description: 'Takes notes and finds them again', provenBy: 'dns', provenAt: at },
    done: 'resumed',
  }),
  'admin-resources': page('admin/resources', {
    shell,
    state: 'waiting',
    rows: [
      {
        id: 'r1',
        identifier: 'https://mcp.notebook.example/mcp',
        name: 'Search',
        state: 'waiting',
        owner: 'ada@example.test',
      },
      { id: 'r2', identifier: `https://mcp.example/${'x'.repeat(200)}`, name: hostile, state: 'live' },
    ],
    isFirstPage: false,
    done: 'decided',
  }),
  'admin-app-suspended': page('admin/app', {
    ...rest,
    app: {
      ...app,
      clientId: `dyn.${'x'.repeat(900)}`,
      name: hostile,
      description: hostile,
      isSuspended: true,
      suspendedReason: `Reported ${'often'.repeat(20)}`,
      declinedReason: `Looks like ${'another'.repeat(15)}`,
      provenBy: 'file',
      provenAt: at,
      source: 'self_registered',
    },
    redirects: [{ uri: `notes:/${'cb'.repeat(60)}`, warnings: ['private_scheme', 'private_scheme_without_dot'] }],
    problem: 'changed',
  }),
} as const
