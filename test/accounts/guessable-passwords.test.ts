import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createGuessablePasswords } from '../../src/accounts/guessable-passwords.ts'
import { openLeakedPasswords } from '../../src/accounts/leaked-passwords.ts'
import { createPasswords } from '../../src/accounts/password.ts'
import { hasCode } from '../../src/errors.ts'
import { cheapCost } from '../support/open-store.ts'

const words = ['ada.lovelace@example.com', 'Ada Lovelace']
const sha1 = (password: string) => createHash('sha1').update(password).digest('hex').toUpperCase()

function writeList(t: TestContext, lines: readonly string[], end = '\n'): string {
  const directory = mkdtempSync(join(tmpdir(), 'licet-leaked-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'leaked.txt')
  writeFileSync(path, lines.join(end) + end)
  return path
}

test('common passwords, what people do to them, and words of the account are guessable; others are not', async () => {
  const { isGuessable } = createGuessablePasswords({ words: ['Licet'] })
  const guessable = [
    'password123',
    'P@ssw0rd123',
    'qwertyuiop',
    '1234567890',
    'iloveyou12',
    'aaaaaaaaaaaaaaa',
    'ada.lovelace1815',
    'LovelaceLovelace',
    'ada@example.com!',
    'licet-licet-2026',
    'a'.repeat(1000),
  ]
  for (const password of guessable) assert.ok(await isGuessable(password, words), password)
  const good = [
    'correct horse battery',
    'xK9#mQ2$vL8!',
    '夏が来ました今日は暑い',
    'ada likes mechanical looms',
    'short but 7 odd',
  ]
  for (const password of good) assert.ok(!(await isGuessable(password, words)), password)
})

test('the strength rises from 0 to 4', async () => {
  const { strength } = createGuessablePasswords({ words: [] })
  assert.equal(await strength('password'), 0)
  assert.equal(await strength('correct horse battery staple'), 4)
})

test('DO attack: a password made to be slow to estimate costs little', async () => {
  const { strength } = createGuessablePasswords({ words: [] })
  await strength('warm')
  const before = process.cpuUsage()
  await strength('p@5sw0rd$1l0v3y0u'.repeat(60))
  await strength('!|1!|1'.repeat(170), [
    'x'.repeat(1000),
    ...Array.from({ length: 1000 }, (_, index) => `word${index}`),
  ])
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 1_500_000, `${(user + system) / 1000} ms`)
})

test('a leaked password is found in the file wherever it stands, others are not', async (t) => {
  const passwords = Array.from({ length: 2000 }, (_, index) => `leaked number ${index}`)
  const lines = passwords.map((password, index) => `${sha1(password)}:${index * 7919}`).sort()
  for (const end of ['\n', '\r\n']) {
    const list = await openLeakedPasswords(writeList(t, lines, end))
    for (const password of passwords) assert.ok(await list.has(password), password)
    for (let index = 0; index < 300; index += 1) assert.ok(!(await list.has(`never leaked ${index}`)))
    await list.close()
  }
  const bare = await openLeakedPasswords(writeList(t, [sha1('only')]))
  assert.deepEqual([await bare.has('only'), await bare.has('other')], [true, false])
  await bare.close()
})

test('a file that is no such list is refused when it is opened', async (t) => {
  await assert.rejects(openLeakedPasswords(writeList(t, ['password', 'secret'])), TypeError)
  await assert.rejects(openLeakedPasswords('/nowhere/leaked.txt'), { code: 'ENOENT' })
})

test('a guessable or leaked password is not taken, one in use is rehashed all the same', async (t) => {
  const leaked = await openLeakedPasswords(writeList(t, [sha1('an odd phrase that leaked')]))
  t.after(() => leaked.close())
  const { isGuessable } = createGuessablePasswords({ words: [], isLeaked: (password) => leaked.has(password) })
  const passwords = createPasswords({ cost: cheapCost, isGuessable })
  for (const password of ['password123', 'an odd phrase that leaked', 'lovelace.ada']) {
    await assert.rejects(
      passwords.hash(password, words),
      (error) => hasCode(error, 'invalid_request') && error.details.fields?.[0]?.code === 'too_common',
    )
    assert.ok((await passwords.check(password, await passwords.rehash(password))).right)
  }
  assert.ok(await passwords.hash('correct horse battery', words))
})
