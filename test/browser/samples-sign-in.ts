/**
 * Samples of what a person sees on the way in: second factors, enrolment, sign-up, verification, recovery.
 */
import { page } from '../../src/http/views.ts'
import { account, asked, codes, totp } from './samples-person.ts'

const app = { name: 'Notebook Studio', host: 'notebook.example', standing: 'verified' } as const

export const signInSamples = {
  trial: page('interactions/trial', {
    app: { name: 'Desk Agent', host: '127.0.0.1:33418', standing: 'unverified' },
    account,
    switchAction: '/interaction/sample/switch',
    cancelAction: '/interaction/sample/deny',
  }),
  'sign-in-passkey': page('interactions/sign-in', {
    app,
    email: '',
    action: '/interaction/sample/sign-in',
    passkey: asked('/interaction/sample/passkey'),
    recoverUrl: '/recover',
    signUpUrl: '/signup',
  }),
  'step-up': page('interactions/sign-in', {
    app: { name: 'Licet', host: 'localhost:4000', standing: 'first_party' },
    email: account.email,
    action: '/interaction/sample/sign-in',
    stepUp: { account, switchAction: '/interaction/sample/switch' },
    recoverUrl: '/recover',
  }),
  'second-factor': page('interactions/second-factor', {
    app,
    account,
    way: 'totp',
    action: '/interaction/sample/code',
    others: [
      { way: 'passkey', url: '/interaction/sample?way=passkey' },
      { way: 'recovery_code', url: '/interaction/sample?way=recovery_code' },
    ],
    beginAgainAction: '/interaction/sample/begin-again',
  }),
  'second-factor-wrong': page('interactions/second-factor', {
    app,
    account,
    way: 'recovery_code',
    action: '/interaction/sample/recovery-code',
    others: [{ way: 'totp', url: '/interaction/sample?way=totp' }],
    beginAgainAction: '/interaction/sample/begin-again',
    problem: { kind: 'wrong' },
  }),
  'second-factor-passkey': page('interactions/second-factor', {
    app,
    account,
    way: 'passkey',
    action: '/interaction/sample/passkey',
    passkey: asked('/interaction/sample/passkey'),
    others: [{ way: 'totp', url: '/interaction/sample?way=totp' }],
    beginAgainAction: '/interaction/sample/begin-again',
  }),
  enrol: page('interactions/enrol', {
    app,
    account,
    action: '/interaction/sample/enrol',
    totp,
    beginAgainAction: '/interaction/sample/begin-again',
    problem: { kind: 'limited', retryAfterSeconds: 300 },
  }),
  'passkey-first': page('interactions/passkey-first', {
    app,
    account,
    addUrl: '/settings/security/passkeys/new',
    action: '/interaction/sample/continue',
    beginAgainAction: '/interaction/sample/begin-again',
    cancelAction: '/interaction/sample/deny',
  }),
  'recovery-codes': page('interactions/recovery-codes', { codes, continueAction: '/interaction/sample/continue' }),
  'sign-up': page('interactions/sign-up', {
    action: '/signup',
    minimumPasswordLength: 10,
    name: '',
    email: '',
    signInUrl: '/settings',
  }),
  'sign-up-invited': page('interactions/sign-up', {
    action: '/signup/token',
    minimumPasswordLength: 10,
    name: 'Ada',
    email: account.email,
    isInvited: true,
    problem: { kind: 'invalid', fields: [{ field: 'password', reason: 'too_common' }] },
  }),
  verify: page('interactions/verify', {
    email: account.email,
    resendInSeconds: 48,
    problem: { kind: 'wrong' },
  }),
  recovered: page('interactions/recovered', { signInUrl: '/authorize?client_id=settings' }),
  unverified: page('interactions/unverified', {
    app,
    account,
    action: '/interaction/sample/verify',
    switchAction: '/interaction/sample/switch',
    cancelAction: '/interaction/sample/deny',
  }),
  'unverified-settings': page('interactions/unverified', {
    account,
    action: '/settings/verify-email',
    returnTo: '/settings/keys/new',
  }),
  'verify-link': page('interactions/verify-link', {
    action: '/verify/token',
    email: account.email,
    minimumPasswordLength: 10,
  }),
  'verify-password': page('interactions/verify-link', {
    action: '/verify/token',
    email: account.email,
    minimumPasswordLength: 10,
    needsPassword: true,
    passwordProblem: 'too_short',
  }),
  recover: page('interactions/recover', {}),
  'recover-missing': page('interactions/recover', { isMissing: true }),
  'new-password': page('interactions/new-password', { email: account.email, minimumPasswordLength: 10 }),
  done: page('interactions/done', { kind: 'verified', continueUrl: '/settings' }),
  'recover-sent': page('interactions/done', { kind: 'recover_sent' }),
  'device-code': page('interactions/device-code', { action: '/device', userCode: 'BDWP-HQPK' }),
  'device-code-unknown': page('interactions/device-code', {
    action: '/device',
    userCode: 'BDWP-HQPX',
    problem: { kind: 'unknown' },
  }),
  'device-confirm': page('interactions/device-confirm', {
    action: '/device',
    app: { name: 'Desk Agent', host: 'desk.example', standing: 'unverified' },
    userCode: 'BDWP-HQPK',
    ip: '203.0.113.24',
    userAgent: 'desk-agent/2.4 (linux; x64)',
  }),
  'device-allowed': page('interactions/device-done', { outcome: 'allowed', appName: 'Desk Agent' }),
  'device-denied': page('interactions/device-done', { outcome: 'denied' }),
} as const
