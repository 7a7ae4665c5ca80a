/**
 * Custom claims through the whole server: where they come from, which source wins (the table in src/oidc/claims.ts), what the claims hook is
 * asked and may not do, and that the protocol's own claims are never anybody else's.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { type Licet, newAccount, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'
import { type Delivery, type Receiver, type Reply, reachReceivers, startReceiver } from '../support/receiver.ts'
import { CALLBACK, register } from '../support/registered.ts'
import { type StrictClient, strictClients, type Tokens } from '../support/strict-client.ts'

const SECRET = 'the hook and the server share this'
const REGIONAL = 'https://regional.example.test'

/** Every name is set by as many sources as the title of its test says. */
const accessToken = {
  plan: 'account.attributes.plan',
  tier: 'app.metadata.tier',
  region: { constant: 'eu' },
  nested: 'account.attributes.team.name',
  absent: 'account.attributes.nothing',
  'https://example.test/list': { constant: ['a', 'b'] },
}

let receiver: Receiver
let licet: Licet
let omitting: Licet
let plain: Licet
before(async () => {
  receiver = await startReceiver()
  const shared = {
    ...reachReceivers(),
    resources: [
      {
        identifier: REGIONAL,
        scopes: ['data:read'],
        claims: { region: { constant: 'us' }, only: { constant: 'here' } },
      },
    ],
  }
  const hook = { url: `${receiver.url}/claims`, timeout: '400ms', secret: SECRET }
  const person = { id_token: { plan: 'account.attributes.plan' }, userinfo: { seat: 'account.attributes.seat' } }
  const start = (more: object) =>
    startLicet({ file: { ...shared, claims: { access_token: accessToken, ...person, ...more } } })
  licet = await start({ hook })
  omitting = await start({ hook: { ...hook, on_error: 'omit' } })
  plain = await start({})
})
after(async () => {
  await Promise.all([licet, omitting, plain].map((server) => server?.close()))
  await receiver.close()
})
const quiet: Reply = () => ({ body: { claims: {} } })
beforeEach(() => {
  receiver.reply = quiet
  receiver.deliveries.length = 0
})

interface Obtained {
  readonly client: StrictClient
  readonly tokens: Tokens
  readonly account: { readonly id: string; readonly email: string }
  readonly clientId: string
}

async function obtain(
  server: Licet,
  { attributes = {}, metadata = {}, params = {} }: { attributes?: object; metadata?: object; params?: object } = {},
): Promise<Obtained> {
  const { app, credentials } = await register(server, { scopes: ['data:read'], metadata })
  const account = await newAccount(server.core, undefined, { attributes })
  const client = await strictClients[0].connect(server.issuer, credentials)
  const authorization = await client.authorize(CALLBACK, { scope: 'openid data:read', ...params })
  const tokens = await authorization.finish(await new Person(server.issuer).authorize(authorization.url.href, account))
  return { client, tokens, account, clientId: app.clientId }
}

const attributes = { plan: 'pro', seat: '12A', team: { name: 'Analysts', secret: 'no' } }
const claimsOf = ({ access_token }: Tokens) => decodeJwt<Record<string, unknown>>(access_token)

test('claims come from the account, from the app and from the configuration, and stay through a refresh', async () => {
  const { tokens, client, account } = await obtain(plain, { attributes, metadata: { tier: 'gold' } })
  for (const { access_token } of [tokens, await client.refresh(tokens.refresh_token ?? '')]) {
    const claims = decodeJwt<Record<string, unknown>>(access_token)
    const { plan, tier, region, nested } = claims
    assert.deepEqual({ plan, tier, region, nested }, { plan: 'pro', tier: 'gold', region: 'eu', nested: 'Analysts' })
    assert.deepEqual(claims['https://example.test/list'], ['a', 'b'])
    assert.equal('absent' in claims, false)
  }
  const idToken = decodeJwt<Record<string, unknown>>(tokens.id_token ?? '')
  assert.equal(idToken['plan'], 'pro')
  assert.equal('region' in idToken, false)
  const person = await client.userinfo(tokens.access_token, account.id)
  assert.equal(person['seat'], '12A')
  assert.equal('plan' in person, false)
})

test('a claim follows the account: what was changed stands in the next token', async () => {
  const { tokens, client, account } = await obtain(plain, { attributes })
  await plain.core.accounts.setAttributes({ kind: 'operator' }, account.id, { plan: 'free' })
  assert.equal(claimsOf(await client.refresh(tokens.refresh_token ?? ''))['plan'], 'free')
})

test('the claims of a resource count over those of every access token', async () => {
  const { tokens } = await obtain(plain, { attributes, params: { resource: REGIONAL } })
  const { region, only, plan, aud } = claimsOf(tokens)
  assert.deepEqual({ region, only, plan, aud }, { region: 'us', only: 'here', plan: 'pro', aud: REGIONAL })
})

test('a service has no account: its tokens hold what comes from the app and the configuration', async () => {
  const { credentials } = await register(plain, { type: 'service', scopes: ['data:read'], metadata: { tier: 'bulk' } })
  const client = await strictClients[1].connect(plain.issuer, credentials)
  const claims = claimsOf(await client.clientCredentials())
  assert.deepEqual([claims['tier'], claims['region'], 'plan' in claims], ['bulk', 'eu', false])
})

test('precedence: protocol over constant over hook over app over account', async () => {
  receiver.reply = () => ({
    body: { claims: { plan: 'from the hook', tier: 'from the hook', region: 'from the hook', extra: { deep: [1] } } },
  })
  const { tokens } = await obtain(licet, { attributes, metadata: { tier: 'from the app' } })
  const { plan, tier, region, extra } = claimsOf(tokens)
  assert.deepEqual(
    { plan, tier, region, extra },
    { plan: 'from the hook', tier: 'from the hook', region: 'eu', extra: { deep: [1] } },
  )
})

test('the hook cannot set a claim of the protocol, in whatever form it comes', async () => {
  const forged = {
    iss: 'https://evil.example.test',
    sub: 'somebody-else',
    aud: 'https://other.example.test',
    exp: 4_102_444_800,
    nbf: 1,
    iat: 1,
    jti: 'forged',
    client_id: 'forged',
    scope: 'api:admin',
    auth_time: 1,
    acr: 'phr',
    amr: ['mfa'],
    sid: 'forged',
    act: { sub: 'forged' },
    cnf: { jkt: 'forged' },
    authorization_details: [{ type: 'forged' }],
  }
  receiver.reply = () => ({ body: { claims: { ...forged, ['__proto__']: { polluted: true }, honest: true } } })
  const { tokens, account, clientId } = await obtain(licet, { attributes })
  const claims = claimsOf(tokens)
  for (const [name, value] of Object.entries(forged)) assert.notDeepEqual(claims[name], value, name)
  const { iss, sub, aud, client_id, acr } = claims
  assert.deepEqual(
    { iss, sub, aud, client_id, acr, honest: claims['honest'] },
    {
      iss: licet.issuer,
      sub: account.id,
      aud: `${licet.issuer}/api/v1`,
      client_id: clientId,
      acr: 'urn:licet:acr:1fa',
      honest: true,
    },
  )
  for (const name of ['nbf', 'act', 'cnf', 'authorization_details', '__proto__', 'polluted'])
    assert.equal(Object.hasOwn(claims, name), false, name)
  assert.equal(decodeProtectedHeader(tokens.access_token).typ, 'at+jwt')
})

test('the hook is told for whom, for which app, grant, resource and scopes, under a signature over the body', async () => {
  const { tokens, client, account, clientId } = await obtain(licet, { attributes, metadata: { tier: 'gold' } })
  await client.refresh(tokens.refresh_token ?? '')
  assert.equal(receiver.deliveries.length, 2)
  const [first, second] = receiver.deliveries as [Delivery, Delivery]
  assert.deepEqual([first.method, first.path, first.headers['content-type']], ['POST', '/claims', 'application/json'])
  for (const { headers, body } of [first, second]) {
    const expected = createHmac('sha256', SECRET).update(body).digest('hex')
    assert.equal(headers['x-licet-signature'], `sha256=${expected}`)
    assert.equal(body.includes('$argon2'), false)
  }
  assert.deepEqual(JSON.parse(first.body), {
    account: { id: account.id, email: account.email, email_verified: true, attributes },
    app: { client_id: clientId, name: 'Notes', type: 'web', metadata: { tier: 'gold' } },
    grant_type: 'authorization_code',
    resource: `${licet.issuer}/api/v1`,
    scopes: ['openid', 'data:read'],
  })
  assert.equal(JSON.parse(second.body).grant_type, 'refresh_token')
})

/** What a strict client throws at an answer of 503: the answer is its cause. */
function unavailable({ cause }: { cause?: unknown }): boolean {
  assert.ok(cause instanceof Response)
  assert.equal(cause.status, 503)
  assert.ok(Number(cause.headers.get('retry-after')) > 0)
  return true
}

/** Everything a hook may do instead of answering. */
const failures: readonly [title: string, reply: Reply][] = [
  ['answers 500', () => ({ status: 500, body: { claims: { extra: 1 } } })],
  ['answers 204', () => ({ status: 204 })],
  ['redirects', () => ({ status: 302 })],
  ['answers no JSON', () => ({})],
  ['answers no claims', () => ({ body: { extra: 1 } })],
  ['answers claims that are a list', () => ({ body: { claims: ['extra'] } })],
  ['answers more than it may', () => ({ body: { claims: { extra: 'x'.repeat(4096) } } })],
  ['is late', () => new Promise((resolve) => setTimeout(() => resolve({ body: { claims: { extra: 1 } } }), 700))],
]
for (const [title, reply] of failures) {
  test(`a hook that ${title} fails the token in time, and the code still works afterwards`, async () => {
    const { credentials } = await register(licet, { scopes: ['data:read'] })
    const account = await newAccount(licet.core)
    const client = await strictClients[0].connect(licet.issuer, credentials)
    const authorization = await client.authorize(CALLBACK, { scope: 'data:read' })
    const back = await new Person(licet.issuer).authorize(authorization.url.href, account)
    receiver.reply = reply
    const begun = performance.now()
    await assert.rejects(authorization.finish(back), unavailable)
    assert.ok(performance.now() - begun < 1500)
    assert.match(licet.log.at(-1) ?? '', /The claims for this token could not be obtained/)
    receiver.reply = quiet
    const tokens = await authorization.finish(back)
    assert.ok(tokens.access_token)
    receiver.reply = reply
    await assert.rejects(client.refresh(tokens.refresh_token ?? ''), unavailable)
    receiver.reply = quiet
    assert.ok((await client.refresh(tokens.refresh_token ?? '')).access_token)
  })
}

test('a hook that may be left out costs its deadline and its claims, nothing else', async () => {
  const { tokens, client } = await obtain(omitting, { attributes })
  for (const [title, reply] of failures) {
    receiver.reply = reply
    const claims = claimsOf(await client.refresh(tokens.refresh_token ?? '', {}).then(remember))
    assert.deepEqual([claims['plan'], claims['region'], 'extra' in claims], ['pro', 'eu', false], title)
    assert.match(omitting.log.at(-1) ?? '', /the claims hook failed/)
  }
  function remember(refreshed: Tokens): Tokens {
    Object.assign(tokens, { refresh_token: refreshed.refresh_token })
    return refreshed
  }
})

test('ID tokens are ES256 unless the app asks for RS256, and hold who, when and how', async () => {
  for (const alg of ['ES256', 'RS256'] as const) {
    const { app, credentials } = await register(plain, { scopes: ['data:read'], idTokenSignedResponseAlg: alg })
    const account = await newAccount(plain.core, undefined, { attributes })
    for (const { connect } of strictClients) {
      const client = await connect(plain.issuer, credentials)
      const authorization = await client.authorize(CALLBACK, { scope: 'openid profile email data:read' })
      const back = await new Person(plain.issuer).authorize(authorization.url.href, account)
      const { id_token = '', access_token } = await authorization.finish(back)
      assert.equal(decodeProtectedHeader(id_token).alg, alg)
      assert.equal(decodeProtectedHeader(access_token).alg, 'ES256')
      const claims = decodeJwt<Record<string, unknown>>(id_token)
      assert.equal(Number(claims.exp) - Number(claims.iat), 3600)
      const { sub, aud, acr, amr, email, email_verified, name, plan } = claims
      assert.deepEqual(
        { sub, aud, acr, amr, email, email_verified, name, plan },
        {
          sub: account.id,
          aud: app.clientId,
          acr: 'urn:licet:acr:1fa',
          amr: ['pwd'],
          email: account.email,
          email_verified: true,
          name: 'Ada Lovelace',
          plan: 'pro',
        },
      )
      assert.equal(claims['sid'], decodeJwt(access_token)['sid'])
      assert.equal(claims['auth_time'], decodeJwt(access_token)['auth_time'])
    }
  }
})
