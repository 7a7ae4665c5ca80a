import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { createAuthenticate } from '../../src/accounts/authenticate.ts'
import { createOperatorActs } from '../../src/accounts/operator-acts.ts'
import { addAccountCommands } from '../../src/cli/account.ts'
import { createRunner } from '../support/commands.ts'
import { openTestStore } from '../support/open-store.ts'
import { correspondence, factorDesk, issuer, processOn } from '../support/people.ts'

const right = 'correct horse battery'

function setUp(t: TestContext) {
  const desk = openTestStore(t)
  const process = processOn(desk.store, desk.now)
  const accounts = createAccounts(desk)
  const people = { ...correspondence(process), ...factorDesk(process) }
  const opened = { open: 0 }
  const openCore = async () => {
    opened.open += 1
    return {
      ...people,
      accounts,
      passwords: desk.passwords,
      operatorActs: createOperatorActs({ ...people, accounts, endAll: async () => {} }),
      issuer,
      close: async () => {
        opened.open -= 1
      },
    }
  }
  const run = createRunner((program, io) => addAccountCommands(program, openCore, io))
  return { ...desk, accounts, opened, run, people, authenticate: createAuthenticate({ ...desk, limit: null }) }
}

test('account create makes an account that signs in, and prints its id as JSON', async (t) => {
  const { run, accounts, authenticate, opened } = setUp(t)
  const words = [
    'account',
    'create',
    '--email',
    'Ada@Example.com',
    '--name',
    'Ada',
    '--admin',
    '--verified',
    '--password-stdin',
    '--json',
  ]
  const made = await run([...words, '--attributes', '{"plan":"pro"}'], `${right}\n`)
  assert.deepEqual([made.code, made.err], [0, ''])
  const account = await accounts.getById(made.json<{ id: string }>().id)
  assert.deepEqual(
    [account.email, account.name, account.role, account.emailVerified, account.attributes],
    ['Ada@example.com', 'Ada', 'administrator', true, { plan: 'pro' }],
  )
  assert.ok((await authenticate({ email: 'ada@example.com', password: right })).ok)
  assert.equal(opened.open, 0)
})

test('account create without options makes an unverified member without a password', async (t) => {
  const { run } = setUp(t)
  const made = (await run(['account', 'create', '--email', 'ada@example.com', '--json'])).json()
  assert.deepEqual(
    [made['role'], made['email_verified'], made['has_password'], made['name']],
    ['member', false, false, 'ada'],
  )
})

test('a password keeps its spaces and loses one line break only', async (t) => {
  const { run, authenticate } = setUp(t)
  await run(['account', 'create', '--email', 'ada@example.com', '--password-stdin'], '  spaced out  \r\n')
  assert.ok((await authenticate({ email: 'ada@example.com', password: '  spaced out  ' })).ok)
})

test('attack: no command takes a password as an argument, and none prints one', async (t) => {
  const { run } = setUp(t)
  const refused = await run(['account', 'create', '--email', 'ada@example.com', '--password', right])
  assert.deepEqual([refused.code, refused.out], [2, ''])
  for (const json of [[], ['--json']]) {
    const made = await run(
      ['account', 'create', '--email', `a${json.length}@example.com`, '--password-stdin', ...json],
      right,
    )
    assert.equal(made.code, 0)
    assert.doesNotMatch(made.out + made.err, /correct horse|argon2/)
  }
})

test('what cannot be done is said on standard error and ends with 1, bad usage with 2', async (t) => {
  const { run, opened } = setUp(t)
  await run(['account', 'create', '--email', 'ada@example.com'])
  const refused: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['account', 'create', '--email', 'ADA@example.com'], 1, /has an account already/],
    [['account', 'create', '--email', 'not an address'], 1, /e-mail address/],
    [['account', 'show', 'nobody@example.com'], 1, /no such account/],
    [['account', 'disable', 'nobody'], 1, /no such account/],
    [['account', 'create', '--email', 'b@example.com', '--attributes', '{'], 2, /not JSON/],
    [['account', 'create', '--email', 'b@example.com', '--attributes', '[1]'], 1, /JSON object/],
    [['account', 'create'], 2, /--email/],
    [['account', 'disable'], 2, /missing/],
    [['account', 'create', '--email', 'b@example.com', '--password-stdin'], 2, /no secret/],
  ]
  for (const [words, code, sentence] of refused) {
    const ran = await run(words)
    assert.deepEqual([ran.code, ran.out], [code, ''], words.join(' '))
    assert.match(ran.err, sentence)
    assert.doesNotMatch(ran.err, /\n {4}at /)
  }
  assert.equal(opened.open, 0)
})

test('a short password is refused and nothing is made', async (t) => {
  const { run, accounts } = setUp(t)
  const ran = await run(['account', 'create', '--email', 'ada@example.com', '--password-stdin'], 'short')
  assert.deepEqual([ran.code, /at least 8 characters/.test(ran.err)], [1, true])
  assert.deepEqual((await accounts.list()).items, [])
})

test('account disable, enable and sign-out work by address and by id', async (t) => {
  const { run, accounts } = setUp(t)
  const { id } = (await run(['account', 'create', '--email', 'ada@example.com', '--json'])).json<{ id: string }>()
  const disabled = (await run(['account', 'disable', 'ADA@example.com', '--reason', 'spam', '--json'])).json()
  assert.deepEqual([disabled['status'], disabled['disabled_reason']], ['disabled', 'spam'])
  assert.equal((await run(['account', 'enable', id, '--json'])).json()['status'], 'active')
  const { epoch } = await accounts.getById(id)
  assert.equal((await run(['account', 'sign-out', id])).code, 0)
  assert.equal((await accounts.getById(id)).epoch, epoch + 1)
})

test('RC8: the last administrator cannot be disabled from the command line either', async (t) => {
  const { run } = setUp(t)
  await run(['account', 'create', '--email', 'root@example.com', '--admin'])
  const ran = await run(['account', 'disable', 'root@example.com', '--json'])
  assert.deepEqual([ran.code, /last administrator/.test(ran.err)], [1, true])
})

test('account list shows every account, one line each, or all as JSON', async (t) => {
  const { run } = setUp(t)
  for (const name of ['ada', 'grace']) await run(['account', 'create', '--email', `${name}@example.com`])
  assert.equal((await run(['account', 'list'])).out.trimEnd().split('\n').length, 2)
  const { items } = (await run(['account', 'list', '--json'])).json<{ items: { email: string }[] }>()
  assert.deepEqual(items.map(({ email }) => email).sort(), ['ada@example.com', 'grace@example.com'])
})

test('account show prints a field per line', async (t) => {
  const { run } = setUp(t)
  await run(['account', 'create', '--email', 'ada@example.com'])
  const { out } = await run(['account', 'show', 'ada@example.com'])
  assert.match(out, /^email: ada@example\.com$/m)
  assert.match(out, /^status: active$/m)
  assert.doesNotMatch(out, /null|\{\}/)
})

test('who changed an account from the command line stands in the audit', async (t) => {
  const { run, store } = setUp(t)
  const { id } = (await run(['account', 'create', '--email', 'ada@example.com', '--json'])).json<{ id: string }>()
  const { items } = await store.read(id)
  assert.match(JSON.stringify(items[0]?.record['caller']), /"kind":"operator"/)
})

test('why an operator acts stands beside each entry in the audit, whatever the act', async (t) => {
  const { run, store } = setUp(t)
  const named = ['--email', 'ada@example.com', '--json']
  const { id } = (await run(['account', 'create', ...named, '--reason', 'new hire'])).json<{ id: string }>()
  const acts = [
    ['set-attributes', id, '{"plan":"pro"}'],
    ['set-role', id, 'administrator'],
    ['sign-out', id],
    ['reset-mfa', id],
    ['enable', id],
  ]
  for (const words of acts) assert.equal((await run(['account', ...words, '--reason', `ticket ${words[0]}`])).code, 0)
  const { items } = await store.read(id)
  const whys = items.map(({ record }) => (record['caller'] as { reason?: string }).reason)
  assert.deepEqual(new Set(whys), new Set(['new hire', ...acts.map(([act]) => `ticket ${act}`)]))
})

test('account set-role gives and takes the administrator’s role', async (t) => {
  const { run, accounts } = setUp(t)
  for (const name of ['ada', 'grace']) await run(['account', 'create', '--email', `${name}@example.com`])
  const role = async (name: string) => (await accounts.getByName(`${name}@example.com`)).role
  for (const name of ['ada', 'grace'])
    assert.equal((await run(['account', 'set-role', `${name}@example.com`, 'administrator'])).code, 0)
  assert.equal((await run(['account', 'set-role', 'ada@example.com', 'member'])).code, 0)
  assert.deepEqual([await role('ada'), await role('grace')], ['member', 'administrator'])
  assert.equal((await run(['account', 'set-role', 'grace@example.com', 'member'])).code, 1)
  assert.equal((await run(['account', 'set-role', 'grace@example.com', 'owner'])).code, 2)
})

test('account list finds by role, status and a piece of name or address', async (t) => {
  const { run } = setUp(t)
  await run(['account', 'create', '--email', 'ada@example.com', '--name', 'Ada Lovelace', '--admin'])
  await run(['account', 'create', '--email', 'grace@example.com', '--name', 'Grace Hopper'])
  await run(['account', 'create', '--email', 'alan@other.example', '--name', 'Alan Turing'])
  await run(['account', 'disable', 'alan@other.example'])
  const found = async (...words: string[]) =>
    (await run(['account', 'list', ...words, '--json']))
      .json<{ items: { email: string }[] }>()
      .items.map(({ email }) => email.split('@')[0])
      .sort()
  assert.deepEqual(await found('EXAMPLE.COM'), ['ada', 'grace'])
  assert.deepEqual(await found('hopper'), ['grace'])
  assert.deepEqual(await found('ADA@example.com'), ['ada'])
  assert.deepEqual(await found('--role', 'administrator'), ['ada'])
  assert.deepEqual(await found('--status', 'disabled'), ['alan'])
  assert.deepEqual(await found('nobody'), [])
  assert.equal((await run(['account', 'list', '--role', 'owner'])).code, 2)
})

test('account invite prints a link of the issuer that makes a verified account', async (t) => {
  const { run, people } = setUp(t)
  const invited = await run(['account', 'invite', '--email', 'grace@example.com', '--admin', '--json'])
  const { link } = invited.json<{ link: string }>()
  assert.ok(link.startsWith(`${issuer}/signup/`))
  const token = link.split('/').at(-1) ?? ''
  const account = await people.signUp.acceptInvitation({ kind: 'anonymous' }, token, { password: right })
  assert.deepEqual([account.email, account.role, account.emailVerified], ['grace@example.com', 'administrator', true])
  assert.equal((await run(['account', 'invite', '--email', 'grace@example.com'])).code, 1)
})

test('account reset-mfa asks for a reason, removes every factor and signs out', async (t) => {
  const { run, accounts, people } = setUp(t)
  const { id } = await accounts.create({ kind: 'operator' }, { email: 'ada@example.com', password: right })
  await people.recoveryCodes.regenerate({ kind: 'operator' }, id)
  assert.equal((await run(['account', 'reset-mfa', 'ada@example.com'])).code, 2)
  assert.equal(await people.recoveryCodes.count(id), 10)
  assert.equal((await run(['account', 'reset-mfa', 'ada@example.com', '--reason', 'lost phone'])).code, 0)
  assert.equal(await people.recoveryCodes.count(id), 0)
  assert.equal((await accounts.getById(id)).epoch, 1)
})

test('account set-attributes replaces them', async (t) => {
  const { run, accounts } = setUp(t)
  const { id } = await accounts.create({ kind: 'operator' }, { email: 'ada@example.com', attributes: { plan: 'free' } })
  assert.equal((await run(['account', 'set-attributes', 'ada@example.com', '{"tier":2}'])).code, 0)
  assert.deepEqual((await accounts.getById(id)).attributes, { tier: 2 })
  assert.equal((await run(['account', 'set-attributes', id, '{'])).code, 2)
  assert.equal((await run(['account', 'set-attributes', id, '[]'])).code, 1)
})
