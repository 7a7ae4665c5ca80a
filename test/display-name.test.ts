import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanName } from '../src/display-name.ts'

const cases: readonly [string, string | undefined, string][] = [
  ['Console', 'Console', 'an ordinary name stays'],
  ['  My   App\t1 ', 'My App 1', 'spaces are single and trimmed'],
  ['e\u0301clair', '\u00e9clair', 'names are NFC'],
  ['Pay\u202elaP', 'PaylaP', 'attack: a direction override is taken out'],
  ['\u2066Bank\u2069', 'Bank', 'attack: direction isolates are taken out'],
  ['Goo\u200bgle', 'Google', 'attack: a zero-width space is taken out'],
  ['G\u200d\u200c\u2060\ufeffit', 'Git', 'attack: joiners and byte order marks are taken out'],
  ['A\u0000B\u001b[31mC\u007f', 'AB[31mC', 'attack: control characters are taken out'],
  ['line\r\nbreak\u2028two', 'line break two', 'line breaks become spaces'],
  ['tag\u{e0041}\u{e007f}', 'tag', 'attack: invisible tag characters are taken out'],
  ['filler\u3164\u115f', 'filler', 'attack: fillers that draw nothing are taken out'],
  ['half \ud800 pair', 'half pair', 'attack: a lone surrogate is taken out'],
  ['<b>bold</b>', '<b>bold</b>', 'markup is text; the views escape it'],
  ['日本語アプリ', '日本語アプリ', 'other scripts stay'],
  ['a'.repeat(64), 'a'.repeat(64), '64 characters are accepted'],
  ['a'.repeat(65), undefined, '65 characters are refused, not cut'],
  ['😀'.repeat(64), '😀'.repeat(64), 'characters are counted, not code units'],
  ['\u200b\u202e ', undefined, 'attack: a name of nothing visible is refused'],
  ['', undefined, 'an empty name is refused'],
  ['x'.repeat(100_000), undefined, 'a huge name is refused'],
]

for (const [given, expected, sentence] of cases) {
  test(`display name: ${sentence}`, () => assert.equal(cleanName(given), expected))
}
