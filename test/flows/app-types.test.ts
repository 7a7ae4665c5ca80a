/**
 * The main job for every type of app and every way of proving itself, with two independent strict clients, on every store.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { NewApp } from '../../src/apps/records.ts'
import { browserFetch } from '../support/browser-fetch.ts'
import { type Licet, newAccount, PASSWORD } from '../support/licet.ts'
import { formsOf, Person, textOf } from '../support/person.ts'
import { CALLBACK, register } from '../support/registered.ts'
import { onEveryStore } from '../support/stores.ts'
import { type ConnectOptions, type StrictClient, strictClients, type Tokens } from '../support/strict-client.ts'

interface AppOfPeople {
  readonly title: string
  readonly app: Partial<NewApp>
  readonly redirectUri: string
  readonly options?: ConnectOptions
}

const ofPeople: readonly AppOfPeople[] = [
  {
    title: 'a web app with its secret in the header',
    app: { type: 'web', auth: 'client_secret_basic' },
    redirectUri: CALLBACK,
  },
  {
    title: 'a web app with its secret in the body',
    app: { type: 'web', auth: 'client_secret_post' },
    redirectUri: CALLBACK,
  },
  { title: 'a web app with a private key', app: { type: 'web', auth: 'private_key_jwt' }, redirectUri: CALLBACK },
  {
    title: 'a browser app from its own origin',
    app: { type: 'spa' },
    redirectUri: CALLBACK,
    options: { fetch: browserFetch(new URL(CALLBACK).origin) },
  },
  {
    title: 'a native app on whatever loopback port was free',
    app: { type: 'native' },
    redirectUri: 'http://127.0.0.1:49152/callback',
  },
]

onEveryStore((licet) => {
  for (const strict of strictClients) {
    for (const { title, app: wanted, redirectUri, options } of ofPeople) {
      test(`${title} gets, uses, refreshes and loses its tokens with ${strict.name}`, async () => {
        const { app, credentials } = await register(licet(), { ...wanted, scopes: ['data:read', 'data:write'] })
        const account = await newAccount(licet().core)
        const client = await strict.connect(licet().issuer, credentials, options)
        const authorization = await client.authorize(redirectUri, { scope: 'openid email offline_access data:read' })
        const back = await new Person(licet().issuer).authorize(authorization.url.href, account)
        assert.equal(back.origin + back.pathname, redirectUri, back.href)
        const tokens = await authorization.finish(back)
        assertAccessToken(licet(), tokens, { sub: account.id, clientId: app.clientId })
        assert.equal(decodeJwt(tokens.id_token ?? '').sub, account.id)
        await usesAndLoses(client, tokens, account)
      })
    }

    test(`a device gets its tokens once a person has allowed it with ${strict.name}`, async () => {
      const { app, credentials } = await register(licet(), { type: 'device', scopes: ['data:read'] })
      const account = await newAccount(licet().core)
      const client = await strict.connect(licet().issuer, credentials)
      const device = await client.device({ scope: 'openid email offline_access data:read' })
      assert.match(device.userCode, /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/)
      await assert.rejects(device.redeem(), { error: 'authorization_pending' })
      const last = await allowDevice(licet(), device, account)
      assert.match(textOf(last), /Notes/)
      const tokens = await device.redeem()
      assertAccessToken(licet(), tokens, { sub: account.id, clientId: app.clientId })
      await assert.rejects(device.redeem(), { error: 'invalid_grant' })
    })

    for (const auth of ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const) {
      test(`a service acts for itself by ${auth} with ${strict.name}`, async () => {
        const { app, credentials } = await register(licet(), {
          type: 'service',
          auth,
          scopes: ['data:read', 'llm:read'],
        })
        const client = await strict.connect(licet().issuer, credentials)
        const tokens = await client.clientCredentials({ scope: 'llm:read' })
        const claims = decodeJwt(tokens.access_token)
        assert.equal(tokens.refresh_token, undefined)
        assert.equal(claims.sub, app.clientId)
        assert.equal(claims['client_id'], app.clientId)
        assert.equal(claims['scope'], 'llm:read')
        assert.equal(claims['sid'], undefined)
        assert.equal((await client.introspect(tokens.access_token)).active, true)
        const standard = decodeJwt((await client.clientCredentials()).access_token)
        assert.deepEqual(String(standard['scope']).split(' ').sort(), ['data:read', 'llm:read'])
        await client.revoke(tokens.access_token)
        assert.equal((await client.introspect(tokens.access_token)).active, false)
      })
    }
  }

  test('a script of another origin sees no answer of the token endpoint', async () => {
    const { credentials } = await register(licet(), { type: 'spa', scopes: ['data:read'] })
    const account = await newAccount(licet().core)
    const [strict] = strictClients
    const client = await strict.connect(licet().issuer, credentials, {
      fetch: browserFetch('https://evil.example.test'),
    })
    const authorization = await client.authorize(CALLBACK, { scope: 'data:read' })
    const back = await new Person(licet().issuer).authorize(authorization.url.href, account)
    await assert.rejects(authorization.finish(back), /Failed to fetch|fetch/)
  })
})

interface Expected {
  readonly sub: string
  readonly clientId: string
}

function assertAccessToken(licet: Licet, tokens: Tokens, { sub, clientId }: Expected): void {
  const claims = decodeJwt(tokens.access_token)
  const { typ, alg } = decodeProtectedHeader(tokens.access_token)
  assert.deepEqual({ typ, alg }, { typ: 'at+jwt', alg: 'ES256' })
  const { iss, aud, sub: whose, client_id, acr, amr } = claims
  assert.deepEqual(
    { iss, aud, whose, client_id, acr, amr },
    {
      iss: licet.issuer,
      aud: `${licet.issuer}/api/v1`,
      whose: sub,
      client_id: clientId,
      acr: 'urn:licet:acr:1fa',
      amr: ['pwd'],
    },
  )
  assert.deepEqual(String(claims['scope']).split(' ').sort(), ['data:read', 'email', 'offline_access', 'openid'])
  assert.equal(tokens.scope, claims['scope'])
  assert.equal(Number(claims.exp) - Number(claims.iat), 900)
  for (const name of ['jti', 'auth_time', 'sid']) assert.ok(claims[name], name)
  assert.ok(Number(tokens['refresh_token_expires_in']) > 29 * 86_400)
}

async function usesAndLoses(client: StrictClient, tokens: Tokens, { id, email }: { id: string; email: string }) {
  const person = await client.userinfo(tokens.access_token, id)
  assert.equal(person['email'], email)
  assert.equal(person['name'], undefined)
  const refreshed = await client.refresh(tokens.refresh_token ?? '')
  assert.notEqual(refreshed.refresh_token, tokens.refresh_token)
  assert.equal(refreshed.scope, tokens.scope)
  await client.revoke(refreshed.refresh_token ?? '')
  await assert.rejects(client.refresh(refreshed.refresh_token ?? ''), { error: 'invalid_grant' })
  await assert.rejects(client.userinfo(refreshed.access_token, id))
  await assert.rejects(client.userinfo(tokens.access_token, id))
}

async function allowDevice(
  licet: Licet,
  device: { userCode: string; verificationUri: string; verificationUriComplete: string },
  account: { email: string },
): Promise<string> {
  assert.equal(device.verificationUri, `${licet.issuer}/device`)
  const person = new Person(licet.issuer)
  let visit = await person.open(device.verificationUri)
  // Typed as people type: lower case, without the dash.
  visit = await person.submit(visit, { user_code: device.userCode.toLowerCase().replace('-', '') }, '/device')
  assert.match(textOf(visit.body), new RegExp(device.userCode))
  visit = await person.submit(visit, { decision: 'allow' }, '/device')
  assert.ok(
    formsOf(visit.body).some(({ action }) => action.includes('/sign-in')),
    textOf(visit.body),
  )
  visit = await person.submit(visit, { email: account.email, password: PASSWORD }, '/sign-in')
  visit = await person.submit(visit, { decision: 'allow' }, '/consent')
  assert.equal(visit.status, 200)
  return visit.body
}
