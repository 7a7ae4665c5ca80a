/**
 * Programs without a stored secret: a CI job shows the token that its own system signed for it and is a service app here (RFC 7523 §2.1, §2.2; mcp.md 45).
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { ACCESS_TOKEN, EXCHANGE, newCast, resources, signIn, TOOLS } from '../support/agents.ts'
import { callApi } from '../support/api.ts'
import { type AppClient, appClient, nobody, registerApp } from '../support/app-client.ts'
import { JWT_BEARER, startIssuer, type TestIssuer, trusting } from '../support/issuer.ts'
import { ASSERTION_TYPE, dpop, newKey } from '../support/proofs.ts'
import { onEveryStore } from '../support/stores.ts'

const SUBJECT = 'repo:acme/app:ref:refs/heads/main'
let time = Date.now()
const ci: TestIssuer = await startIssuer(() => time)
after(() => ci.close())

const app = (clientId: string, more = {}) => ({
  client_id: clientId,
  name: clientId,
  type: 'service',
  auth: 'workload_identity',
  scopes: ['data:read', 'data:write', 'mcp:read'],
  ...more,
})

const file = {
  ...trusting(ci, {
    workloads: [
      { app: 'deploy', subject: 'repo:acme/app:ref:refs/heads/*', scopes: ['data:read', 'data:write'] },
      { app: 'nightly', subject: 'repo:acme/*:environment:nightly', claims: { repository_owner_id: '42' } },
      { app: 'tools', subject: 'system:serviceaccount:tools:tools', scopes: ['data:read'] },
    ],
  }),
  apps: [app('deploy'), app('nightly'), app('tools', { resource_server: TOOLS, acts_for: ['*'] })],
  resources,
}

onEveryStore(
  (licet) => {
    let nameless: AppClient
    before(() => {
      nameless = appClient({ issuer: licet().issuer, clientId: '', secret: undefined, proof: nobody })
    })
    const post = (params: Record<string, string | undefined>, sending = {}) =>
      nameless.post('/token', { client_id: undefined, ...params }, sending)
    const job = (more = {}) => ci.sign({ sub: SUBJECT, aud: licet().issuer, ...more })

    test('a job shows its assertion as a grant, without naming an app, and acts as the bound one', async () => {
      const answer = await post({ grant_type: JWT_BEARER, assertion: await job() })
      assert.equal(answer.status, 200, answer.text)
      const { sub, client_id, aud, act } = decodeJwt(answer.body.access_token)
      assert.deepEqual([sub, client_id, aud, act], ['deploy', 'deploy', `${licet().issuer}/api/v1`, undefined])
      assert.equal(answer.body['scope'], 'data:read data:write', 'the binding leaves mcp:read out')
      assert.equal('refresh_token' in answer.body, false)
      const me = await callApi(licet().issuer, 'GET', '/api/v1/accounts/me', { token: answer.body.access_token })
      assert.equal(me.status, 200, me.text)
      assert.equal(me.body.account, null)
    })

    test('the same assertion proves the app at the token endpoint, and everywhere else an app proves itself', async () => {
      const proof = async () => ({ client_assertion: await job(), client_assertion_type: ASSERTION_TYPE })
      const answer = await post({ grant_type: 'client_credentials', scope: 'data:read', ...(await proof()) })
      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.body['scope'], 'data:read')
      const token = answer.body.access_token
      const seen = await nameless.post('/introspect', { client_id: undefined, token, ...(await proof()) })
      assert.equal(seen.body.active, true, seen.text)
      assert.equal((await nameless.post('/revoke', { client_id: 'deploy', token, ...(await proof()) })).status, 200)
      const gone = await nameless.post('/introspect', { client_id: undefined, token, ...(await proof()) })
      assert.deepEqual(gone.body, { active: false })
    })

    test('claims say who it is as well as the subject does, and a resource gets what the binding leaves', async () => {
      const nightly = { sub: 'repo:acme/other:environment:nightly', repository_owner_id: '42' }
      const answer = await post({ grant_type: JWT_BEARER, assertion: await job(nightly), resource: TOOLS })
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(
        [decodeJwt(answer.body.access_token).sub, answer.body['scope']],
        ['nightly', 'mcp:read data:read data:write'],
      )
      const narrow = await post({ grant_type: JWT_BEARER, assertion: await job(), scope: 'mcp:read' })
      assert.equal(narrow.body.error, 'invalid_scope')
    })

    test('a workload binds its tokens to a key, and exchanges what it was called with', async () => {
      const key = await newKey()
      const headers = { dpop: await dpop(key, `${licet().issuer}/token`) }
      const bound = await post({ grant_type: JWT_BEARER, assertion: await job() }, { headers })
      assert.deepEqual(decodeJwt(bound.body.access_token)['cnf'], { jkt: key.thumbprint })

      const cast = await newCast(licet())
      const { access_token: subject } = await signIn(cast)
      const assertion = await job({ sub: 'system:serviceaccount:tools:tools' })
      const made = await post({
        grant_type: EXCHANGE,
        subject_token: subject,
        subject_token_type: ACCESS_TOKEN,
        client_assertion: assertion,
        client_assertion_type: ASSERTION_TYPE,
      })
      assert.equal(made.status, 200, made.text)
      assert.deepEqual(decodeJwt(made.body.access_token)['act'], { sub: 'tools', act: { sub: cast.scout.clientId } })
      assert.equal(made.body['scope'], 'data:read')
    })

    test('metadata lists the grant, and an app of another kind is never a workload', async () => {
      const document = await fetch(`${licet().issuer}/.well-known/oauth-authorization-server`)
      const { grant_types_supported: grants, authorization_grant_profiles_supported: profiles } =
        (await document.json()) as Record<string, string[]>
      assert.ok(grants?.includes(JWT_BEARER))
      assert.equal(profiles, undefined)
      const other = await registerApp(licet(), { type: 'service' })
      assert.equal(
        (await other.post('/token', { grant_type: JWT_BEARER, assertion: await job() })).body.error,
        'unauthorized_client',
      )
    })

    test('a new key of the issuer is found without a restart, once a minute at most, and the old one counts no more', async () => {
      const old = await job()
      await ci.rotate(randomUUID())
      const fetched = ci.fetches()
      const use = async (assertion: string) => (await post({ grant_type: JWT_BEARER, assertion })).status
      assert.deepEqual(await Promise.all([use(await job()), use(await job()), use(await job())]), [400, 400, 400])
      assert.equal(ci.fetches(), fetched, 'the keys were fetched less than a minute ago')
      time += 61_000
      assert.deepEqual(await Promise.all([use(await job()), use(await job())]), [200, 200])
      assert.deepEqual([await use(old), await use(await job())], [400, 200])
      assert.equal(ci.fetches(), fetched + 1)
      time -= 61_000
    })
  },
  { file, now: () => time },
)
