/**
 * Samples of the settings pages about connected apps.
 */
import type { ConnectedRow, ConsentNoteRow } from '../../src/http/connected-views.ts'
import { page } from '../../src/http/views.ts'

const ids = ['profile', 'security', 'keys', 'tokens', 'apps', 'sessions', 'activity'] as const
const shell = {
  here: 'apps',
  sections: ids.map((id) => ({ id, path: id === 'profile' ? '/settings' : `/settings/${id}` })),
} as const
const at = Date.UTC(2026, 9, 14, 9, 12)
const DAY = 86_400_000
const hostile = `<b>Notes</b>\u202E${'W'.repeat(40)}`

const scope = (name: string, sentence: string) => ({ name, sentence })
const app: ConnectedRow = {
  id: 'one',
  name: 'Notebook Studio',
  clientId: 'k3mXw9QpT2k3mXw9QpT2ab',
  standing: 'verified',
  identity: [scope('openid', ''), scope('email', '')],
  allowed: [
    {
      resource: 'Licet API',
      scopes: [
        scope('data:read', 'Read your files and records'),
        scope('data:write', 'Create, change and delete your files and records'),
      ],
    },
    { resource: 'Example MCP', scopes: [scope('mcp:read', 'See tools and what they return')] },
  ],
  connections: [
    {
      name: 'Google',
      resource: 'Licet API',
      ticks: [
        { action: 'read', value: 'read google https://auth.example/api/v1' },
        { action: 'write', value: 'write google https://auth.example/api/v1' },
      ],
    },
  ],
  duration: 'until_revoked',
  firstAt: at - 40 * DAY,
  lastAt: at,
  usedAt: at,
  families: 3,
}
const note: ConsentNoteRow = {
  name: 'Notebook Studio',
  act: 'allowed',
  at,
  scopes: [scope('openid', ''), scope('data:read', 'Read your files and records')],
  refused: [scope('data:write', 'Create, change and delete your files and records')],
  connections: [{ name: 'Google', actions: ['read', 'write'] }],
  duration: '30d',
}
const notes: readonly ConsentNoteRow[] = [
  { ...note, act: 'ended', at: at + DAY, scopes: [], refused: [], connections: [], name: hostile },
  { ...note, act: 'narrowed', refused: [], expiresAt: at + DAY },
  note,
]
const rest = { historyUrl: '/settings/apps/history', isFirstPage: true }

export const connectedSamples = {
  'settings-apps': page('settings/apps', {
    shell,
    groups: [
      {
        key: 'host notebook.example',
        host: 'notebook.example',
        apps: [
          { ...app, agent: true, delegates: ['Search', 'Records'] },
          { ...app, id: 'two', name: 'Notebook Mobile', families: 1, expiresAt: at + DAY },
        ],
        hasMore: true,
        families: 4,
      },
      {
        key: 'app dyn',
        apps: [
          {
            ...app,
            id: 'three',
            name: hostile,
            standing: 'unverified',
            duration: '1d',
            connections: [],
            families: 0,
            expiresAt: at,
          },
        ],
        hasMore: false,
        families: 0,
      },
      {
        key: 'host long',
        host: `xn--80ak6aa92e.${'long'.repeat(14)}.example`,
        apps: [{ ...app, id: 'four', identity: [], clientId: `https://${'long'.repeat(14)}.example/client.json` }],
        hasMore: false,
        families: 3,
      },
    ],
    ...rest,
    isFirstPage: false,
    nextUrl: '/settings/apps?cursor=x',
    stopped: 2,
  }),
  'settings-apps-empty': page('settings/apps', { shell, groups: [], ...rest }),
  'settings-apps-one': page('settings/apps-one', {
    shell,
    app: { ...app, agent: true, delegates: ['Search', hostile] },
    host: 'notebook.example',
    groupKey: 'host notebook.example',
    ends: ['30d', '1d'],
    offlineMinutes: 15,
    notes,
    historyUrl: rest.historyUrl,
    done: true,
  }),
  'settings-apps-one-alone': page('settings/apps-one', {
    shell,
    app: { ...app, name: hostile, standing: 'unverified', clientId: `dyn.${'x'.repeat(900)}`, expiresAt: at },
    groupKey: 'app dyn',
    ends: [],
    offlineMinutes: 15,
    notes: [],
    historyUrl: rest.historyUrl,
    problem: 'nothing_left',
  }),
  'settings-apps-history': page('settings/apps-history', {
    shell,
    notes,
    isFirstPage: true,
    nextUrl: '/settings/apps/history?cursor=x',
  }),
  'settings-apps-history-empty': page('settings/apps-history', { shell, notes: [], isFirstPage: true }),
} as const
