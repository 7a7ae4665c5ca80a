/**
 * Samples of the settings pages about keys and tokens.
 */
import type { FamilyChoice, KeyShown } from '../../src/http/key-views.ts'
import { page } from '../../src/http/views.ts'

const sections = (['profile', 'security', 'keys', 'tokens', 'sessions', 'activity'] as const).map((id) => ({
  id,
  path: id === 'profile' ? '/settings' : `/settings/${id}`,
}))
const place = (room: 'keys' | 'tokens') => ({ shell: { here: room, sections }, room, path: `/settings/${room}` })
const at = Date.UTC(2026, 9, 14, 9, 12)
const DAY = 86_400_000
const hostile = `<b>Key</b>\u202E${'W'.repeat(40)}`
const mark = 'k3mXw9QpT2k3mXw9QpT2ab'
const hint = 'licet_key_…9QpT'

const scope = (name: string, sentence: string) => ({ name, sentence })
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

const key: KeyShown = {
  id: 'oneKey',
  name: 'Nightly export',
  hint,
  scopes: [scope('data:read', 'Read your files and records'), scope('mcp:write', 'Run tools that change things')],
  state: 'active',
  createdAt: at - 20 * DAY,
  expiresAt: at + 70 * DAY,
  lastUsedAt: at,
  lastUsedIp: '203.0.113.24',
  lastAgent: 'python-httpx/0.28.1',
  networks: ['203.0.113.0/24', '2001:db8:1234::/48'],
  quota: { requests: 5000, windowSeconds: 3600 },
  mayCreateChildren: true,
}

const caller = (ip: string, secret: 'current' | 'old' | 'retired') =>
  ({ ip, agent: 'python-httpx/0.28.1', lastAt: at, calls: 1204, callsPerHour: 50.2, secret }) as const

const bars = Array.from({ length: 30 }, (_none, index) => {
  const ok = Math.round(60 + 40 * Math.sin(index / 3))
  const denied = index % 7 === 0 ? 12 : 0
  return {
    at: at - (29 - index) * DAY,
    ok,
    denied,
    limited: index === 20 ? 8 : 0,
    heights: { ok: ok * 0.8, denied: denied * 0.8, limited: index === 20 ? 6.4 : 0 },
  }
})
const usage = {
  by: 'day',
  total: { ok: 1810, denied: 60, limited: 8 },
  bars,
  csvUrl: '/settings/keys/oneKey/usage.csv?by=day',
} as const

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

export const keySamples = {
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
  'settings-keys-one': page('settings/keys-one', {
    ...place('keys'),
    key: {
      ...key,
      state: 'rotating',
      rotation: { oldHint: 'licet_key_…7aBc', replacedAt: at, endsAt: at + DAY, quietSeconds: 21_600 },
    },
    usage,
    callers: [caller('203.0.113.24', 'current'), caller('2001:db8:1234:5678:9abc:def0:1234:5678', 'old')],
    children: [
      { id: 'c1', name: 'Build runner', hint, depth: 1, state: 'active', scopes: ['data:read'] },
      { id: 'c2', name: hostile, hint, depth: 2, state: 'revoked', scopes: ['data:read'] },
    ],
    denials: [
      {
        ref: 'Ab3kXq7ZzT',
        reason: 'ip_not_allowed',
        detail: '198.51.100.7',
        at,
        ip: '198.51.100.7',
        request: 'GET /api/v1/accounts/me',
      },
      { ref: 'Cd3kXq7ZzT', reason: 'something_new', at, ip: '198.51.100.7' },
    ],
    done: 'changed',
  }),
  'settings-keys-one-ended': page('settings/keys-one', {
    ...place('tokens'),
    key: {
      ...key,
      name: hostile,
      state: 'revoked',
      revoked: { at, reason: 'leaked' },
      resource: 'https://mcp.example.test/mcp',
      networks: [],
      callBudget: 100,
      mayCreateChildren: false,
    },
    usage: { ...usage, by: 'hour' },
    callers: [],
    children: [],
    denials: [],
  }),
  'settings-keys-one-problem': page('settings/keys-one', {
    ...place('tokens'),
    key: { ...key, lifted: { scope: 'data:write', until: at }, parentId: 'above' },
    usage,
    callers: [],
    children: [],
    denials: [],
    problem: { field: 'form', code: 'other_name' },
  }),
  'settings-keys-rotate': page('settings/keys-rotate', {
    ...place('keys'),
    mark,
    key,
    callers: [caller('203.0.113.24', 'current')],
  }),
  'settings-keys-rotate-running': page('settings/keys-rotate', {
    ...place('keys'),
    mark,
    key: {
      ...key,
      name: hostile,
      state: 'rotating',
      rotation: { oldHint: 'licet_key_…7aBc', replacedAt: at, endsAt: at + DAY },
    },
    callers: [],
    problem: 'conflict',
  }),
  'settings-keys-rotate-dead': page('settings/keys-rotate', {
    ...place('keys'),
    mark,
    key: { ...key, state: 'expired' },
    callers: [],
  }),
} as const
