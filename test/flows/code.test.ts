/**
 * The main job, over real HTTP with a strict independent client: sign in, consent, tokens, refresh, userinfo, introspection, revocation.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as client from 'openid-client'
import { type Licet, newAccount, operator, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

const redirectUri = 'https://app.example.test/callback'

async function webApp() {
  const { app, clientSecret } = await licet.core.apps.create(operator, {
    name: 'Notes',
    type: 'web',
    redirectUris: [redirectUri],
    scopes: ['data:read', 'data:write'],
  })
  const config = await client.discovery(new URL(licet.issuer), app.clientId, clientSecret, undefined, {
    execute: [client.allowInsecureRequests],
  })
  return { app, config }
}

test('a person signs in, consents, and the app gets, refreshes and loses its tokens', async () => {
  const { app, config } = await webApp()
  const account = await newAccount(licet.core)
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid email offline_access data:read',
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const back = await new Person(licet.issuer).authorize(url.href, { email: account.email })
  assert.equal(back.origin + back.pathname, redirectUri, back.href)
  const tokens = await client.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  })
  const claims = decodeJwt(tokens.access_token)
  assert.equal(decodeProtectedHeader(tokens.access_token).typ, 'at+jwt')
  assert.equal(claims.sub, account.id)
  assert.equal(claims.aud, `${licet.issuer}/api/v1`)
  assert.deepEqual(String(claims['scope']).split(' ').sort(), ['data:read', 'email', 'offline_access', 'openid'])
  assert.equal(claims['client_id'], app.clientId)
  assert.equal(claims['acr'], 'urn:licet:acr:1fa')
  assert.deepEqual(claims['amr'], ['pwd'])
  assert.ok(claims['sid'])
  assert.equal(tokens.expires_in, 900)

  const person = await client.fetchUserInfo(config, tokens.access_token, account.id)
  assert.equal(person.email, account.email)

  const introspected = await client.tokenIntrospection(config, tokens.access_token)
  assert.equal(introspected.active, true)

  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
  assert.notEqual(refreshed.refresh_token, tokens.refresh_token)
  assert.ok(Number(refreshed['refresh_token_expires_in']) > 0)

  await client.tokenRevocation(config, refreshed.refresh_token ?? '')
  await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token ?? ''), { error: 'invalid_grant' })
  assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, false)
  await assert.rejects(client.fetchUserInfo(config, refreshed.access_token, account.id))
})
