import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assuranceOf, isAtLeast, leastAcr, type Method } from '../../src/accounts/assurance.ts'
import { nextStep, type SignInState } from '../../src/accounts/sign-in-state.ts'

const bare = { password: true, totp: false, passkeys: 0, recoveryCodes: 0 }
const withTotp = { ...bare, totp: true, recoveryCodes: 10 }
const withPasskey = { ...bare, passkeys: 1, recoveryCodes: 10 }
const state = (done: Method[], more: Partial<SignInState> = {}): SignInState => ({
  done,
  held: bare,
  secondFactor: 'optional',
  ...more,
})

test('acr and amr say what was done', () => {
  const table: [Method[], string, string[]][] = [
    [['password'], 'urn:licet:acr:1fa', ['pwd']],
    [['password', 'totp'], 'urn:licet:acr:2fa', ['pwd', 'otp', 'mfa']],
    [['password', 'recovery_code'], 'urn:licet:acr:2fa', ['pwd', 'otp', 'mfa']],
    [['passkey'], 'phr', ['pop', 'user']],
    [['password', 'passkey'], 'phr', ['pwd', 'pop', 'user', 'mfa']],
    [['password', 'remembered_device'], 'urn:licet:acr:1fa', ['pwd']],
    [['totp', 'recovery_code'], 'urn:licet:acr:1fa', ['otp']],
  ]
  for (const [done, acr, amr] of table) assert.deepEqual(assuranceOf(done), { acr, amr }, done.join('+'))
})

test('assurance rises, and what is no assurance of ours is worth nothing', () => {
  assert.ok(isAtLeast('phr', 'urn:licet:acr:2fa'))
  assert.ok(!isAtLeast('urn:licet:acr:1fa', 'urn:licet:acr:2fa'))
  for (const foreign of [undefined, '', 'urn:example:9fa']) assert.ok(!isAtLeast(foreign, 'urn:licet:acr:1fa'))
  assert.equal(leastAcr(['phr', 'urn:example:x', 'urn:licet:acr:2fa']), 'urn:licet:acr:2fa')
  assert.equal(leastAcr(['urn:example:x']), undefined)
})

test('a password is a whole sign-in for an account without a second factor', () => {
  assert.deepEqual(nextStep(state([])), { step: 'first_factor', offers: ['password'] })
  assert.deepEqual(nextStep(state(['password'])), {
    step: 'complete',
    acr: 'urn:licet:acr:1fa',
    amr: ['pwd'],
    sudo: true,
  })
})

test('MF1: after the password, before the second factor, nobody is signed in', () => {
  const next = nextStep(state(['password'], { held: withTotp }))
  assert.deepEqual(next, { step: 'second_factor', offers: ['totp', 'recovery_code'] })
  assert.equal(nextStep(state(['password'], { held: withPasskey })).step, 'second_factor')
  assert.equal(nextStep(state(['password', 'totp'], { held: withTotp })).step, 'complete')
})

test('MF1 attack: a second factor without a first is no sign-in, whatever the account has', () => {
  for (const done of [['totp'], ['recovery_code'], ['remembered_device'], ['totp', 'recovery_code']] as Method[][]) {
    for (const held of [bare, withTotp, withPasskey]) {
      assert.equal(nextStep(state(done, { held })).step, 'first_factor')
    }
  }
})

test('a passkey alone is a whole sign-in, under every policy', () => {
  for (const secondFactor of ['optional', 'required'] as const) {
    const next = nextStep(state(['passkey'], { held: { ...withTotp, passkeys: 1 }, secondFactor }))
    assert.deepEqual(next, { step: 'complete', acr: 'phr', amr: ['pop', 'user'], sudo: true })
  }
})

test('a policy that asks for a second factor leads to setting one up', () => {
  const next = nextStep(state(['password'], { secondFactor: 'required' }))
  assert.deepEqual(next, { step: 'enrol', offers: ['passkey', 'totp'] })
  const done = nextStep(state(['password', 'totp'], { secondFactor: 'required', held: withTotp }))
  assert.equal(done.step, 'complete')
})

test('a remembered device spares the second factor the account has, not one it lacks, and is worth no assurance', () => {
  const done: Method[] = ['password', 'remembered_device']
  assert.deepEqual(nextStep(state(done, { held: withTotp, secondFactor: 'required' })), {
    step: 'complete',
    acr: 'urn:licet:acr:1fa',
    amr: ['pwd'],
    sudo: true,
  })
  assert.equal(nextStep(state(done, { secondFactor: 'required' })).step, 'enrol')
  assert.equal(nextStep(state(done, { held: withTotp, wanted: 'urn:licet:acr:2fa' })).step, 'second_factor')
})

test('MF6 attack: a step-up is not satisfied by a weaker method', () => {
  const both = { ...withTotp, passkeys: 1 }
  for (const done of [['password'], ['password', 'totp'], ['password', 'recovery_code']] as Method[][]) {
    const next = nextStep(state(done, { held: both, wanted: 'phr' }))
    assert.deepEqual(next, { step: 'second_factor', offers: ['passkey'] })
  }
  assert.equal(nextStep(state(['password'], { wanted: 'urn:licet:acr:2fa' })).step, 'enrol')
})

test('MF5 attack: a stolen password does not enrol a passkey beside a second factor that was not proven', () => {
  const next = nextStep(state(['password'], { held: withTotp, wanted: 'phr' }))
  assert.deepEqual(next, { step: 'second_factor', offers: ['totp', 'recovery_code'] })
  const after = nextStep(state(['password', 'totp'], { held: withTotp, wanted: 'phr' }))
  assert.deepEqual(after, { step: 'enrol', offers: ['passkey'] })
})

test('a recovery code signs in and does not count as the fresh sign-in that sensitive acts need', () => {
  const next = nextStep(state(['password', 'recovery_code'], { held: withTotp }))
  assert.ok(next.step === 'complete' && !next.sudo)
})
