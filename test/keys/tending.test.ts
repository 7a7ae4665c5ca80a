import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type KeyDesk, newKey, onEveryKeyStore } from '../support/key-desk.ts'

const operator = { kind: 'operator' } as const
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** What those owners were told, without what they were told of creation. */
const told = ({ notices }: KeyDesk, owner: { id: string }) =>
  notices.filter((one) => one.owner.id === owner.id && one.event !== 'created').map(({ event, days }) => [event, days])

/** Two processes, an hour at a time. */
async function live(desk: KeyDesk, hours: number): Promise<void> {
  for (let hour = 0; hour < hours; hour += 1) {
    desk.pass(HOUR_MS)
    await Promise.all([desk.keys.tend(), desk.other.tend()])
  }
}

onEveryKeyStore((desk) => {
  test('an owner hears once that a key was made and once that it was revoked', async () => {
    const { keys, other, newOwner, notices } = desk()
    const owner = newOwner()
    const { owned } = await newKey(desk(), owner)
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 ? keys : other).revoke(operator, owned, 'done')),
    )
    const events = notices.filter((one) => one.owner.id === owner.id).map(({ event, key }) => [event, key.id])
    assert.deepEqual(events, [
      ['created', owned.id],
      ['revoked', owned.id],
    ])
    assert.ok(!JSON.stringify(notices).includes('digest'))
  })

  test('an owner hears seven days and one day before a key ends, each once, also when the server was down in between', async () => {
    const { keys, newOwner, pass, now, troubles } = desk()
    const [owner, short, gone, shortened] = [newOwner(), newOwner(), newOwner(), newOwner()]
    await newKey(desk(), owner, { expiresInSeconds: 10 * 86_400 })
    await newKey(desk(), short, { expiresInSeconds: 86_400 })
    await keys.revoke(operator, (await newKey(desk(), gone, { expiresInSeconds: 10 * 86_400 })).owned)
    const cut = await newKey(desk(), shortened, { expiresInSeconds: 60 * 86_400 })
    await keys.change(operator, cut.owned, { expiresAt: now() + 10 * DAY_MS })
    await live(desk(), 70)
    assert.deepEqual([told(desk(), owner), told(desk(), shortened)], [[], []])
    await live(desk(), 4)
    assert.deepEqual([told(desk(), owner), told(desk(), shortened)], [[['expiring', 7]], [['expiring', 7]]])
    pass(5 * DAY_MS + 12 * HOUR_MS)
    await live(desk(), 20)
    assert.deepEqual(told(desk(), owner), [
      ['expiring', 7],
      ['expiring', 1],
    ])
    await live(desk(), 48)
    assert.deepEqual(told(desk(), owner), [
      ['expiring', 7],
      ['expiring', 1],
    ])
    assert.deepEqual([told(desk(), short), told(desk(), gone)], [[], [['revoked', undefined]]])
    assert.deepEqual(troubles, [])
  })

  test('a notice that could not be delivered is told when it comes up again', async () => {
    const { keys, newOwner, notices, pass, troubles } = desk()
    const owner = newOwner()
    await newKey(desk(), owner, { expiresInSeconds: 8 * 86_400 })
    let isDown = true
    keys.onNotice(async (notice) => {
      if (isDown) throw new Error('no mail today')
      notices.push(notice)
    })
    pass(DAY_MS + HOUR_MS)
    await keys.tend()
    assert.deepEqual([told(desk(), owner), troubles.length], [[], 1])
    isDown = false
    pass(HOUR_MS)
    await keys.tend()
    assert.deepEqual(told(desk(), owner), [['expiring', 7]])
  })
})
