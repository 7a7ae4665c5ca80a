/**
 * Samples of the settings pages about one key or token: what it is, its rotation, and what its owner is asked.
 */
import type { KeyShown } from '../../src/http/key-views.ts'
import { page } from '../../src/http/views.ts'
import { at, DAY, hint, hostile, mark, place, scope } from './samples-key-parts.ts'

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

const caller = (ip: string, secret: 'current' | 'old' | 'retired', moving?: 'still' | 'moved' | 'unseen') =>
  ({
    ip,
    agent: 'python-httpx/0.28.1',
    lastAt: at,
    calls: 1204,
    callsPerHour: 50.2,
    secret,
    ...(moving ? { moving } : {}),
  }) as const

const chosen = { overlap: '24h', quietHours: '6', life: '', lives: [7, 30, 90, 365] } as const

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

const widening = {
  key,
  further: [
    { ...scope('data:write', 'Create, change and delete your files and records'), isChosen: true },
    { ...scope(`custom:${'z'.repeat(40)}`, `Something ${'Y'.repeat(60)}`), isChosen: false },
  ],
  networks: '203.0.113.0/24\n2001:db8:1234::/48',
  quotaRequests: '5000',
  quotaWindow: '3600',
  mayCreateChildren: true,
} as const

export const keySamples = {
  'settings-keys-one': page('settings/keys-one', {
    ...place('keys'),
    key: {
      ...key,
      state: 'rotating',
      rotation: { oldHint: 'licet_key_…7aBc', replacedAt: at, endsAt: at + DAY, quietSeconds: 21_600 },
    },
    usage,
    callers: [
      caller('203.0.113.24', 'current'),
      caller('2001:db8:1234:5678:9abc:def0:1234:5678', 'old', 'still'),
      caller('198.51.100.7', 'old', 'unseen'),
      caller('203.0.113.24', 'old', 'moved'),
    ],
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
    lifts: [{ id: 'lift', scope: 'data:write', askedAt: at }],
    mayWiden: true,
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
    lifts: [],
    mayWiden: false,
  }),
  'settings-keys-one-problem': page('settings/keys-one', {
    ...place('tokens'),
    key: { ...key, lifted: { scope: 'data:write', until: at }, parentId: 'above' },
    usage,
    callers: [],
    children: [],
    denials: [],
    lifts: [],
    mayWiden: false,
    problem: { field: 'form', code: 'other_name' },
  }),
  'settings-keys-rotate': page('settings/keys-rotate', {
    ...place('keys'),
    ...chosen,
    mark,
    key,
    callers: [caller('203.0.113.24', 'current')],
  }),
  'settings-keys-rotate-quiet': page('settings/keys-rotate', {
    ...place('tokens'),
    ...chosen,
    overlap: 'quiet',
    quietHours: 'many',
    life: '30',
    mark,
    key,
    callers: [],
    problem: 'quiet_hours',
  }),
  'settings-keys-widen': page('settings/keys-widen', { ...place('keys'), ...widening, problems: [] }),
  'settings-keys-widen-problem': page('settings/keys-widen', {
    ...place('tokens'),
    ...widening,
    key: { ...key, name: hostile },
    further: [],
    problems: [
      { field: 'allowed_ips', code: 'malformed', value: '10.0.0.0/99' },
      { field: 'quota', code: 'invalid' },
      { field: 'confirm', code: 'missing' },
    ],
  }),
  'settings-keys-rotate-running': page('settings/keys-rotate', {
    ...place('keys'),
    ...chosen,
    overlap: 'lost',
    lives: [],
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
    ...chosen,
    mark,
    key: { ...key, state: 'expired' },
    callers: [],
  }),
  'settings-lift': page('settings/lift', {
    shell: place('tokens').shell,
    id: 'lift',
    keyId: 'oneKey',
    keyName: hostile,
    hint,
    scope: scope('data:write', 'Create, change and delete your files and records'),
    askedAt: at,
    ip: '2001:db8:1234:5678:9abc:def0:1234:5678',
    agent: 'python-httpx/0.28.1',
    minutes: 15,
  }),
} as const
