/**
 * Agents and those who act for them: an agent's own token, a chain of exchanges (RFC 8693), what every one of them may do, and what ends them.
 */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { ACCESS_TOKEN, type Cast, exchange, newCast, RECORDS, resources, signIn, TOOLS } from '../support/agents.ts'
import { callApi, newOwner, ownApp } from '../support/api.ts'
import { appClient, basic, registerApp } from '../support/app-client.ts'
import { operator } from '../support/licet.ts'
import { textOf } from '../support/person.ts'
import { dpop, newKey } from '../support/proofs.ts'
import { onEveryStore } from '../support/stores.ts'

onEveryStore(
  (licet) => {
    let cast: Cast
    before(async () => {
      cast = await newCast(licet())
    })

    test("an agent's token says that it acts for the person, also after a refresh", async () => {
      const { scout, ada } = cast
      const tokens = await signIn(cast)
      const refreshed = await scout.refresh(tokens.refresh_token)
      for (const token of [tokens.access_token, refreshed.body.access_token]) {
        const { sub, act, client_id } = decodeJwt(token)
        assert.deepEqual([sub, act, client_id], [ada.accountId, { sub: scout.clientId }, scout.clientId])
      }
      const notes = await registerApp(licet())
      const plain = await notes.redeem(await notes.obtainCode(ada.person, ada.email))
      assert.equal('act' in decodeJwt(plain.body.access_token), false)
    })

    test('an agent is not the person: it makes no keys, however recent the sign-in', async () => {
      const { issuer } = licet()
      const app = await registerApp(licet(), { firstParty: true, agent: true, scopes: ['api:read', 'api:write'] })
      const agent = await newOwner(licet(), { app, scope: ['api:read', 'api:write'] })
      const person = await newOwner(licet(), { app: await ownApp(licet()) })
      const wish = { json: { name: 'Deploy', scopes: ['api:read'] } }
      assert.equal((await agent.call('POST', '/api/v1/keys', wish)).body.code, 'insufficient_user_authentication')
      assert.equal((await person.call('POST', '/api/v1/keys', wish)).status, 201)
      assert.equal((await callApi(issuer, 'GET', '/api/v1/keys', { token: agent.token })).status, 200)
    })

    test('a tool server acts for the agent, the next one for the tool server, and the token names them all', async () => {
      const { scout, tools, records, ada } = cast
      const { access_token: token } = await signIn(cast)
      const first = await exchange(tools, token, { resource: RECORDS })
      assert.equal(first.status, 200, first.text)
      assert.deepEqual(
        { ...first.body, access_token: '' },
        {
          access_token: '',
          issued_token_type: ACCESS_TOKEN,
          token_type: 'Bearer',
          expires_in: 600,
          scope: 'data:read',
        },
      )
      const subject = decodeJwt(token)
      const one = decodeJwt(first.body.access_token)
      assert.deepEqual(
        [one.sub, one.aud, one['client_id'], one['act']],
        [ada.accountId, RECORDS, tools.clientId, { sub: tools.clientId, act: { sub: scout.clientId } }],
      )
      for (const claim of ['auth_time', 'acr', 'amr', 'sid'])
        assert.deepEqual(one[claim], subject[claim], `${claim} is carried as it was`)

      const second = await exchange(records, first.body.access_token, { scope: 'data:read' })
      const two = decodeJwt(second.body.access_token)
      assert.deepEqual(two['act'], { sub: records.clientId, act: one['act'] })
      assert.deepEqual([two.aud, two['exchanged_from']], [RECORDS, [one.jti, subject.jti]])
      assert.ok(Number(two.exp) <= Number(one.exp))
      for (const who of [records, tools])
        assert.equal((await who.introspect(first.body.access_token)).body.active, true, who.clientId)
      assert.deepEqual((await scout.introspect(first.body.access_token)).body, { active: false })
    })

    test('may_act in a token names the one app that may act with it, whatever it is meant for', async () => {
      const { ada, records } = cast
      const tools = await registerApp(licet(), { type: 'service', scopes: ['data:read'] })
      const notes = await registerApp(licet(), { mayAct: tools.clientId, scopes: ['data:read'], optionalScopes: [] })
      const { body } = await notes.redeem(await notes.obtainCode(ada.person, ada.email))
      assert.deepEqual(decodeJwt(body.access_token)['may_act'], { sub: tools.clientId })
      const made = await exchange(tools, body.access_token, { audience: RECORDS })
      assert.equal(made.status, 200, made.text)
      assert.equal('may_act' in decodeJwt(made.body.access_token), false)
      assert.equal((await exchange(records, body.access_token)).body.error, 'invalid_request')
    })

    test('an actor token of the app itself may come along', async () => {
      const { tools } = cast
      const { access_token: token } = await signIn(cast)
      const own = await tools.post('/token', { grant_type: 'client_credentials', scope: 'mcp:read' })
      const params = { actor_token: own.body.access_token, actor_token_type: ACCESS_TOKEN, resource: RECORDS }
      const made = await exchange(tools, token, params)
      assert.equal(made.status, 200, made.text)
    })

    test('a service acts for a service: the token speaks for the one that it was issued to', async () => {
      const { tools } = cast
      const robot = await registerApp(licet(), { type: 'service', scopes: ['mcp:read', 'data:read'] })
      const open = await registerApp(licet(), {
        type: 'service',
        scopes: ['data:read'],
        resourceServer: TOOLS,
        actsFor: [robot.clientId],
      })
      const { body } = await robot.post('/token', { grant_type: 'client_credentials', resource: TOOLS })
      const made = await exchange(open, body.access_token, { resource: RECORDS })
      assert.equal(made.status, 200, made.text)
      const { sub, act } = decodeJwt(made.body.access_token)
      assert.deepEqual([sub, act], [robot.clientId, { sub: open.clientId }])
      assert.equal((await exchange(tools, body.access_token)).body.error, 'invalid_request')
      await licet().core.apps.suspend(operator, robot.clientId, 'test')
      await until(async () => (await open.introspect(made.body.access_token)).body.active === false)
    })

    test('a bound token stays bound to its key through the exchange', async () => {
      const { scout, tools, ada } = cast
      const key = await newKey()
      const url = `${licet().issuer}/token`
      const headers = async () => ({ headers: { dpop: await dpop(key, url) } })
      const pending = await scout.obtainCode(ada.person, ada.email, { scope: 'data:read mcp:read', resource: TOOLS })
      const { body } = await scout.redeem(pending, { resource: TOOLS }, await headers())
      const made = await exchange(tools, body.access_token, { resource: RECORDS }, await headers())
      assert.equal(made.status, 200, made.text)
      assert.deepEqual(decodeJwt(made.body.access_token)['cnf'], { jkt: key.thumbprint })
      assert.equal(made.body['token_type'], 'DPoP')
    })

    for (const end of ['consent', 'grant', 'revocation', 'account', 'actor', 'first actor', 'session'] as const) {
      test(`what ends by ${end} ends every token exchanged from it, at introspection and at the API`, async () => {
        const { core, issuer } = licet()
        const { scout, tools, records, ada } = await newCast(licet())
        const api = await registerApp(licet(), {
          type: 'service',
          scopes: ['data:read'],
          resourceServer: `${issuer}/api/v1`,
        })
        const tokens = await signIn({ scout, ada })
        const first = (await exchange(tools, tokens.access_token, { resource: RECORDS })).body.access_token
        const last = (await exchange(records, first)).body.access_token
        const atApi = (await exchange(records, first, { resource: `${issuer}/api/v1` })).body.access_token
        const console = await ownApp(licet())
        const { body } = await console.redeem(
          await console.obtainCode(ada.person, ada.email, { scope: 'api:read api:write' }),
        )
        const own = (method: string, path: string) => callApi(issuer, method, path, { token: body.access_token })
        const me = () => callApi(issuer, 'GET', '/api/v1/accounts/me', { token: atApi })
        assert.equal((await me()).status, 200)
        assert.equal((await records.introspect(last)).body.active, true)
        if (end === 'revocation') await scout.revoke(tokens.access_token)
        if (end === 'grant') await scout.revoke(tokens.refresh_token)
        if (end === 'account') await core.accounts.disable(operator, ada.accountId, 'test')
        if (end === 'actor') await core.apps.suspend(operator, records.clientId, 'test')
        if (end === 'first actor') await core.apps.suspend(operator, scout.clientId, 'test')
        if (end === 'session') await own('DELETE', `/api/v1/sessions/${decodeJwt(atApi)['sid']}`)
        if (end === 'consent') {
          const { items } = (await own('GET', '/api/v1/grants')).body
          const connected = items.find((one: { client_id: string }) => one.client_id === scout.clientId)
          await own('DELETE', `/api/v1/grants/${connected.id}`)
        }
        await until(async () => (await me()).status === 401)
        if (end !== 'actor') assert.deepEqual((await records.introspect(last)).body, { active: false })
        assert.deepEqual((await api.introspect(atApi)).body, { active: false })
      })
    }

    test('what a service does by itself, its owner reads, and nobody else', async () => {
      const { issuer } = licet()
      const owner = await newOwner(licet(), { app: await ownApp(licet()) })
      const wish = { name: 'Robot', type: 'service', scopes: ['data:read'] }
      const made = (await owner.call('POST', '/api/v1/apps', { json: wish })).body
      const robot = appClient({
        issuer,
        clientId: made.client_id,
        secret: made.client_secret,
        proof: basic(made.client_id, made.client_secret),
      })
      for (let use = 0; use < 3; use += 1)
        assert.equal((await robot.post('/token', { grant_type: 'client_credentials' })).status, 200)
      const path = `/api/v1/apps/${made.client_id}/activity`
      const { items } = (await owner.call('GET', path)).body
      assert.deepEqual(
        items.map(({ event, details }: { event: string; details: object }) => [event, details]),
        [['app.token_issued', { resource: `${issuer}/api/v1`, scopes: ['data:read'], proof: 'own' }]],
      )
      const stranger = await newOwner(licet(), { app: await ownApp(licet()) })
      assert.equal((await stranger.call('GET', path)).status, 404)
    })

    test('a person sees which app is an agent, and who acts through it', async () => {
      const { scout, tools, ada } = await newCast(licet())
      const { access_token: token } = await signIn({ scout, ada })
      await exchange(tools, token, { resource: RECORDS })
      const apps = textOf((await ada.person.open('/settings/apps')).body)
      assert.match(apps, /Acts by itself, also while you are away\./)
      assert.match(apps, /Also act for you through it: Tools/)
      const activity = textOf((await ada.person.open('/settings/activity')).body)
      assert.match(activity, /An app acted for you/)
      assert.match(activity, /Tools acting for you/)
    })

    test('who acted for whom stands in the activity of the person', async () => {
      const { scout, tools, ada } = cast
      const acts = async () =>
        (await licet().core.store.read(ada.accountId, { limit: 200 })).items
          .map(({ record }) => record)
          .filter(({ event }) => event === 'agent.acted')
      const before = (await acts()).length
      const { access_token: token } = await signIn(cast)
      await exchange(tools, token, { resource: RECORDS })
      await exchange(tools, token, { resource: RECORDS })
      const acted = await acts()
      assert.equal(acted.length, before + 1, 'the same act again is not a new entry')
      const newest = acted[0] as { subject: string; details: object }
      assert.equal(newest.subject, tools.clientId)
      assert.deepEqual(newest.details, {
        through: scout.clientId,
        actors: [tools.clientId, scout.clientId],
        resource: RECORDS,
        scopes: ['data:read'],
      })
    })
  },
  { file: { resources } },
)

/** Other processes learn of a suspended app within a second. */
async function until(fits: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 3000
  while (!(await fits())) if (performance.now() > deadline) throw new Error('it did not come to pass')
}
