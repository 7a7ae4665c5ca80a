/**
 * Samples of the settings pages about keys and tokens: the list, the form for a new one, and the page that shows a secret.
 */
import type { FamilyChoice } from '../../src/http/key-views.ts'
import { page } from '../../src/http/views.ts'
import { at, DAY, hint, hostile, mark, place, scope } from './samples-key-parts.ts'

const families: FamilyChoice[] = [
  {
    name: 'data',
    levels: ['none', 'read', 'write'],
    chosen: 'read',
    scopes: [
      scope('data:read', 'Read your files and records'),
      scope('data:write', 'Create, change and delete your files and records'),
    ],
  },
  { name: 'llm', levels: ['none', 'read'], chosen: 'none', scopes: [scope('llm:read', 'Use language models')] },
  {
    name: 'billing',
    levels: ['none', 'read'],
    chosen: 'none',
    scopes: [scope('billing:read', 'See your invoices')],
  },
]

const form = {
  ...place('keys'),
  mark,
  name: '',
  access: 'read',
  families,
  expires: '90',
  expiresDays: '',
  presets: [7, 30, 90, 365],
  mostDays: 365,
  networks: '',
  myAddress: '2001:db8:1234:5678:9abc:def0:1234:5678',
  isMineOnly: false,
  resources: [
    { identifier: 'http://localhost:4000/api/v1', name: 'Licet API' },
    { identifier: 'https://mcp.example.test/mcp', name: 'Example MCP' },
  ],
  resource: '',
  quotaRequests: '',
  quotaWindow: '3600',
  mayCreateChildren: false,
  problems: [],
} as const

const row = {
  id: 'oneKey',
  name: 'Nightly export',
  hint,
  scopes: ['data:read', 'data:write'],
  createdAt: at,
  expiresAt: at + 90 * DAY,
}

export const keyFormSamples = {
  'settings-keys': page('settings/keys', {
    ...place('keys'),
    rows: [
      { ...row, state: 'active', lastUsedAt: at, lastUsedIp: '203.0.113.24' },
      { ...row, id: 'two', name: 'Gateway', state: 'rotating', oldEndsAt: at + DAY, lastUsedAt: at },
      { ...row, id: 'three', name: hostile, state: 'revoked', scopes: Array.from('abcdefgh', (one) => `data:${one}`) },
      { ...row, id: 'four', name: 'Last year', state: 'expired' },
    ],
    isFirstPage: false,
    nextUrl: '/settings/keys?cursor=x',
    newUrl: '/settings/keys/new',
    done: 'revoked',
  }),
  'settings-keys-empty': page('settings/keys', {
    ...place('keys'),
    rows: [],
    isFirstPage: true,
    newUrl: '/settings/keys/new',
  }),
  'settings-tokens-unverified': page('settings/keys', {
    ...place('tokens'),
    rows: [],
    filter: 'expired',
    isFirstPage: true,
    done: 'repeated',
  }),
  'settings-keys-new': page('settings/keys-new', form),
  'settings-keys-new-problem': page('settings/keys-new', {
    ...form,
    ...place('tokens'),
    name: hostile,
    access: 'restricted',
    expires: 'custom',
    expiresDays: '4000',
    networks: '203.0.113.0/24\n10.0.0.0/99',
    isMineOnly: true,
    quotaRequests: 'many',
    problems: [
      { field: 'scopes', code: 'missing' },
      { field: 'expires', code: 'out_of_range' },
      { field: 'allowed_ips', code: 'malformed', value: '10.0.0.0/99' },
      { field: 'quota', code: 'invalid' },
    ],
  }),
  'settings-keys-reveal': page('settings/keys-reveal', {
    ...place('keys'),
    id: 'oneKey',
    name: 'Nightly export',
    credential: `licet_key_${'Xq7'.repeat(12)}Zz`,
    tryUrl: 'http://localhost:4000/api/v1/accounts/me',
    isNew: true,
  }),
  'settings-keys-reveal-rotated': page('settings/keys-reveal', {
    ...place('tokens'),
    id: 'oneKey',
    name: hostile,
    credential: `licet_pat_${'Xq7'.repeat(12)}Zz`,
    tryUrl: 'http://localhost:4000/api/v1/accounts/me',
    isNew: false,
    oldEndsAt: at + DAY,
  }),
} as const
