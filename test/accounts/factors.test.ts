import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account } from '../../src/accounts/account.ts'
import type { FactorPolicy } from '../../src/accounts/factors.ts'
import { totpCode } from '../../src/accounts/totp.ts'
import { hasCode } from '../../src/errors.ts'
import { createPasskey } from '../support/authenticator.ts'
import { factorDesk, issuer, onBothStores } from '../support/people.ts'

const operator = { kind: 'operator' } as const
const password = 'correct horse battery'
const isForbidden = (error: unknown) => hasCode(error, 'forbidden')
const isMissing = (error: unknown) => hasCode(error, 'not_found')

onBothStores((people) => {
  async function setUp(policy: FactorPolicy = 'optional', account: { password?: string } = { password }) {
    const desk = factorDesk(people().here, policy, 30)
    const ada = await desk.accounts.create(operator, { email: people().address(), locale: 'es', ...account })
    return { ...desk, ada, caller: { kind: 'account', id: ada.id } as const }
  }
  type Desk = Awaited<ReturnType<typeof setUp>>
  async function addTotp(desk: Desk) {
    await desk.totp.begin(desk.ada.id, desk.ada.email)
    const { totpPending } = await desk.records.find(desk.ada.id)
    const secret = Buffer.from(desk.vault.open('totp secret', totpPending?.secretSealed ?? '') ?? '', 'base64url')
    return desk.factors.confirmTotp(desk.caller, desk.ada, totpCode(secret, Math.floor(people().now() / 30_000)))
  }
  async function addPasskey(desk: Desk, name = 'Laptop') {
    const { handle, options } = await desk.passkeys.beginRegistration(desk.ada)
    const response = createPasskey(issuer).register(options)
    return desk.factors.addPasskey(desk.caller, desk.ada, { handle, response, name })
  }
  const mails = (desk: Desk) => desk.written.map(({ mail, to }) => `${mail} ${to === desk.ada.email}`)

  test('the first factor brings the recovery codes along, once, and the owner hears of every change', async () => {
    const desk = await setUp()
    const first = await addTotp(desk)
    assert.equal(first.tried, 'right')
    assert.equal(first.recoveryCodes?.length, 10)
    const second = await addPasskey(desk)
    assert.equal(second.recoveryCodes, undefined)
    assert.deepEqual(await desk.factors.held(desk.ada), { password: true, totp: true, passkeys: 1, recoveryCodes: 10 })
    await desk.factors.removeTotp(desk.caller, desk.ada)
    await desk.factors.removePasskey(desk.caller, desk.ada, second.passkey.id)
    assert.deepEqual(mails(desk), ['factorAdded true', 'factorAdded true', 'factorRemoved true', 'factorRemoved true'])
    assert.deepEqual(await desk.factors.held(desk.ada), { password: true, totp: false, passkeys: 0, recoveryCodes: 0 })
  })

  test('the policy asks administrators, everybody or nobody', async () => {
    const asked = async (policy: FactorPolicy) => {
      const { factors } = await setUp(policy)
      return (['member', 'administrator'] as const).map((role) => factors.requirementFor({ role }))
    }
    assert.deepEqual(await asked('optional'), ['optional', 'optional'])
    assert.deepEqual(await asked('administrators'), ['optional', 'required'])
    assert.deepEqual(await asked('required'), ['required', 'required'])
  })

  test('MF10: the last factor stays where the policy asks for one', async () => {
    const desk = await setUp('required')
    await addTotp(desk)
    const { passkey } = await addPasskey(desk)
    await desk.factors.removeTotp(desk.caller, desk.ada)
    await assert.rejects(desk.factors.removePasskey(desk.caller, desk.ada, passkey.id), isForbidden)
    assert.equal((await desk.factors.held(desk.ada)).passkeys, 1)
  })

  test('MF10 attack: two removals at once leave one factor', async () => {
    for (let round = 0; round < 5; round += 1) {
      const desk = await setUp('required')
      const there = factorDesk(people().there, 'required')
      await addTotp(desk)
      const { passkey } = await addPasskey(desk)
      const ends = await Promise.allSettled([
        desk.factors.removeTotp(desk.caller, desk.ada),
        there.factors.removePasskey(desk.caller, desk.ada, passkey.id),
      ])
      assert.equal(ends.filter((end) => end.status === 'fulfilled').length, 1)
    }
  })

  test('MF10: an account without a password keeps its last passkey', async () => {
    const desk = await setUp('optional', {})
    const { passkey } = await addPasskey(desk)
    await assert.rejects(desk.factors.removePasskey(desk.caller, desk.ada, passkey.id), isForbidden)
  })

  test('MF9 attack: the passkey of another account cannot be renamed or deleted by its id', async () => {
    const ada = await setUp()
    const eve = await setUp()
    const { passkey } = await addPasskey(ada)
    await assert.rejects(eve.factors.removePasskey(eve.caller, eve.ada, passkey.id), isMissing)
    await assert.rejects(eve.factors.renamePasskey(eve.caller, eve.ada, passkey.id, 'Mine'), isMissing)
    await ada.factors.renamePasskey(ada.caller, ada.ada, passkey.id, ' Work \u202elaptop ')
    assert.equal((await ada.factors.list(ada.ada)).passkeys[0]?.name, 'Work laptop')
  })

  test('the owner is warned when three recovery codes are left', async () => {
    const desk = await setUp()
    const { recoveryCodes = [] } = await addTotp(desk)
    for (const code of recoveryCodes.slice(0, 6))
      assert.equal(await desk.factors.useRecoveryCode(desk.ada, code), 'right')
    assert.ok(!mails(desk).includes('recoveryCodesLow true'))
    await desk.factors.useRecoveryCode(desk.ada, recoveryCodes[6] ?? '')
    assert.equal(mails(desk).at(-1), 'recoveryCodesLow true')
    assert.ok((await desk.factors.list(desk.ada)).fewRecoveryCodes)
    assert.equal((await desk.factors.regenerateRecoveryCodes(desk.caller, desk.ada)).length, 10)
  })

  test('recovery codes without a factor to recover are not made', async () => {
    const desk = await setUp()
    await assert.rejects(desk.factors.regenerateRecoveryCodes(desk.caller, desk.ada), (error) =>
      hasCode(error, 'conflict'),
    )
  })

  test('an operator resets every factor with a reason; sessions and remembered devices end with it', async () => {
    const desk = await setUp()
    await addTotp(desk)
    const { cookie } = await desk.devices.remember(undefined, desk.ada, { trust: true })
    for (let index = 0; index < 5; index += 1) await desk.totp.check(desk.ada.id, '000000')
    const account = await desk.factors.reset(operator, desk.ada.id, 'lost phone, seen in person')
    assert.equal(account.epoch, desk.ada.epoch + 1)
    assert.deepEqual(await desk.records.find(desk.ada.id), { passkeys: [] })
    assert.equal(await desk.devices.isTrusted(cookie, account), false)
    assert.equal(mails(desk).at(-1), 'factorRemoved true')
    const { items } = await desk.store.read(desk.ada.id)
    const reset = items.find(({ record }) => record['event'] === 'factors.reset')
    assert.deepEqual(reset?.record['details'], { reason: 'lost phone, seen in person' })
    assert.equal(await desk.totp.check(desk.ada.id, '000000'), 'wrong')
  })

  test('a device is known after a sign-in, spares the second factor when asked, and stops when anything changes', async () => {
    const desk = await setUp()
    const { devices, ada } = desk
    assert.equal(await devices.knownFor(undefined, ada.email), undefined)
    const first = await devices.remember(undefined, ada, { userAgent: 'a browser' })
    assert.equal(first.isNews, false)
    assert.equal((await devices.knownFor(first.cookie, ada.email.toUpperCase()))?.accountId, ada.id)
    assert.equal(await devices.isTrusted(first.cookie, ada), false)
    const again = await devices.remember(first.cookie, ada, { trust: true })
    assert.deepEqual(again, { cookie: first.cookie, isNews: false })
    assert.equal(await devices.isTrusted(first.cookie, ada), true)
    await addTotp(desk)
    assert.equal(await devices.isTrusted(first.cookie, ada), false)
    await devices.remember(first.cookie, ada, { trust: true })
    const after: Account = await desk.accounts.signOutEverywhere(operator, ada.id)
    assert.equal(await devices.isTrusted(first.cookie, after), false)
    await devices.remember(first.cookie, after, { trust: true })
    people().pass(30 * 24 * 3_600_000)
    assert.equal(await devices.isTrusted(first.cookie, after), false)
    assert.ok(await devices.knownFor(first.cookie, ada.email))
  })

  test('a further device is news; one browser is known for several accounts', async () => {
    const { devices, ada, accounts } = await setUp()
    const grace = await accounts.create(operator, { email: people().address('grace') })
    const laptop = await devices.remember(undefined, ada, {})
    assert.equal((await devices.remember(undefined, ada, {})).isNews, true)
    const both = await devices.remember(laptop.cookie, grace, {})
    assert.ok((await devices.knownFor(both.cookie, ada.email)) && (await devices.knownFor(both.cookie, grace.email)))
  })

  test('attack: a value planted in the browser, or the device of another account, is never known or trusted', async () => {
    const { devices, ada, accounts } = await setUp()
    const eve = await accounts.create(operator, { email: people().address('eve') })
    const planted = 'p'.repeat(43)
    const remembered = await devices.remember(planted, ada, { trust: true })
    assert.equal(await devices.isTrusted(planted, ada), false)
    assert.equal(await devices.isTrusted(remembered.cookie, ada), true)
    assert.equal(await devices.isTrusted(remembered.cookie, eve), false)
    assert.equal(await devices.knownFor(remembered.cookie, eve.email), undefined)
    for (const bent of ['', '.', 'x'.repeat(100_000), `${remembered.cookie.slice(1)}A`]) {
      assert.equal(await devices.isTrusted(bent, ada), false)
    }
  })

  test('no device spares anything where the operator does not allow it', async () => {
    const desk = factorDesk(people().here)
    const ada = await desk.accounts.create(operator, { email: people().address() })
    const { cookie } = await desk.devices.remember(undefined, ada, { trust: true })
    assert.equal(await desk.devices.isTrusted(cookie, ada), false)
  })
})
