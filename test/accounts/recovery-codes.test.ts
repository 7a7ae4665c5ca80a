import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRecoveryCodes } from '../../src/accounts/recovery-codes.ts'
import { createTotp } from '../../src/accounts/totp.ts'
import { randomId } from '../../src/secrets.ts'
import { onBothStores, processOn, twentyAtOnce } from '../support/people.ts'

const caller = { kind: 'account', id: 'ada' } as const

onBothStores((people) => {
  async function made() {
    const { here, there } = people()
    const id = randomId()
    const recovery = createRecoveryCodes(here)
    return { id, recovery, other: createRecoveryCodes(there), codes: await recovery.regenerate(caller, id) }
  }

  test('MF4: ten different codes, each good once', async () => {
    const { id, recovery, codes } = await made()
    assert.equal(new Set(codes).size, 10)
    for (const code of codes) assert.match(code, /^[A-Z2-7]{5}-[A-Z2-7]{5}$/)
    for (const [index, code] of codes.entries()) {
      assert.equal(await recovery.use(id, code), 'right')
      assert.equal(await recovery.count(id), 9 - index)
    }
    assert.equal(await recovery.use(id, codes[0] ?? ''), 'wrong')
  })

  test('a code is read in any case, with or without its dash', async () => {
    const { id, recovery, codes } = await made()
    const [first = '', second = '', third = ''] = codes
    assert.equal(await recovery.use(id, first.toLowerCase()), 'right')
    assert.equal(await recovery.use(id, ` ${second.replace('-', ' ')} `), 'right')
    assert.equal(await recovery.use(id, third.replace('-', '').replaceAll('O', '0').replaceAll('I', '1')), 'right')
  })

  test('MF4 attack: twenty parallel uses of one code on two processes succeed once', async () => {
    const { id, recovery, other, codes } = await made()
    const ends = await twentyAtOnce((index) => (index % 2 ? recovery : other).use(id, codes[0] ?? ''))
    assert.equal(ends.filter((end) => end.status === 'fulfilled' && end.value === 'right').length, 1)
    assert.equal(await recovery.count(id), 9)
  })

  test('MF4 attack: the code of another account, and an unused one after regeneration, are wrong', async () => {
    const ada = await made()
    const eve = await made()
    assert.equal(await ada.recovery.use(ada.id, eve.codes[0] ?? ''), 'wrong')
    await ada.recovery.regenerate(caller, ada.id)
    assert.equal(await ada.recovery.use(ada.id, ada.codes[1] ?? ''), 'wrong')
    assert.equal(await ada.recovery.count(ada.id), 10)
  })

  test('MF3 attack: wrong recovery codes and wrong TOTP codes share one limit', async () => {
    const { id, recovery, codes } = await made()
    const totp = createTotp({ ...people().there, issuerName: 'Licet' })
    for (let index = 0; index < 3; index += 1) assert.equal(await recovery.use(id, 'AAAAA-AAAAA'), 'wrong')
    for (let index = 0; index < 2; index += 1) assert.equal(await totp.check(id, '123456'), 'wrong')
    assert.deepEqual(await recovery.use(id, codes[0] ?? ''), { limited: true, retryAfterSeconds: 900 })
    assert.equal(await recovery.count(id), 10)
  })

  test('MF4: the store holds no code, and a rotated root secret orphans none', async () => {
    const { id, codes } = await made()
    const stored = JSON.stringify(await people().here.store.find('factors', id))
    for (const code of codes) assert.ok(!stored.includes(code) && !stored.includes(code.replace('-', '')))
    const secrets = ['a newer root secret, long enough too!!', 'a root secret of the tests, long enough']
    const rotated = createRecoveryCodes(processOn(people().here.store, people().now, secrets))
    assert.equal(await rotated.use(id, codes[0] ?? ''), 'right')
  })
})
