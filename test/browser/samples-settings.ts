/**
 * Samples of the settings pages.
 */
import { page } from '../../src/http/views.ts'
import { account, asked, codes, totp } from './samples-person.ts'

const sections = (['profile', 'security', 'sessions', 'activity'] as const).map((id) => ({
  id,
  path: id === 'profile' ? '/settings' : `/settings/${id}`,
}))
const shell = (here: 'profile' | 'security' | 'sessions' | 'activity') => ({ here, sections })
const at = Date.UTC(2026, 9, 14, 9, 12)
const hostile = `<b>Key</b>\u202E${'W'.repeat(40)}`

export const settingsSamples = {
  'settings-profile': page('settings/profile', {
    shell: shell('profile'),
    name: account.name,
    locale: 'en',
    attributes: [
      { name: 'team', label: 'Team', value: 'Research', choices: ['Research', 'Operations'] },
      { name: 'pronouns', label: 'Pronouns', value: '' },
    ],
    picture: '/pictures/sample/sample',
    email: account.email,
    emailVerified: false,
    createdAt: at,
    id: '3QmXw9QpT2k3mXw9QpT2ab',
    cards: [
      { kind: 'unverified_email', url: '/settings/security' },
      { kind: 'no_second_factor', url: '/settings/security' },
      { kind: 'few_recovery_codes', url: '/settings/security', count: 2 },
      { kind: 'keys_expiring', url: '/settings/keys', count: 2, at },
      { kind: 'tokens_expiring', url: '/settings/tokens', count: 1, at },
      { kind: 'new_device', url: '/settings/sessions', at },
      { kind: 'new_app', url: '/settings/apps/x', name: 'Notes', at },
    ],
    saved: 'profile',
  }),
  'settings-security': page('settings/security', {
    shell: shell('security'),
    email: account.email,
    hasPassword: true,
    minimumPasswordLength: 10,
    required: false,
    totpSince: at,
    passkeys: [
      { id: 'one', name: 'Chrome on macOS', createdAt: at, lastUsedAt: at, backedUp: true },
      { id: 'two', name: hostile, createdAt: at, backedUp: false },
    ],
    recoveryCodes: 2,
    fewRecoveryCodes: true,
    done: 'passkey',
  }),
  'settings-security-bare': page('settings/security', {
    shell: shell('security'),
    email: account.email,
    hasPassword: true,
    minimumPasswordLength: 10,
    required: true,
    passkeys: [],
    recoveryCodes: 0,
    fewRecoveryCodes: false,
    isLastFactor: true,
    passwordProblem: 'too_short',
  }),
  'settings-totp': page('settings/totp', { shell: shell('security'), totp, problem: { kind: 'wrong' } }),
  'settings-passkey': page('settings/passkey', {
    shell: shell('security'),
    passkey: asked('/settings/security/passkeys'),
    device: { browser: 'Firefox', system: 'Linux' },
    isRefused: false,
  }),
  'settings-recovery-codes': page('settings/recovery-codes', { shell: shell('security'), codes }),
  'settings-sessions': page('settings/sessions', {
    shell: shell('sessions'),
    rows: [
      {
        id: 'a',
        isHere: true,
        browser: 'Chrome',
        system: 'macOS',
        ip: '203.0.113.24',
        lastSeenAt: at,
        signedInAt: at,
        apps: ['Notes', 'Console'],
      },
      {
        id: 'b',
        isHere: false,
        browser: 'Safari',
        system: 'iPhone',
        ip: '2001:db8:1234:5678:9abc:def0:1234:5678',
        lastSeenAt: at,
        signedInAt: at,
        apps: ['Notes'],
      },
      { id: 'c', isHere: false, ip: '198.51.100.7', lastSeenAt: at, signedInAt: at, apps: [] },
    ],
    isFirstPage: true,
    nextUrl: '/settings/sessions?cursor=x',
    ended: 1,
  }),
  'settings-activity': page('settings/activity', {
    shell: shell('activity'),
    rows: [
      {
        at,
        event: 'sign_in.done',
        outcome: 'done',
        by: 'account',
        ip: '203.0.113.24',
        browser: 'Chrome',
        system: 'macOS',
      },
      {
        at,
        event: 'sign_in.refused',
        outcome: 'refused',
        reason: 'wrong_password',
        by: 'anonymous',
        ip: '198.51.100.7',
      },
      { at, event: 'account.disabled', outcome: 'failed', by: 'operator' },
      { at, event: 'agent.acted', outcome: 'done', by: 'app', agent: 'Notebook Studio', ip: '203.0.113.24' },
      { at, event: 'something.new', outcome: 'done', by: 'system' },
    ],
    kinds: ['sign_in', 'account', 'apps', 'keys'],
    kind: 'account',
    isFirstPage: false,
    nextUrl: '/settings/activity?cursor=x',
    csvUrl: '/settings/activity.csv?kind=account',
  }),
  'settings-activity-empty': page('settings/activity', {
    shell: shell('activity'),
    rows: [],
    kinds: ['sign_in', 'account', 'apps', 'keys'],
    isFirstPage: true,
    csvUrl: '/settings/activity.csv',
  }),
  'settings-email': page('settings/email', {
    shell: shell('profile'),
    email: account.email,
    typed: 'ada@',
    problem: 'malformed',
  }),
  'settings-email-code': page('settings/email', { shell: shell('profile'), email: account.email, isAsked: true }),
  'settings-email-link': page('settings/email', {
    shell: shell('profile'),
    email: account.email,
    newEmail: 'ada.lovelace@example.test',
    confirmAction: '/settings/email/token',
  }),
  'settings-delete': page('settings/delete', {
    shell: shell('profile'),
    email: account.email,
    delaySeconds: 1_209_600,
    problem: 'email',
  }),
  keep: page('interactions/keep', { action: '/leaving/token', email: account.email, leavesAt: at }),
} as const
