/** JSON bodies that two readers could understand differently. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJson } from '../../src/http/json.ts'

const refused = (text: string) => assert.throws(() => parseJson(text), { code: 'invalid_request' }, text)

test('a name twice in one object is refused, however it is written and wherever it stands', () => {
  for (const text of [
    '{"scopes":["data:read"],"scopes":["api:write"]}',
    '{"scopes":1, "\\u0073copes":2}',
    '{"a":{"b":[{"c":1,"d":2,"c":3}]}}',
    '[{"":1,"":2}]',
    '{"a\\"b":1,"a\\"b":2}',
  ])
    refused(text)
  const fine = '{"a":{"a":[{"a":1},{"a":"a:\\"{"}]},"b":"a","c":":"}'
  assert.deepEqual(parseJson(fine), JSON.parse(fine))
})

test('__proto__, a body that is too deep and one that is no JSON are refused', () => {
  refused('{"a":[{"__proto__":{"admin":true}}]}')
  refused('{"__\\u0070roto__":1}')
  refused(`${'['.repeat(21)}${']'.repeat(21)}`)
  for (const text of ['', '{', '{"a":}', "{'a':1}", '{"a":1,}', '\u0000']) refused(text)
  assert.deepEqual(parseJson(`${'['.repeat(20)}${']'.repeat(20)}`), JSON.parse(`${'['.repeat(20)}${']'.repeat(20)}`))
})

test('what the built-in parser makes of any value that is written once is what comes out', () => {
  const isSafe = (text: string) => !text.includes('__proto__')
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }).filter(isSafe), (text) => {
      assert.deepEqual(parseJson(text), JSON.parse(text))
    }),
  )
})

test('a long body costs time in proportion to its length', () => {
  const begun = performance.now()
  parseJson(JSON.stringify({ text: '\\"{:'.repeat(20_000), list: Array.from({ length: 5000 }, (_, at) => ({ at })) }))
  assert.ok(performance.now() - begun < 500)
})
