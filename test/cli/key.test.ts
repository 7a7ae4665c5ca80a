import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { addKeyCommands } from '../../src/cli/key.ts'
import { parseCredential } from '../../src/credential-format.ts'
import { createKeys } from '../../src/keys/keys.ts'
import { createRunner } from '../support/commands.ts'
import { from, mustAllow, outcome, policy } from '../support/key-desk.ts'
import { openTestStore, operator } from '../support/open-store.ts'

async function setUp(t: TestContext) {
  const desk = openTestStore(t)
  const accounts = createAccounts(desk)
  const keys = createKeys({ ...desk, keyPrefix: 'licet', owners: accounts, policy, denialSeconds: 86_400 })
  const account = await accounts.create(operator, { email: 'ada@example.test', emailVerified: true })
  const openCore = async () => ({ accounts, keys, close: async () => {} })
  return { ...desk, accounts, keys, account, run: createRunner((program, io) => addKeyCommands(program, openCore, io)) }
}

const create = ['key', 'create', '--account', 'Ada@Example.test', '--name', 'Deploy', '--scope', 'data:read data:write']

test('key create prints id and, once, key as JSON', async (t) => {
  const { run, keys, account, now } = await setUp(t)
  const made = await run([
    ...create,
    '--expires-in',
    '30d',
    '--allow-ip',
    '203.0.113.0/24',
    '--allow-ip',
    '::1',
    '--json',
  ])
  assert.deepEqual([made.code, made.err], [0, ''])
  const printed = made.json<{
    id: string
    key: string
    scopes: string[]
    allowed_ips: string[]
    expires_at: string
    account: string
  }>()
  assert.equal(parseCredential('licet', printed.key), 'key')
  assert.deepEqual(
    [printed.scopes, printed.allowed_ips, printed.expires_at, printed.account],
    [
      ['data:read', 'data:write'],
      ['203.0.113.0/24', '::1/128'],
      new Date(now() + 30 * 86_400_000).toISOString(),
      account.id,
    ],
  )
  assert.equal(mustAllow(await keys.check(printed.key, from())).key.id, printed.id)
  for (const words of [['list'], ['list', '--json'], ['list', '--account', account.id, '--json']]) {
    const { out } = await run(['key', ...words])
    assert.ok(out.includes(printed.id) && !out.includes(printed.key.slice(-26)))
  }
})

test('key create can make a personal access token for one resource', async (t) => {
  const { run } = await setUp(t)
  const words = ['--scope', 'mcp:read', '--resource', 'https://mcp.example/mcp', '--personal', '--json']
  const made = (await run([...create.slice(0, 6), ...words])).json<{ key: string; resource: string; kind: string }>()
  assert.equal(parseCredential('licet', made.key), 'pat')
  assert.deepEqual([made.kind, made.resource], ['personal_access_token', 'https://mcp.example/mcp'])
})

test('key list shows one account’s keys of both kinds, or everybody’s', async (t) => {
  const { run, accounts } = await setUp(t)
  await accounts.create(operator, { email: 'bob@example.test', emailVerified: true })
  await run(create)
  await run([...create, '--personal'])
  await run([...create.slice(0, 2), '--account', 'bob@example.test', '--name', 'Other', '--scope', 'data:read'])
  const names = async (words: readonly string[]) =>
    (await run(['key', 'list', ...words, '--json']))
      .json<{ items: { name: string }[] }>()
      .items.map(({ name }) => name)
      .sort()
  assert.deepEqual(await names([]), ['Deploy', 'Deploy', 'Other'])
  assert.deepEqual(await names(['--account', 'bob@example.test']), ['Other'])
})

test('key revoke ends a key with a reason', async (t) => {
  const { run, keys, store, account } = await setUp(t)
  const { id, key } = (await run([...create, '--json'])).json<{ id: string; key: string }>()
  const revoked = await run(['key', 'revoke', id, '--reason', 'stolen', '--json'])
  const { state, revoked_reason } = revoked.json<{ state: string; revoked_reason: string }>()
  assert.deepEqual([revoked.code, state, revoked_reason], [0, 'revoked', 'stolen'])
  assert.equal(outcome(await keys.check(key, from())), 'revoked')
  const { items } = await store.read(account.id)
  assert.equal(items[0]?.record['event'], 'key.revoked')
})

test('what cannot be done ends with 1 and a sentence, what makes no sense with 2', async (t) => {
  const { run, accounts } = await setUp(t)
  await accounts.create(operator, { email: 'new@example.test' })
  const cases: [string[], number, RegExp][] = [
    [['key', 'revoke', 'nothing'], 1, /no such key/],
    [
      [...create.slice(0, 2), '--account', 'nobody@example.test', '--name', 'X', '--scope', 'data:read'],
      1,
      /no such account/,
    ],
    [
      [...create.slice(0, 2), '--account', 'new@example.test', '--name', 'X', '--scope', 'data:read'],
      1,
      /Confirm your e-mail/,
    ],
    [[...create, '--expires-in', '2000d'], 1, /Give 60 to/],
    [[...create, '--allow-ip', 'home'], 1, /address or network/],
    [[...create, '--expires-in', 'soon'], 2, /duration/],
    [['key', 'create', '--name', 'X'], 2, /account/],
    [create.slice(0, 6), 2, /scope/],
  ]
  for (const [words, code, says] of cases) {
    const ran = await run(words)
    assert.equal(ran.code, code, words.join(' '))
    assert.match(ran.err, says)
  }
})
