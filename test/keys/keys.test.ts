import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatCredential, parseCredential } from '../../src/credential-format.ts'
import { hasCode } from '../../src/errors.ts'
import { describeIssued } from '../../src/keys/describe.ts'
import { API, from, HOME, MCP, mustAllow, mustDeny, newKey, onEveryKeyStore, outcome } from '../support/key-desk.ts'

/** The pointers and codes of the refused fields. */
async function refusedFields(act: Promise<unknown>): Promise<string[]> {
  const error = await act.then(
    () => assert.fail('it was not refused'),
    (reason: unknown) => reason,
  )
  assert.ok(hasCode(error, 'invalid_request'), String(error))
  return (error.details.fields ?? []).map(({ pointer, code }) => `${pointer} ${code}`)
}

/** Wrong with a right checksum: another key of the same form. */
const forge = (credential: string) => {
  const body = credential.slice(-38, -6)
  const last = body.endsWith('a') ? 'b' : 'a'
  return formatCredential('licet', 'key', body.slice(0, -1) + last)
}

onEveryKeyStore((desk) => {
  test('AK6: a key has the contract’s form, is shown once, kept as a digest and works at once', async () => {
    const { keys, other, newOwner, dump, store } = desk()
    const owner = newOwner()
    for (const [kind, word] of [
      ['api_key', 'key'],
      ['personal_access_token', 'pat'],
    ] as const) {
      const issued = await keys.create(
        { kind: 'account', id: owner.id },
        { ownerId: owner.id, kind },
        { name: 'CI', scopes: ['data:read'] },
      )
      const { credential, key } = issued
      assert.equal(parseCredential('licet', credential), word)
      assert.match(credential, new RegExp(keys.pattern))
      for (const one of [keys, other]) {
        const allowed = mustAllow(await one.check(credential, from()))
        assert.deepEqual(
          [allowed.key.id, allowed.scopes, allowed.credential],
          [key.id, ['data:read'], `${kind}:${key.id}`],
        )
      }
      const text = await dump()
      assert.ok(!text.includes(credential.slice(10, 40)) && !text.includes(credential.slice(-26)))
      assert.ok(!JSON.stringify(await keys.getOwned({ ownerId: owner.id, id: key.id })).includes(credential.slice(-26)))
      const told = describeIssued(issued)
      assert.deepEqual([told.key, told.state, told.id], [credential, 'active', key.id])
      assert.match(key.id, /^[0-9A-Za-z]{16}$/)
    }
    const { items } = await store.read(owner.id)
    assert.deepEqual(
      items.map(({ record }) => record['event']),
      ['token.created', 'key.created'],
    )
  })

  test('a key lives 90 days unless said otherwise, and never longer than the policy allows', async () => {
    const { keys, newOwner, now } = desk()
    const owner = newOwner()
    const made = await newKey(desk(), owner)
    assert.equal((await keys.getOwned(made.owned)).expiresAt, now() + 90 * 86_400_000)
    for (const expiresInSeconds of [0, 59, 1.5, 366 * 86_400, Number.NaN]) {
      assert.deepEqual(await refusedFields(newKey(desk(), owner, { expiresInSeconds })), ['/expires_in out_of_range'])
    }
  })

  test('wrong fields of a new key are named together, by the names of the wire', async () => {
    const { newOwner } = desk()
    const wrong = {
      name: '\u202e',
      scopes: ['data:read', 'made:up', 'api:admin', 'toString'],
      allowedIps: ['10.0.0.0/8', '10.0.0.0/33', 'example.com'],
      resource: 'https://nobody.example/',
      quota: { requests: 0, windowSeconds: 0.5 },
      callBudget: -1,
    }
    assert.deepEqual(await refusedFields(newKey(desk(), newOwner(), wrong)), [
      '/resource unknown',
      '/name malformed',
      '/scopes/1 not_allowed',
      '/scopes/2 beyond_owner',
      '/scopes/3 not_allowed',
      '/allowed_ips/1 malformed',
      '/allowed_ips/2 malformed',
      '/call_budget invalid',
      '/quota/requests invalid',
      '/quota/window_seconds invalid',
    ])
    assert.deepEqual(await refusedFields(newKey(desk(), newOwner(), { scopes: [] })), ['/scopes missing'])
  })

  test('AK1 attack: a key made with an access token stays within its scopes, and fields of others are ignored', async () => {
    const { keys, newOwner } = desk()
    const [owner, victim] = [newOwner(), newOwner()]
    const caller = { kind: 'account', id: owner.id } as const
    const within = ['api:write', 'data:read']
    const act = keys.create(
      caller,
      { ownerId: owner.id, kind: 'api_key', within },
      { name: 'X', scopes: ['data:read', 'data:write'] },
    )
    assert.deepEqual(await refusedFields(act), ['/scopes/1 beyond_credential'])
    const more = {
      userId: victim.id,
      ownerId: victim.id,
      kind: 'personal_access_token',
      rateLimit: 1e9,
      expiresAt: 9e15,
      ancestors: [],
      id: 'x',
    }
    const { key } = await keys.create(caller, { ownerId: owner.id, kind: 'api_key', within }, {
      name: 'X',
      scopes: ['data:read'],
      ...more,
    } as never)
    assert.deepEqual([key.ownerId, key.kind, key.quota], [owner.id, 'api_key', undefined])
    assert.ok(key.expiresAt < 9e15 && key.id !== 'x')
    assert.deepEqual((await keys.list({ ownerId: victim.id, kind: 'api_key' })).items, [])
  })

  test('AK1 attack: an account that is disabled, not verified or not there gets no key', async () => {
    const { newOwner } = desk()
    const nobody = { ...newOwner(), id: 'nobody' }
    for (const owner of [newOwner({ status: 'disabled' }), newOwner({ emailVerified: false }), nobody]) {
      await assert.rejects(newKey(desk(), owner), (error) => hasCode(error, 'forbidden'))
    }
  })

  test('AK2: effective rights are the scopes within what the owner may do now; demoted, disabled or deleted, its keys go along', async () => {
    const { keys, newOwner, owners, pass } = desk()
    const owner = newOwner({ role: 'administrator' })
    const { credential } = await newKey(desk(), owner, { scopes: ['data:read', 'api:admin'] })
    const ask = async () => outcome(await keys.check(credential, from(HOME, { scopes: ['api:admin'] })))
    assert.equal(await ask(), 'allowed')
    owners.set(owner.id, { ...owner, role: 'member' })
    pass(1000)
    assert.equal(await ask(), 'scope_beyond_owner')
    assert.deepEqual(mustAllow(await keys.check(credential, from())).scopes, ['data:read'])
    owners.set(owner.id, { ...owner, status: 'disabled' })
    pass(1000)
    assert.equal(outcome(await keys.check(credential, from())), 'account_disabled')
    owners.delete(owner.id)
    pass(1000)
    assert.equal(outcome(await keys.check(credential, from())), 'account_disabled')
    owners.set(owner.id, { ...owner, emailVerified: false })
    keys.forgetOwner(owner.id)
    assert.equal(outcome(await keys.check(credential, from())), 'account_unverified')
  })

  test('AK4: truncated, case-changed, altered, prefixed, foreign and made-up credentials are all refused alike', async () => {
    const { keys, newOwner } = desk()
    const { credential } = await newKey(desk(), newOwner())
    const swapped = credential.replace(/[a-zA-Z]/g, (c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()))
    const bad = [
      '',
      'licet_key_',
      credential.slice(0, -1),
      credential.slice(1),
      `${credential} `,
      `${credential}\u0000`,
      swapped,
      credential.replace('_key_', '_pat_'),
      credential.replace('_key_', '_cs_'),
      credential.replace('licet', 'other'),
      credential.slice(0, -1) + (credential.endsWith('0') ? '1' : '0'),
      'x'.repeat(100_000),
      forge(credential),
    ]
    for (const text of bad) {
      const denied = mustDeny(await keys.check(text, from()))
      assert.deepEqual([denied.outside, denied.key, denied.owner], ['invalid_token', undefined, undefined])
      assert.match(denied.errorRef, /^[0-9A-Za-z]{10}$/)
    }
    assert.equal(outcome(await keys.check(forge(credential), from())), 'unknown')
    mustAllow(await keys.check(credential, from()))
  })

  test('a wrong checksum costs no look-up, an uncached key one, a cached one none', async () => {
    const { keys, other, newOwner, reads, pass } = desk()
    const made = await newKey({ keys: other }, newOwner())
    reads()
    await keys.check(`${made.credential.slice(0, -1)}!`, from())
    await keys.check(
      made.credential.replace(/.$/, (last) => (last === 'z' ? 'y' : 'z')),
      from(),
    )
    assert.equal(reads(), 0)
    mustAllow(await keys.check(made.credential, from()))
    assert.equal(reads(), 1)
    await Promise.all(Array.from({ length: 50 }, () => keys.check(made.credential, from())))
    assert.equal(reads(), 0)
    const forged = forge(made.credential)
    pass(1000)
    for (let round = 0; round < 3; round += 1) assert.equal(outcome(await keys.check(forged, from())), 'unknown')
    assert.equal(reads(), 1)
    pass(1000)
    await Promise.all(Array.from({ length: 50 }, () => keys.check(made.credential, from())))
    assert.equal(reads(), 1)
  })

  test('AK5: a revocation counts at once where it was made and within a second on every other process, through its cache', async () => {
    const { keys, other, newOwner, pass } = desk()
    const { credential, owned } = await newKey(desk(), newOwner())
    for (const one of [keys, other]) mustAllow(await one.check(credential, from()))
    const key = await keys.revoke({ kind: 'operator' }, owned, 'stolen')
    assert.deepEqual([key.state, key.revoked?.reason], ['revoked', 'stolen'])
    assert.equal(outcome(await keys.check(credential, from())), 'revoked')
    pass(1000)
    assert.equal(outcome(await other.check(credential, from())), 'revoked')
    assert.equal((await other.revoke({ kind: 'operator' }, owned, 'again')).revoked?.reason, 'stolen')
  })

  test('AK7 attack: a foreign key is not found, whatever is done with it, and neither is one of the other kind', async () => {
    const { keys, newOwner } = desk()
    const { owned, credential } = await newKey(desk(), newOwner())
    const thief = { kind: 'account', id: 'thief' } as const
    for (const foreign of [
      { ...owned, ownerId: newOwner().id },
      { ...owned, kind: 'personal_access_token' } as const,
    ]) {
      const acts = [
        keys.getOwned(foreign),
        keys.change(thief, foreign, { name: 'Mine' }),
        keys.revoke(thief, foreign),
        keys.rotate(thief, foreign),
        keys.endOverlap(thief, foreign),
        keys.usage(foreign),
        keys.descendants(foreign),
      ]
      for (const act of acts) await assert.rejects(act, (error) => hasCode(error, 'not_found'))
    }
    mustAllow(await keys.check(credential, from()))
  })

  test('AK10: a key works from its networks only, in every spelling of the address', async () => {
    const { keys, newOwner } = desk()
    const { credential } = await newKey(desk(), newOwner(), {
      allowedIps: ['192.0.2.0/25', '::ffff:198.51.100.0/120', '2001:db8:1::/48', '10.1.2.3'],
    })
    const allowed = [
      '192.0.2.0',
      '192.0.2.127',
      '::ffff:192.0.2.1',
      '::FFFF:C000:0201',
      '198.51.100.255',
      '2001:DB8:1:0:0:0:0:9',
      '2001:db8:1::1%eth0',
      '10.1.2.3',
    ]
    const denied = [
      '192.0.2.128',
      '::ffff:192.0.2.128',
      '198.51.101.0',
      '2001:db8:2::1',
      '10.1.2.4',
      '::1',
      '',
      'localhost',
      '192.0.2.1/0',
      '0300.0.2.1',
      '192.0.2.1,10.0.0.1',
    ]
    for (const ip of allowed) assert.equal(outcome(await keys.check(credential, from(ip))), 'allowed', ip)
    for (const ip of denied) {
      const verdict = mustDeny(await keys.check(credential, from(ip)))
      assert.deepEqual([verdict.reason, verdict.outside], ['ip_not_allowed', 'invalid_token'], ip)
    }
  })

  test('a key bound to a resource works there only, and nowhere with scopes the resource does not own', async () => {
    const { keys, newOwner } = desk()
    const owner = newOwner()
    const bound = await newKey(desk(), owner, { scopes: ['mcp:read'], resource: MCP })
    const free = await newKey(desk(), owner, { scopes: ['mcp:read', 'data:read'] })
    const at = async (credential: string, audience?: string) => {
      const verdict = await keys.check(credential, from(HOME, audience ? { audience } : {}))
      return verdict.allowed ? verdict.scopes.join(' ') : verdict.reason
    }
    assert.deepEqual(
      [await at(bound.credential, MCP), await at(bound.credential), await at(bound.credential, API)],
      ['mcp:read', 'mcp:read', 'audience_mismatch'],
    )
    assert.deepEqual(
      [await at(free.credential, MCP), await at(free.credential, API), await at(free.credential, `${MCP}/`)],
      ['mcp:read', 'mcp:read data:read', 'audience_mismatch'],
    )
    assert.deepEqual(await refusedFields(newKey(desk(), owner, { scopes: ['data:read'], resource: MCP })), [
      '/scopes/0 not_of_resource',
    ])
  })

  test('a change narrows; what would widen needs a word, and what has ended is not revived', async () => {
    const { keys, newOwner, now, pass } = desk()
    const owner = newOwner()
    const caller = { kind: 'account', id: owner.id } as const
    const { owned, credential } = await newKey(desk(), owner, {
      scopes: ['data:read', 'data:write'],
      allowedIps: ['10.0.0.0/8'],
    })
    const changed = await keys.change(
      caller,
      owned,
      { name: 'Deploy 2', scopes: ['data:read'], allowedIps: ['10.1.0.0/16'] },
      { within: ['api:write'] },
    )
    assert.deepEqual([changed.name, changed.scopes, changed.allowedIps], ['Deploy 2', ['data:read'], ['10.1.0.0/16']])
    assert.equal(outcome(await keys.check(credential, from('10.2.0.1'))), 'ip_not_allowed')
    const wider = [{ scopes: ['data:read', 'data:write'] }, { allowedIps: ['10.0.0.0/8'] }, { allowedIps: [] }]
    for (const change of wider) {
      await assert.rejects(keys.change(caller, owned, change), (error) => hasCode(error, 'forbidden'))
    }
    const act = keys.change(caller, owned, { scopes: ['data:write'] }, { mayWiden: true, within: ['api:write'] })
    assert.deepEqual(await refusedFields(act), ['/scopes/0 beyond_credential'])
    assert.deepEqual((await keys.change(caller, owned, { allowedIps: [] }, { mayWiden: true })).allowedIps, [])
    for (const change of [
      { expiresAt: now() + 400 * 86_400_000 },
      { ownerId: 'eve' },
      { kind: 'x' },
      { revoked: undefined },
    ]) {
      assert.equal((await refusedFields(keys.change(caller, owned, change as object, { mayWiden: true }))).length, 1)
    }
    const children = { mayCreateChildren: true }
    await assert.rejects(keys.change(caller, owned, children), (error) => hasCode(error, 'forbidden'))
    assert.equal((await keys.change(caller, owned, children, { mayWiden: true })).mayCreateChildren, true)
    await keys.change(caller, owned, { expiresAt: now() + 1000 })
    pass(1000)
    assert.equal(outcome(await keys.check(credential, from())), 'expired')
    await assert.rejects(keys.change(caller, owned, { name: 'X' }), (error) => hasCode(error, 'conflict'))
    await assert.rejects(keys.rotate(caller, owned), (error) => hasCode(error, 'conflict'))
    assert.equal((await keys.getOwned(owned)).state, 'expired')
  })

  test('keys are listed by owner and kind, newest first, with their last use', async () => {
    const { keys, newOwner, now } = desk()
    const owner = newOwner()
    const first = await newKey(desk(), owner)
    const second = await newKey(desk(), owner)
    await newKey(desk(), owner, { kind: 'personal_access_token' })
    await newKey(desk(), newOwner())
    mustAllow(await keys.check(first.credential, from('198.51.100.4')))
    await keys.flush()
    const { items } = await keys.list({ ownerId: owner.id, kind: 'api_key' })
    assert.deepEqual(
      items.map(({ id, lastUsedAt, lastUsedIp }) => [id, lastUsedAt, lastUsedIp]),
      [
        [second.id, undefined, undefined],
        [first.id, now(), '198.51.100.4'],
      ],
    )
    await keys.removeAll(owner.id)
    assert.deepEqual((await keys.list({ ownerId: owner.id, kind: 'api_key' })).items, [])
  })

  test('RC8: an owner has at most 250 living keys, also when they are made at once by two processes', async () => {
    const { keys, other, newOwner, store, now } = desk()
    const owner = newOwner()
    const taken = Object.fromEntries(Array.from({ length: 245 }, (_, index) => [`k${index}`, now() + 1e9]))
    await store.put('key_roster', { id: `owner ${owner.id}`, value: taken }, 'create')
    const tries = Array.from({ length: 20 }, (_, index) => newKey({ keys: index % 2 ? keys : other }, owner))
    const done = await Promise.allSettled(tries)
    assert.equal(done.filter(({ status }) => status === 'fulfilled').length, 5)
    const made = (await keys.list({ ownerId: owner.id, kind: 'api_key' })).items
    assert.equal(made.length, 5)
    await keys.revoke({ kind: 'operator' }, { ownerId: owner.id, id: made[0]?.id ?? '' })
    await newKey(desk(), owner)
  })
})
