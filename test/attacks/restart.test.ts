/**
 * What was used or revoked stays so (threats.md RT6) after both server processes were restarted and Redis was killed, and after the keys were
 * rotated while they ran (JW5).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { type AppClient, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { asserted, assertion, dpop, newKey } from '../support/proofs.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'
import { sendOnWire } from '../support/wire.ts'

const WINDOW_SECONDS = 2

describe('two processes on Redis', { skip: skipWithout('redis-server') }, () => {
  let two: TwoProcesses
  let app: AppClient
  let who: SignedIn
  before(async () => {
    two = await startTwoProcesses({ file: { lifetimes: { refresh_retry_window: `${WINDOW_SECONDS}s` } } })
    app = await registerApp(two)
    who = await newPerson(two)
  })
  after(() => two?.stop())

  const newTokens = async () => (await app.redeem(await app.obtainCode(who.person, who.email))).body

  const jwks = async (origin: string): Promise<JSONWebKeySet> =>
    JSON.parse((await sendOnWire(two.issuer, 'GET', '/.well-known/jwks.json', { origin })).text)

  test('JW5: keys rotate under both processes without a restart, and no token is ever signed with an unpublished key', async () => {
    const before = await newTokens()
    const oldKid = decodeProtectedHeader(before.access_token).kid
    await two.core.signingKeys.rotate({ publishSeconds: 8, retireSeconds: 3600 })
    const service = await registerApp(two, { type: 'service', scopes: ['data:read'] })
    const seen = new Map<string, Set<string>>()
    const deadline = performance.now() + 25_000
    while (performance.now() < deadline && [...two.origins].some((origin) => (seen.get(origin)?.size ?? 0) < 2)) {
      // As a resource server sees it: keys fetched first from either process, then a token of the other.
      for (const [asked, issuing] of [two.origins, [...two.origins].reverse()] as [string, string][]) {
        const keys = createLocalJWKSet(await jwks(asked))
        const { body } = await service.post('/token', { grant_type: 'client_credentials' }, { origin: issuing })
        const { protectedHeader } = await jwtVerify(body.access_token, keys, { issuer: two.issuer, typ: 'at+jwt' })
        seen.set(issuing, (seen.get(issuing) ?? new Set()).add(String(protectedHeader.kid)))
      }
      await pause(200)
    }
    for (const origin of two.origins) {
      assert.equal(seen.get(origin)?.size, 2, 'each process signed with the old key and then with the new one')
      assert.ok(
        (await jwks(origin)).keys.some(({ kid }) => kid === oldKid),
        'the old key is still published',
      )
      assert.equal((await app.introspect(before.access_token, { origin })).body.active, true)
      assert.equal((await app.userinfo(before.access_token, { origin })).status, 200)
    }
    assert.notEqual(decodeProtectedHeader((await newTokens()).access_token).kid, oldKid)
  })

  test('RT6: everything used or revoked before a restart of the servers and a kill of Redis is refused after it', async () => {
    const key = await newKey()
    const keyed = await registerApp(two, {
      type: 'service',
      auth: 'private_key_jwt',
      jwks: { keys: [key.publicJwk as never] },
    })
    const service = await registerApp(two, { type: 'service', scopes: ['data:read'] })
    const machine = { grant_type: 'client_credentials' }

    const rotated = await newTokens()
    const child = (await app.refresh(rotated.refresh_token)).body
    const rotatedAt = performance.now()
    const revoked = await newTokens()
    assert.equal((await app.revoke(revoked.refresh_token)).status, 200)
    const denied = await newTokens()
    assert.equal((await app.revoke(denied.access_token)).status, 200)
    const pending = await app.obtainCode(who.person, who.email)
    const redeemed = (await app.redeem(pending)).body
    const alive = await newTokens()
    const one = await assertion(key, keyed)
    const thief = keyed.with(asserted(async () => one))
    assert.equal((await thief.post('/token', machine)).status, 200)
    const proof = { headers: { dpop: await dpop(key, `${two.issuer}/token`) } }
    assert.equal((await service.post('/token', machine, proof)).status, 200)

    await two.restart()
    await pause(Math.max(0, rotatedAt + WINDOW_SECONDS * 1000 + 100 - performance.now()))

    assert.equal((await app.introspect(alive.access_token)).body.active, true, 'what was alive is alive')
    assert.equal((await app.refresh(alive.refresh_token)).status, 200)
    assert.equal((await app.refresh(rotated.refresh_token)).body.error, 'invalid_grant', 'after the window')
    assert.equal((await app.refresh(child.refresh_token)).body.error, 'invalid_grant', 'and its family is dead')
    assert.equal((await app.refresh(revoked.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await app.introspect(revoked.access_token)).body.active, false)
    assert.equal((await app.introspect(denied.access_token)).body.active, false)
    assert.equal((await app.redeem(pending)).body.error, 'invalid_grant')
    assert.equal(
      (await app.introspect(redeemed.access_token)).body.active,
      false,
      'a replay revokes after a restart too',
    )
    assert.equal((await thief.post('/token', machine)).body.error, 'invalid_client')
    assert.notEqual((await service.post('/token', machine, proof)).status, 200)
  })
})
