/**
 * What a limited answer says of the limit: policy and standing, whether the answer is a page or JSON, good or bad, long before the refusal.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { newPerson, registerApp } from '../support/app-client.ts'
import { authorizeUrl } from '../support/authorize.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

let licet: Licet
before(async () => {
  const limits = { sign_in_address: '10/1m', registration_address: '5/1m' }
  licet = await startLicet({ now: () => Date.now(), file: { rate_limits: limits } })
})
after(() => licet.close())

/** The answer names this policy in every form of the header, and what is left agrees between them. @returns what is left. */
function leftOf(headers: Headers, policy: string, limit: number): number {
  assert.equal(headers.get('ratelimit-policy'), `"${policy}";q=${limit};w=60`)
  const left = Number(headers.get('x-ratelimit-remaining'))
  assert.match(headers.get('ratelimit') ?? '', new RegExp(`^"${policy}";r=${left};t=\\d+$`))
  assert.equal(headers.get('x-ratelimit-limit'), String(limit))
  assert.match(headers.get('x-ratelimit-reset') ?? '', /^\d+$/)
  return left
}

test('a sign-in says how many attempts its address has left', async () => {
  const app = await registerApp(licet)
  const { email } = await newPerson(licet)
  const person = new Person(licet.issuer)
  const page = await person.open(authorizeUrl(app))
  const wrong = await person.press(page, { email, password: 'not it' }, '/sign-in')
  const left = leftOf(wrong.headers, 'sign_in_address', 10)
  const again = await person.press(page, { email, password: 'not it either' }, '/sign-in')
  assert.equal(leftOf(again.headers, 'sign_in_address', 10), left - 1)
})

test('a page that counts nothing says nothing of limits', async () => {
  const answer = await fetch(`${licet.issuer}/signup`)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('ratelimit'), null)
})

test('a registration says how many its address has left', async () => {
  const register = (uri: string) =>
    fetch(`${licet.issuer}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'A', redirect_uris: [uri] }),
    })
  const made = await register('https://a.example/cb')
  assert.equal(made.status, 201)
  assert.equal(leftOf(made.headers, 'registration_address', 5), 4)
  const refused = await register('http://a.example/cb')
  assert.equal(refused.status, 400)
  assert.equal(leftOf(refused.headers, 'registration_address', 5), 3)
})
