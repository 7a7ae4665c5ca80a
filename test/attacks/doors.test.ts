/**
 * Attacks that look for a weaker door: other spellings, other places where a code or a password is asked for, credentials that are no person's sign-in
 * (threats.md LG4, LG5, LG7, MF7, TSLK2), over real HTTP.
 */
import assert from 'node:assert/strict'
import { after, before, mock, test } from 'node:test'
import type { Account } from '../../src/accounts/account.ts'
import { formatCredential } from '../../src/credential-format.ts'
import { callApi, makeKey, newOwner, ownApp } from '../support/api.ts'
import { type AppClient, basic, registerApp } from '../support/app-client.ts'
import { authorizeUrl } from '../support/authorize.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { factorDesk, processOn } from '../support/people.ts'
import { formsOf, Person, type Visit } from '../support/person.ts'
import { codeOf } from '../support/totp.ts'
import type { Reply } from '../support/wire.ts'

let licet: Licet
let app: AppClient
let desk: ReturnType<typeof factorDesk>
before(async () => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  licet = await startLicet({ now: () => Date.now(), file: { lifetimes: { access_token: '2h' } } })
  app = await ownApp(licet)
  const secrets = ['a root secret of the tests that is long enough']
  desk = factorDesk(processOn(licet.core.store, () => Date.now(), secrets))
})
after(async () => {
  mock.timers.reset()
  await licet.close()
})

const pass = (seconds: number) => mock.timers.setTime(Date.now() + seconds * 1000)

const isInside = ({ status, url }: Visit): boolean => status === 200 && url === `${licet.issuer}/settings`

async function give(person: Person, email: string, password: string): Promise<Visit> {
  return person.submit(await person.open('/settings'), { email, password }, '/sign-in')
}

/** An account with an authenticator app, ten recovery codes and a browser in which it is signed in with both. */
async function enrolled(): Promise<{ account: Account; key: string; person: Person; code(): string }> {
  const account = await newAccount(licet.core)
  const { key: shown } = await desk.totp.begin(account.id, account.email)
  const key = shown.replaceAll(' ', '')
  await desk.factors.confirmTotp(operator, account, codeOf(key, Date.now()))
  const code = () => {
    pass(30)
    return codeOf(key, Date.now())
  }
  const person = new Person(licet.issuer)
  const inside = await person.submit(await give(person, account.email, PASSWORD), { code: code() }, '/code')
  assert.ok(isInside(inside), inside.url)
  return { account, key, person, code }
}

test('LG4 attack: guesses under other spellings of an address count together', async () => {
  const { email } = await newAccount(licet.core, 'victim@example.test')
  const spellings = [
    email,
    'Victim@Example.TEST',
    ' victim@example.test ',
    'ｖictim@example.test',
    'VICTIM@EXAMPLE.TEST',
  ]
  for (const spelling of spellings) {
    const refused = await give(new Person(licet.issuer), spelling, 'wrong password of a stranger')
    assert.equal(refused.status, 200, spelling)
  }
  const right = await give(new Person(licet.issuer), email, PASSWORD)
  assert.ok(!isInside(right))
  assert.equal(right.status, 429)
})

test('LG5 attack: five wrong codes spread over every door that takes one close all doors', async () => {
  const { account, person, code } = await enrolled()
  const otherWay = async (someone: Person) => {
    const asked = await give(someone, account.email, PASSWORD)
    return someone.open(`${asked.url.split('/').slice(0, 5).join('/')}?way=recovery_code`)
  }
  const stepUp = async (digits: string): Promise<Visit> => {
    const window = person.copy()
    const asked = await window.open(authorizeUrl(app, { max_age: '0', acr_values: 'urn:licet:acr:2fa' }))
    const given = await window.submit(asked, { email: account.email, password: PASSWORD }, '/sign-in')
    return window.submit(given, { code: digits }, '/code')
  }
  const stranger = () => new Person(licet.issuer)
  const doors: readonly (() => Promise<Visit>)[] = [
    async () => {
      const thief = stranger()
      return thief.submit(await give(thief, account.email, PASSWORD), { code: '000000' }, '/code')
    },
    async () => {
      const thief = stranger()
      return thief.submit(await otherWay(thief), { recovery_code: 'AAAA-BBBB-CCCC' }, '/recovery-code')
    },
    () => stepUp('000000'),
    // The set-up of another authenticator app, by whoever sits at the owner's browser.
    async () => {
      const csrf = formsOf((await person.open('/settings/security')).body)[0]?.fields.find(([name]) => name === 'csrf')
      const begun = await person.follow(await person.send('POST', '/settings/security/totp', csrf ? [csrf] : []))
      return person.submit(begun, { code: '000000' }, '/totp/confirm')
    },
  ]
  for (const door of doors) assert.ok(!isInside(await door()))
  const wrong = async () => (await licet.core.store.count(`wrong-codes:${account.id}`)).count
  assert.equal(await wrong(), 4)
  await doors[1]?.()
  assert.equal(await wrong(), 5)
  // Now the right code is refused too, at every door.
  const again = stranger()
  const closed = await again.submit(await give(again, account.email, PASSWORD), { code: code() }, '/code')
  assert.equal(closed.status, 429)
  assert.equal((await stepUp(code())).status, 429)
  // And opens again by itself.
  pass(901)
  const late = new Person(licet.issuer)
  assert.ok(isInside(await late.submit(await give(late, account.email, PASSWORD), { code: code() }, '/code')))
})

test('LG7 attack: passwords that are long, odd or empty are compared whole, and what is huge is refused before it is hashed', async () => {
  const odd = ['  leading spaces count  ', 'émoji 🦆🦆🦆 and ñ', `${'x9 '.repeat(300)}end`, `${'a1 '.repeat(30)}tail`]
  for (const [index, password] of odd.entries()) {
    const { email } = await newAccount(licet.core, `odd${index}@example.test`, { password })
    assert.ok(isInside(await give(new Person(licet.issuer), email, password)), password.slice(0, 20))
    assert.ok(!isInside(await give(new Person(licet.issuer), email, password.slice(0, -1))))
    const cut = password.trim().slice(0, 72)
    if (cut !== password) assert.ok(!isInside(await give(new Person(licet.issuer), email, cut)))
  }
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const page = await person.open('/settings')
  for (const [password, statuses] of [
    ['\0', [400]],
    ['x'.repeat(20_001), [200, 400]],
    ['x'.repeat(1_000_000), [413]],
  ] as const) {
    const began = performance.now()
    const answer = await person.press(page, { email, password }, '/sign-in')
    assert.ok((statuses as readonly number[]).includes(answer.status), `${password.length}: ${answer.status}`)
    assert.ok(performance.now() - began < 2000)
  }
})

test('MF7 attack: a refreshed token, a key, a personal token and a token made from one pass for no recent sign-in; a fresh one does', async () => {
  const owner = await newOwner(licet, { app, scope: ['api:read', 'api:write', 'data:read'] })
  const wish = { name: 'Mine', scopes: ['data:read'] }
  const make = (token: string) => callApi(licet.issuer, 'POST', '/api/v1/keys', { token, json: wish })
  assert.equal((await make(owner.token)).status, 201)
  const scopes = ['api:read', 'api:write', 'data:read']
  const { key } = await makeKey(licet, owner.accountId, { scopes })
  const { key: pat } = await makeKey(licet, owner.accountId, { scopes, kind: 'personal_access_token' })
  const robot = await registerApp(licet, { type: 'service', scopes })
  const exchanged = await robot.post('/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: pat,
    subject_token_type: 'urn:licet:token-type:personal_access_token',
    scope: 'api:write',
  })
  assert.equal(exchanged.status, 200, exchanged.text)
  pass(16 * 60)
  const refreshed = await app.refresh(owner.refreshToken)
  assert.equal(refreshed.status, 200)
  const made = exchanged.body.access_token
  for (const [what, token] of Object.entries({ old: owner.token, refreshed: refreshed.body.access_token, key, pat })) {
    const { status, body, headers } = await make(token)
    assert.deepEqual([status, body.code], [401, 'insufficient_user_authentication'], what)
    assert.match(String(headers['www-authenticate']), /acr_values="[^"]+", max_age="\d+"/)
  }
  assert.ok((await make(made)).status >= 401)
  // Whoever follows the challenge gets through.
  const again = await app.redeem(
    await app.obtainCode(owner.person, owner.email, { scope: 'openid api:write data:read', max_age: '900' }),
  )
  assert.equal((await make(again.body.access_token)).status, 201)
})

test('TSLK2: an unknown app and a wrong secret, an unknown and a foreign token read alike', async () => {
  const service = await registerApp(licet, { type: 'service', scopes: ['data:read'] })
  const ask = (client: AppClient) => client.post('/token', { grant_type: 'client_credentials' })
  const told = ({ status, headers, text }: Reply) => {
    const { date: _date, 'x-request-id': _id, 'x-licet-error-ref': _ref, ...rest } = headers
    return [status, rest, text.replace(/"(error_ref|request_id)":"[^"]+"/g, '')]
  }
  const wrong = await ask(service.with(basic(service.clientId, `licet_cs_${'0'.repeat(38)}`)))
  const unknown = await ask(service.with(basic('made-up-app-id', `licet_cs_${'0'.repeat(38)}`)))
  assert.deepEqual(told(unknown), told(wrong))
  const owner = await newOwner(licet, { app })
  const foreign = await service.introspect(owner.refreshToken)
  assert.deepEqual(told(foreign), told(await service.introspect('A'.repeat(43))))
  assert.deepEqual(told(foreign), told(await service.introspect(owner.token)))
  const bearer = (token: string) => callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token })
  const { id, key } = await makeKey(licet, owner.accountId, { scopes: ['api:read'] })
  await licet.core.keys.revoke(operator, { ownerId: owner.accountId, kind: 'api_key', id })
  const never = formatCredential('licet', 'key', 'A'.repeat(32))
  assert.deepEqual(told(await bearer(never)), told(await bearer(key)))
})
