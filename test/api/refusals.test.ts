/**
 * Why a credential is refused: every cause has its own name for the owner, and outside there are four answers only. Tokens that are bound to a key
 * are worth nothing at the API without a fresh proof for the very request.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { AccountRecord } from '../../src/accounts/account.ts'
import { type ApiAnswer, callApi, makeKey, newOwner, type Owner, ownApp, TEN } from '../support/api.ts'
import type { AppClient } from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { dpop, newKey, type TestKey } from '../support/proofs.ts'

const MCP = 'https://mcp.example.test/mcp'

let licet: Licet
let app: AppClient
let ada: Owner
let time = Date.now()

before(async () => {
  licet = await startLicet({
    now: () => time,
    file: {
      lifetimes: { step_up: '1m' },
      resources: [{ identifier: MCP, name: 'MCP', scopes: ['mcp:read'] }],
      rate_limits: { api_credential: '5/1m' },
      keys: { allowed_scopes: TEN.filter((scope) => scope !== 'llm:read') },
    },
  })
  app = await ownApp(licet)
  ada = await newOwner(licet, { app })
})
after(() => licet.close())

const verify = (token: string, query = '') => callApi(licet.issuer, 'GET', `/api/v1/verify${query}`, { token })
const wait = (milliseconds: number) => {
  time += milliseconds
}

interface Cause {
  readonly reason: string
  readonly status: number
  readonly provoke: () => Promise<{ answer: ApiAnswer; ownerId: string }>
}

/** A refusal of a key of Ada's. */
const ofKey = async (
  wanted: Parameters<typeof makeKey>[2],
  act: (made: { id: string; key: string }) => Promise<unknown>,
  query = '',
) => {
  const made = await makeKey(licet, ada.accountId, wanted)
  await act(made)
  return { answer: await verify(made.key, query), ownerId: ada.accountId }
}
const nothing = async () => undefined

async function ofChild(end: (parentId: string) => Promise<unknown>) {
  const parent = await makeKey(licet, ada.accountId, { mayCreateChildren: true, expiresInSeconds: 60 })
  const json = { name: 'Child', scopes: ['data:read'] }
  const child = await callApi(licet.issuer, 'POST', `/api/v1/keys/${parent.id}/children`, { token: parent.key, json })
  assert.equal(child.status, 201, child.text)
  await end(parent.id)
  wait(1_000)
  return { answer: await verify(child.body.key), ownerId: ada.accountId }
}

async function ofAccount(change: (accountId: string) => Promise<unknown>) {
  const owner = await newOwner(licet, { app })
  const { key } = await makeKey(licet, owner.accountId)
  await change(owner.accountId)
  return { answer: await verify(key), ownerId: owner.accountId }
}

const causes: readonly Cause[] = [
  {
    reason: 'expired',
    status: 401,
    provoke: () => ofKey({ expiresInSeconds: 60 }, async () => wait(60_000)),
  },
  { reason: 'not_yet_valid', status: 401, provoke: () => ofKey({ notBefore: time + 60_000 }, nothing) },
  {
    reason: 'revoked',
    status: 401,
    provoke: () => ofKey({}, ({ id }) => licet.core.keys.revoke(operator, { ownerId: ada.accountId, id })),
  },
  {
    reason: 'rotated_out',
    status: 401,
    provoke: () =>
      ofKey({}, ({ id }) => licet.core.keys.rotate(operator, { ownerId: ada.accountId, id }, { overlapSeconds: 0 })),
  },
  {
    reason: 'parent_revoked',
    status: 401,
    provoke: () => ofChild((id) => licet.core.keys.revoke(operator, { ownerId: ada.accountId, id })),
  },
  { reason: 'parent_expired', status: 401, provoke: () => ofChild(async () => wait(60_000)) },
  { reason: 'ip_not_allowed', status: 401, provoke: () => ofKey({ allowedIps: ['203.0.113.0/24'] }, nothing) },
  { reason: 'audience_mismatch', status: 401, provoke: () => ofKey({ scopes: ['mcp:read'], resource: MCP }, nothing) },
  { reason: 'scope_missing', status: 403, provoke: () => ofKey({}, nothing, '?scope=data:write') },
  { reason: 'scope_beyond_owner', status: 403, provoke: () => ofKey({}, nothing, '?scope=api:admin') },
  { reason: 'scope_beyond_policy', status: 403, provoke: () => ofKey({}, nothing, '?scope=llm:read') },
  {
    reason: 'quota_exceeded',
    status: 429,
    provoke: () => ofKey({ quota: { requests: 1, windowSeconds: 60 } }, ({ key }) => verify(key)),
  },
  { reason: 'budget_spent', status: 429, provoke: () => ofKey({ callBudget: 1 }, ({ key }) => verify(key)) },
  {
    reason: 'rate_limited',
    status: 429,
    provoke: () =>
      ofKey({}, async ({ key }) => {
        for (let count = 0; count < 5; count += 1) assert.equal((await verify(key)).status, 200)
      }),
  },
  {
    reason: 'account_disabled',
    status: 401,
    provoke: () => ofAccount((id) => licet.core.accounts.disable(operator, id, 'test')),
  },
  {
    reason: 'account_unverified',
    status: 401,
    provoke: () =>
      ofAccount((id) =>
        licet.core.store.update<AccountRecord>('account', id, (value) => ({
          value: { ...value, emailVerified: false },
        })),
      ),
  },
  {
    reason: 'step_up_required',
    status: 401,
    async provoke() {
      const owner = await newOwner(licet, { app })
      wait(61_000)
      const json = { name: 'x', scopes: ['data:read'] }
      return { answer: await owner.call('POST', '/api/v1/keys', { json }), ownerId: owner.accountId }
    },
  },
  {
    reason: 'grant_ended',
    status: 401,
    async provoke() {
      const owner = await newOwner(licet, { app })
      await app.revoke(owner.refreshToken)
      return { answer: await owner.call('GET', '/api/v1/keys'), ownerId: owner.accountId }
    },
  },
  {
    reason: 'app_suspended',
    status: 401,
    async provoke() {
      const other = await ownApp(licet)
      const owner = await newOwner(licet, { app: other })
      await licet.core.apps.suspend(operator, other.clientId, 'test')
      wait(1_000)
      return { answer: await owner.call('GET', '/api/v1/keys'), ownerId: owner.accountId }
    },
  },
  {
    reason: 'dpop_mismatch',
    status: 401,
    async provoke() {
      const { token, ownerId } = await boundToken(await newKey())
      return { answer: await verify(token), ownerId }
    },
  },
]

async function boundToken(key: TestKey): Promise<{ token: string; ownerId: string }> {
  const proof = await dpop(key, `${licet.issuer}/token`)
  const pending = await app.obtainCode(ada.person, ada.email, { scope: 'openid api:read' })
  const { body, text } = await app.redeem(pending, {}, { headers: { dpop: proof } })
  assert.equal(body['token_type'], 'DPoP', text)
  return { token: body.access_token, ownerId: ada.accountId }
}

test(`${causes.length} causes tell themselves apart for the owner, and not for anybody else`, async () => {
  const outside = new Map<number, Set<string>>()
  const begun = time
  for (const { reason, status, provoke } of causes) {
    time = begun
    const { answer, ownerId } = await provoke()
    assert.equal(answer.status, status, `${reason}: ${answer.text}`)
    const denial = await licet.core.keys.denials.getOwned(ownerId, answer.body.error_ref)
    assert.equal(denial.reason, reason)
    assert.equal(denial.ip, '127.0.0.1')
    if (denial.credential.startsWith('access_token')) continue
    const told = JSON.stringify({
      ...answer.body,
      request_id: '',
      error_ref: '',
      detail: status === 401 ? answer.body.detail : '',
    })
    outside.set(status, (outside.get(status) ?? new Set()).add(told))
  }
  time = begun
  assert.equal(new Set(causes.map(({ reason }) => reason)).size, causes.length)
  assert.ok(causes.length >= 20)
  // Every key that does not work is one answer, to the letter.
  assert.equal(outside.get(401)?.size, 1)
  assert.equal(outside.get(403)?.size, 1)
})

test('a token that is bound to a key opens the API with a fresh proof for this very request, once', async () => {
  const key = await newKey()
  const { token } = await boundToken(key)
  const url = `${licet.issuer}/api/v1/keys`
  const send = (proof: string, scheme = 'DPoP') =>
    callApi(licet.issuer, 'GET', '/api/v1/keys', { headers: { authorization: `${scheme} ${token}`, dpop: proof } })
  const good = () => dpop(key, url, { method: 'GET', accessToken: token })
  const proof = await good()
  assert.equal((await send(proof)).status, 200)
  assert.equal((await send(proof)).status, 401, 'a proof that was used')
  const plain = await send(await good(), 'Bearer')
  assert.equal(plain.status, 401, 'as a plain bearer')
  const told = (answer: ApiAnswer) => String(answer.headers['www-authenticate'])
  assert.match(told(plain), /^DPoP realm="licet", error="invalid_token".*, algs="ES256 /, 'RFC 9449 §7.1')
  assert.match(told(await send('nothing')), /^DPoP realm="licet", error="invalid_token".*, algs="ES256 /)
  assert.match(
    told(await callApi(licet.issuer, 'GET', '/api/v1/keys')),
    /^Bearer realm="licet".*, DPoP realm="licet", algs="/,
  )
  const bent = [
    await dpop(key, url, { method: 'POST', accessToken: token }),
    await dpop(key, `${licet.issuer}/api/v1/tokens`, { method: 'GET', accessToken: token }),
    await dpop(key, url, { method: 'GET', accessToken: `${token}x` }),
    await dpop(key, url, { method: 'GET' }),
    await dpop(await newKey(), url, { method: 'GET', accessToken: token }),
    await dpop(key, url, { method: 'GET', accessToken: token, claims: { iat: Math.floor(time / 1000) - 600 } }),
    'nothing',
    '',
  ]
  for (const [at, one] of bent.entries()) assert.equal((await send(one)).status, 401, `bend ${at}`)
  const unbound = await callApi(licet.issuer, 'GET', '/api/v1/keys', {
    headers: {
      authorization: `DPoP ${ada.token}`,
      dpop: await dpop(key, url, { method: 'GET', accessToken: ada.token }),
    },
  })
  assert.equal(unbound.status, 401, 'a proof does not bind what is not bound')
})

test('a flood of bad calls fills nothing', async () => {
  const { key } = await makeKey(licet, ada.accountId, { allowedIps: ['203.0.113.0/24'] })
  const count = async () => (await licet.core.keys.denials.list(ada.accountId, { limit: 1000 })).items.length
  const before = await count()
  for (let call = 0; call < 300; call += 1) await verify(key, `/${call}`)
  assert.ok((await count()) - before <= 50, `${(await count()) - before} of 300 are kept`)
  const many = await Promise.all(Array.from({ length: 100 }, () => verify(`licet_key_${'0'.repeat(38)}`)))
  assert.ok(many.every(({ status }) => status === 401))
  assert.ok((await count()) - before <= 50)
})
