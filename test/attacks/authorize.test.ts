/**
 * Attacks on the authorization endpoint: response types and modes, PKCE, doubled and oversized parameters, pushed requests, prompts, ages,
 * hints, foreign browsers (threats.md AZ).
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type AppClient, newPerson, registerApp } from '../support/app-client.ts'
import {
  answerOf,
  assertErrorPage,
  authorizeUrl,
  countStored,
  later,
  locationOf,
  VERIFIER,
} from '../support/authorize.ts'
import { raw, statusesOf } from '../support/http.ts'
import { type Licet, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'
import { sendOnWire } from '../support/wire.ts'

let licet: Licet
let app: AppClient
before(async () => {
  licet = await startLicet({ now: () => Date.now() })
  app = await registerApp(licet)
})
after(() => licet.close())

const anonymous = () => new Person(licet.issuer)

/** Somebody who is signed in and has consented to what the app usually asks. */
async function settled() {
  const one = await newPerson(licet)
  const back = await one.person.authorize(authorizeUrl(app), { email: one.email })
  assert.ok(answerOf(back).get('code'), back.href)
  return one
}

/** The error arrived at the app with state and issuer, and nothing that is worth anything. */
function assertErrorAtApp(url: string, error: string | RegExp): void {
  const answer = answerOf(url)
  assert.ok(url.startsWith(`${app.redirectUri}?`), url)
  assert.match(answer.get('error') ?? '', error instanceof RegExp ? error : new RegExp(`^${error}$`))
  assert.equal(answer.get('iss'), licet.issuer)
  assert.equal(answer.get('state'), 'the-state')
  for (const name of ['code', 'access_token', 'id_token', 'token']) assert.equal(answer.get(name), null, url)
}

test('AZ1: no response type but code yields anything, in the query, after PAR or for a signed-in person', async () => {
  const { person } = await settled()
  for (const type of [
    'token',
    'id_token',
    'code token',
    'code id_token',
    'id_token token',
    'none',
    'CODE',
    'code%00',
  ]) {
    for (const who of [anonymous(), person]) {
      const visit = await who.send('GET', authorizeUrl(app, { response_type: type, nonce: 'n' }))
      const where = locationOf(visit)
      assert.doesNotMatch(where, /[?&#](access_token|id_token|code)=/, type)
      assert.match(`${visit.status} ${where}`, /^400|[?#]error=(unsupported_response_type|invalid_request)&/)
    }
    const pushed = await app.post('/par', { ...plain(), response_type: type, nonce: 'n' })
    assert.equal(pushed.status, 400, type)
  }
})

test('AZ1: a response type of the front channel is refused by its name, also when it is pushed', async () => {
  for (const type of ['token', 'id_token', 'code token', 'code id_token token']) {
    const where = locationOf(await anonymous().send('GET', authorizeUrl(app, { response_type: type, nonce: 'n' })))
    const answer = new URLSearchParams(new URL(where).hash.slice(1))
    assert.equal(answer.get('error'), 'unsupported_response_type', type)
    assert.equal(answer.get('state'), 'the-state')
    assert.equal(answer.get('iss'), licet.issuer)
    const pushed = await app.post('/par', { ...plain(), response_type: type, nonce: 'n' })
    assert.equal(pushed.body['error'], 'unsupported_response_type', type)
  }
})

/** The parameters of a plain request, for the body of a pushed one. */
function plain(): Record<string, string> {
  return Object.fromEntries(answerOf(authorizeUrl(app)))
}

test('AZ2: no response mode puts a code where scripts or frames read it', async () => {
  const { person } = await settled()
  for (const mode of [
    'fragment',
    'web_message',
    'jwt',
    'query.jwt',
    'form_post.jwt',
    '__proto__',
    'constructor',
    'QUERY',
  ]) {
    const visit = await person.send('GET', authorizeUrl(app, { response_mode: mode }))
    assert.doesNotMatch(locationOf(visit) + visit.body, /[?&#]code=|name="code"/, mode)
    assert.ok([400, 303].includes(visit.status), `${mode} ${visit.status}`)
  }
})

test('AZ3 AZ4: without PKCE by S256 no app gets a code, confidential or not', async () => {
  const { person } = await settled()
  const spa = await registerApp(licet, { type: 'spa' })
  const wrong = [
    { code_challenge: undefined, code_challenge_method: undefined },
    { code_challenge: undefined },
    { code_challenge_method: undefined },
    { code_challenge_method: 'plain' },
    { code_challenge_method: 's256' },
    { code_challenge: '' },
    { code_challenge: 'short' },
  ]
  for (const one of [app, spa])
    for (const params of wrong) {
      const visit = await person.send('GET', authorizeUrl(one, params))
      assertErrorAtApp(locationOf(visit), 'invalid_request')
    }
})

test('AZ5: a verifier for a code that was asked for without a challenge cannot exist: the request itself is refused', async () => {
  const { person } = await settled()
  const stripped = await person.send(
    'GET',
    authorizeUrl(app, { code_challenge: undefined, code_challenge_method: undefined }),
  )
  assert.equal(answerOf(locationOf(stripped)).get('code'), null)
  const code = answerOf(locationOf(await person.send('GET', authorizeUrl(app)))).get('code') ?? ''
  const without = await app.redeem({ code, verifier: '' }, { code_verifier: undefined })
  assert.equal(without.status, 400)
})

test('AZ6: a parameter sent twice, or as an array, is refused without a redirect to anywhere unregistered', async () => {
  for (const name of ['client_id', 'redirect_uri', 'scope', 'state', 'response_type', 'code_challenge']) {
    const twice = `${authorizeUrl(app)}&${name}=https%3A%2F%2Fevil.example%2F`
    const visit = await anonymous().send('GET', twice)
    const where = locationOf(visit)
    assert.ok(visit.status === 400 || where.startsWith(`${app.redirectUri}?error=`), `${name} ${where}`)
    assert.doesNotMatch(where, /^https:\/\/evil/)
  }
  for (const name of ['client_id', 'redirect_uri'])
    assertErrorPage(await anonymous().send('GET', `${authorizeUrl(app)}&${name}=https%3A%2F%2Fevil.example%2F`))
  const arrays = await anonymous().send('GET', authorizeUrl(app, { scope: undefined, 'scope[]': 'data:read' }))
  assert.match(locationOf(arrays), /^\/interaction\/|\/interaction\//)
})

test('AZ9 AZ10: request objects by value or by reference are not supported, and nothing is fetched', async () => {
  const header = Buffer.from('{"alg":"none"}').toString('base64url')
  const payload = Buffer.from(
    JSON.stringify({ client_id: app.clientId, redirect_uri: 'https://evil.example/' }),
  ).toString('base64url')
  const byValue = await anonymous().send('GET', authorizeUrl(app, { request: `${header}.${payload}.` }))
  assertErrorAtApp(locationOf(byValue), 'request_not_supported')
  let asked = 0
  const internal = createServer((_request, response) => {
    asked += 1
    response.end()
  })
  await new Promise<void>((resolve) => internal.listen(0, '127.0.0.1', resolve))
  const { port } = internal.address() as { port: number }
  const byReference = await anonymous().send(
    'GET',
    authorizeUrl(app, { request_uri: `http://127.0.0.1:${port}/request` }),
  )
  assert.match(`${byReference.status} ${locationOf(byReference)}`, /^400|request_uri_not_supported/)
  const pushed = await app.post('/par', { ...plain(), request_uri: `http://127.0.0.1:${port}/request` })
  assert.equal(pushed.status, 400)
  await new Promise((resolve) => internal.close(resolve))
  assert.equal(asked, 0)
})

test('AZ11: prompt=none never shows a page and never yields a code that was not allowed', async () => {
  const nobody = await anonymous().send('GET', authorizeUrl(app, { prompt: 'none' }))
  assertErrorAtApp(locationOf(nobody), 'login_required')
  const { person, email } = await settled()
  const silent = await person.send('GET', authorizeUrl(app, { prompt: 'none' }))
  assert.ok(answerOf(locationOf(silent)).get('code'))
  const more = await person.send('GET', authorizeUrl(app, { prompt: 'none', scope: 'openid data:read data:write' }))
  assertErrorAtApp(locationOf(more), 'consent_required')
  const other = await registerApp(licet)
  assertErrorAtApp(locationOf(await person.send('GET', authorizeUrl(other, { prompt: 'none' }))), 'consent_required')
  for (const prompt of ['none login', 'none consent'])
    assertErrorAtApp(locationOf(await person.send('GET', authorizeUrl(app, { prompt }))), 'invalid_request')
  const aged = await person.send('GET', authorizeUrl(app, { prompt: 'none', max_age: '0' }))
  assert.equal(answerOf(locationOf(aged)).get('code'), null)
  const native = await registerApp(licet, { type: 'native', redirectUris: ['http://127.0.0.1/callback'] })
  const loopback = { ...native, redirectUri: 'http://127.0.0.1:4711/callback' }
  await person.authorize(authorizeUrl(loopback), { email })
  const unasked = await person.send('GET', authorizeUrl(loopback, { prompt: 'none' }))
  assert.equal(answerOf(locationOf(unasked)).get('error'), 'consent_required')
})

async function authTimeOf(back: URL): Promise<number> {
  const tokens = await app.redeem({ code: answerOf(back).get('code') ?? '', verifier: VERIFIER })
  assert.equal(tokens.status, 200, tokens.text)
  const idToken = decodeJwt(tokens.body.id_token)
  assert.equal(decodeJwt(tokens.body.access_token)['auth_time'], idToken['auth_time'])
  assert.equal(idToken['acr'], 'urn:licet:acr:1fa')
  return Number(idToken['auth_time'])
}

test('AZ12: prompt=login and max_age demand the password again, and auth_time says when', async () => {
  const { person, email } = await settled()
  const first = await authTimeOf(await person.authorize(authorizeUrl(app), { email }))
  for (const [round, params] of [{ prompt: 'login' }, { max_age: '0' }, { max_age: '1' }].entries()) {
    await later(5000 * (round + 1), async () => {
      const asked = await person.open(authorizeUrl(app, params))
      assert.match(asked.body, /name="password"/, JSON.stringify(params))
      // Nothing but a password gets past it: not a second try, not the way back to the authorization.
      assert.match((await person.open(authorizeUrl(app, params))).body, /name="password"/)
      const back = await person.authorize(authorizeUrl(app, params), { email })
      assert.ok((await authTimeOf(back)) > first, JSON.stringify(params))
    })
  }
})

test('AZ12: a sign-in in another tab meanwhile does not pass for the one that was asked for', async () => {
  const { person, email } = await newPerson(licet)
  await person.authorize(authorizeUrl(app), { email })
  const slow = new Person(licet.issuer)
  const waiting = await slow.open(authorizeUrl(app, { max_age: '1' }))
  await slow.authorize(authorizeUrl(app), { email })
  await later(60_000, async () => {
    const before = Math.floor(Date.now() / 1000)
    const end = await slow.submit(waiting, { email, password: PASSWORD }, '/sign-in')
    assert.ok((await authTimeOf(new URL(end.url))) >= before, 'auth_time is that of this sign-in')
  })
})

test('AZ12: acr_values above what happened yield no code, and acr stays what it was', async () => {
  const { person, email } = await settled()
  for (const acr_values of ['urn:licet:acr:2fa', 'phr', 'phr urn:licet:acr:2fa']) {
    const silent = await person.send('GET', authorizeUrl(app, { acr_values, prompt: 'none' }))
    assertErrorAtApp(locationOf(silent), /^(unmet_authentication_requirements|login_required|interaction_required)$/)
    // Neither a reload of the page nor the way back to the authorization gets past it.
    const asked = await person.open(authorizeUrl(app, { acr_values }))
    assert.equal(new URL(asked.url).origin, licet.issuer)
    const resumed = await person.open(asked.url.replace('/interaction/', '/authorize/'))
    assert.equal(answerOf(resumed.url).get('code'), null)
  }
  await authTimeOf(await person.authorize(authorizeUrl(app), { email }))
})

test('AZ13: an id_token_hint of somebody else, of another issuer or unsigned never lets the hinted person through', async () => {
  const victim = await newPerson(licet)
  const code = await app.obtainCode(victim.person, victim.email)
  const hint = (await app.redeem(code)).body.id_token
  const { person } = await settled()
  const shown = await person.open(authorizeUrl(app, { id_token_hint: hint }))
  assert.match(shown.body, /name="password"/)
  assertErrorAtApp(
    locationOf(await person.send('GET', authorizeUrl(app, { id_token_hint: hint, prompt: 'none' }))),
    'login_required',
  )
  const [, payload] = hint.split('.')
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
  for (const forged of [
    unsigned,
    hint.slice(0, -8),
    `${hint}.x`,
    'x',
    `${hint.split('.').slice(0, 2).join('.')}.AAAA`,
  ]) {
    const visit = await person.send('GET', authorizeUrl(app, { id_token_hint: forged }))
    assert.doesNotMatch(locationOf(visit), /[?&]code=|interaction/, forged.slice(-20))
  }
})

test('AZ14: an oversized request is an error page and stores nothing', async () => {
  const before = await countStored(licet.core.store)
  const long = 'x'.repeat(20_000)
  const oversized = [
    authorizeUrl(app, { state: long.slice(0, 2049) }),
    authorizeUrl(app, { nonce: long.slice(0, 513) }),
    authorizeUrl(app, { state: long.slice(0, 14_000) }),
    authorizeUrl(app, { extra: long.slice(0, 8100) }),
  ]
  for (const url of oversized) {
    const visit = await anonymous().send('GET', url)
    assert.ok([400, 414, 431].includes(visit.status), `${visit.status}`)
    assert.equal(locationOf(visit), '')
  }
  const { port } = new URL(licet.issuer)
  const { pathname, search } = new URL(authorizeUrl(app, { state: long }))
  const head = `GET ${pathname}${search} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n\r\n`
  assert.deepEqual(statusesOf(await raw(Number(port), head)), [431])
  const posted = await sendOnWire(licet.issuer, 'POST', '/authorize', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URL(authorizeUrl(app, { state: long })).search.slice(1),
  })
  assert.ok(posted.status >= 400 && posted.status < 500)
  const tooLong = [
    { state: long.slice(0, 2049) },
    { nonce: long.slice(0, 513) },
    { login_hint: long.slice(0, 321) },
    { acr_values: long },
  ]
  for (const params of tooLong) {
    const pushed = await app.post('/par', { ...plain(), ...params })
    assert.equal(`${pushed.status} ${pushed.body.error}`, '400 invalid_request', Object.keys(params)[0])
  }
  assert.equal(await countStored(licet.core.store), before)
  const device = await registerApp(licet, { type: 'device' })
  for (const params of tooLong.slice(1))
    assert.equal((await device.post('/device_authorization', { scope: 'openid data:read', ...params })).status, 400)
  assert.equal(await countStored(licet.core.store, 'device_code'), 0)
})

test('AZ14: the longest allowed state and nonce come back unharmed, odd names and CRLF change nothing', async () => {
  const { person } = await settled()
  const state = 's'.repeat(2048)
  const fits = await person.send('GET', authorizeUrl(app, { state, nonce: 'n'.repeat(512) }))
  assert.equal(answerOf(locationOf(fits)).get('state'), state)
  const odd = 'a\r\nSet-Cookie: x=1\r\n\r\n<b>'
  const split = await person.send('GET', authorizeUrl(app, { state: odd }))
  assert.equal(answerOf(locationOf(split)).get('state'), odd)
  assert.doesNotMatch(split.headers.getSetCookie().join('\n'), /x=1/)
  const polluted = await person.send(
    'GET',
    `${authorizeUrl(app)}&__proto__=1&__proto__[polluted]=1&constructor[prototype][polluted]=1`,
  )
  assert.ok(answerOf(locationOf(polluted)).get('code'))
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

test('AZ15: an interaction opens in the browser that began it and in no other', async () => {
  const attacker = await newPerson(licet)
  const victim = await newPerson(licet)
  const began = await attacker.person.open(authorizeUrl(app))
  const uid = new URL(began.url).pathname.split('/')[2]
  const opened = await victim.person.open(began.url)
  assert.equal(opened.status, 410)
  assert.doesNotMatch(opened.body, /name="password"/)
  // The victim's browser carries a form token of its own, the attacker's interaction does not accept it, nor the attacker's token there.
  const own = await victim.person.open(authorizeUrl(app))
  const foreign = await victim.person.press(
    { ...own, body: own.body.replaceAll(new URL(own.url).pathname, `/interaction/${uid}`) },
    { email: victim.email, password: PASSWORD },
    '/sign-in',
  )
  assert.equal(foreign.status, 403)
  const carried = await victim.person.press(began, { email: victim.email, password: PASSWORD }, '/sign-in')
  assert.equal(carried.status, 403)
  // And where the attacker signs in and lets the victim resume: nothing.
  const left = await attacker.person.press(began, { email: attacker.email, password: PASSWORD }, '/sign-in')
  const consent = await attacker.person.press(left, { decision: 'allow' }, '/consent')
  const resume = /url=([^"]+)"/.exec(consent.body)?.[1] ?? ''
  assert.match(resume, /\/authorize\//)
  const resumed = await victim.person.send('GET', resume)
  assert.equal(resumed.status, 410)
  assert.equal(locationOf(resumed), '')
  assert.ok(answerOf((await attacker.person.open(resume)).url).get('code'), 'it still works where it belongs')
})

test('AZ16: the issuer stands in every answer to the app: success, refusal, silent error, bad request', async () => {
  const { person, email } = await newPerson(licet)
  const denied = await person.submit(await person.open(authorizeUrl(app)), {}, '/deny')
  assertErrorAtApp(denied.url, 'access_denied')
  const success = await person.authorize(authorizeUrl(app), { email })
  assert.equal(answerOf(success).get('iss'), licet.issuer)
  const refused = await person.submit(
    await person.open(authorizeUrl(app, { prompt: 'consent' })),
    { decision: 'deny' },
    '/consent',
  )
  assertErrorAtApp(refused.url, 'access_denied')
  const wrong = [
    { prompt: 'none', max_age: '0' },
    { scope: 'openid data:read api:admin' },
    { resource: 'https://unknown.example/' },
    { prompt: 'dance' },
    { max_age: '-1' },
    { code_challenge: undefined },
  ]
  for (const params of wrong) assertErrorAtApp(locationOf(await person.send('GET', authorizeUrl(app, params))), /./)
  const posted = await person.send(
    'GET',
    authorizeUrl(app, { response_mode: 'form_post', prompt: 'none', scope: 'openid data:write' }),
  )
  assert.match(posted.body, new RegExp(`name="iss" value="${licet.issuer}"`))
})

test('AZ17: a request without a scope gets the default scope, not access_denied', async () => {
  const { person, email } = await newPerson(licet)
  const plainApp = await registerApp(licet, { scopes: [], optionalScopes: ['api:read'] })
  const back = await person.authorize(authorizeUrl(plainApp, { scope: undefined }), {
    email,
    allow: { scope: 'api:read' },
  })
  const tokens = await plainApp.redeem({ code: answerOf(back).get('code') ?? '', verifier: VERIFIER })
  assert.equal(decodeJwt(tokens.body.access_token)['scope'], 'api:read')
})

test('AZ18: no form of ours is answered with a redirect that would carry the password on', async () => {
  const { person, email } = await newPerson(licet)
  const signIn = await person.open(authorizeUrl(app))
  const consent = await person.press(signIn, { email, password: PASSWORD }, '/sign-in')
  const left = await person.press(consent, { decision: 'allow' }, '/consent')
  for (const visit of [consent, left]) assert.equal(visit.status, 200, textOf(visit.body).slice(0, 200))
  const bridged = await sendOnWire(licet.issuer, 'POST', '/authorize', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URL(authorizeUrl(app)).search.slice(1),
  })
  assert.equal(bridged.status, 303)
})
