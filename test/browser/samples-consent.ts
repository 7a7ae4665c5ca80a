/**
 * Samples of the consent page: an ordinary app, one that nobody has checked, single connections, and what an attacker would put into names.
 */
import { page, type Views } from '../../src/http/views.ts'
import { account } from './samples-person.ts'

const app = {
  name: 'Notebook Studio',
  host: 'notebook.example',
  standing: 'verified',
  logo: '/logos/sample/sample',
} as const
const stranger = { name: 'Desk Agent', host: '127.0.0.1:33418', standing: 'unverified' } as const

/** 64 characters without a break, a right-to-left override, and markup. */
export const hostileName = `<b>Licet</b>\u202Elive\u202C${'W'.repeat(48)}"'`

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
    registered: { by: 'developer', at: Date.UTC(2026, 3, 2) },
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

export const consentSamples = {
  consent: page('interactions/consent', consent),
  'consent-preview': page('interactions/consent', {
    ...consent,
    app: { ...consent.app, description: 'Takes notes and finds them again' },
    action: '',
    switchAction: '',
    previewOf: '/developer/apps/sample',
  }),
  'consent-unverified': page('interactions/consent', {
    ...consent,
    app: {
      ...stranger,
      redirectHost: '127.0.0.1:33418',
      registered: { by: 'itself', at: Date.UTC(2026, 3, 2) },
      warnings: ['unverified', 'loopback'],
    },
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
  'consent-connections': page('interactions/consent', {
    ...consent,
    groups: consent.groups.slice(0, 1),
    connections: {
      rows: [
        {
          id: 'google',
          name: 'Google',
          icon: 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
          ticks: [
            { action: 'read', value: 'read google', checked: true, isNew: false },
            { action: 'write', value: 'write google', checked: false, isNew: true },
          ],
        },
        {
          id: 'slack',
          name: hostileName,
          ticks: [{ action: 'read', value: 'read slack', checked: false, isNew: false }],
        },
      ],
      personChooses: true,
      isUnknown: false,
      notConnected: ['github', 'notion'],
    },
  }),
  'consent-connections-unknown': page('interactions/consent', {
    ...consent,
    connections: { rows: [], personChooses: false, isUnknown: true, notConnected: [] },
  }),
  'consent-private-scheme': page('interactions/consent', {
    ...consent,
    app: {
      ...stranger,
      host: 'desk-agent:',
      redirectHost: 'desk-agent:',
      registered: { by: 'operator' },
      warnings: ['private_scheme'],
    },
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
      registered: { by: 'document' },
      warnings: ['unverified'],
      policyUri: 'javascript:alert(1)',
      description: `<b>Free money</b>\u202E${'M'.repeat(180)}`,
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
} as const
