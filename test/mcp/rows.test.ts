/**
 * The published table of requirements is complete and true: every number from 1 to 46 stands in docs/mcp.md once, and the file that is said to prove it
 * holds a test with that number, or is one of those that prove extensions under names of their own.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../support/licet.ts'

const LAST = 46

/** Proven by tests that are not named by number, because they belong to features of their own. */
const ELSEWHERE: ReadonlySet<number> = new Set([35, 36, 37, 38, 39, 40, 41, 42, 45, 46])

const text = readFileSync(join(root, 'docs/mcp.md'), 'utf8')
const rows = [...text.matchAll(/^\| (\d+) \|.*\| `([^`]+)` \|$/gm)].map(([, number, file = '']) => ({
  number: Number(number),
  file,
}))

test('every requirement of the table has one row and one test', () => {
  assert.deepEqual(
    rows.map(({ number }) => number),
    Array.from({ length: LAST }, (_, index) => index + 1),
  )
  for (const { number, file } of rows) {
    assert.ok(existsSync(join(root, file)), file)
    if (ELSEWHERE.has(number)) continue
    const named = readFileSync(join(root, file), 'utf8').split(`test('MCP ${number}: `).length - 1
    assert.equal(named, 1, `MCP ${number} in ${file}`)
  }
})
