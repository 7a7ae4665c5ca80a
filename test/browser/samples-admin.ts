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

export const adminSamples = {
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
