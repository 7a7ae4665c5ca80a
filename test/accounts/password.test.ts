import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPasswords } from '../../src/accounts/password.ts'
import { hasCode } from '../../src/errors.ts'

const cheap = { memoryKiB: 64, passes: 2 }

test('a password is kept as an argon2id PHC string with m=19456, t=2, p=1', async () => {
  const digest = await createPasswords().hash('correct horse battery')
  assert.match(digest, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
})

test('the same password twice gives two digests, and each knows its password', async () => {
  const passwords = createPasswords({ cost: cheap })
  const [one, two] = [await passwords.hash('correct horse'), await passwords.hash('correct horse')]
  assert.notEqual(one, two)
  for (const digest of [one, two]) {
    assert.deepEqual(await passwords.check('correct horse', digest), { right: true, outdated: false })
    assert.equal((await passwords.check('correct horsf', digest)).right, false)
  }
})

test('LG7 attack: a password that only begins like the right one is wrong, at 72 characters and beyond', async () => {
  const passwords = createPasswords({ cost: cheap })
  for (const length of [72, 73, 255, 1023]) {
    const digest = await passwords.hash('a'.repeat(length))
    assert.equal((await passwords.check('a'.repeat(length), digest)).right, true)
    assert.equal((await passwords.check('a'.repeat(length + 1), digest)).right, false, `${length} + 1`)
    assert.equal((await passwords.check('a'.repeat(length - 1), digest)).right, false, `${length} - 1`)
  }
})

test('LG7 attack: a password with NUL is not cut at the NUL', async () => {
  const passwords = createPasswords({ cost: cheap })
  const digest = await passwords.hash('secret\u0000one and more')
  assert.equal((await passwords.check('secret\u0000two and more', digest)).right, false)
  assert.equal((await passwords.check('secret', digest)).right, false)
  assert.equal((await passwords.check('secret\u0000one and more', digest)).right, true)
})

test('LG7 attack: a megabyte is refused before it is hashed', async () => {
  const passwords = createPasswords()
  const digest = await passwords.hash('correct horse battery')
  const before = performance.now()
  for (let round = 0; round < 20; round += 1) {
    assert.equal((await passwords.check('x'.repeat(1_000_000), digest)).right, false)
  }
  // Twenty real checks take well over 200 ms.
  assert.ok(performance.now() - before < 150)
  assert.equal(passwords.problem('x'.repeat(1025)), 'too_long')
  assert.equal(passwords.problem('é'.repeat(513)), 'too_long')
  assert.equal(passwords.problem('x'.repeat(1024)), undefined)
})

test('emoji, other scripts, leading and trailing spaces are part of the password', async () => {
  const passwords = createPasswords({ cost: cheap })
  for (const password of [
    '🔐'.repeat(16),
    '  leading spaces',
    'trailing spaces  ',
    'пароль который помню',
    '\ttabs\tinside',
  ]) {
    const digest = await passwords.hash(password)
    assert.equal((await passwords.check(password, digest)).right, true, password)
    assert.equal((await passwords.check(`${password} `, digest)).right, false, password)
  }
  assert.equal((await passwords.check('leading spaces', await passwords.hash('  leading spaces'))).right, false)
})

test('a letter composed on one system and decomposed on another is one password', async () => {
  const passwords = createPasswords({ cost: cheap })
  const digest = await passwords.hash('cafe\u0301 au lait')
  assert.equal((await passwords.check('caf\u00e9 au lait', digest)).right, true)
})

test('attack: full-width look-alikes and half characters do not stand for others', async () => {
  const passwords = createPasswords({ cost: cheap })
  const digest = await passwords.hash('password one')
  assert.equal((await passwords.check('ｐassword one', digest)).right, false)
  assert.equal(passwords.problem('half \ud800 character'), 'malformed')
  const replaced = await passwords.hash('half \ufffd character')
  assert.equal((await passwords.check('half \ud800 character', replaced)).right, false)
})

test('length is counted in characters, at least the configured number', async () => {
  const passwords = createPasswords({ cost: cheap, minimumLength: 15 })
  assert.equal(passwords.problem('🔐'.repeat(14)), 'too_short')
  assert.equal(passwords.problem('🔐'.repeat(15)), undefined)
  await assert.rejects(passwords.hash('short'), (error) => {
    assert.ok(hasCode(error, 'invalid_request'))
    assert.deepEqual(
      error.details.fields?.map(({ pointer, code }) => [pointer, code]),
      [['/password', 'too_short']],
    )
    return true
  })
  assert.throws(() => createPasswords({ minimumLength: 7 }), TypeError)
})

test('a digest made at another cost is outdated', async () => {
  const digest = await createPasswords({ cost: cheap }).hash('correct horse')
  const dearer = createPasswords({ cost: { memoryKiB: 128, passes: 2 } })
  assert.deepEqual(await dearer.check('correct horse', digest), { right: true, outdated: true })
})

test('without a digest, or with one of another make, every password is wrong', async () => {
  const passwords = createPasswords({ cost: cheap })
  for (const digest of [undefined, '', '$2b$10$abcdefghijklmnopqrstuv', 'plain text password']) {
    assert.deepEqual(await passwords.check('plain text password', digest), { right: false, outdated: false })
  }
})

test('more than the queue holds is refused at once with overloaded and a time to come back', async () => {
  const passwords = createPasswords({ threads: 1, queueLimit: 2, cost: cheap })
  const attempts = Array.from({ length: 6 }, () => passwords.check('correct horse', undefined))
  assert.equal(passwords.waiting(), 2)
  const ends = await Promise.allSettled(attempts)
  const refused = ends.filter((end) => end.status === 'rejected')
  assert.equal(refused.length, 3)
  for (const { reason } of refused) {
    assert.ok(hasCode(reason, 'overloaded'))
    assert.ok((reason.details.retryAfterSeconds ?? 0) >= 1)
  }
  assert.equal(passwords.waiting(), 0)
  assert.equal((await passwords.check('correct horse', undefined)).right, false)
})

test('a failing hash gives its place back', async () => {
  const passwords = createPasswords({ threads: 1, queueLimit: 1, cost: cheap })
  await assert.rejects(passwords.check('correct horse', '$argon2id$v=19$m=1,t=0,p=0$AAAA$AAAA'))
  assert.equal((await passwords.check('correct horse', undefined)).right, false)
})
