/**
 * Signing out: at an app's request with and without its ID token (OpenID Connect RP-Initiated Logout 1.0), by GET and by POST, and the notices
 * that go to the other apps (Back-Channel Logout 1.0). On every store.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import type { NewApp } from '../../src/apps/records.ts'
import { type Licet, newAccount, PASSWORD } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'
import { type Receiver, reachReceivers, startReceiver } from '../support/receiver.ts'
import { CALLBACK, register } from '../support/registered.ts'
import { onEveryStore } from '../support/stores.ts'
import { strictClients } from '../support/strict-client.ts'

const RETURN = 'https://app.example.test/goodbye'

let receiver: Receiver
before(async () => {
  receiver = await startReceiver()
})
after(() => receiver.close())

/** A person in a browser who has signed in to a fresh app. */
async function signedIn(licet: Licet, wanted: Partial<NewApp> = {}, present?: { person: Person; email: string }) {
  const { app, credentials } = await register(licet, {
    scopes: ['data:read'],
    postLogoutRedirectUris: [RETURN],
    ...wanted,
  })
  const account = present ? { email: present.email } : await newAccount(licet.core)
  const person = present?.person ?? new Person(licet.issuer)
  const client = await strictClients[0].connect(licet.issuer, credentials)
  const authorization = await client.authorize(CALLBACK, { scope: 'openid data:read' })
  const tokens = await authorization.finish(await person.authorize(authorization.url.href, account))
  const isSignedIn = async (): Promise<boolean> => {
    const probe = await client.authorize(CALLBACK, { scope: 'openid data:read', prompt: 'none' })
    const { url } = await person.open(probe.url.href)
    return new URL(url).searchParams.has('code')
  }
  return { app, client, person, account, tokens, isSignedIn, idToken: tokens.id_token ?? '' }
}

const query = (params: Record<string, string>) => `/logout?${new URLSearchParams(params)}`

onEveryStore(
  (licet) => {
    test('an app that shows its ID token signs the person out without a question and gets them back', async () => {
      const { app, person, idToken, tokens, client, isSignedIn } = await signedIn(licet())
      assert.equal(await isSignedIn(), true)
      const asked = {
        id_token_hint: idToken,
        post_logout_redirect_uri: RETURN,
        state: 'a b&c',
        client_id: app.clientId,
      }
      const visit = await person.open(query(asked))
      assert.equal(visit.url, `${RETURN}?state=a+b%26c`)
      assert.equal(await isSignedIn(), false)
      // Refresh tokens do not hang on the browser session unless the person chose so.
      assert.ok((await client.refresh(tokens.refresh_token ?? '')).access_token)
    })

    test('an app that only names itself makes the person confirm', async () => {
      const { app, person, isSignedIn } = await signedIn(licet())
      const visit = await person.open(query({ client_id: app.clientId, post_logout_redirect_uri: RETURN, state: 's' }))
      assert.match(textOf(visit.body), /Notes/)
      assert.equal(await isSignedIn(), true)
      const again = await person.open(query({ client_id: app.clientId, post_logout_redirect_uri: RETURN, state: 's' }))
      const done = await person.submit(again, { logout: 'yes' }, '/logout/confirm')
      assert.equal(done.url, `${RETURN}?state=s`)
      assert.equal(await isSignedIn(), false)
    })

    test('a person signs out without any app and stays on a page of ours', async () => {
      const { person, isSignedIn } = await signedIn(licet())
      const visit = await person.open('/logout')
      const done = await person.submit(visit, { logout: 'yes' }, '/logout/confirm')
      assert.equal(new URL(done.url).origin, licet().issuer)
      assert.equal(done.status, 200)
      assert.equal(await isSignedIn(), false)
    })

    test('the ID token of another account does not sign this one out', async () => {
      const other = await signedIn(licet())
      const { person, isSignedIn } = await signedIn(licet())
      const visit = await person.open(query({ id_token_hint: other.idToken, post_logout_redirect_uri: RETURN }))
      assert.equal(new URL(visit.url).origin, licet().issuer)
      assert.equal(await isSignedIn(), true)
    })

    test('an address that the app has not registered is refused, and nobody is signed out', async () => {
      const { app, person, idToken, isSignedIn } = await signedIn(licet())
      for (const hint of [{ id_token_hint: idToken }, { client_id: app.clientId }]) {
        const visit = await person.open(query({ ...hint, post_logout_redirect_uri: `${RETURN}/` }))
        assert.equal(visit.status, 400)
        assert.equal(new URL(visit.url).origin, licet().issuer)
      }
      assert.equal(await isSignedIn(), true)
    })

    test('nobody signed in: signing out says so, and the ID token of an app brings its person back at once', async () => {
      const { app, idToken } = await signedIn(licet())
      const somebody = () => new Person(licet().issuer)
      const plain = await somebody().open('/logout')
      assert.match(textOf(plain.body), /You are signed out/)
      const back = { post_logout_redirect_uri: RETURN, state: 's' }
      assert.equal((await somebody().open(query({ ...back, id_token_hint: idToken }))).url, `${RETURN}?state=s`)
      const person = somebody()
      const asked = await person.open(query({ ...back, client_id: app.clientId }))
      assert.equal(new URL(asked.url).origin, licet().issuer)
      assert.doesNotMatch(asked.body, /<script>/)
      assert.equal((await person.submit(asked, { logout: 'yes' }, '/logout/confirm')).url, `${RETURN}?state=s`)
    })

    test('signing out answers with a page, never with JSON, whatever the browser accepts', async () => {
      const { app } = await signedIn(licet())
      for (const accept of ['*/*', 'application/json']) {
        const wrong = query({ client_id: app.clientId, post_logout_redirect_uri: 'https://evil.example/' })
        const answer = await fetch(`${licet().issuer}${wrong}`, { headers: { accept } })
        assert.equal(answer.status, 400)
        assert.match(answer.headers.get('content-type') ?? '', /^text\/html/)
      }
    })

    test('POST /logout is the same request as GET', async () => {
      const { person, idToken, isSignedIn } = await signedIn(licet())
      const fields: [string, string][] = [
        ['id_token_hint', idToken],
        ['post_logout_redirect_uri', RETURN],
        ['state', 'posted'],
      ]
      const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://app.example.test' }
      const visit = await person.follow(await person.send('POST', '/logout', fields, headers))
      assert.equal(visit.url, `${RETURN}?state=posted`)
      assert.equal(await isSignedIn(), false)
    })

    for (const way of ['with', 'without'] as const) {
      test(`every app of the session is told ${way} an ID token, by a valid logout token`, async () => {
        const first = await signedIn(licet(), { backchannelLogoutUri: `${receiver.url}/first` })
        const present = { person: first.person, email: first.account.email }
        const second = await signedIn(
          licet(),
          { backchannelLogoutUri: `${receiver.url}/second`, idTokenSignedResponseAlg: 'RS256' },
          present,
        )
        const { sub, sid } = decodeJwt<{ sid: string }>(first.tokens.access_token)
        if (way === 'with') await first.person.open(query({ id_token_hint: first.idToken }))
        else await first.person.submit(await first.person.open('/logout'), { logout: 'yes' }, '/logout/confirm')
        const keys = createRemoteJWKSet(new URL(`${licet().issuer}/.well-known/jwks.json`))
        for (const { path, app, alg } of [
          { path: '/first', app: first.app, alg: 'ES256' },
          { path: '/second', app: second.app, alg: 'RS256' },
        ]) {
          const { body, headers, method } = await receiver.next(
            (one) => one.path === path && audienceOf(one.body) === app.clientId,
          )
          assert.equal(method, 'POST')
          assert.match(headers['content-type'] ?? '', /^application\/x-www-form-urlencoded/)
          const token = new URLSearchParams(body).get('logout_token') ?? ''
          const expected = { issuer: licet().issuer, audience: app.clientId, typ: 'logout+jwt', algorithms: [alg] }
          const { payload } = await jwtVerify(token, keys, expected)
          assert.deepEqual({ sub: payload.sub, sid: payload['sid'] }, { sub, sid })
          assert.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} })
          assert.equal(payload['nonce'], undefined)
          assert.ok(payload.jti && payload.iat && payload.exp)
        }
      })
    }

    test('an app gets a code again only after a new sign-in', async () => {
      const { client, person, account, idToken } = await signedIn(licet())
      await person.open(query({ id_token_hint: idToken }))
      const authorization = await client.authorize(CALLBACK, { scope: 'openid data:read' })
      const visit = await person.open(authorization.url.href)
      assert.match(visit.body, /name="password"/)
      const back = await person.submit(visit, { email: account.email, password: PASSWORD }, '/sign-in')
      assert.ok((await authorization.finish(new URL(back.url))).access_token)
    })
  },
  { file: reachReceivers() },
)

function audienceOf(body: string): unknown {
  return decodeJwt(new URLSearchParams(body).get('logout_token') ?? '').aud
}
