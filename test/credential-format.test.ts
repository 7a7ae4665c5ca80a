import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { credentialHint, formatCredential, parseCredential } from '../src/credential-format.ts'
import { randomId } from '../src/secrets.ts'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BODY = 'aZ0'.repeat(11).slice(0, 32)

test('a credential ends in the CRC-32 of everything before it, six base62 digits, left-padded', () => {
  for (let round = 0; round < 200; round += 1) {
    const credential = formatCredential('licet', 'cs', randomId(32))
    const value = [...credential.slice(-6)].reduce((sum, digit) => sum * 62 + BASE62.indexOf(digit), 0)
    assert.equal(value, crc32(credential.slice(0, -6)))
    assert.match(credential, /^licet_cs_[0-9A-Za-z]{38}$/)
  }
})

test('the format is fixed: the same body always gives the same credential', () => {
  assert.equal(crc32('123456789'), 0xcbf43926)
  assert.equal(formatCredential('licet', 'key', BODY), formatCredential('licet', 'key', BODY))
  assert.notEqual(formatCredential('licet', 'key', BODY).slice(-6), formatCredential('licet', 'pat', BODY).slice(-6))
})

test('a credential tells its kind, and one changed character anywhere is noticed', () => {
  for (const kind of ['key', 'pat', 'cs'] as const) {
    const credential = formatCredential('acme', kind, BODY)
    assert.equal(parseCredential('acme', credential), kind)
    for (let at = 0; at < credential.length; at += 1) {
      const altered = `${credential.slice(0, at)}${credential[at] === '7' ? '8' : '7'}${credential.slice(at + 1)}`
      assert.equal(parseCredential('acme', altered), undefined, `position ${at}`)
    }
  }
})

test('attack: truncated, extended, foreign, huge and non-text-like credentials are refused without a look-up', () => {
  const credential = formatCredential('licet', 'key', BODY)
  const bad = ['', 'licet_key_', credential.slice(0, -1), `${credential}0`, `${credential}\n`, ` ${credential}`]
  const worse = [
    credential.toUpperCase(),
    'x'.repeat(100_000),
    credential.replace('licet', 'Licet'),
    '__proto__',
    `${'é'.repeat(48)}`,
  ]
  for (const text of [...bad, ...worse]) assert.equal(parseCredential('licet', text), undefined, text.slice(0, 60))
  assert.equal(parseCredential('other', credential), undefined)
})

test('a hint shows the head and four characters, never the random part', () => {
  const credential = formatCredential('licet', 'cs', BODY)
  assert.equal(credentialHint(credential), `licet_cs_…${credential.slice(-4)}`)
})

test('a prefix or body of another form is a programming error', () => {
  assert.throws(() => formatCredential('li_cet', 'key', BODY), TypeError)
  assert.throws(() => formatCredential('licet', 'key', 'short'), TypeError)
})
