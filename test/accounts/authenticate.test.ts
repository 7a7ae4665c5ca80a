import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type AccountId, type AccountRecord, toAccount } from '../../src/accounts/account.ts'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { type Attempt, type Authenticated, createAuthenticate } from '../../src/accounts/authenticate.ts'
import { createPasswords, type Passwords } from '../../src/accounts/password.ts'
import { hasCode } from '../../src/errors.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { cheapCost, openTestStore, operator } from '../support/open-store.ts'

const fiveIn15Minutes = { limit: 5, windowSeconds: 900 }
const right = 'correct horse battery'

async function setUp(t: TestContext, limit: typeof fiveIn15Minutes | null = fiveIn15Minutes) {
  const desk = openTestStore(t)
  const accounts = createAccounts(desk)
  const ada = await accounts.create(operator, { email: 'ada@example.com', password: right })
  return { ...desk, accounts, ada, authenticate: createAuthenticate({ ...desk, limit }) }
}

const guess = (password: string, more: Partial<Attempt> = {}): Attempt => ({
  email: 'ada@example.com',
  password,
  ...more,
})
const outcome = (answer: Authenticated) => (answer.ok ? 'ok' : answer.reason)

test('the right password signs in, in every spelling of the address', async (t) => {
  const { authenticate, ada } = await setUp(t)
  for (const email of ['ada@example.com', ' ADA@Example.com. ', 'ａda@example.com']) {
    assert.deepEqual(await authenticate({ email, password: right }), { ok: true, account: ada })
  }
})

test('LG1: unknown account, no password, disabled account and wrong password get the same answer', async (t) => {
  const { authenticate, accounts } = await setUp(t)
  await accounts.create(operator, { email: 'nopassword@example.com' })
  const { id } = await accounts.create(operator, { email: 'disabled@example.com', password: right })
  await accounts.disable(operator, id)
  for (const [email, password] of [
    ['nobody@example.com', right],
    ['nopassword@example.com', right],
    ['nopassword@example.com', ''],
    ['disabled@example.com', right],
    ['disabled@example.com', 'wrong password'],
    ['ada@example.com', 'wrong password'],
    ['ada@example.com', ''],
    ['not an address', right],
    ['', ''],
  ] as const) {
    assert.deepEqual(await authenticate({ email, password }), { ok: false, reason: 'wrong' }, `${email} ${password}`)
  }
})

test('LG1 attack: the time of an answer does not tell unknown from wrong, disabled or without password', async (t) => {
  const desk = openTestStore(t)
  // A cost at which hashing outweighs the noise of the store, small enough for two hundred attempts.
  const passwords = createPasswords({ cost: { memoryKiB: 4096, passes: 2 } })
  const accounts = createAccounts({ ...desk, passwords })
  await accounts.create(operator, { email: 'known@example.com', password: right })
  await accounts.create(operator, { email: 'empty@example.com' })
  const { id } = await accounts.create(operator, { email: 'disabled@example.com', password: right })
  await accounts.disable(operator, id)
  const authenticate = createAuthenticate({ ...desk, passwords, limit: null })
  const kinds = ['known@example.com', 'unknown@example.com', 'empty@example.com', 'disabled@example.com']
  const times = new Map(kinds.map((email) => [email, [] as number[]]))
  const spread = () => {
    const medians = kinds.map((email) => median(times.get(email) ?? []))
    return Math.max(...medians) / Math.min(...medians) - 1
  }
  // On a busy machine the noise needs more samples to even out; a difference in the work stays however many are taken.
  for (let round = 0; round < 600 && (round < 60 || round % 20 !== 0 || spread() >= 0.05); round += 1) {
    for (const turn of kinds.keys()) {
      const email = kinds[(turn + round) % kinds.length] ?? ''
      const before = workDone()
      await authenticate({ email, password: 'a wrong password' })
      if (round >= 5) times.get(email)?.push(workDone() - before)
    }
  }
  assert.ok(spread() < 0.05, `medians differ by ${(spread() * 100).toFixed(1)} %`)
})

/** Processor time of all threads in microseconds: what an answer costs, whatever else runs on the machine. */
function workDone(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

test('failures only are counted: many right sign-ins are never limited, alone or in parallel', async (t) => {
  const { authenticate } = await setUp(t)
  for (let index = 0; index < 8; index += 1) assert.equal(outcome(await authenticate(guess(right))), 'ok')
  const answers = await Promise.all(Array.from({ length: 20 }, () => authenticate(guess(right))))
  assert.deepEqual(new Set(answers.map(outcome)), new Set(['ok']))
})

test('after five failures even the right password is limited until the window ends', async (t) => {
  const { authenticate, pass } = await setUp(t)
  for (let index = 0; index < 5; index += 1) assert.equal(outcome(await authenticate(guess('wrong password'))), 'wrong')
  const answer = await authenticate(guess(right))
  assert.ok(!answer.ok && answer.reason === 'limited')
  assert.ok(answer.retryAfterSeconds > 890 && answer.retryAfterSeconds <= 900)
  pass(901_000)
  assert.equal(outcome(await authenticate(guess(right))), 'ok')
})

test('LG4 attack: another spelling of the address is no new counter', async (t) => {
  const { authenticate } = await setUp(t)
  const spellings = [
    'ada@example.com',
    'ADA@example.com',
    'ada@EXAMPLE.com.',
    ' ada@example.com',
    'ａda@example.com',
    'ada＠example.com',
  ]
  const outcomes: string[] = []
  for (const email of spellings) outcomes.push(outcome(await authenticate({ email, password: 'wrong password' })))
  assert.deepEqual(outcomes, ['wrong', 'wrong', 'wrong', 'wrong', 'wrong', 'limited'])
})

test('LG1 attack: an address without an account is limited exactly like one with', async (t) => {
  const { authenticate } = await setUp(t)
  for (const email of ['ada@example.com', 'nobody@example.com', 'not an address']) {
    const answers: Authenticated[] = []
    for (let index = 0; index < 7; index += 1) answers.push(await authenticate({ email, password: 'wrong password' }))
    assert.deepEqual(answers.map(outcome), ['wrong', 'wrong', 'wrong', 'wrong', 'wrong', 'limited', 'limited'], email)
  }
})

test('LG6 attack: a burst of 100 parallel guesses gets five checked by one process', async (t) => {
  const { authenticate } = await setUp(t)
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => authenticate(guess(`guess number ${index}`))),
  )
  assert.equal(answers.filter((answer) => outcome(answer) === 'wrong').length, 5)
  assert.equal(answers.filter((answer) => outcome(answer) === 'limited').length, 95)
})

test('LG6 attack: a burst against two processes gets at most one more checked, also when the right guess is among them', async (t) => {
  const desk = await setUp(t)
  const otherStore = desk.openAnother()
  const other = createAuthenticate({
    ...desk,
    store: otherStore,
    audit: createAudit({ store: otherStore, now: desk.now }),
    limit: fiveIn15Minutes,
  })
  const attempts = Array.from({ length: 100 }, (_, index) =>
    (index % 2 ? desk.authenticate : other)(guess(index === 97 ? right : `guess number ${index}`)),
  )
  const answers = await Promise.all(attempts)
  assert.ok(answers.filter((answer) => outcome(answer) === 'wrong').length <= 6)
  assert.equal(outcome(answers[97] as Authenticated), 'limited')
})

test('LG6 attack: signing in to an own account between guesses resets nothing of the victim', async (t) => {
  const { authenticate, accounts } = await setUp(t)
  await accounts.create(operator, { email: 'eve@example.com', password: right })
  const outcomes: string[] = []
  for (let index = 0; index < 6; index += 1) {
    outcomes.push(outcome(await authenticate(guess('wrong password'))))
    await authenticate({ email: 'eve@example.com', password: right })
  }
  assert.deepEqual(outcomes, ['wrong', 'wrong', 'wrong', 'wrong', 'wrong', 'limited'])
})

test('LG6 attack: a restart of the server resets no counter', async (t) => {
  const desk = await setUp(t)
  for (let index = 0; index < 5; index += 1) await desk.authenticate(guess('wrong password'))
  const restarted = createAuthenticate({ ...desk, store: desk.openAnother(), limit: fiveIn15Minutes })
  assert.equal(outcome(await restarted(guess(right))), 'limited')
})

test('LG3: guesses of others do not lock out a known device, and a known device has a limit of its own', async (t) => {
  const { authenticate, ada } = await setUp(t)
  for (let index = 0; index < 6; index += 1) await authenticate(guess('wrong password'))
  const knownDevice = { accountId: ada.id, id: 'laptop' }
  assert.equal(outcome(await authenticate(guess(right, { knownDevice }))), 'ok')
  for (let index = 0; index < 5; index += 1) await authenticate(guess('wrong password', { knownDevice }))
  assert.equal(outcome(await authenticate(guess(right, { knownDevice }))), 'limited')
})

test('LG3 attack: the known device of another account opens no further guesses', async (t) => {
  const { authenticate } = await setUp(t)
  for (let index = 0; index < 5; index += 1) await authenticate(guess('wrong password'))
  const knownDevice = { accountId: 'eve' as AccountId, id: 'laptop' }
  assert.equal(outcome(await authenticate(guess(right, { knownDevice }))), 'limited')
})

test('LG7 attack: a megabyte of password is a failure like another and costs no hash', async (t) => {
  const { authenticate } = await setUp(t)
  const huge = 'x'.repeat(1_000_000)
  const outcomes: string[] = []
  for (let index = 0; index < 6; index += 1) outcomes.push(outcome(await authenticate(guess(huge))))
  assert.deepEqual(outcomes, ['wrong', 'wrong', 'wrong', 'wrong', 'wrong', 'limited'])
})

test('RC5 attack: an account disabled, or given another password, while the password is checked does not sign in', async (t) => {
  const desk = await setUp(t)
  const acts = [
    () => desk.accounts.setPassword(operator, desk.ada.id, right),
    () => desk.accounts.disable(operator, desk.ada.id),
  ]
  for (const act of acts) {
    const passwords: Passwords = {
      ...desk.passwords,
      check: async (...given) => {
        const checked = await desk.passwords.check(...given)
        await act()
        return checked
      },
    }
    const authenticate = createAuthenticate({ ...desk, passwords, limit: fiveIn15Minutes })
    assert.deepEqual(await authenticate(guess(right)), { ok: false, reason: 'wrong' })
  }
})

test('a sign-in rehashes a password that was kept at another cost, and signs nobody out by that', async (t) => {
  const desk = await setUp(t)
  const dearer = createPasswords({ cost: { memoryKiB: 128, passes: 2 } })
  const authenticate = createAuthenticate({ ...desk, passwords: dearer, limit: null })
  const stored = async () => (await desk.store.find<AccountRecord>('account', desk.ada.id))?.value.passwordDigest ?? ''
  assert.match(await stored(), new RegExp(`m=${cheapCost.memoryKiB},`))
  assert.equal(outcome(await authenticate(guess('wrong password'))), 'wrong')
  assert.match(await stored(), new RegExp(`m=${cheapCost.memoryKiB},`))
  assert.deepEqual(await authenticate(guess(right)), { ok: true, account: desk.ada })
  assert.match(await stored(), /m=128,/)
  assert.equal(outcome(await authenticate(guess(right))), 'ok')
})

test('the audit says why a sign-in was refused, the answer does not; a flood of limited guesses is one entry', async (t) => {
  const { authenticate, store, ada } = await setUp(t)
  await authenticate(guess(right, { ip: '192.0.2.1', userAgent: 'a browser', requestId: 'r1' }))
  for (let index = 0; index < 30; index += 1) await authenticate(guess('wrong password'))
  await authenticate({ email: 'nobody@example.com', password: right })
  const { items } = await store.read(ada.id, { limit: 100 })
  const events = items.map(({ record }) => [record['event'], record['reason']].filter(Boolean).join(' '))
  assert.deepEqual(events.slice(0, 7), [
    'sign_in.refused too_many_failures',
    ...Array.from({ length: 5 }, () => 'sign_in.refused wrong_password'),
    'sign_in.done',
  ])
  assert.deepEqual(items[6]?.record['caller'], {
    kind: 'account',
    id: ada.id,
    ip: '192.0.2.1',
    userAgent: 'a browser',
    requestId: 'r1',
  })
  const unknown = (await store.read('anonymous')).items
  assert.deepEqual(
    unknown.map(({ record }) => record['reason']),
    ['unknown_account'],
  )
  assert.doesNotMatch(JSON.stringify([items, unknown]), /correct horse|wrong password|nobody@/)
})

test('DO attack: when too many wait for one account the rest is refused at once, and other accounts are served', async (t) => {
  const { authenticate, accounts } = await setUp(t)
  await accounts.create(operator, { email: 'grace@example.com', password: right })
  const flood = Promise.allSettled(Array.from({ length: 300 }, () => authenticate(guess('wrong password'))))
  assert.equal(outcome(await authenticate({ email: 'grace@example.com', password: right })), 'ok')
  const refused = (await flood).filter((end) => end.status === 'rejected')
  assert.ok(refused.length >= 150)
  for (const { reason } of refused) assert.ok(hasCode(reason, 'overloaded'), String(reason))
})

test('an account as stored and as answered agree', async (t) => {
  const { store, ada } = await setUp(t)
  const entry = await store.find<AccountRecord>('account', ada.id)
  assert.ok(entry)
  assert.deepEqual(toAccount(entry), ada)
})
