/**
 * The keys that sign, over time: a new one is published before it signs, the old one stays until its last token has expired (threats.md JW5).
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createSigningKeys, publicKeys } from '../../src/oidc/signing-keys.ts'
import { createVault } from '../../src/secrets.ts'
import { openTestStore } from '../support/open-store.ts'

function open(t: TestContext) {
  const { store, vault, now, pass } = openTestStore(t)
  const keys = createSigningKeys({ store, vault, now })
  const signing = async (algorithm = 'ES256') => (await keys.load()).jwks.find(({ alg }) => alg === algorithm)?.kid
  return { store, vault, now, pass, keys, signing }
}

test('JW5: a new key is published at once, signs after its time, and the old one leaves after its own', async (t) => {
  const { keys, pass, signing } = open(t)
  const published = async () => (await keys.load()).jwks.map(({ kid }) => kid)
  const old = await signing()
  await keys.rotate({ publishSeconds: 86_400, retireSeconds: 3600 })
  assert.equal((await published()).length, 6)
  assert.equal(await signing(), old)
  pass(86_399_000)
  assert.equal(await signing(), old, 'not a second early')
  pass(1_000)
  const next = await signing()
  assert.notEqual(next, old)
  assert.ok((await published()).includes(old), 'its last tokens can still be checked')
  pass(3_599_000)
  assert.ok((await published()).includes(old))
  pass(1_000)
  assert.ok(!(await published()).includes(old))
  assert.deepEqual([await signing(), (await published()).length], [next, 3])
})

test('JW5: the version changes when a key is added, starts to sign, or leaves, and at no other time', async (t) => {
  const { keys, pass } = open(t)
  const version = async () => (await keys.load()).version
  const versions = [await version()]
  pass(60_000)
  assert.equal(await version(), versions[0])
  await keys.rotate({ publishSeconds: 100, retireSeconds: 100 })
  versions.push(await version())
  pass(100_000)
  versions.push(await version())
  pass(100_000)
  versions.push(await version())
  assert.equal(new Set(versions).size, 4)
})

test('JW5: rotating twice before the first new key signs leaves every published key usable', async (t) => {
  const { keys, pass, signing } = open(t)
  const old = await signing()
  await keys.rotate({ publishSeconds: 100, retireSeconds: 1000 })
  pass(50_000)
  await keys.rotate({ publishSeconds: 100, retireSeconds: 1000 })
  assert.equal(await signing(), old)
  pass(50_000)
  const second = await signing()
  assert.notEqual(second, old)
  pass(50_000)
  const third = await signing()
  assert.ok(third !== second && third !== old)
  const kids = (await keys.load()).jwks.map(({ kid }) => kid)
  assert.ok(kids.includes(old) && kids.includes(second))
})

test('JW5: of twenty instances that start at once on an empty store all sign with the same keys', async (t) => {
  const { store, vault, now } = open(t)
  const sets = await Promise.all(Array.from({ length: 20 }, () => createSigningKeys({ store, vault, now }).load()))
  assert.equal(new Set(sets.map(({ version }) => version)).size, 1)
})

test('JW6: what is published is the public half, and the stored half opens only with the root secret', async (t) => {
  const { store, now, keys } = open(t)
  const { jwks } = await keys.load()
  for (const key of publicKeys(jwks)) assert.ok(!('d' in key))
  const stored = JSON.stringify((await store.list('signing_key', { limit: 100 })).items)
  for (const { d } of jwks) assert.ok(!stored.includes(String(d)))
  const stranger = createSigningKeys({ store, vault: createVault(['another root secret, also long enough']), now })
  await assert.rejects(stranger.load(), /root secret/)
})
