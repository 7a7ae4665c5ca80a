/**
 * What a person takes back, allows for a time or ends, as tokens that were issued before know it: at introspection, userinfo, our API, forward auth
 * and the next refresh. On every store; time is moved by the server's own clock.
 */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { decodeJwt } from 'jose'
import { callApi } from '../support/api.ts'
import {
  type AppClient,
  appClient,
  basic,
  newPerson,
  type Params,
  registerApp,
  type SignedIn,
} from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import { type Licet, operator, PASSWORD } from '../support/licet.ts'
import { textOf } from '../support/person.ts'
import { onEveryStore } from '../support/stores.ts'

const MINUTE = 60_000
const DAY = 86_400_000
let skew = 0
beforeEach(() => {
  skew = 0
})

const scopesOf = (scope: unknown) =>
  String(scope ?? '')
    .split(' ')
    .filter(Boolean)
    .toSorted()

interface Scene extends SignedIn {
  readonly app: AppClient
  /** A token of the same account that may use the API: its own app, so that nothing done to `app` touches it. */
  readonly own: string
  allow(
    params?: Params,
    values?: Record<string, string | string[]>,
  ): Promise<{ access_token: string; refresh_token: string }>
  /** The consent's id. */
  grant(): Promise<string>
}

async function scene(licet: Licet, wanted = {}): Promise<Scene> {
  const app = await registerApp(licet, {
    scopes: ['data:read', 'data:write', 'api:read'],
    optionalScopes: [],
    ...wanted,
  })
  const who = await newPerson(licet)
  const settings = await registerApp(licet, { scopes: ['api:read', 'api:write'], firstParty: true })
  const { access_token: own } = (
    await settings.redeem(await settings.obtainCode(who.person, who.email, { scope: 'api:read api:write' }))
  ).body
  return {
    ...who,
    app,
    own,
    async allow(params = { scope: 'openid data:read data:write api:read' }, values = {}) {
      const page = await who.person.open(authorizeUrl(app, params))
      const back = page.body.includes('name="decision"')
        ? await who.person.submit(page, { decision: 'allow', ...values }, '/consent')
        : page
      const { status, body, text } = await app.redeem({
        code: new URL(back.url).searchParams.get('code') ?? '',
        verifier: VERIFIER,
      })
      assert.equal(status, 200, text)
      return body
    },
    async grant() {
      const { body } = await callApi(licet.issuer, 'GET', '/api/v1/grants', { token: own })
      return body.items.find(({ client_id: id }: { client_id: string }) => id === app.clientId).id
    },
  }
}

onEveryStore(
  (licet) => {
    test('what is taken back is gone at once from tokens that were issued before, wherever anybody asks', async () => {
      const one = await scene(licet())
      const { access_token: token, refresh_token: refresh } = await one.allow()
      const { issuer } = licet()
      const path = `/api/v1/grants/${await one.grant()}`
      const left = await callApi(issuer, 'PATCH', path, { token: one.own, json: { scopes: ['data:read'] } })
      assert.equal(left.status, 200, left.text)
      assert.deepEqual(
        scopesOf(decodeJwt(token)['scope']).includes('data:write'),
        true,
        'the token itself still says it',
      )

      const rs = await licet().core.apps.create(operator, {
        name: 'API',
        type: 'service',
        scopes: ['data:read'],
        resourceServer: `${issuer}/api/v1`,
      })
      const server = appClient({
        issuer,
        clientId: rs.app.clientId,
        secret: rs.clientSecret,
        proof: basic(rs.app.clientId, rs.clientSecret ?? ''),
      })
      for (const caller of [one.app, server]) {
        const { active, scope } = (await caller.introspect(token)).body
        assert.deepEqual([active, scopesOf(scope)], [true, ['data:read', 'openid']])
      }
      assert.deepEqual(scopesOf((await one.app.introspect(refresh)).body['scope']), ['data:read', 'openid'])
      const denied = await callApi(issuer, 'GET', '/api/v1/grants', { token })
      assert.deepEqual([denied.status, denied.body.code], [403, 'insufficient_scope'])
      const me = await callApi(issuer, 'GET', '/api/v1/accounts/me', { token })
      assert.deepEqual(me.body.scopes.toSorted(), ['data:read', 'openid'])
      const verified = await callApi(issuer, 'GET', '/api/v1/verify', { token })
      assert.equal(verified.status, 200)
      assert.deepEqual(scopesOf(verified.headers['x-licet-scope']), ['data:read', 'openid'])
      const handed = String(verified.headers['authorization']).replace('Bearer ', '')
      assert.deepEqual(
        scopesOf(decodeJwt(handed)['scope']),
        ['data:read', 'openid'],
        'the service behind reads this one',
      )
      assert.equal((await callApi(issuer, 'GET', '/api/v1/verify?scope=data:write', { token })).status, 403)
      assert.equal((await callApi(issuer, 'GET', '/api/v1/accounts/me', { token: handed })).status, 200)
      const next = await one.app.refresh(refresh)
      assert.deepEqual(scopesOf(next.body['scope']), ['data:read', 'openid'])
    })

    test('what was narrowed is not widened by the next silent sign-in, and asking again asks for the difference', async () => {
      const one = await scene(licet())
      await one.allow()
      const path = `/settings/apps/${await one.grant()}`
      await one.person.submit(await one.person.open(path), { scope: ['data:read'] }, path)
      const again = await one.person.open(authorizeUrl(one.app, { scope: 'openid data:read data:write api:read' }))
      assert.deepEqual(
        [...again.body.matchAll(/<code>([\w:]+)<\/code>/g)]
          .map(([, scope]) => scope)
          .filter((scope) => scope !== 'openid'),
        ['api:read', 'data:write'],
      )
      assert.deepEqual(scopesOf(decodeJwt((await one.allow({ scope: 'openid data:read' })).access_token)['scope']), [
        'data:read',
        'openid',
      ])
    })

    for (const { duration, life } of [
      { duration: '1d', life: DAY },
      { duration: '30d', life: 30 * DAY },
    ]) {
      test(`a refresh after the ${duration} that were allowed fails with a reference behind which its owner reads why`, async () => {
        const one = await scene(licet())
        const { refresh_token: refresh } = await one.allow(undefined, { duration })
        skew = life + MINUTE
        const { status, body } = await one.app.refresh(refresh)
        assert.deepEqual([status, body.error], [400, 'invalid_grant'])
        skew = 0
        const { body: denial } = await callApi(licet().issuer, 'GET', `/api/v1/denials/${body['error_ref']}`, {
          token: one.own,
        })
        assert.equal(denial.reason, 'consent_ended')
      })
    }

    test('no token outlives what was allowed', async () => {
      const one = await scene(licet())
      const first = await one.allow(undefined, { duration: '1d' })
      const path = `/api/v1/grants/${await one.grant()}`
      const end = new Date(Date.now() + 5 * MINUTE)
      const json = { expires_at: end.toISOString() }
      assert.equal((await callApi(licet().issuer, 'PATCH', path, { token: one.own, json })).status, 200)
      const { body } = await one.app.refresh(first.refresh_token)
      assert.ok(
        Number(decodeJwt(body.access_token).exp) * 1000 <= end.getTime() + 1000,
        'the access token ends with it',
      )
      assert.ok(Number(body['refresh_token_expires_in']) <= 5 * 60)
      const silent = await one.allow()
      assert.ok(Number(decodeJwt(silent.access_token).exp) * 1000 <= end.getTime() + 1000)
      skew = 6 * MINUTE
      for (const token of [first.access_token, body.access_token])
        assert.equal((await one.app.introspect(token)).body.active, false, 'also one that says otherwise')
    })

    test('tokens of a consent that ended stay dead when the same app is allowed again', async () => {
      const one = await scene(licet())
      const before = await one.allow()
      const path = `/api/v1/grants/${await one.grant()}`
      assert.equal((await callApi(licet().issuer, 'DELETE', path, { token: one.own })).status, 204)
      const after = await one.allow()
      assert.equal((await one.app.introspect(after.access_token)).body.active, true)
      assert.equal((await one.app.introspect(before.access_token)).body.active, false)
      assert.equal((await one.app.refresh(before.refresh_token)).body.error, 'invalid_grant')
      assert.equal((await one.app.userinfo(before.access_token)).status, 401)
    })

    test('reading only gives *:read in place of *:write where the app may have it, and nothing where it may not', async () => {
      const one = await scene(licet(), { scopes: ['data:read', 'data:write', 'mcp:write'] })
      const tokens = await one.allow({ scope: 'openid data:write mcp:write' }, { decision: 'allow_read_only' })
      assert.deepEqual(scopesOf(decodeJwt(tokens.access_token)['scope']), ['data:read', 'openid'])
      const refreshed = await one.app.refresh(tokens.refresh_token)
      assert.deepEqual(scopesOf(refreshed.body['scope']), ['data:read', 'openid'])
    })

    test('what was allowed for this sign-in is over when the session has gone unused, though nobody signed out', async () => {
      const one = await scene(licet())
      const { refresh_token: refresh } = await one.allow(undefined, { duration: 'session' })
      const kept = await one.app.refresh(refresh)
      assert.equal(kept.status, 200)
      skew = 15 * DAY
      assert.equal((await one.app.refresh(kept.body.refresh_token)).body.error, 'invalid_grant')
    })

    test('the owner reads what was ever allowed, narrowed and ended, also after the app is gone, and has it in the export', async () => {
      const one = await scene(licet(), { optionalScopes: ['llm:read'] })
      await one.allow({ scope: 'openid data:read data:write llm:read' }, { scope: [], duration: '30d' })
      const id = await one.grant()
      const call = (method: string, path: string, json?: object) =>
        callApi(licet().issuer, method, path, { token: one.own, ...(json ? { json } : {}) })
      await call('PATCH', `/api/v1/grants/${id}`, { scopes: ['data:read'] })
      await call('DELETE', `/api/v1/grants/${id}`)
      const { items } = (await call('GET', '/api/v1/grants/history')).body
      assert.deepEqual(
        items.map(({ act, scopes, refused_scopes: refused, duration }: Record<string, unknown>) => [
          act,
          scopes,
          refused,
          duration,
        ]),
        [
          ['ended', [], [], null],
          ['narrowed', ['data:read'], [], null],
          ['allowed', ['data:read', 'data:write'], ['llm:read'], '30d'],
        ],
      )
      await licet().core.apps.remove(operator, one.app.clientId)
      const page = textOf((await one.person.open('/settings/apps/history')).body)
      assert.match(page, /Stopped.*Allowed less.*Allowed.*Not allowed: llm:read/)
      const other = await newPerson(licet())
      const foreign = await other.person.open('/settings/apps/history')
      const theirs = await other.person.submit(foreign, { email: other.email, password: PASSWORD }, '/sign-in')
      assert.doesNotMatch(textOf(theirs.body), /Allowed less/)
    })

    test('one stop at the API ends every registration of a vendor, and is noted once', async () => {
      const one = await scene(licet())
      const others = await Promise.all([0, 1].map(() => registerApp(licet(), { optionalScopes: [] })))
      const tokens = [await one.allow()]
      for (const app of others) tokens.push((await app.redeem(await app.obtainCode(one.person, one.email))).body)
      const call = (method: string, path: string) => callApi(licet().issuer, method, path, { token: one.own })
      const { items } = (await call('GET', '/api/v1/vendors')).body
      assert.deepEqual(
        [items.length, items[0].host, items[0].grants.length, items[0].live_families],
        [1, 'app.example.test', 3, 3],
      )
      assert.equal((await call('DELETE', '/api/v1/vendors/nobody')).status, 404)
      assert.equal((await call('DELETE', `/api/v1/vendors/${items[0].id}`)).status, 204)
      assert.deepEqual((await call('GET', '/api/v1/vendors')).body.items, [])
      for (const [index, app] of [one.app, ...others].entries()) {
        assert.equal((await app.introspect(tokens[index]?.access_token ?? '')).body.active, false)
        assert.equal((await app.refresh(tokens[index]?.refresh_token ?? '')).body.error, 'invalid_grant')
      }
      const log = await licet().core.store.read(one.accountId, { limit: 100 })
      assert.equal(log.items.filter(({ record }) => record['event'] === 'consent.ended').length, 1)
    })
  },
  { now: () => Date.now() + skew },
)
