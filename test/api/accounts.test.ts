/**
 * `/api/v1/accounts/me`: one shape for every credential, and an explanation that agrees with what the protected routes do.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { callApi, type MadeKey, makeKey, NINE, newOwner, type Owner, ownApp, TEN } from '../support/api.ts'
import type { AppClient } from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'

const INSIDE = '203.0.113.7'
const OUTSIDE = '198.51.100.7'

let licet: Licet
let app: AppClient
let ada: Owner
let time = Date.now()

before(async () => {
  licet = await startLicet({
    now: () => time,
    file: {
      lifetimes: { step_up: '1m' },
      keys: { allowed_scopes: [...TEN] },
      rate_limits: { api_credential: '100000/1m' },
    },
    env: { LICET_TRUSTED_PROXIES: '127.0.0.1/32' },
  })
  app = await ownApp(licet)
  ada = await newOwner(licet, { app })
})
after(() => licet.close())

const me = (token: string, query = '', ip = INSIDE) =>
  callApi(licet.issuer, 'GET', `/api/v1/accounts/me${query}`, { token, headers: { 'x-forwarded-for': ip } })

/** The shape as the contract gives it; `null` stands for anything. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return []
  if (typeof value !== 'object' || value === null) return null
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]))
}

const SHAPE = {
  account: { id: null, email: null, email_verified: null, name: null },
  credential: { type: null, id: null, name: null, client_id: null, created_at: null, expires_at: null },
  scopes: [],
  audience: [],
  assurance: { acr: null, amr: [], auth_time: null },
  network: { ip: null, allowed: null, rule: null },
  rate_limit: { policy: null, limit: null, remaining: null, reset_seconds: null },
}

test('one shape for an access token, an API key and a personal access token', async () => {
  const key = await makeKey(licet, ada.accountId, { allowedIps: ['203.0.113.0/24'] })
  const pat = await makeKey(licet, ada.accountId, { kind: 'personal_access_token', name: 'Laptop' })
  const audience = [`${licet.issuer}/api/v1`]
  for (const [token, credential, amr, rule] of [
    [ada.token, { type: 'access_token', client_id: app.clientId }, ['pwd'], null],
    [key.key, { type: 'api_key', id: key.id, name: 'Deploy', client_id: null }, [], '203.0.113.0/24'],
    [pat.key, { type: 'personal_access_token', id: pat.id, name: 'Laptop', client_id: null }, [], null],
  ] as const) {
    const { status, body, text } = await me(token)
    assert.equal(status, 200, text)
    assert.deepEqual(shapeOf(body), SHAPE)
    assert.deepEqual({ ...body.credential, ...credential }, body.credential)
    assert.equal(body.account.id, ada.accountId)
    assert.equal(body.account.email, ada.email)
    assert.deepEqual([body.audience, body.assurance.amr], [audience, amr])
    assert.deepEqual(body.network, { ip: INSIDE, allowed: true, rule })
    assert.equal(body.rate_limit.policy, 'api_credential')
    assert.equal(body.rate_limit.limit, 100_000)
    for (const at of [body.credential.created_at, body.credential.expires_at]) assert.ok(Date.parse(at) > 0)
    const asked = (await me(token, '?explain=llm:read')).body
    assert.deepEqual({ ...(shapeOf(asked) as object), explain: null }, { ...SHAPE, explain: null })
    assert.deepEqual(shapeOf(asked.explain), { scope: null, allowed: null, reason: null, recent_sign_in: null })
    assert.equal(asked.explain.scope, 'llm:read')
  }
})

test('a missing scope is explained as contract.md calls it', async () => {
  const { key } = await makeKey(licet, ada.accountId)
  const { body } = await me(key, '?explain=data:write')
  assert.deepEqual(body.explain, {
    scope: 'data:write',
    allowed: false,
    reason: 'scope_not_granted',
    recent_sign_in: false,
  })
  assert.equal((await me(key, '?explain=api:admin')).body.explain.reason, 'scope_beyond_owner')
  assert.equal((await me(key, '?explain=nothing')).body.explain.reason, 'scope_beyond_policy')
  assert.equal((await me(key, `?explain=${'x'.repeat(101)}`)).status, 400)
})

test('explaining spends no quota and leaves no mark', async () => {
  const { id, key } = await makeKey(licet, ada.accountId, { quota: { requests: 1, windowSeconds: 60 } })
  const remaining = (await me(ada.token)).body.rate_limit.remaining
  for (let count = 0; count < 5; count += 1) {
    const { status, body, headers } = await me(key, '?explain=data:write')
    assert.equal(status, 200)
    assert.equal(body.explain.allowed, false)
    assert.equal(headers['x-ratelimit-limit'], undefined)
    assert.equal((await me(ada.token, '?explain=data:write')).status, 200)
  }
  const shown = (await ada.call('GET', `/api/v1/keys/${id}`)).body
  assert.equal(shown.last_used_at, null)
  assert.deepEqual((await ada.call('GET', `/api/v1/keys/${id}/usage`)).body.total, { ok: 0, denied: 0, limited: 0 })
  // The two requests in between are the only ones that were counted.
  assert.equal((await me(ada.token)).body.rate_limit.remaining, remaining - 3)
  assert.equal((await me(key)).status, 200)
  const spent = await me(key, '?explain=data:read')
  assert.deepEqual(
    [spent.status, spent.body.explain?.allowed, spent.body.explain?.reason],
    [200, false, 'quota_exceeded'],
  )
  assert.equal(spent.body.credential.id, id, 'a good key that is used up is told of itself')
  assert.equal((await me(key, '?explain=data:write')).body.explain.reason, 'scope_not_granted')
  assert.equal((await me(key)).status, 429)
})

test('explain and the route agree on a key that is used up, and on the JWT that was made from it', async () => {
  for (const [reason, wanted] of [
    ['budget_spent', { callBudget: 3 }],
    ['quota_exceeded', { quota: { requests: 3, windowSeconds: 60 } }],
  ] as const) {
    const { key } = await makeKey(licet, ada.accountId, wanted)
    const verify = (token: string) => callApi(licet.issuer, 'GET', '/api/v1/verify?scope=data:read', { token })
    const jwt = String((await verify(key)).headers['authorization']).slice('Bearer '.length)
    for (let left = 2; left >= 0; left -= 1) {
      for (const token of [key, jwt]) {
        const { body } = await me(token, '?explain=data:read')
        assert.deepEqual([body.explain?.allowed, body.explain?.reason], left > 0 ? [true, null] : [false, reason])
      }
      assert.equal((await verify(jwt)).status, left > 0 ? 200 : 429)
    }
    const refused = await verify(key)
    assert.deepEqual([refused.status, refused.body.policy], [429, reason === 'budget_spent' ? reason : 'key_quota'])
    // A budget does not come back: whoever obeys does not ask again.
    const wait = Number(refused.headers['retry-after'])
    assert.ok(reason === 'budget_spent' ? wait > 86_400 : wait >= 1 && wait <= 60, String(wait))
  }
})

test('a service app is told of itself without an account', async () => {
  const { app: made, clientSecret } = await licet.core.apps.create(operator, {
    name: 'Batch',
    type: 'service',
    scopes: ['data:read'],
  })
  const basic = Buffer.from(`${made.clientId}:${clientSecret}`).toString('base64')
  const token = await callApi(licet.issuer, 'POST', '/token', {
    headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials',
  } as never)
  assert.equal(token.status, 200, token.text)
  const { status, body } = await me(token.body.access_token)
  assert.deepEqual([status, body.account, body.credential.client_id], [200, null, made.clientId])
  const keys = await callApi(licet.issuer, 'GET', '/api/v1/keys', { token: token.body.access_token })
  assert.equal(keys.status, 403)
})

type State = 'active' | 'rotating' | 'rotated_out' | 'expired' | 'revoked' | 'not_yet_valid'

interface Case {
  readonly kind: 'access_token' | 'api_key' | 'personal_access_token'
  readonly held: readonly string[]
  readonly state: State
  readonly isBoundToNetwork: boolean
  readonly ip: string
  readonly isStale: boolean
  readonly asked: string
}

const cases: fc.Arbitrary<Case> = fc.record({
  kind: fc.constantFrom('access_token', 'api_key', 'personal_access_token'),
  held: fc.subarray([...NINE], { minLength: 1 }),
  state: fc.constantFrom('active', 'rotating', 'rotated_out', 'expired', 'revoked', 'not_yet_valid'),
  isBoundToNetwork: fc.boolean(),
  ip: fc.constantFrom(INSIDE, OUTSIDE),
  isStale: fc.boolean(),
  asked: fc.constantFrom(...TEN),
})

async function keyIn({ kind, held, state, isBoundToNetwork }: Case): Promise<string> {
  const made: MadeKey = await makeKey(licet, ada.accountId, {
    kind: kind === 'api_key' ? kind : 'personal_access_token',
    scopes: held,
    ...(isBoundToNetwork ? { allowedIps: ['203.0.113.0/24'] } : {}),
    ...(state === 'expired' ? { expiresInSeconds: 60 } : {}),
    ...(state === 'not_yet_valid' ? { notBefore: time + 3_600_000 } : {}),
  })
  const owned = { ownerId: ada.accountId, id: made.id }
  if (state === 'revoked') await licet.core.keys.revoke(operator, owned)
  if (state === 'rotating') await licet.core.keys.rotate(operator, owned)
  if (state === 'rotated_out') await licet.core.keys.rotate(operator, owned, { overlapSeconds: 0 })
  return made.key
}

test('explain and the protected routes always agree', async () => {
  const begun = time
  const some = ['data:read', 'api:write', 'llm:read']
  const signedIn = await Promise.all([newOwner(licet, { app }), newOwner(licet, { app, scope: some })])
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(cases, async (one) => {
      time = begun
      const token = one.kind === 'access_token' ? (signedIn[one.held.length % 2] as Owner).token : await keyIn(one)
      if (one.isStale || one.state === 'expired') time = begun + 120_000
      const headers = { 'x-forwarded-for': one.ip }
      const told = await me(token, `?explain=${one.asked}`, one.ip)
      const used = await callApi(licet.issuer, 'GET', `/api/v1/verify?scope=${one.asked}`, { token, headers })
      const making = await callApi(licet.issuer, 'POST', '/api/v1/keys', { token, headers, json: {} })
      const label = `${told.status} ${used.status}`
      seen.set(label, (seen.get(label) ?? 0) + 1)
      if (told.status !== 200) {
        assert.deepEqual([told.status, used.status, making.status], [401, 401, 401])
        return
      }
      const { allowed, recent_sign_in: recent } = told.body.explain
      assert.equal(used.status, allowed ? 200 : 403, told.text)
      // An empty body is refused once the caller has been let in.
      const mayMake = (await me(token, '?explain=api:write', one.ip)).body.explain
      const expected = !mayMake.allowed ? 403 : recent ? 400 : 401
      assert.equal(making.status, expected, `${told.text} ${making.text}`)
    }),
    { numRuns: 150 },
  )
  time = begun
  for (const label of ['200 200', '200 403', '401 401']) assert.ok((seen.get(label) ?? 0) > 5, `${label} was seen`)
})

test('a disabled owner takes every credential along, and explaining says no more than using', async () => {
  const owner = await newOwner(licet, { app })
  const { key } = await makeKey(licet, owner.accountId)
  assert.equal((await me(key, '?explain=data:read')).body.explain.allowed, true)
  await licet.core.accounts.disable(operator, owner.accountId, 'test')
  time += 1000
  for (const token of [key, owner.token])
    for (const query of ['', '?explain=data:read']) assert.equal((await me(token, query)).status, 401, query)
})
