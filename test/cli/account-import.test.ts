import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { createAuthenticate } from '../../src/accounts/authenticate.ts'
import { addImport } from '../../src/cli/account-import.ts'
import { createRunner } from '../support/commands.ts'
import { openTestStore } from '../support/open-store.ts'

// bcrypt of `U*U*` (a published vector).
const bcrypt = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'

function setUp(t: TestContext) {
  t.after(() => {
    process.exitCode = 0
  })
  const desk = openTestStore(t)
  const accounts = createAccounts(desk)
  const openCore = async () => ({ accounts, passwords: desk.passwords, close: async () => {} })
  const run = createRunner((program, io) => addImport(program.command('account'), openCore, io))
  return { ...desk, accounts, run, authenticate: createAuthenticate({ ...desk, limit: null }) }
}

type Result = { dry_run: boolean; created: number; known: number; refused: number; problems: { line: number }[] }

test('a CSV file makes accounts that sign in with the password they had', async (t) => {
  const { run, accounts, authenticate, directory } = setUp(t)
  const file = join(directory, 'people.csv')
  const rows = [
    '\ufeffemail,name,email_verified,role,attributes,password_hash',
    `ada@example.com,"Lovelace, ""Ada""",true,administrator,"{""plan"":""pro""}",${bcrypt}`,
    'grace@example.com,Grace,,,,',
    '',
  ]
  writeFileSync(file, rows.join('\r\n'))
  const { created, known, refused } = (await run(['account', 'import', file, '--json'])).json<Result>()
  assert.deepEqual([created, known, refused], [2, 0, 0])
  const ada = await accounts.findByEmail('ada@example.com')
  assert.deepEqual([ada?.name, ada?.role, ada?.emailVerified], ['Lovelace, "Ada"', 'administrator', true])
  assert.deepEqual(ada?.attributes, { plan: 'pro' })
  assert.ok((await authenticate({ email: 'ada@example.com', password: 'U*U*' })).ok)
  assert.equal((await accounts.findByEmail('grace@example.com'))?.hasPassword, false)
  const again = (await run(['account', 'import', file, '--json'])).json<Result>()
  assert.deepEqual([again.created, again.known], [0, 2])
})

test('a dry run judges everything and writes nothing', async (t) => {
  const { run, accounts } = setUp(t)
  const lines = [
    { email: 'ada@example.com', attributes: { plan: 'pro' } },
    { email: 'ADA@example.com' },
    { email: 'not an address' },
  ]
  const typed = lines.map((line) => JSON.stringify(line)).join('\n')
  const words = ['account', 'import', '-', '--format', 'ndjson', '--json']
  const dry = await run([...words, '--dry-run'], typed)
  const { created, known, refused, problems } = dry.json<Result>()
  assert.deepEqual([dry.code, created, known, refused, problems[0]?.line], [1, 1, 1, 1, 3])
  assert.deepEqual((await accounts.list()).items, [])
  const wet = (await run(words, typed)).json<Result>()
  assert.deepEqual([wet.created, wet.known, wet.refused], [created, known, refused])
})

test('a row that is wrong is refused with its line, and costs only itself', async (t) => {
  const { run, accounts } = setUp(t)
  const lines = [
    '{"email":"one@example.com"}',
    'not json',
    '[]',
    '{"email":"two@example.com","password":"in clear"}',
    '{"email":"three@example.com","password_hash":"plain text"}',
    '{"email":"four@example.com","password_hash":"$2a$31$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"}',
    '{"email":"five@example.com","role":"root"}',
    '{"email":"six@example.com","attributes":"{"}',
    '{"email":7}',
    '{"email":"seven@example.com","__proto__":{"role":"administrator"}}',
    `{"email":"${'x'.repeat(70_000)}@example.com"}`,
    '{"email":"last@example.com"}',
  ]
  const ran = await run(['account', 'import', '-', '--format', 'ndjson', '--json'], lines.join('\n'))
  const { created, problems } = ran.json<Result>()
  assert.equal(ran.code, 1)
  assert.equal(created, 2)
  assert.deepEqual(
    problems.map(({ line }) => line),
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  )
  assert.doesNotMatch(ran.out, /in clear|plain text/)
  assert.equal((await accounts.list({ role: 'administrator' })).items.length, 0)
})

test('a CSV with a quote that never ends, or too few cells, says where', async (t) => {
  const { run } = setUp(t)
  const typed = 'email,name\nada@example.com\n"grace@example.com,Grace\nand more'
  const ran = await run(['account', 'import', '-', '--format', 'csv', '--json'], typed)
  assert.deepEqual(
    ran.json<Result>().problems.map(({ line }) => line),
    [2, 4],
  )
})

test('a file that is not there or has no format is bad usage', async (t) => {
  const { run } = setUp(t)
  assert.equal((await run(['account', 'import', '/nowhere/people.csv'])).code, 2)
  assert.equal((await run(['account', 'import', 'people.txt'])).code, 2)
})
