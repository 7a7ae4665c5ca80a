import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { from, mustAllow, newKey, onEveryKeyStore, outcome } from '../support/key-desk.ts'

const operator = { kind: 'operator' } as const
const HOUR_MS = 3_600_000

onEveryKeyStore((desk) => {
  test('during a rotation both secrets work, the old one says since when and until when, and then it is over', async () => {
    const { keys, other, newOwner, now, pass } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    mustAllow(await other.check(credential, from()))
    const { key, credential: fresh } = await keys.rotate(operator, owned, { overlapSeconds: 3600 })
    assert.deepEqual([key.id, key.state, key.rotation?.endsAt], [owned.id, 'rotating', now() + HOUR_MS])
    assert.notEqual(fresh, credential)
    // The other process still holds the entry without the new secret, and finds it all the same.
    assert.equal(mustAllow(await other.check(fresh, from())).old, undefined)
    for (const one of [keys, other]) {
      const old = { deprecatedAt: now(), sunsetAt: now() + HOUR_MS }
      assert.deepEqual(mustAllow(await one.check(credential, from())).old, old)
    }
    pass(HOUR_MS)
    for (const one of [keys, other]) {
      assert.equal(outcome(await one.check(credential, from())), 'rotated_out')
      mustAllow(await one.check(fresh, from()))
    }
    assert.equal((await keys.getOwned(owned)).state, 'active')
  })

  test('an overlap is 0 to 604,800 seconds, a day if not given; 0 ends the old secret at once', async () => {
    const { keys, newOwner, now } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    for (const overlapSeconds of [-1, 604_801, 0.5, Number.NaN]) {
      await assert.rejects(keys.rotate(operator, owned, { overlapSeconds }), (error) =>
        hasCode(error, 'invalid_request'),
      )
    }
    const { key, credential: second } = await keys.rotate(operator, owned)
    assert.equal(key.rotation?.endsAt, now() + 86_400_000)
    const { credential: third } = await keys.rotate(operator, owned, { overlapSeconds: 0 })
    const outcomes = []
    for (const one of [credential, second, third]) outcomes.push(outcome(await keys.check(one, from())))
    assert.deepEqual(outcomes, ['rotated_out', 'rotated_out', 'allowed'])
  })

  test('a second rotation during an overlap is refused, so that nobody who uses the first secret is cut off', async () => {
    const { keys, newOwner } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    const { credential: second } = await keys.rotate(operator, owned)
    await assert.rejects(keys.rotate(operator, owned), (error) => hasCode(error, 'conflict'))
    for (const one of [credential, second]) mustAllow(await keys.check(one, from()))
    assert.equal((await keys.endOverlap(operator, owned)).state, 'active')
    assert.equal(outcome(await keys.check(credential, from())), 'rotated_out')
    mustAllow(await keys.check((await keys.rotate(operator, owned)).credential, from()))
  })

  test('a new secret that was lost is replaced, and the old one keeps its end', async () => {
    const { keys, newOwner, pass } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    await assert.rejects(keys.rotate(operator, owned, { lost: true }), (error) => hasCode(error, 'conflict'))
    const first = await keys.rotate(operator, owned, { overlapSeconds: 3600 })
    pass(1800_000)
    const second = await keys.rotate(operator, owned, { lost: true })
    assert.equal(second.key.rotation?.endsAt, first.key.rotation?.endsAt)
    const outcomes = []
    for (const one of [credential, first.credential, second.credential])
      outcomes.push(outcome(await keys.check(one, from())))
    assert.deepEqual(outcomes, ['allowed', 'rotated_out', 'allowed'])
  })

  test('RC1: twenty parallel rotations on two processes leave exactly one new secret, and the old one works', async () => {
    const { keys, other, newOwner } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    const tries = Array.from({ length: 20 }, (_, index) => (index % 2 ? keys : other).rotate(operator, owned))
    const done = await Promise.allSettled(tries)
    const made = done.flatMap((one) => (one.status === 'fulfilled' ? [one.value.credential] : []))
    assert.equal(made.length, 1)
    for (const one of done)
      if (one.status === 'rejected') assert.ok(hasCode(one.reason, 'conflict'), String(one.reason))
    for (const one of [...made, credential]) mustAllow(await keys.check(one, from()))
  })

  test('RC1: of parallel rotations without overlap each that is answered was made in turn, and one secret works in the end', async () => {
    const { keys, other, newOwner } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    const wish = { overlapSeconds: 0 }
    const tries = Array.from({ length: 20 }, (_, index) => (index % 2 ? keys : other).rotate(operator, owned, wish))
    const made = (await Promise.allSettled(tries)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    assert.equal(new Set(made.map(({ key }) => key.secretNumber)).size, made.length)
    const outcomes = await Promise.all(
      [...made.map((one) => one.credential), credential].map((one) => keys.check(one, from())),
    )
    assert.equal(outcomes.filter(({ allowed }) => allowed).length, 1)
  })

  test('calls on two processes never fail while a key is rotated and its callers move over', async () => {
    const { keys, other, newOwner, pass } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    let present = credential
    const refused: string[] = []
    const call = async (one: typeof keys) => {
      const verdict = await one.check(present, from())
      if (!verdict.allowed) refused.push(verdict.reason)
    }
    for (let round = 0; round < 5; round += 1) {
      const rotation = keys.rotate(operator, owned, { overlapSeconds: 60 })
      const calls = Array.from({ length: 40 }, (_, index) => call(index % 2 ? keys : other))
      present = (await rotation).credential
      await Promise.all([...calls, ...Array.from({ length: 40 }, (_, index) => call(index % 2 ? keys : other))])
      pass(61_000)
    }
    assert.deepEqual(refused, [])
  })

  test('an old secret may wait for quiet: it ends when nobody has used it for so long, and not before', async () => {
    const { keys, other, newOwner, pass } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    for (const quietSeconds of [0, 60, 604_801]) {
      await assert.rejects(keys.rotate(operator, owned, { quietSeconds }), (error) => hasCode(error, 'invalid_request'))
    }
    await keys.rotate(operator, owned, { quietSeconds: 2 * 3600 })
    pass(HOUR_MS)
    mustAllow(await other.check(credential, from()))
    await other.flush()
    pass(1.5 * HOUR_MS)
    await keys.tend()
    mustAllow(await keys.check(credential, from()))
    await keys.flush()
    pass(2 * HOUR_MS)
    await other.tend()
    pass(1000)
    for (const one of [keys, other]) assert.equal(outcome(await one.check(credential, from())), 'rotated_out')
    assert.equal((await keys.getOwned(owned)).state, 'active')
  })

  test('an old secret may end with the first use of the new one; one word only says when it ends', async () => {
    const { keys, other, newOwner, pass } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    for (const wish of [
      { untilFirstUse: true as const, quietSeconds: 7200 },
      { untilFirstUse: true as const, overlapSeconds: 60 },
    ])
      await assert.rejects(keys.rotate(operator, owned, wish), (error) => hasCode(error, 'invalid_request'))
    const { credential: fresh, key } = await keys.rotate(operator, owned, { untilFirstUse: true })
    assert.equal(key.rotation?.untilFirstUse, true)
    pass(50 * HOUR_MS)
    mustAllow(await keys.check(credential, from()))
    await keys.flush()
    await keys.tend()
    mustAllow(await keys.check(credential, from()))
    mustAllow(await other.check(fresh, from()))
    await other.flush()
    pass(60_000)
    await keys.tend()
    pass(1000)
    for (const one of [keys, other]) assert.equal(outcome(await one.check(credential, from())), 'rotated_out')
    mustAllow(await keys.check(fresh, from()))
  })

  test('a rotation may begin a new life, within the policy; the old secret does not outlive the old one', async () => {
    const { keys, newOwner, now, pass } = desk()
    const { owned, credential } = await newKey(desk(), newOwner(), { expiresInSeconds: 7200 })
    for (const expiresInSeconds of [0, 59, 1.5, 366 * 86_400])
      await assert.rejects(keys.rotate(operator, owned, { expiresInSeconds }), (error) =>
        hasCode(error, 'invalid_request'),
      )
    const { key, credential: fresh } = await keys.rotate(operator, owned, { expiresInSeconds: 90 * 86_400 })
    assert.equal(key.expiresAt, now() + 90 * 86_400_000)
    assert.equal(key.rotation?.endsAt, now() + 7_200_000)
    pass(7_200_000)
    assert.equal(outcome(await keys.check(credential, from())), 'rotated_out')
    mustAllow(await keys.check(fresh, from()))

    const parent = await newKey(desk(), newOwner(), { mayCreateChildren: true, callBudget: 100 })
    const budgeted = keys.rotate(operator, parent.owned, { expiresInSeconds: 86_400 })
    await assert.rejects(budgeted, (error) => hasCode(error, 'invalid_request'), 'a budget is for one life')
    const allowed = mustAllow(await keys.check(parent.credential, from()))
    const child = await keys.createChild(operator, allowed, { name: 'child', scopes: ['data:read'] })
    const longer = keys.rotate(operator, { ...parent.owned, id: child.key.id }, { expiresInSeconds: 86_400 })
    await assert.rejects(longer, (error) => hasCode(error, 'invalid_request'), 'a child ends with its parent')
  })

  test('attack: many callers of the new secret do not hide who still uses the old one', async () => {
    const { keys, newOwner, pass } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    const { credential: fresh } = await keys.rotate(operator, owned)
    mustAllow(await keys.check(credential, from(undefined, { userAgent: 'forgotten/1' })))
    pass(1000)
    for (let one = 0; one < 300; one += 1)
      mustAllow(await keys.check(fresh, from(undefined, { userAgent: `new/${one}` })))
    const { callers } = await keys.usage(owned)
    assert.deepEqual(
      callers.filter(({ secret }) => secret === 'old').map(({ userAgent, moving }) => `${userAgent} ${moving}`),
      ['forgotten/1 still'],
    )
  })

  test('the page of a rotation shows who still uses the old secret', async () => {
    const { keys, newOwner } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    mustAllow(await keys.check(credential, from('198.51.100.1', { userAgent: 'old-script/1' })))
    const { credential: fresh } = await keys.rotate(operator, owned)
    for (let call = 0; call < 6; call += 1)
      mustAllow(await keys.check(credential, from('198.51.100.1', { userAgent: 'old-script/1' })))
    mustAllow(await keys.check(fresh, from('198.51.100.2', { userAgent: 'new-script/2' })))
    const { callers } = await keys.usage(owned)
    const shown = callers.map(({ secret, ip, userAgent, calls, callsPerHour, moving }) =>
      [secret, ip, userAgent, calls, callsPerHour, moving ?? ''].join(' '),
    )
    assert.deepEqual(shown.sort(), [
      'current 198.51.100.2 new-script/2 1 1 ',
      'old 198.51.100.1 old-script/1 7 7 still',
    ])
  })

  test('whoever finds a key can kill it: the owner is told once, and a dead one changes nothing', async () => {
    const { keys, other, newOwner, notices, pass } = desk()
    const owner = newOwner()
    const { owned, credential } = await newKey(desk(), owner)
    const finder = { kind: 'anonymous', ip: '192.0.2.66' } as const
    const { credential: fresh } = await keys.rotate(operator, owned)
    await keys.reportLeak(finder, credential)
    assert.equal(outcome(await keys.check(credential, from())), 'rotated_out')
    mustAllow(await keys.check(fresh, from()))
    await keys.reportLeak(finder, credential)
    assert.equal((await keys.getOwned(owned)).state, 'active')
    await Promise.all(Array.from({ length: 10 }, (_, index) => (index % 2 ? keys : other).reportLeak(finder, fresh)))
    await keys.reportLeak(finder, 'not a key at all')
    pass(1000)
    assert.equal((await keys.getOwned(owned)).revoked?.reason, 'leaked')
    for (const one of [keys, other]) assert.equal(outcome(await one.check(fresh, from())), 'revoked')
    const told = notices.filter(({ owner: { id }, event }) => id === owner.id && event === 'leaked')
    assert.deepEqual(
      told.map(({ ip }) => ip),
      ['192.0.2.66', '192.0.2.66'],
    )
  })
})
