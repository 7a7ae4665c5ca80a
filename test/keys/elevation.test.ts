import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import {
  from,
  HOME,
  type KeyDesk,
  type Made,
  mustAllow,
  mustDeny,
  newKey,
  onEveryKeyStore,
  outcome,
} from '../support/key-desk.ts'

const operator = { kind: 'operator' } as const
const asking = (scope: string) => from(HOME, { scopes: [scope] })

/** What a refused call leaves behind: a request of its owner. */
async function ask({ keys }: Pick<KeyDesk, 'keys'>, { credential }: Made, scope = 'data:write') {
  const denied = mustDeny(await keys.check(credential, asking(scope)))
  assert.equal(denied.elevation, scope)
  assert.ok(denied.key)
  return keys.elevations.ask(denied.key, scope, { ip: HOME, userAgent: 'curl/8' })
}

onEveryKeyStore((desk) => {
  test('a personal token is lifted to one scope for 15 minutes by its owner and falls back by itself', async () => {
    const { keys, other, newOwner, pass, store } = desk()
    const owner = newOwner()
    const token = await newKey(desk(), owner, { kind: 'personal_access_token' })
    const request = await ask(desk(), token)
    assert.deepEqual(await ask(desk(), token), request)
    assert.deepEqual(await keys.elevations.listOpen(owner.id), [request])
    const key = await keys.elevations.approve({ kind: 'account', id: owner.id }, owner.id, request.id)
    assert.equal(key.elevation?.scope, 'data:write')
    mustAllow(await keys.check(token.credential, asking('data:write')))
    pass(1000)
    mustAllow(await other.check(token.credential, asking('data:write')))
    assert.equal(outcome(await keys.check(token.credential, asking('mcp:read'))), 'scope_missing')
    pass(15 * 60_000 - 1000)
    for (const one of [keys, other])
      assert.equal(outcome(await one.check(token.credential, asking('data:write'))), 'scope_missing')
    assert.equal((await keys.getOwned(token.owned)).elevation, undefined)
    const { items } = await store.read(owner.id)
    assert.deepEqual(
      items.map(({ record }) => record['event']),
      ['token.lifted', 'token.created'],
    )
  })

  test('RC2: of twenty parallel approvals on two processes one lifts the token', async () => {
    const { keys, other, newOwner } = desk()
    const owner = newOwner()
    const request = await ask(desk(), await newKey(desk(), owner, { kind: 'personal_access_token' }))
    const tries = Array.from({ length: 20 }, (_, index) =>
      (index % 2 ? keys : other).elevations.approve(operator, owner.id, request.id),
    )
    const done = await Promise.allSettled(tries)
    assert.equal(done.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const one of done) if (one.status === 'rejected') assert.ok(hasCode(one.reason, 'not_found'))
  })

  test('attack: a stranger neither reads, approves nor uses up a request', async () => {
    const { keys, newOwner } = desk()
    const [owner, stranger] = [newOwner(), newOwner()]
    const request = await ask(desk(), await newKey(desk(), owner, { kind: 'personal_access_token' }))
    const { elevations } = keys
    for (const act of [
      elevations.getOwned,
      (id: string, ref: string) => elevations.approve(operator, id, ref),
      (id: string, ref: string) => elevations.refuse(operator, id, ref),
    ]) {
      await assert.rejects(act(stranger.id, request.id), (error) => hasCode(error, 'not_found'))
    }
    assert.deepEqual(await elevations.listOpen(stranger.id), [])
    await elevations.approve(operator, owner.id, request.id)
  })

  test('attack: a lift never survives a rotation, and a request of the old secret lifts nothing', async () => {
    const { keys, newOwner } = desk()
    const owner = newOwner()
    const token = await newKey(desk(), owner, { kind: 'personal_access_token', scopes: ['data:read'] })
    const waiting = await ask(desk(), token, 'mcp:write')
    const request = await ask(desk(), token)
    await keys.elevations.approve(operator, owner.id, request.id)
    const { credential } = await keys.rotate(operator, token.owned)
    for (const one of [token.credential, credential]) {
      assert.equal(outcome(await keys.check(one, asking('data:write'))), 'scope_missing')
    }
    assert.equal(mustDeny(await keys.check(token.credential, asking('data:write'))).elevation, undefined)
    await assert.rejects(keys.elevations.approve(operator, owner.id, waiting.id), (error) => hasCode(error, 'conflict'))
  })

  test('attack: during an overlap the new secret may be lifted, and the old one gets nothing of it', async () => {
    const { keys, newOwner } = desk()
    const owner = newOwner()
    const token = await newKey(desk(), owner, { kind: 'personal_access_token' })
    const { credential } = await keys.rotate(operator, token.owned)
    await keys.elevations.approve(operator, owner.id, (await ask(desk(), { ...token, credential })).id)
    mustAllow(await keys.check(credential, asking('data:write')))
    assert.equal(outcome(await keys.check(token.credential, asking('data:write'))), 'scope_missing')
  })

  test('attack: nothing is lifted beyond its owner’s rights, and neither API keys nor children are', async () => {
    const { keys, newOwner, owners } = desk()
    const owner = newOwner()
    const token = await newKey(desk(), owner, { kind: 'personal_access_token', mayCreateChildren: true })
    const admin = mustDeny(await keys.check(token.credential, asking('api:admin')))
    assert.deepEqual([admin.reason, admin.elevation], ['scope_beyond_owner', undefined])
    const parent = mustAllow(await keys.check(token.credential, from()))
    const child = await keys.createChild(operator, parent, { name: 'Child', scopes: ['data:read'] })
    const key = await newKey(desk(), owner)
    for (const credential of [child.credential, key.credential]) {
      const denied = mustDeny(await keys.check(credential, asking('data:write')))
      assert.deepEqual([denied.reason, denied.elevation], ['scope_missing', undefined])
    }
    // A request made up past the refusal lifts nothing either.
    for (const made of [child.key, mustAllow(await keys.check(key.credential, from())).key]) {
      const forged = await keys.elevations.ask(made, 'data:write', { ip: HOME, userAgent: 'x' })
      await assert.rejects(keys.elevations.approve(operator, owner.id, forged.id), (error) =>
        hasCode(error, 'conflict'),
      )
    }
    const request = await ask(desk(), token)
    owners.set(owner.id, { ...owner, status: 'disabled' })
    await assert.rejects(keys.elevations.approve(operator, owner.id, request.id), (error) => hasCode(error, 'conflict'))
  })

  test('attack: a child of a lifted token gets none of what it was lifted to', async () => {
    const { keys, newOwner } = desk()
    const owner = newOwner()
    const token = await newKey(desk(), owner, { kind: 'personal_access_token', mayCreateChildren: true })
    await keys.elevations.approve(operator, owner.id, (await ask(desk(), token)).id)
    const parent = mustAllow(await keys.check(token.credential, asking('data:write')))
    assert.deepEqual(parent.scopes, ['data:read', 'data:write'])
    const act = keys.createChild(operator, parent, { name: 'Child', scopes: ['data:write'] })
    await assert.rejects(act, (error) => hasCode(error, 'invalid_request'))
    const child = await keys.createChild(operator, parent, { name: 'Child', scopes: ['data:read'] })
    assert.deepEqual(mustAllow(await keys.check(child.credential, from())).scopes, ['data:read'])
  })

  test('a request that nobody answers is gone after 15 minutes, and one answered with no lifts nothing', async () => {
    const { keys, newOwner, pass } = desk()
    const owner = newOwner()
    const token = await newKey(desk(), owner, { kind: 'personal_access_token' })
    const first = await ask(desk(), token)
    pass(15 * 60_000)
    await assert.rejects(keys.elevations.approve(operator, owner.id, first.id), (error) => hasCode(error, 'not_found'))
    const second = await ask(desk(), token)
    await keys.elevations.refuse(operator, owner.id, second.id)
    await assert.rejects(keys.elevations.approve(operator, owner.id, second.id), (error) => hasCode(error, 'not_found'))
    assert.equal(outcome(await keys.check(token.credential, asking('data:write'))), 'scope_missing')
  })
})
