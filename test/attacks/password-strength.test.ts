/** The meter beside a new password: it judges as the form does, for pages of ours alone, within a limit, and leaves no trace of what was typed. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

const SECRET = 'zebra-quilt-harbour-eleven'

async function typing() {
  const person = new Person(licet.issuer)
  const page = await person.open('/signup')
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
  return (password: string, more: [string, string][] = [], token = csrf) =>
    person.send('POST', '/password-strength', [['csrf', token], ['password', password], ...more])
}

test('a password is judged with the words of its form, and nothing of it is kept', async () => {
  const judge = await typing()
  const scoreOf = async (...typed: Parameters<typeof judge>) => JSON.parse((await judge(...typed)).body).score
  assert.equal(await scoreOf('short'), 0)
  assert.ok((await scoreOf('password123')) < 2)
  assert.ok((await scoreOf(SECRET)) >= 3)
  assert.equal(await scoreOf('grace.hopper-2024', [['email', 'grace.hopper@example.test']]), 0)
  assert.doesNotMatch(licet.log.join(''), /zebra/)
})

test('attack: another site, or a program without a page, gets nothing judged; a flood is refused', async () => {
  const judge = await typing()
  assert.equal((await judge(SECRET, [], 'x')).status, 403)
  assert.equal((await judge('x'.repeat(3000))).status, 400)
  const statuses = []
  for (let tries = 0; tries < 130; tries += 1) statuses.push((await judge('short')).status)
  assert.ok(statuses.includes(429))
})
