/**
 * Step-up (RFC 9470) at the authorization endpoint, with and without the `openid` scope: what is asked is what happened (threats.md MF6).
 */
import assert from 'node:assert/strict'
import { after, before, mock, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf, type Visit } from '../support/person.ts'
import { codeOf, keyOf } from '../support/totp.ts'

let licet: Licet
before(async () => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  licet = await startLicet({
    now: () => Date.now(),
    file: {
      apps: [
        {
          client_id: 'console',
          name: 'Console',
          type: 'native',
          auth: 'none',
          redirect_uris: ['http://127.0.0.1/callback'],
          scopes: ['data:read', 'api:read'],
          first_party: true,
        },
      ],
    },
  })
})
after(async () => {
  mock.timers.reset()
  await licet.close()
})

const pass = (seconds: number) => mock.timers.setTime(Date.now() + seconds * 1000)

const VERIFIER = 'v'.repeat(50)

async function challenge(): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(VERIFIER))
  return Buffer.from(digest).toString('base64url')
}

async function authorizeUrl(more: Record<string, string>): Promise<string> {
  const query = new URLSearchParams({
    client_id: 'console',
    redirect_uri: 'http://127.0.0.1:33418/callback',
    response_type: 'code',
    code_challenge: await challenge(),
    code_challenge_method: 'S256',
    scope: 'data:read',
    ...more,
  })
  return `/authorize?${query}`
}

async function tokenOf(back: Visit): Promise<Record<string, unknown>> {
  const code = new URL(back.url).searchParams.get('code')
  assert.ok(code, back.url)
  const answer = await fetch(`${licet.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'console',
      redirect_uri: 'http://127.0.0.1:33418/callback',
      code,
      code_verifier: VERIFIER,
    }),
  })
  const body = (await answer.json()) as { access_token: string }
  assert.equal(answer.status, 200, JSON.stringify(body))
  return decodeJwt(body.access_token)
}

async function signedIn(): Promise<{ person: Person; email: string }> {
  const { email } = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  await person.submit(await person.open('/settings'), { email, password: PASSWORD }, '/sign-in')
  return { person, email }
}

for (const scope of ['data:read', 'openid data:read']) {
  test(`MF6: acr_values with scope “${scope}” is not answered from a weaker session, and the token says what happened`, async () => {
    const { person, email } = await signedIn()
    const url = await authorizeUrl({ scope, acr_values: 'urn:licet:acr:2fa' })
    const asked = await person.open(url)
    assert.match(textOf(asked.body), /Confirm it is you/)
    const setUp = await person.submit(asked, { email, password: PASSWORD }, '/sign-in')
    pass(30)
    const codes = await person.submit(setUp, { code: codeOf(keyOf(setUp.body), Date.now()) }, '/enrol')
    const claims = await tokenOf(await person.submit(codes, {}, '/continue'))
    assert.equal(claims['acr'], 'urn:licet:acr:2fa')
    assert.deepEqual(claims['amr'], ['pwd', 'otp', 'mfa'])
    const again = await person.open(url)
    assert.ok(again.url.startsWith('http://127.0.0.1:33418/'), 'a session that is strong enough is not asked')
  })

  test(`MF6: max_age with scope “${scope}” asks for a fresh sign-in, and auth_time says so`, async () => {
    const { person, email } = await signedIn()
    const before = await tokenOf(await person.open(await authorizeUrl({ scope, max_age: '300' })))
    pass(400)
    const asked = await person.open(await authorizeUrl({ scope, max_age: '300' }))
    assert.match(textOf(asked.body), /Confirm it is you/)
    const after = await tokenOf(await person.submit(asked, { email, password: PASSWORD }, '/sign-in'))
    assert.ok(Number(after['auth_time']) >= Number(before['auth_time']) + 400)
    const zero = await person.open(await authorizeUrl({ scope, max_age: '0' }))
    assert.match(zero.body, /name="password"/)
  })

  test(`MF6: prompt=none with scope “${scope}” answers an error instead of a weaker token`, async () => {
    const { person } = await signedIn()
    const back = await person.open(await authorizeUrl({ scope, prompt: 'none', acr_values: 'phr' }))
    assert.equal(new URL(back.url).searchParams.get('error'), 'unmet_authentication_requirements')
  })
}

test('MF6: a max_age that is no number is refused, and our private names carry nothing', async () => {
  const { person } = await signedIn()
  const bad = await person.open(await authorizeUrl({ max_age: '-1' }))
  assert.equal(new URL(bad.url).searchParams.get('error'), 'invalid_request')
  const planted = await person.open(await authorizeUrl({ asked_max_age: '0', asked_acr_values: 'phr' }))
  assert.ok(new URL(planted.url).searchParams.get('code'), planted.url)
})

test('MF6: a pushed request keeps what it asks for', async () => {
  const { person } = await signedIn()
  const params = new URLSearchParams((await authorizeUrl({ acr_values: 'urn:licet:acr:2fa' })).split('?')[1])
  const pushed = await fetch(`${licet.issuer}/par`, { method: 'POST', body: params })
  const { request_uri } = (await pushed.json()) as { request_uri: string }
  assert.equal(pushed.status, 201)
  const asked = await person.open(`/authorize?${new URLSearchParams({ client_id: 'console', request_uri })}`)
  assert.match(textOf(asked.body), /Confirm it is you/)
})

test('step-up is for the same person: another account is a choice, never an accident', async () => {
  const { person, email } = await signedIn()
  const asked = await person.open(await authorizeUrl({ prompt: 'login' }))
  assert.match(asked.body, new RegExp(`value="${email}"[^>]*`))
  assert.match(asked.body, /readonly/)
  const other = await person.submit(asked, {}, '/switch')
  assert.doesNotMatch(other.body, /readonly/)
})
