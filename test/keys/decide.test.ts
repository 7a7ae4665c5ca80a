import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decide, type Owner, type Standing } from '../../src/keys/decide.ts'
import type { KeyKind } from '../../src/keys/key.ts'
import { API, from, HOME, MCP, newKey, onEveryKeyStore, policy } from '../support/key-desk.ts'

const operator = { kind: 'operator' } as const
const scopes = Object.keys(policy.scopes)

const situation = fc.record({
  kind: fc.constantFrom<KeyKind>('api_key', 'personal_access_token'),
  held: fc.subarray(scopes, { minLength: 1 }),
  isBound: fc.boolean(),
  allowedIps: fc.constantFrom<readonly string[]>([], ['203.0.113.0/24'], ['2001:db8::/32']),
  ip: fc.constantFrom(HOME, '198.51.100.1', '2001:db8::9', '::ffff:203.0.113.7'),
  audience: fc.constantFrom(undefined, API, MCP, 'https://other.example/'),
  state: fc.constantFrom(
    'active',
    'rotating',
    'old secret',
    'retired',
    'revoked',
    'expired',
    'not yet',
    'used up',
    'child',
    'orphan',
  ),
  owner: fc.constantFrom<Partial<Owner>>(
    {},
    { role: 'administrator' },
    { status: 'disabled' },
    { emailVerified: false },
  ),
})

onEveryKeyStore((desk) => {
  test('explain and check always agree: kinds × all scopes × network × resource × state × owner', async () => {
    const { keys, newOwner, owners, now, pass } = desk()
    const seen = new Set<string>()
    const build = async ({
      kind,
      held,
      isBound,
      allowedIps,
      state,
      owner: change,
    }: typeof situation extends fc.Arbitrary<infer S> ? S : never) => {
      const owner = newOwner({ role: 'administrator' })
      const bound = isBound && held.every((scope) => scope.startsWith('mcp:')) ? { resource: MCP } : {}
      const notBefore = state === 'not yet' ? { notBefore: now() + 60_000 } : {}
      const quota = state === 'used up' ? { quota: { requests: 1, windowSeconds: 3600 } } : {}
      const mayCreateChildren = state === 'child' || state === 'orphan'
      const fields = {
        kind,
        scopes: held,
        allowedIps,
        mayCreateChildren,
        expiresInSeconds: 60,
        ...bound,
        ...notBefore,
        ...quota,
      }
      const made = await newKey(desk(), owner, fields)
      let { credential } = made
      if (state === 'rotating' || state === 'old secret') {
        const { credential: fresh } = await keys.rotate(operator, made.owned)
        if (state === 'rotating') credential = fresh
      }
      if (state === 'retired') await keys.rotate(operator, made.owned, { overlapSeconds: 0 })
      if (state === 'revoked') await keys.revoke(operator, made.owned)
      if (state === 'used up') await keys.check(credential, from(allowedIps[0]?.includes(':') ? '2001:db8::9' : HOME))
      if (mayCreateChildren) {
        const parent = await keys.explain(credential, from(allowedIps[0]?.includes(':') ? '2001:db8::9' : HOME))
        assert.ok(parent.allowed)
        credential = (await keys.createChild(operator, { ...parent, credential: '' }, { name: 'Child', scopes: held }))
          .credential
        if (state === 'orphan') await keys.revoke(operator, made.owned)
      }
      if (state === 'expired') pass(60_000)
      owners.set(owner.id, { ...owner, role: 'member', ...change })
      keys.forgetOwner(owner.id)
      return credential
    }
    await fc.assert(
      fc.asyncProperty(situation, async (one) => {
        const credential = await build(one)
        for (const scope of [undefined, ...scopes, 'made:up']) {
          const asked = {
            ip: one.ip,
            ...(one.audience ? { audience: one.audience } : {}),
            ...(scope ? { scopes: [scope] } : {}),
          }
          const told = await keys.explain(credential, asked)
          const verdict = await keys.check(credential, { ...asked, userAgent: 'x' })
          const [said, done] = [told, verdict].map((answer) =>
            answer.allowed ? answer.scopes.join(' ') : answer.reason,
          )
          assert.equal(said, done)
          seen.add(verdict.allowed ? 'allowed' : verdict.reason)
        }
      }),
      { numRuns: 60 },
    )
    assert.ok(seen.size >= 9, [...seen].join(' '))
  })
})

const ended: Standing = {
  key: {
    kind: 'api_key',
    ownerId: 'o',
    name: 'x',
    scopes: ['data:read'],
    expiresAt: 1000,
    allowedIps: ['10.0.0.0/8'],
    mayCreateChildren: false,
    ancestors: ['gone'],
    revoked: { at: 1, reason: 'x' },
    createdAt: 0,
    updatedAt: 0,
    locator: 'l',
    current: { number: 1, digest: 'd', hint: 'h', createdAt: 0 },
    retired: [],
  },
  use: 'current',
  ancestors: [undefined],
  owner: undefined,
}

test('of several causes the first that no other can undo is told', () => {
  const { revoked: _revoked, ...rest } = ended.key
  const alive: Standing = { ...ended, key: rest }
  const owner: Owner = { id: 'o', status: 'active', role: 'member', email: 'o@example.test', emailVerified: true }
  const reasons = [
    { ...ended, use: 'retired' as const },
    ended,
    alive,
    { ...alive, ancestors: [] },
    { ...alive, ancestors: [], owner: { ...owner, emailVerified: false } },
    { ...alive, ancestors: [], owner },
  ].map((standing) => {
    const decision = decide(standing, { ip: HOME }, policy, 2000)
    return decision.allowed ? 'allowed' : decision.reason
  })
  assert.deepEqual(reasons, [
    'rotated_out',
    'revoked',
    'parent_revoked',
    'account_disabled',
    'account_unverified',
    'expired',
  ])
})
