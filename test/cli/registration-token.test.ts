import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createInitialTokens } from '../../src/apps/initial-tokens.ts'
import { addRegistrationTokenCommands } from '../../src/cli/registration-token.ts'
import { createRunner } from '../support/commands.ts'
import { openTestStore } from '../support/open-store.ts'

function setUp(t: TestContext) {
  const desk = openTestStore(t)
  const initialTokens = createInitialTokens({ ...desk, keyPrefix: 'licet', fromFile: [] })
  const openCore = async () => ({ initialTokens, close: async () => {} })
  return {
    ...desk,
    initialTokens,
    run: createRunner((program, io) => addRegistrationTokenCommands(program, openCore, io)),
  }
}

test('a registration token is printed once, listed without itself, and works until it is revoked', async (t) => {
  const { run, initialTokens, now } = setUp(t)
  const made = await run(['registration-token', 'create', '--name', 'Build farm', '--expires-in', '30d', '--json'])
  assert.deepEqual([made.code, made.err], [0, ''])
  const printed = made.json<{ id: string; token: string; expires_at: string }>()
  assert.equal(printed.expires_at, new Date(now() + 30 * 86_400_000).toISOString())
  assert.equal(await initialTokens.admits(printed.token), true)
  for (const words of [['list'], ['list', '--json']]) {
    const { out } = await run(['registration-token', ...words])
    assert.ok(out.includes('Build farm') && !out.includes(printed.token))
  }
  assert.equal((await run(['registration-token', 'revoke', printed.id])).code, 0)
  assert.equal(await initialTokens.admits(printed.token), false)
  assert.equal((await run(['registration-token', 'revoke', printed.id])).code, 1)
})

test('a name of nothing and a life of no time are bad usage', async (t) => {
  const { run, initialTokens } = setUp(t)
  for (const words of [
    ['--name', '\u202e'],
    ['--name', 'x', '--expires-in', 'soon'],
    ['--name', 'x', '--expires-in', '0'],
  ])
    assert.equal((await run(['registration-token', 'create', ...words])).code, 2, words.join(' '))
  assert.deepEqual(await initialTokens.list(), [])
})
