/**
 * Identity assertions of an enterprise's own provider (ID-JAG, MCP enterprise-managed authorization): rows 35 to 42 of mcp.md, from the metadata to what a
 * person sees of it and ends.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { resources, TOOLS } from '../support/agents.ts'
import { callApi, newOwner, ownApp } from '../support/api.ts'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { type Bent, JWT_BEARER, startIssuer, type TestIssuer, trusting } from '../support/issuer.ts'
import { newAccount, operator } from '../support/licet.ts'
import { dpop, newKey } from '../support/proofs.ts'
import { onEveryStore } from '../support/stores.ts'

const idp: TestIssuer = await startIssuer()
after(() => idp.close())

onEveryStore(
  (licet) => {
    let client: AppClient
    let accountId = ''
    before(async () => {
      client = await registerApp(licet(), { scopes: ['data:read', 'mcp:read'], optionalScopes: ['data:write'] })
      const account = await newAccount(licet().core)
      accountId = account.id
      await licet().core.federation.links.link(operator, { issuer: idp.issuer, subject: 'ada', accountId })
    })
    const jag = (claims = {}, bent: Bent = {}) =>
      idp.sign(
        {
          sub: 'ada',
          aud: licet().issuer,
          client_id: client.clientId,
          resource: TOOLS,
          scope: 'data:read mcp:read',
          ...claims,
        },
        { ...bent, header: { typ: 'oauth-id-jag+jwt', ...bent.header } },
      )
    const redeem = async (assertion: string, params = {}, by = client) =>
      by.post('/token', { grant_type: JWT_BEARER, assertion, ...params })

    test('35: the metadata names the grant and the profile', async () => {
      const document = await fetch(`${licet().issuer}/.well-known/oauth-authorization-server`)
      const told = (await document.json()) as Record<string, string[]>
      assert.ok(told['grant_types_supported']?.includes(JWT_BEARER))
      assert.deepEqual(told['authorization_grant_profiles_supported'], ['urn:ietf:params:oauth:grant-profile:id-jag'])
    })

    test('36, 37, 39: an assertion for this app and a registered resource becomes a token for just that', async () => {
      const answer = await redeem(await jag())
      assert.equal(answer.status, 200, answer.text)
      const keys = createRemoteJWKSet(new URL(`${licet().issuer}/.well-known/jwks.json`))
      const { payload } = await jwtVerify(answer.body.access_token, keys, { issuer: licet().issuer, audience: TOOLS })
      assert.deepEqual(
        [payload.sub, payload['client_id'], payload['scope']],
        [accountId, client.clientId, 'data:read mcp:read'],
      )
      for (const claim of ['acr', 'auth_time', 'amr', 'sid', 'act']) assert.equal(claim in payload, false, claim)
      assert.deepEqual(Object.keys(answer.body).sort(), ['access_token', 'expires_in', 'scope', 'token_type'])
    })

    test('40: what comes out is asserted, asked and allowed; without a scope parameter it is what was asserted', async () => {
      const narrow = await redeem(await jag(), { scope: 'data:read data:write' })
      assert.equal(narrow.body['scope'], 'data:read')
      const beyond = await redeem(await jag({ scope: 'data:read mcp:write' }))
      assert.equal(beyond.body['scope'], 'data:read', 'mcp:write is nothing this app may have')
      assert.equal((await redeem(await jag(), { scope: 'mcp:write' })).body.error, 'invalid_scope')
      const unsaid = await redeem(await jag({ scope: undefined }))
      assert.equal(unsaid.body['scope'], 'mcp:read data:read', 'an assertion that says none means the standard ones')
    })

    test('the resource may be named once more, in any spelling, but no other', async () => {
      assert.equal(
        (await redeem(await jag({ resource: 'HTTPS://tools.example.test/mcp/' }), { resource: TOOLS })).status,
        200,
      )
      const other = await redeem(await jag(), { resource: `${licet().issuer}/api/v1` })
      assert.equal(other.body.error, 'invalid_target')
    })

    test('a proof binds the token to its key', async () => {
      const key = await newKey()
      const proof = { headers: { dpop: await dpop(key, `${licet().issuer}/token`) } }
      const answer = await client.post('/token', { grant_type: JWT_BEARER, assertion: await jag() }, proof)
      assert.deepEqual(
        [answer.body['token_type'], decodeJwt(answer.body.access_token)['cnf']],
        ['DPoP', { jkt: key.thumbprint }],
      )
    })

    test('an agent that an enterprise lets in says that it acts', async () => {
      const agent = await registerApp(licet(), { agent: true, scopes: ['data:read'], optionalScopes: [] })
      const answer = await redeem(await jag({ client_id: agent.clientId, scope: 'data:read' }), {}, agent)
      assert.deepEqual(decodeJwt(answer.body.access_token)['act'], { sub: agent.clientId })
    })

    test('42: an address links an account where the operator allows it and both sides have verified it, once for all', async () => {
      const { core } = licet()
      const grace = await newAccount(core)
      const claims = { sub: 'grace', email: grace.email.toUpperCase(), email_verified: true }
      const first = await redeem(await jag(claims))
      assert.equal(decodeJwt(first.body.access_token).sub, grace.id, first.text)
      const later = await redeem(await jag({ sub: 'grace' }))
      assert.equal(decodeJwt(later.body.access_token).sub, grace.id, 'from then on the link counts, not the address')
      assert.deepEqual(
        (await core.federation.links.list(grace.id)).map(({ subject, by }) => [subject, by]),
        [['grace', 'email']],
      )
      await core.federation.links.unlink(operator, { issuer: idp.issuer, subject: 'grace' })
      assert.equal((await redeem(await jag({ sub: 'grace' }))).body.error, 'invalid_grant')
    })

    for (const end of ['revocation', 'disabled', 'signed out everywhere', 'suspended'] as const) {
      test(`a token of an identity assertion ends by: ${end}`, async () => {
        const { core, issuer } = licet()
        const app = await registerApp(licet(), { scopes: ['data:read'], optionalScopes: [] })
        const server = await registerApp(licet(), { type: 'service', scopes: [], resourceServer: TOOLS })
        const someone = await newOwner(licet(), { app: await ownApp(licet()) })
        await core.federation.links.link(operator, {
          issuer: idp.issuer,
          subject: someone.accountId,
          accountId: someone.accountId,
        })
        const wish = { sub: someone.accountId, client_id: app.clientId, scope: 'data:read' }
        const token = (await redeem(await jag(wish), {}, app)).body.access_token
        assert.equal((await server.introspect(token)).body.active, true)
        if (end === 'revocation') await app.revoke(token)
        if (end === 'disabled') await core.accounts.disable(operator, someone.accountId, 'test')
        if (end === 'signed out everywhere') await core.accounts.signOutEverywhere(operator, someone.accountId)
        if (end === 'suspended') await core.apps.suspend(operator, app.clientId, 'test')
        const deadline = performance.now() + 3000
        while ((await server.introspect(token)).body.active)
          assert.ok(performance.now() < deadline, 'it was never refused')
        if (end === 'disabled') assert.equal((await redeem(await jag(wish), {}, app)).body.error, 'invalid_grant')
        assert.equal((await callApi(issuer, 'GET', '/api/v1/accounts/me', { token })).status, 401)
      })
    }

    test('the person finds in the activity what the enterprise allowed', async () => {
      await redeem(await jag())
      const { items } = await licet().core.store.read(accountId, { limit: 100 })
      const entry = items.map(({ record }) => record).find(({ event }) => event === 'grant.asserted')
      assert.deepEqual(
        [entry?.['subject'], entry?.['details']],
        [client.clientId, { issuer: idp.issuer, resource: TOOLS, scopes: ['data:read', 'mcp:read'] }],
      )
    })
  },
  {
    file: { ...trusting(idp, { id_jag: { apps: ['*'], link_by_email: true } }), resources },
  },
)
