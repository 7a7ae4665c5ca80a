import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emailKeyOf, readEmail } from '../../src/accounts/email.ts'

const same: readonly (readonly string[])[] = [
  [
    'ada@example.com',
    'ADA@EXAMPLE.COM',
    ' ada@example.com ',
    'ada@example.com.',
    'ada@example.com..',
    '\tada@example.com\n',
  ],
  ['ada@example.com', 'ａｄａ@example.com', 'ada＠example.com', 'ada@ｅｘａｍｐｌｅ．ｃｏｍ', 'ada@example。com'],
  ['straße@exämple.de', 'STRASSE@EXÄMPLE.DE', 'strasse@xn--exmple-cua.de', 'straße@XN--EXMPLE-CUA.de'],
  ['ſam@example.com', 'sam@example.com'],
  ['\u212Aim@example.com', 'kim@example.com'],
  ['jose\u0301@example.com', 'jos\u00e9@example.com', 'JOSÉ@example.com'],
]
for (const spellings of same) {
  test(`LG4: one key for ${spellings.map((spelling) => JSON.stringify(spelling)).join(' ')}`, () => {
    const keys = new Set(spellings.map((spelling) => readEmail(spelling)?.key))
    assert.equal(keys.size, 1)
    assert.ok(![...keys].includes(undefined))
  })
}

test('LG4: a plus-tag and a look-alike of another script are other addresses', () => {
  const keys = ['ada@example.com', 'ada+tag@example.com', 'аda@example.com', 'ada@exаmple.com'].map(
    (text) => readEmail(text)?.key,
  )
  assert.equal(new Set(keys).size, 4)
})

test('the address keeps its case before the @, and mail goes to an ASCII domain', () => {
  assert.equal(readEmail('Ada.B@BÜCHER.example')?.address, 'Ada.B@xn--bcher-kva.example')
})

const bad = [
  '',
  '@',
  'ada',
  'ada@',
  '@example.com',
  'a@b@c',
  'ada@exam ple.com',
  'ada lovelace@example.com',
  'ada@-example.com',
  'ada@example-.com',
  'ada@.example.com',
  'ada@example..com',
  '.ada@example.com',
  'ada.@example.com',
  'a..b@example.com',
  '"ada"@example.com',
  'ada@[127.0.0.1]',
  'ada@127.0.0.1',
  'ada@0x7f.1',
  'ada@%65xample.com',
  'ada@example.com/x',
  'ada@example.com:25',
  'ada@example.com?x',
  'ada@example.com\r\nBcc: eve@example.com',
  'ada\r\nBcc:eve@example.com',
  'ada\u0000@example.com',
  'ada,eve@example.com',
  '<ada@example.com>',
  'ada\u200b@example.com',
  'ada\u202e@example.com',
  'ada\u00ad@example.com',
  'ada;eve@example.com',
  `${'a'.repeat(65)}@example.com`,
  `ada@${'a'.repeat(64)}.com`,
  `ada@${'a.'.repeat(130)}com`,
  `${'x'.repeat(100_000)}@example.com`,
]
for (const text of bad) {
  test(`not an address: ${JSON.stringify(text.slice(0, 40))}`, () => assert.equal(readEmail(text), undefined))
}

test('LG4 attack: whatever is typed, case and surrounding spaces do not change the key it is counted under', () => {
  const words = fc.oneof(fc.emailAddress(), fc.string({ unit: 'grapheme', maxLength: 60 }))
  fc.assert(
    fc.property(words, (text) => {
      assert.equal(emailKeyOf(emailKeyOf(text)), emailKeyOf(emailKeyOf(text).toUpperCase()))
      assert.equal(emailKeyOf(` ${text} `), emailKeyOf(text))
    }),
    { numRuns: 500, seed: 7 },
  )
})

test('the key of an address is its own key', () => {
  fc.assert(
    fc.property(fc.emailAddress(), (text) => {
      const key = readEmail(text)?.key
      if (key !== undefined) assert.equal(readEmail(key)?.key, key)
    }),
    { numRuns: 500, seed: 7 },
  )
})
