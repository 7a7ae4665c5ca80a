/**
 * The whole life of a key and of a token over HTTP, the same on SQLite and on a real Redis Cluster: made, used, narrowed, widened, rotated while an old caller
 * goes on, retired, given children, counted, revoked.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { callApi, newOwner, type Owner } from '../support/api.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { startCluster } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'

const engines = [
  { name: 'SQLite', skip: false as const, open: async () => ({ url: undefined, stop: async () => undefined }) },
  { name: 'Redis Cluster', skip: skipWithout('redis-server'), open: () => startCluster({ appendfsync: 'everysec' }) },
]

for (const { name, skip, open } of engines) {
  describe(`on ${name}`, { skip }, () => {
    let licet: Licet
    let ada: Owner
    let stop: () => Promise<unknown>
    let time = Date.now()

    before(async () => {
      const store = await open()
      stop = store.stop
      licet = await startLicet({ now: () => time, ...(store.url === undefined ? {} : { store: store.url }) })
      ada = await newOwner(licet)
    })
    after(async () => {
      await licet?.close()
      await stop?.()
    })

    for (const path of ['/api/v1/keys', '/api/v1/tokens']) {
      test(`${path}: made, used, narrowed, widened, rotated beside an old caller, retired, counted, revoked`, async () => {
        const use = async (token: string, agent = 'job/1') => {
          const headers = { 'user-agent': agent }
          return (await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token, headers })).status
        }
        const call = async (method: string, below: string, status: number, json?: object) => {
          const answer = await ada.call(method, `${path}${below}`, json === undefined ? {} : { json })
          assert.equal(answer.status, status, `${method} ${below}: ${answer.text}`)
          return answer.body
        }
        const wanted = { name: 'Deploy', scopes: ['data:read', 'data:write'], may_create_children: true }
        const { id, key: old } = await call('POST', '', 201, wanted)
        assert.equal(await use(old), 200)
        await call('PATCH', `/${id}`, 200, { scopes: ['data:read'], name: 'Nightly' })
        await call('PATCH', `/${id}`, 403, { scopes: ['data:read', 'data:write'] })
        const { scopes } = await call('POST', `/${id}/widen`, 200, { scopes: ['data:read', 'llm:read'] })
        assert.deepEqual(scopes, ['data:read', 'llm:read'])

        const json = { name: 'Job', scopes: ['llm:read'], expires_in: 600, call_budget: 2 }
        const child = await callApi(licet.issuer, 'POST', `/api/v1/keys/${id}/children`, { token: old, json })
        assert.equal(child.status, 201, child.text)
        assert.deepEqual(
          [await use(child.body.key), await use(child.body.key), await use(child.body.key)],
          [200, 200, 429],
        )

        time += 1000
        const { key: fresh } = await call('POST', `/${id}/rotate`, 201, { quiet_seconds: 3600, expires_in: 86_400 })
        time += 1000
        assert.deepEqual([await use(old, 'late/1'), await use(fresh, 'job/2')], [200, 200])
        const { callers, total } = await call('GET', `/${id}/usage?by=hour`, 200)
        const shown = callers.map(
          (one: Record<string, unknown>) => `${one['user_agent']} ${one['secret']} ${one['moving']}`,
        )
        assert.deepEqual(shown.filter((line: string) => / old | current /.test(line)).sort(), [
          ' old unseen',
          'job/1 old unseen',
          'job/2 current null',
          'late/1 old still',
        ])
        // Making the child was a call, too.
        assert.deepEqual(total, { ok: 4, denied: 0, limited: 0 })

        await call('DELETE', `/${id}/old-secret`, 204)
        assert.deepEqual([await use(old), await use(fresh)], [401, 200])
        await call('DELETE', `/${id}`, 204)
        assert.deepEqual([await use(fresh), await use(child.body.key)], [401, 401])
        const { state, hint, ...rest } = await call('GET', `/${id}`, 200)
        assert.deepEqual([state, 'key' in rest], ['revoked', false])
        assert.ok(fresh.endsWith(hint.slice(-4)))
        const listed = (await call('GET', '?state=revoked', 200)).items.map((one: { id: string }) => one.id)
        assert.deepEqual(listed, [id])
        assert.deepEqual((await call('GET', '?state=active', 200)).items, [])
      })
    }
  })
}
