/**
 * The limits of the API: one per credential and one per account, each with its headers on every answer.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ApiAnswer, callApi, makeKey, newOwner } from '../support/api.ts'
import { type Licet, startLicet } from '../support/licet.ts'

let licet: Licet
before(async () => {
  licet = await startLicet({ file: { rate_limits: { api_credential: '6/1m', api_account: '10/1m' } } })
})
after(() => licet.close())

const me = (token: string) => callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token })

/** Every form of the header names this policy and agrees with the others. */
function standingOf({ headers }: ApiAnswer): string {
  const policy = /^"([a-z_]+)";q=(\d+);w=60$/.exec(String(headers['ratelimit-policy']))
  assert.ok(policy, String(headers['ratelimit-policy']))
  const left = String(headers['x-ratelimit-remaining'])
  assert.match(String(headers['ratelimit']), new RegExp(`^"${policy[1]}";r=${left};t=\\d+$`))
  assert.equal(headers['x-ratelimit-limit'], policy[2])
  return `${policy[1]} ${left}`
}

test('a credential has its limit, and all credentials of an account have one together', async () => {
  const ada = await newOwner(licet)
  const [one, two] = [await makeKey(licet, ada.accountId), await makeKey(licet, ada.accountId)]
  for (const left of [5, 4, 3, 2, 1, 0]) assert.equal(standingOf(await me(one.key)), `api_credential ${left}`)
  const refused = await me(one.key)
  assert.deepEqual([refused.status, refused.body.policy], [429, 'api_credential'])
  assert.ok(Number(refused.headers['retry-after']) >= 1)
  // The refused call has counted for the account as well.
  for (const left of [2, 1, 0]) assert.equal(standingOf(await me(two.key)), `api_account ${left}`)
  const whole = await me(two.key)
  assert.deepEqual([whole.status, whole.body.policy], [429, 'api_account'])
  assert.equal((await ada.call('GET', '/api/v1/keys')).body.policy, 'api_account', 'an access token, too')
  const eve = await newOwner(licet)
  const weak = await makeKey(licet, eve.accountId)
  const beyond = () => callApi(licet.issuer, 'GET', '/api/v1/verify?scope=data:write', { token: weak.key })
  for (const left of [5, 4, 3, 2, 1, 0]) {
    const { status, headers } = await beyond()
    assert.deepEqual([status, headers['x-ratelimit-remaining']], [403, String(left)])
  }
  assert.equal((await beyond()).status, 429, 'attack: calls that a good key may not make are counted, too')
  const told = await callApi(licet.issuer, 'GET', '/api/v1/accounts/me?explain=data:read', { token: weak.key })
  assert.deepEqual([told.body.explain.allowed, told.body.explain.reason], [false, 'rate_limited'])
  assert.equal((await eve.call('GET', '/api/v1/keys')).status, 200, 'attack: nobody uses up the limit of another')
})
