import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { API, from, HOME, MCP, mustAllow, mustDeny, newKey, onEveryKeyStore } from '../support/key-desk.ts'

const operator = { kind: 'operator' } as const

onEveryKeyStore((desk) => {
  test('every cause of a refusal tells itself apart to the owner, and outside there are three', async () => {
    const { keys, newOwner, owners, pass, now } = desk()
    const owner = newOwner({ role: 'administrator' })
    const causes: [string, string][] = []
    const provoke = async (credential: string, request = from()) => {
      const denied = mustDeny(await keys.check(credential, request))
      const { reason } = await keys.denials.getOwned(owner.id, denied.errorRef)
      assert.equal(reason, denied.reason)
      causes.push([reason, denied.outside])
    }
    const plain = await newKey(desk(), owner, { scopes: ['data:read', 'api:admin'], mayCreateChildren: true })
    await provoke(plain.credential, from(HOME, { scopes: ['data:write'] }))
    await provoke(
      (await newKey(desk(), owner, { scopes: ['mcp:read'], resource: MCP })).credential,
      from(HOME, { audience: API }),
    )
    await provoke((await newKey(desk(), owner, { allowedIps: ['10.0.0.0/8'] })).credential)
    await provoke((await newKey(desk(), owner, { notBefore: now() + 60_000 })).credential)
    const shortLived = await newKey(desk(), owner, { expiresInSeconds: 60 })
    const counted = await newKey(desk(), owner, { quota: { requests: 1, windowSeconds: 60 } })
    const budget = await newKey(desk(), owner, { callBudget: 1 })
    for (const { credential } of [counted, budget]) {
      mustAllow(await keys.check(credential, from()))
      await provoke(credential)
    }
    const limit = async () => ({
      policy: 'api',
      allowed: false,
      limit: 1,
      remaining: 0,
      windowSeconds: 60,
      resetSeconds: 7,
    })
    await provoke(plain.credential, from(HOME, { limit }))
    const rotated = await newKey(desk(), owner)
    await keys.rotate(operator, rotated.owned, { overlapSeconds: 0 })
    await provoke(rotated.credential)
    const parent = mustAllow(await keys.check(plain.credential, from()))
    const child = await keys.createChild(operator, parent, { name: 'Child', scopes: ['data:read'] })
    pass(60_000)
    await provoke(shortLived.credential)
    owners.set(owner.id, { ...owner, role: 'member' })
    pass(1000)
    await provoke(plain.credential, from(HOME, { scopes: ['api:admin'] }))
    await provoke(plain.credential, from(HOME, { scopes: ['made:up'] }))
    owners.set(owner.id, { ...owner, emailVerified: false })
    pass(1000)
    await provoke(plain.credential)
    owners.set(owner.id, { ...owner, status: 'disabled' })
    pass(1000)
    await provoke(plain.credential)
    await keys.revoke(operator, plain.owned)
    await provoke(plain.credential)
    await provoke(child.credential)
    assert.equal(new Set(causes.map(([reason]) => reason)).size, causes.length)
    assert.deepEqual(Object.fromEntries(causes), {
      scope_missing: 'insufficient_scope',
      audience_mismatch: 'invalid_token',
      ip_not_allowed: 'invalid_token',
      not_yet_valid: 'invalid_token',
      quota_exceeded: 'rate_limited',
      budget_spent: 'rate_limited',
      rate_limited: 'rate_limited',
      rotated_out: 'invalid_token',
      expired: 'invalid_token',
      scope_beyond_owner: 'insufficient_scope',
      scope_beyond_policy: 'insufficient_scope',
      account_unverified: 'invalid_token',
      account_disabled: 'invalid_token',
      revoked: 'invalid_token',
      parent_revoked: 'invalid_token',
    })
  })

  test('a denial reads ref, reason, time, credential, address, agent and request, without query or secret', async () => {
    const { keys, newOwner, now, dump } = desk()
    const owner = newOwner()
    const { id, credential } = await newKey(desk(), owner)
    const request = from(HOME, { scopes: ['data:write'], request: `GET /api/v1/things?key=${credential}` })
    const { errorRef } = mustDeny(await keys.check(credential, request))
    assert.deepEqual(await keys.denials.getOwned(owner.id, errorRef), {
      ref: errorRef,
      ownerId: owner.id,
      credential: `api_key:${id}`,
      reason: 'scope_missing',
      detail: 'data:write',
      at: now(),
      ip: HOME,
      userAgent: 'curl/8',
      request: 'GET /api/v1/things',
    })
    assert.ok(!(await dump()).includes(credential.slice(-26)))
    assert.deepEqual(
      (await keys.denials.list(owner.id)).items.map(({ ref }) => ref),
      [errorRef],
    )
  })

  test('attack: nobody but the owner reads a denial, and what belongs to nobody is stored nowhere', async () => {
    const { keys, newOwner, store } = desk()
    const owner = newOwner()
    const { credential, owned } = await newKey(desk(), owner)
    await keys.revoke(operator, owned)
    const revoked = mustDeny(await keys.check(credential, from()))
    const before = (await store.list('denial', { limit: 1000 })).items.length
    const unknown = mustDeny(await keys.check('licet_key_00000000000000000000000000000000000000', from()))
    assert.equal((await store.list('denial', { limit: 1000 })).items.length, before)
    assert.deepEqual([revoked.outside, revoked.errorRef.length], [unknown.outside, unknown.errorRef.length])
    for (const [who, ref] of [
      [newOwner().id, revoked.errorRef],
      [owner.id, unknown.errorRef],
      [owner.id, 'x'],
    ] as const) {
      await assert.rejects(keys.denials.getOwned(who, ref), (error) => hasCode(error, 'not_found'))
    }
  })

  test('attack: a flood of refused calls stores little, whoever sends it and whatever it varies', async () => {
    const { keys, other, newOwner, pass } = desk()
    const owner = newOwner()
    const { credential, owned } = await newKey(desk(), owner)
    await keys.revoke(operator, owned)
    const stored = async () => (await keys.denials.list(owner.id, { limit: 1000 })).items.length
    const refs = new Set<string>()
    for (let call = 0; call < 50; call += 1) refs.add(mustDeny(await keys.check(credential, from())).errorRef)
    assert.deepEqual([refs.size, await stored()], [1, 1])
    for (let call = 0; call < 200; call += 1) {
      await (call % 2 ? keys : other).check(credential, from(HOME, { request: `GET /${call}` }))
    }
    assert.equal(await stored(), 50)
    for (let call = 0; call < 300; call += 1) {
      await (call % 2 ? keys : other).check(credential, from(`2001:db8:${call.toString(16)}::1`))
    }
    assert.equal(await stored(), 100)
    pass(3_601_000)
    const later = mustDeny(await keys.check(credential, from('2001:db8:ffff::1')))
    assert.equal((await keys.denials.getOwned(owner.id, later.errorRef)).reason, 'revoked')
    for (let hour = 0; hour < 4; hour += 1) {
      for (let call = 0; call < 120; call += 1) await keys.check(credential, from(`2001:db8:${hour}${call}::1`))
      pass(3_601_000)
    }
    assert.equal(await stored(), 300)
  })
})
