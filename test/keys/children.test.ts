import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hasCode } from '../../src/errors.ts'
import type { NewKey } from '../../src/keys/fields.ts'
import type { IssuedKey } from '../../src/keys/issuing.ts'
import { from, HOME, type KeyDesk, MCP, mustAllow, newKey, onEveryKeyStore, outcome } from '../support/key-desk.ts'

const operator = { kind: 'operator' } as const

/** A child of whoever holds that credential. */
async function mint(
  { keys }: Pick<KeyDesk, 'keys'>,
  credential: string,
  wanted: Partial<NewKey> = {},
  ip = HOME,
): Promise<IssuedKey> {
  const parent = mustAllow(await keys.check(credential, from(ip)))
  return keys.createChild(operator, parent, { name: 'Child', scopes: ['data:read'], ...wanted })
}

onEveryKeyStore((desk) => {
  test('a child has no more scopes, networks, life or place than its parent, and names what it lacks', async () => {
    const { keys, newOwner, now } = desk()
    const parent = await newKey(desk(), newOwner(), {
      scopes: ['mcp:read', 'data:read'],
      allowedIps: ['203.0.113.0/24'],
      expiresInSeconds: 3600,
      mayCreateChildren: true,
    })
    const wrong: [Partial<NewKey>, string][] = [
      [{ scopes: ['data:read', 'data:write'] }, '/scopes/1 beyond_parent'],
      [{ expiresInSeconds: 3601 }, '/expires_in out_of_range'],
      [{ allowedIps: ['203.0.112.0/23'] }, '/allowed_ips/0 beyond_parent'],
      [{ allowedIps: ['::/0'] }, '/allowed_ips/0 beyond_parent'],
      [{ resource: MCP }, '/scopes/0 not_of_resource'],
    ]
    for (const [wanted, field] of wrong) {
      await assert.rejects(mint(desk(), parent.credential, wanted), (error) => {
        assert.ok(hasCode(error, 'invalid_request'))
        assert.deepEqual(
          (error.details.fields ?? []).map(({ pointer, code }) => `${pointer} ${code}`),
          [field],
        )
        return true
      })
    }
    const { key, credential } = await mint(desk(), parent.credential, { allowedIps: [] })
    assert.deepEqual(
      [key.scopes, key.allowedIps, key.expiresAt, key.ancestors, key.kind],
      [['data:read'], ['203.0.113.0/24'], now() + 3_600_000, [parent.id], 'api_key'],
    )
    assert.equal(outcome(await keys.check(credential, from('10.0.0.1'))), 'ip_not_allowed')
    assert.deepEqual(mustAllow(await keys.check(credential, from())).scopes, ['data:read'])
  })

  test('attack: a key without the right mints nothing, a child passes on no right it lacks, and the sixth level is refused', async () => {
    const { newOwner } = desk()
    const owner = newOwner()
    const forbidden = (error: unknown) => hasCode(error, 'forbidden')
    await assert.rejects(mint(desk(), (await newKey(desk(), owner)).credential), forbidden)
    let { credential } = await newKey(desk(), owner, { mayCreateChildren: true })
    const barren = await mint(desk(), credential)
    await assert.rejects(mint(desk(), barren.credential), forbidden)
    for (let level = 1; level <= 5; level += 1)
      credential = (await mint(desk(), credential, { mayCreateChildren: true })).credential
    await assert.rejects(mint(desk(), credential), forbidden)
  })

  test('AK5: killing a parent kills the tree at once, on every process, whatever was cached', async () => {
    const { keys, other, newOwner, pass } = desk()
    const owner = newOwner()
    const root = await newKey(desk(), owner, { mayCreateChildren: true })
    const tree = [{ key: { id: root.id }, credential: root.credential }]
    for (let level = 0; level < 4; level += 1) {
      tree.push(await mint(desk(), tree[level]?.credential ?? '', { mayCreateChildren: true }))
    }
    for (const { credential } of tree) for (const one of [keys, other]) mustAllow(await one.check(credential, from()))
    await keys.revoke(operator, { ownerId: owner.id, id: tree[1]?.key.id ?? '' })
    const outcomes = async (one: typeof keys) => {
      const all = []
      for (const { credential } of tree) all.push(outcome(await one.check(credential, from())))
      return all
    }
    const expected = ['allowed', 'revoked', 'parent_revoked', 'parent_revoked', 'parent_revoked']
    assert.deepEqual(await outcomes(keys), expected)
    pass(1000)
    assert.deepEqual(await outcomes(other), expected)
    const below = await keys.descendants(root.owned)
    assert.deepEqual(
      below.map(({ state }) => state),
      ['revoked', 'revoked', 'revoked', 'revoked'],
    )
  })

  test('an account that is removed leaves nothing of its keys: no child, no figure, no address', async () => {
    const { keys, store, newOwner, dump } = desk()
    const [owner, other] = [newOwner(), newOwner()]
    const root = await newKey(desk(), owner, { mayCreateChildren: true })
    const child = await mint(desk(), root.credential, {}, '198.51.100.99')
    mustAllow(await keys.check(child.credential, from('198.51.100.99')))
    const kept = await newKey(desk(), other)
    mustAllow(await keys.check(kept.credential, from()))
    await keys.flush()
    assert.ok((await dump()).includes('198.51.100.99'))
    await keys.removeAll(owner.id)
    const entries = await Promise.all(
      (['key', 'usage', 'key_use', 'key_roster'] as const).map((kind) => store.list(kind, { limit: 1000 })),
    )
    const left = JSON.stringify(entries)
    for (const trace of [owner.id, root.id, child.key.id, '198.51.100.99']) assert.ok(!left.includes(trace), trace)
    mustAllow(await keys.check(kept.credential, from()))
  })

  test('a child ends with what its parent loses later: scopes, networks, life', async () => {
    const { keys, newOwner, now, pass } = desk()
    const root = await newKey(desk(), newOwner(), { scopes: ['data:read', 'data:write'], mayCreateChildren: true })
    const { credential } = await mint(desk(), root.credential, { scopes: ['data:read', 'data:write'] })
    await keys.change(operator, root.owned, { scopes: ['data:read'] })
    assert.deepEqual(mustAllow(await keys.check(credential, from())).scopes, ['data:read'])
    await keys.change(operator, root.owned, { allowedIps: ['203.0.113.0/30'] })
    assert.equal(outcome(await keys.check(credential, from())), 'ip_not_allowed')
    mustAllow(await keys.check(credential, from('203.0.113.1')))
    await keys.change(operator, root.owned, { expiresAt: now() + 1000 })
    pass(1000)
    assert.equal(outcome(await keys.check(credential, from('203.0.113.1'))), 'parent_expired')
  })

  test('attack: children do not multiply a budget: the calls of a whole tree count against its root', async () => {
    const { keys, other, newOwner } = desk()
    const root = await newKey(desk(), newOwner(), { callBudget: 20, mayCreateChildren: true })
    const children = []
    for (let child = 0; child < 5; child += 1) children.push(await mint(desk(), root.credential, { callBudget: 20 }))
    const calls = children.flatMap(({ credential }) =>
      [keys, other, keys, other].map((one) => one.check(credential, from())),
    )
    const outcomes = (await Promise.all(calls)).map(outcome)
    // Five calls of the root itself were spent on minting.
    assert.equal(outcomes.filter((one) => one === 'allowed').length, 15)
    assert.equal(outcomes.filter((one) => one === 'budget_spent').length, 5)
    assert.equal(outcome(await keys.check(root.credential, from())), 'budget_spent')
  })

  test('attack: no sequence of minting yields a right that the root lacks', async () => {
    const { keys, newOwner, owners } = desk()
    const scopes = ['data:read', 'data:write', 'mcp:read', 'mcp:write', 'api:read', 'api:admin']
    const networks = ['0.0.0.0/0', '203.0.113.0/24', '203.0.113.0/25', '203.0.113.7', '::/0', '198.51.100.0/24']
    const wanted = fc.record({
      name: fc.constant('Child'),
      scopes: fc.subarray(scopes, { minLength: 1, maxLength: 2 }),
      allowedIps: fc.option(fc.subarray(networks, { maxLength: 2 }), { nil: undefined, freq: 1 }),
      expiresInSeconds: fc.option(fc.integer({ min: 60, max: 7200 }), { nil: undefined }),
      resource: fc.option(fc.constant(MCP), { nil: undefined, freq: 1 }),
      callBudget: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
      mayCreateChildren: fc.boolean(),
    })
    let minted = 0
    const sequence = fc.array(fc.record({ parent: fc.nat(5), wanted }), { minLength: 5, maxLength: 10 })
    const first = fc.record({
      scopes: fc.subarray(scopes, { minLength: 4 }),
      allowedIps: fc.constantFrom<readonly string[]>([], ['203.0.113.0/24'], ['203.0.113.0/24', '2001:db8::/32']),
    })
    await fc.assert(
      fc.asyncProperty(first, sequence, async (top, steps) => {
        const owner = newOwner({ role: 'administrator' })
        const root = await newKey(desk(), owner, { ...top, expiresInSeconds: 7200, mayCreateChildren: true })
        const made = [root.credential]
        for (const step of steps) {
          const parent = await keys.explain(made[step.parent % made.length] ?? '', from('203.0.113.7'))
          if (!parent.allowed) continue
          const allowed = { ...parent, credential: '' }
          const child = await keys.createChild(operator, allowed, step.wanted).catch(() => undefined)
          if (child) made.push(child.credential)
        }
        minted += made.length - 1
        for (const ip of ['203.0.113.7', '203.0.113.200', '198.51.100.1', '2001:db8::1']) {
          const of = async (credential: string) => {
            const told = await keys.explain(credential, from(ip))
            return told.allowed ? told.scopes : []
          }
          const rights = await of(root.credential)
          for (const credential of made) assert.ok((await of(credential)).every((scope) => rights.includes(scope)))
        }
        owners.delete(owner.id)
      }),
      { numRuns: 60 },
    )
    assert.ok(minted > 60, `only ${minted} children were minted`)
  })
})
