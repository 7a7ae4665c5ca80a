import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTotp, totpCode } from '../../src/accounts/totp.ts'
import { hasCode } from '../../src/errors.ts'
import { randomId } from '../../src/secrets.ts'
import { onBothStores, type Process, processOn, twentyAtOnce } from '../support/people.ts'

const caller = { kind: 'account', id: 'ada' } as const
const totpOf = (process: Process) => createTotp({ ...process, issuerName: 'Licet' })

/** What an authenticator app does with the key. */
function readKey(key: string): Buffer {
  const bits = [...key.replaceAll(' ', '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter))
  const text = bits.map((value) => value.toString(2).padStart(5, '0')).join('')
  return Buffer.from((text.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

test('the codes are those of RFC 6238, appendix B', () => {
  const secret = Buffer.from('12345678901234567890')
  const vectors = [
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ] as const
  for (const [seconds, code] of vectors) assert.equal(totpCode(secret, Math.floor(seconds / 30), 8), code)
})

onBothStores((people) => {
  async function enrolled() {
    const { here, there, now } = people()
    const id = randomId()
    const totp = totpOf(here)
    const setUp = await totp.begin(id, 'ada@example.com')
    const secret = readKey(setUp.key)
    const code = (steps = 0) => totpCode(secret, Math.floor(now() / 30_000) + steps)
    assert.equal(await totp.confirm(caller, id, code()), 'right')
    people().pass(60_000)
    return { id, totp, other: totpOf(there), code, secret, setUp }
  }

  test('MF5: a set-up counts only after a code of it; abandoned half-way nothing changes', async () => {
    const { here, now } = people()
    const totp = totpOf(here)
    const id = randomId()
    const setUp = await totp.begin(id, 'ada@example.com')
    assert.match(setUp.uri, /^otpauth:\/\/totp\/Licet:ada%40example\.com\?secret=[A-Z2-7]{32}&issuer=Licet&/)
    assert.match(setUp.qrSvg, /^<svg /)
    const code = totpCode(readKey(setUp.key), Math.floor(now() / 30_000))
    assert.equal(await totp.check(id, code), 'wrong')
    assert.equal((await here.records.find(id)).totp, undefined)
    assert.equal(await totp.confirm(caller, id, '000000' === code ? '000001' : '000000'), 'wrong')
    assert.deepEqual((await totp.pending(id, 'ada@example.com'))?.uri, setUp.uri)
    assert.equal(await totp.confirm(caller, id, code), 'right')
    assert.equal(await totp.pending(id, 'ada@example.com'), undefined)
  })

  test('MF1 attack: a set-up begun with the password alone is refused once the account has a passkey, and by another sign-in', async () => {
    const { here, now } = people()
    const totp = totpOf(here)
    const id = randomId()
    const { key } = await totp.begin(id, 'ada@example.com', 'thief')
    const code = totpCode(readKey(key), Math.floor(now() / 30_000))
    await assert.rejects(totp.confirm(caller, id, code, { by: 'owner' }), (error) => hasCode(error, 'gone'))
    assert.equal(await totp.pending(id, 'ada@example.com', 'owner'), undefined)
    const passkey = { id: 'k', credentialId: 'c', publicKey: 'p', counter: 0, transports: [], backedUp: false }
    const passkeys = [{ ...passkey, name: 'Key', createdAt: now() }]
    await here.records.change(id, (record) => ({ ...record, passkeys }))
    assert.equal(await totp.confirm(caller, id, code, { by: 'thief', only: 'first' }), 'wrong')
    assert.equal((await here.records.find(id)).totp, undefined)
  })

  test('MF2 attack: the code that confirmed the set-up does not sign in as well', async () => {
    const { here, now } = people()
    const totp = totpOf(here)
    const id = randomId()
    const { key } = await totp.begin(id, 'ada@example.com')
    const code = totpCode(readKey(key), Math.floor(now() / 30_000))
    await totp.confirm(caller, id, code)
    assert.equal(await totp.check(id, code), 'wrong')
  })

  test('a set-up begun half an hour ago is gone', async () => {
    const { here, now, pass } = people()
    const totp = totpOf(here)
    const id = randomId()
    const { key } = await totp.begin(id, 'ada@example.com')
    pass(30 * 60_000 + 1)
    const code = totpCode(readKey(key), Math.floor(now() / 30_000))
    await assert.rejects(totp.confirm(caller, id, code), (error) => hasCode(error, 'gone'))
  })

  test('MF2: a code one step early or late is taken, two steps off is not', async () => {
    for (const [steps, expected] of [
      [-2, 'wrong'],
      [-1, 'right'],
      [0, 'right'],
      [1, 'right'],
      [2, 'wrong'],
    ] as const) {
      const { id, totp, code } = await enrolled()
      assert.equal(await totp.check(id, code(steps)), expected, `${steps}`)
    }
  })

  test('MF2 attack: a code is used once, in this session and in another, and no earlier one afterwards', async () => {
    const { id, totp, other, code } = await enrolled()
    assert.equal(await totp.check(id, code()), 'right')
    assert.equal(await totp.check(id, code()), 'wrong')
    assert.equal(await other.check(id, code()), 'wrong')
    assert.equal(await other.check(id, code(-1)), 'wrong')
    assert.equal(await other.check(id, code(1)), 'right')
  })

  test('MF2 attack: twenty parallel tries of one code on two processes succeed once', async () => {
    const { id, totp, other, code } = await enrolled()
    const ends = await twentyAtOnce((index) => (index % 2 ? totp : other).check(id, code()))
    assert.equal(ends.filter((end) => end.status === 'fulfilled' && end.value === 'right').length, 1)
  })

  test('MF3 attack: of a burst of forty guesses on two processes at most five are judged, and the right one is refused too', async () => {
    const { id, totp, other, code } = await enrolled()
    const guesses = Array.from({ length: 40 }, (_, index) => (index === 39 ? code() : `00000${index % 10}`))
    const ends = await Promise.all(guesses.map((guess, index) => (index % 2 ? totp : other).check(id, guess)))
    assert.equal(ends.filter((end) => end === 'wrong').length, 5)
    const last = ends.at(-1)
    assert.ok(typeof last === 'object' && last.retryAfterSeconds > 800 && last.retryAfterSeconds <= 900)
    assert.notEqual(await totp.check(id, code()), 'right')
    people().pass(901_000)
    assert.equal(await totp.check(id, code()), 'right')
  })

  test('MF3: right codes are never limited', async () => {
    const { id, totp, code } = await enrolled()
    for (let index = 0; index < 8; index += 1) {
      assert.equal(await totp.check(id, code()), 'right')
      people().pass(30_000)
    }
  })

  test('attack: empty, huge, foreign and bent codes are wrong and break nothing', async () => {
    for (const bent of ['', 'x'.repeat(100_000), '½²³', '-00001', '1e5', '\0\0\0\0\0\0']) {
      const { id, totp } = await enrolled()
      assert.equal(await totp.check(id, bent), 'wrong')
    }
    assert.equal(await totpOf(people().here).check('nobody', '123456'), 'wrong')
  })

  test('MF5 attack: a second set-up with a seed of the attacker does not touch the confirmed one until a code of it is given', async () => {
    const { id, totp, code } = await enrolled()
    await totp.begin(id, 'ada@example.com')
    assert.equal(await totp.check(id, code()), 'right')
  })

  test('the secret is sealed, and a rotated root secret still opens it', async () => {
    const { id, code, secret, setUp } = await enrolled()
    const stored = JSON.stringify(await people().here.store.find('factors', id))
    const bare = setUp.key.replaceAll(' ', '')
    for (const form of [bare, secret.toString('hex'), secret.toString('base64url')]) assert.ok(!stored.includes(form))
    const secrets = ['a newer root secret, long enough too!!', 'a root secret of the tests, long enough']
    const rotated = processOn(people().here.store, people().now, secrets)
    assert.equal(await totpOf(rotated).check(id, code()), 'right')
  })
})
