/**
 * The ways in which an authorization request may come and its answer may go: pushed (RFC 9126), by POST, answered by a form; and tokens that are
 * bound to a key (RFC 9449). On every store, with two strict clients.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type Licet, newAccount, PASSWORD } from '../support/licet.ts'
import { formsOf, Person, type Visit } from '../support/person.ts'
import { dpop, newKey } from '../support/proofs.ts'
import { CALLBACK, register } from '../support/registered.ts'
import { onEveryStore } from '../support/stores.ts'
import { type Credentials, strictClients } from '../support/strict-client.ts'

const SCOPE = 'openid email data:read'
const registered = (licet: Licet, more = {}) => register(licet, { scopes: ['data:read'], ...more })

onEveryStore((licet) => {
  test('the languages an app asks for hold for its interaction and nothing else; the person’s own choice wins', async () => {
    const { app } = await registered(licet())
    const request = (uiLocales: string) =>
      `/authorize?${new URLSearchParams({
        client_id: app.clientId,
        response_type: 'code',
        redirect_uri: CALLBACK,
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
        ui_locales: uiLocales,
      })}`
    const languageOf = ({ body }: Visit) => /<html lang="([^"]*)"/.exec(body)?.[1]
    const person = new Person(licet().issuer)
    const page = await person.open(request('xx de'))
    assert.equal(languageOf(page), 'de')
    const wrong = await person.submit(page, { email: 'nobody@example.test', password: 'wrong' }, '/sign-in')
    assert.equal(languageOf(wrong), 'de')
    assert.equal(languageOf(await person.open('/')), 'en')
    assert.equal(languageOf(await person.open(request('de;Path=/'))), 'en')
    const chosen = await person.submit(await person.open(request('de')), { locale: 'fr' }, '/language')
    assert.equal(languageOf(chosen), 'fr')
  })

  for (const strict of strictClients) {
    describe(strict.name, () => {
      for (const wanted of [
        { type: 'web', auth: 'client_secret_basic' },
        { type: 'web', auth: 'private_key_jwt' },
        { type: 'spa', auth: 'none' },
      ] as const) {
        test(`a request pushed by a ${wanted.type} app (${wanted.auth}) carries nothing through the browser`, async () => {
          const { credentials } = await registered(licet(), wanted)
          const account = await newAccount(licet().core)
          const client = await strict.connect(licet().issuer, credentials)
          const authorization = await client.authorize(CALLBACK, { scope: SCOPE }, { pushed: true })
          assert.deepEqual([...authorization.url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
          const back = await new Person(licet().issuer).authorize(authorization.url.href, account)
          const tokens = await authorization.finish(back)
          assert.equal(decodeJwt(tokens.access_token).sub, account.id)
          const again = await new Person(licet().issuer).open(authorization.url.href)
          assert.notEqual(new URL(again.url).origin, new URL(CALLBACK).origin)
          assert.equal(again.status, 400)
        })
      }

      for (const pushed of [false, true]) {
        test(`DPoP binds every token of a ${pushed ? 'pushed' : 'plain'} request to one key`, async () => {
          const { credentials } = await registered(licet(), { type: 'spa' })
          const account = await newAccount(licet().core)
          const client = await strict.connect(licet().issuer, credentials, { dpop: true })
          const authorization = await client.authorize(CALLBACK, { scope: SCOPE }, { pushed })
          const back = await new Person(licet().issuer).authorize(authorization.url.href, account)
          const tokens = await authorization.finish(back)
          assert.equal(tokens.token_type, 'dpop')
          const { cnf } = decodeJwt<{ cnf: { jkt: string } }>(tokens.access_token)
          assert.ok(cnf.jkt)
          assert.equal((await client.userinfo(tokens.access_token, account.id))['email'], account.email)
          const refreshed = await client.refresh(tokens.refresh_token ?? '')
          assert.deepEqual(decodeJwt<{ cnf: object }>(refreshed.access_token).cnf, cnf)
          await strangerIsRefused(licet(), credentials, { ...tokens, ...refreshed }, account.id)
        })
      }

      test('response_mode=form_post brings the code in a form, which the page may send to the app only', async () => {
        const { credentials } = await registered(licet())
        const account = await newAccount(licet().core)
        const client = await strict.connect(licet().issuer, credentials)
        const authorization = await client.authorize(CALLBACK, { scope: SCOPE, response_mode: 'form_post' })
        const person = new Person(licet().issuer)
        await person.authorize(authorization.url.href, account)
        // A second visit needs no answer of the person: the form comes at once.
        const visit = await person.open(authorization.url.href)
        const tokens = await authorization.finish(postOf(visit))
        assert.equal(decodeJwt(tokens.access_token).sub, account.id)
      })

      test('an error goes by form too when a form was asked for', async () => {
        const { credentials } = await registered(licet())
        const client = await strict.connect(licet().issuer, credentials)
        const params = { scope: SCOPE, response_mode: 'form_post', prompt: 'none' }
        const authorization = await client.authorize(CALLBACK, params)
        const visit = await new Person(licet().issuer).open(authorization.url.href)
        await assert.rejects(authorization.finish(postOf(visit)), { error: 'login_required' })
      })
    })
  }

  test('POST /authorize is the same request as GET', async () => {
    const { credentials } = await registered(licet())
    const account = await newAccount(licet().core)
    const client = await strictClients[0].connect(licet().issuer, credentials)
    const authorization = await client.authorize(CALLBACK, { scope: SCOPE })
    const person = new Person(licet().issuer)
    const posted = await person.send('POST', '/authorize', [...authorization.url.searchParams], {
      'sec-fetch-site': 'cross-site',
      origin: new URL(CALLBACK).origin,
    })
    assert.equal(posted.status, 303)
    let visit = await person.follow(posted)
    visit = await person.submit(visit, { email: account.email, password: PASSWORD }, '/sign-in')
    visit = await person.submit(visit, { decision: 'allow' }, '/consent')
    const tokens = await authorization.finish(new URL(visit.url))
    assert.equal(decodeJwt(tokens.access_token).sub, account.id)
  })

  test('a DPoP nonce that is not ours is answered with one that is, at the token endpoint and at userinfo', async () => {
    const { credentials } = await register(licet(), {
      type: 'service',
      auth: 'client_secret_post',
      scopes: ['data:read'],
    })
    const { issuer } = licet()
    const key = await newKey()
    const ask = async (nonce: string) =>
      fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { dpop: await dpop(key, `${issuer}/token`, { claims: { nonce } }) },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: credentials.clientId,
          client_secret: credentials.clientSecret ?? '',
        }),
      })
    const refused = await ask('a nonce of somebody else')
    assert.equal(refused.status, 400)
    assert.equal(((await refused.json()) as { error: string }).error, 'use_dpop_nonce')
    const nonce = refused.headers.get('dpop-nonce') ?? ''
    assert.ok(nonce)
    const granted = await ask(nonce)
    assert.equal(granted.status, 200)
    const { access_token, token_type } = (await granted.json()) as { access_token: string; token_type: string }
    assert.equal(token_type.toLowerCase(), 'dpop')
    const proof = await dpop(key, `${issuer}/userinfo`, {
      method: 'GET',
      accessToken: access_token,
      claims: { nonce: 'x' },
    })
    const userinfo = await fetch(`${issuer}/userinfo`, {
      headers: { authorization: `DPoP ${access_token}`, dpop: proof },
    })
    assert.equal(userinfo.status, 401)
    assert.ok(userinfo.headers.get('dpop-nonce'))
    assert.match(userinfo.headers.get('www-authenticate') ?? '', /DPoP .*error="use_dpop_nonce"/)
  })

  test('an app that is always bound to a key gets no token without a proof', async () => {
    const { credentials } = await register(licet(), { type: 'service', dpop: true, scopes: ['data:read'] })
    const [strict] = strictClients
    const plain = await strict.connect(licet().issuer, credentials)
    await assert.rejects(plain.clientCredentials(), { error: 'invalid_grant' })
    const bound = await strict.connect(licet().issuer, credentials, { dpop: true })
    const tokens = await bound.clientCredentials()
    assert.equal(tokens.token_type, 'dpop')
    assert.ok(decodeJwt<{ cnf: { jkt: string } }>(tokens.access_token).cnf.jkt)
  })
})

/** The app's request as the browser would send it from that page; checks that the page's policy lets it. */
function postOf({ body, headers }: Visit): Request {
  const form = formsOf(body).find(({ action }) => action === CALLBACK)
  assert.ok(form, body)
  const policy = headers.get('content-security-policy') ?? ''
  const targets = /(?:^|;)\s*form-action ([^;]*)/.exec(policy)?.[1]?.split(' ') ?? []
  assert.ok(targets.includes(new URL(CALLBACK).origin), policy)
  assert.ok(!targets.includes('*') && !targets.includes('https:'), policy)
  return new Request(form.action, { method: 'POST', body: new URLSearchParams(form.fields) })
}

/** Somebody who has the tokens but not the key. */
async function strangerIsRefused(
  { issuer }: Licet,
  credentials: Credentials,
  tokens: { access_token: string; refresh_token?: string },
  subject: string,
): Promise<void> {
  const [strict] = strictClients
  for (const dpop of [false, true]) {
    const stranger = await strict.connect(issuer, credentials, { dpop })
    await assert.rejects(stranger.userinfo(tokens.access_token, subject))
    await assert.rejects(stranger.refresh(tokens.refresh_token ?? ''), { error: 'invalid_grant' })
  }
}
