/**
 * MCP servers that developers bring: registered over the API, tokens of other people are for them and for nothing else, and what is not proven or was
 * removed gets none. On every store.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { callApi, newOwner, type Owner, TEN } from '../support/api.ts'
import { newPerson, registerApp } from '../support/app-client.ts'
import { onEveryStore } from '../support/stores.ts'

const CONFIGURED = 'https://mcp.ours.example/mcp'
const ROOM = '/api/v1/resources'
const body = (identifier: string, more: object = {}) => ({
  name: 'Search',
  identifier,
  scopes: ['mcp:read', 'mcp:write'],
  default_scopes: ['mcp:read'],
  ...more,
})
let port = 20_000
const loopback = () => `http://127.0.0.1:${++port}/mcp`
const bring = (owner: Owner, identifier: string, more: object = {}) =>
  owner.call('POST', ROOM, { json: body(identifier, more) })

onEveryStore(
  (licet) => {
    test('tokens of other people are for the resource that was brought, however it is spelled, until it is removed', async () => {
      const dev = await newOwner(licet())
      const identifier = loopback()
      const made = await bring(dev, identifier)
      assert.deepEqual([made.status, made.body.state, made.body.proven.by], [201, 'live', 'loopback'])
      assert.equal(made.body.metadata.document.resource, identifier)
      assert.deepEqual(made.body.metadata.document.authorization_servers, [licet().issuer])
      const app = await registerApp(licet(), { scopes: ['mcp:read', 'data:read'], optionalScopes: ['mcp:write'] })
      const { person, email } = await newPerson(licet())
      for (const spelled of [identifier, `${identifier}/`, identifier.replace('http:', 'HTTP:')]) {
        const pending = await app.obtainCode(person, email, { scope: 'mcp:read', resource: spelled })
        const { body: tokens } = await app.redeem(pending, { resource: identifier })
        const { aud, scope } = decodeJwt(tokens.access_token)
        assert.deepEqual([aud, scope], [identifier, 'mcp:read'], spelled)
      }
      const plain = await app.redeem(await app.obtainCode(person, email, { scope: undefined, resource: identifier }))
      assert.equal(decodeJwt(plain.body.access_token)['scope'], 'mcp:read')
      const elsewhere = await callApi(licet().issuer, 'GET', '/api/v1/accounts/me', { token: plain.body.access_token })
      assert.equal(elsewhere.status, 401)
      assert.equal((await app.refresh(plain.body.refresh_token, { resource: identifier })).status, 200)
      const { body: kept } = await app.redeem(
        await app.obtainCode(person, email, { scope: 'mcp:read', resource: identifier }),
      )
      assert.equal((await dev.call('DELETE', `${ROOM}/${made.body.id}`)).status, 204)
      const deadline = performance.now() + 1100
      let late = await app.refresh(kept.refresh_token)
      while (performance.now() < deadline && late.status === 200) late = await app.refresh(late.body.refresh_token)
      assert.deepEqual([late.status, late.body.error], [400, 'invalid_target'])
    })

    test('attack: no token names a resource that is not proven, not even its developer’s', async () => {
      const dev = await newOwner(licet())
      const identifier = 'https://mcp.victim.example/mcp'
      const made = await bring(dev, identifier)
      assert.equal(made.body.state, 'unproven')
      assert.match(made.body.challenge.txt.name, /^_licet-challenge\.mcp\.victim\.example$/)
      const app = await registerApp(licet(), { scopes: ['mcp:read'] })
      const asked = { scope: 'mcp:read', resource: identifier }
      await assert.rejects(app.obtainCode(dev.person, dev.email, asked), /invalid_target/)
      const machine = await registerApp(licet(), { type: 'service', scopes: ['mcp:read'] })
      const answer = await machine.post('/token', { grant_type: 'client_credentials', resource: identifier })
      assert.equal(answer.body.error, 'invalid_target')
    })

    test('attack: a stored resource does not shadow a configured one, nor this server', async () => {
      const mallory = await newOwner(licet())
      for (const identifier of [CONFIGURED, `${CONFIGURED}/`, `${licet().issuer}/api/v1`, `${licet().issuer}/other`])
        assert.equal((await bring(mallory, identifier)).status, 400, identifier)
      const value = {
        ...body(CONFIGURED),
        ownerId: mallory.accountId,
        state: 'live',
        claim: CONFIGURED,
        createdAt: 0,
        updatedAt: 0,
      }
      await licet().core.store.put(
        'resource',
        { id: 'forced', value: { ...value, defaultScopes: ['mcp:write'] } },
        'create',
      )
      const app = await registerApp(licet(), { scopes: [], optionalScopes: [] })
      const { person, email } = await newPerson(licet())
      const { body: tokens } = await app.redeem(
        await app.obtainCode(person, email, { scope: undefined, resource: CONFIGURED }),
      )
      assert.equal(decodeJwt(tokens.access_token)['scope'], 'mcp:read')
    })

    test('attack: resources of others are not there, and what only the server decides cannot be sent', async () => {
      const [dev, mallory] = [await newOwner(licet()), await newOwner(licet())]
      const { body: made } = await bring(dev, loopback())
      const path = `${ROOM}/${made.id}`
      for (const [method, more] of [
        ['GET', {}],
        ['PATCH', { json: { name: 'Mine' } }],
        ['DELETE', {}],
      ] as const)
        assert.equal((await mallory.call(method, path, more)).status, 404, method)
      assert.equal((await mallory.call('POST', `${path}/prove`)).status, 404)
      for (const field of ['state', 'owner', 'claim', 'proven', 'id'])
        assert.equal((await bring(dev, loopback(), { [field]: 'live' })).status, 400, field)
      assert.equal((await dev.call('PATCH', path, { json: { identifier: loopback() } })).status, 400)
      assert.equal((await bring(dev, loopback(), { scopes: ['api:admin'] })).status, 400)
      assert.equal((await mallory.call('GET', '/api/v1/admin/resources')).status, 403)
      assert.equal((await mallory.call('POST', `/api/v1/admin/resources/${made.id}/allow`)).status, 403)
      const admin = await newOwner(licet(), { scope: TEN, account: { role: 'administrator' } })
      const listed = await admin.call('GET', '/api/v1/admin/resources?state=live')
      assert.ok(listed.body.items.some(({ id }: { id: string }) => id === made.id))
      const refused = await admin.call('POST', `/api/v1/admin/resources/${made.id}/refuse`, {
        json: { reason: 'Abuse' },
      })
      assert.deepEqual([refused.status, refused.body.state], [200, 'refused'])
      assert.equal((await dev.call('DELETE', path)).status, 403)
    })
  },
  {
    file: { resources: [{ identifier: CONFIGURED, name: 'Ours', scopes: ['mcp:read'], default_scopes: ['mcp:read'] }] },
  },
)
