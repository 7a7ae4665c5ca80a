/**
 * What is random is random wherever it was drawn from, and what is sealed opens for its purpose only.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createVault, randomId, randomToken } from '../src/secrets.ts'

const root = 'a root secret that is long enough for a vault'

test('ids and tokens never repeat, however many are drawn from one pool of randomness', () => {
  const drawn = new Set<string>()
  for (let count = 0; count < 5000; count += 1) drawn.add(randomId()).add(randomToken())
  assert.equal(drawn.size, 10_000)
})

test('every byte of a token varies: nothing of the pool is handed out twice or wiped before', () => {
  const seen = Array.from({ length: 32 }, () => new Set<number>())
  for (let count = 0; count < 500; count += 1) {
    for (const [place, byte] of Buffer.from(randomToken(), 'base64url').entries()) seen[place]?.add(byte)
  }
  for (const values of seen) assert.ok(values.size > 150, `only ${values.size} values`)
})

test('an id longer than the pool of randomness is as long as asked for', () => {
  assert.match(randomId(9000), /^[0-9A-Za-z]{9000}$/)
})

test('what was sealed opens for its purpose, by this and by a later root secret beside it, and not when altered', () => {
  const vault = createVault([root])
  const sealed = vault.seal('one purpose', 'the text')
  assert.equal(vault.open('one purpose', sealed), 'the text')
  assert.equal(vault.open('another purpose', sealed), undefined)
  assert.equal(createVault([`${root} newer`, root]).open('one purpose', sealed), 'the text')
  assert.equal(createVault([`${root} newer`]).open('one purpose', sealed), undefined)
  assert.equal(vault.open('one purpose', `${sealed.slice(0, -2)}AA`), undefined)
  assert.notEqual(vault.seal('one purpose', 'the text'), sealed)
})
