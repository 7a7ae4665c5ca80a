/** LG2 as work: what an answer costs must not tell whether an address has an account. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createAccounts } from '../../src/accounts/accounts.ts'
import { createPasswords } from '../../src/accounts/password.ts'
import { randomId } from '../../src/secrets.ts'
import { openTestStore, operator } from '../support/open-store.ts'
import { correspondence, processOn } from '../support/people.ts'

const stranger = { kind: 'anonymous' } as const
const password = 'correct horse battery'

async function setUp(t: TestContext) {
  const desk = openTestStore(t)
  // A cost at which hashing outweighs the noise of the store, small enough for hundreds of attempts.
  const passwords = createPasswords({ cost: { memoryKiB: 4096, passes: 2 } })
  const process = { ...processOn(desk.store, desk.now), passwords }
  const accounts = createAccounts({ ...process, passwords })
  const known = `known@example.com`
  await accounts.create(operator, { email: known, password, emailVerified: true })
  // So that the limit of mails to one address does not spare work on one side only.
  const mailWithinLimit = (_kind: string, _key: string, send: () => Promise<void>) => send()
  return { known, ...correspondence({ ...process, accounts, mailWithinLimit }) }
}

test('LG2 attack: a sign-up with a known address costs what one with a new address does', async (t) => {
  const { signUp, known } = await setUp(t)
  await sameWork(
    () => signUp.begin(stranger, { email: known, password }),
    () => signUp.begin(stranger, { email: `new-${randomId(8)}@example.com`, password }),
  )
})

test('LG2 attack: asking to recover a known address makes as many writes as an unknown one', async (t) => {
  const { recovery, known, store } = await setUp(t)
  const writes = await countWrites(store, () => recovery.ask(stranger, known))
  assert.deepEqual(await countWrites(store, () => recovery.ask(stranger, 'unknown@example.com')), writes)
})

/** The calls that change something, in order. */
async function countWrites(store: object, act: () => Promise<unknown>): Promise<string[]> {
  const calls: string[] = []
  const own = store as Record<string, (...given: unknown[]) => unknown>
  const before = ['put', 'update', 'append', 'increment', 'findBy'].map((name) => [name, own[name]] as const)
  for (const [name, verb] of before) {
    own[name] = (...given) => {
      calls.push(name)
      return verb?.(...given)
    }
  }
  await act()
  for (const [name, verb] of before) if (verb) own[name] = verb
  return calls
}

/** Medians of interleaved attempts within 5 %, in processor time; more samples until the noise is out. */
async function sameWork(...acts: (() => Promise<unknown>)[]): Promise<void> {
  const times = acts.map((): number[] => [])
  const spread = () => {
    const medians = times.map((values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0)
    return Math.max(...medians) / Math.min(...medians) - 1
  }
  for (let round = 0; round < 500 && (round < 60 || round % 20 !== 0 || spread() >= 0.05); round += 1) {
    for (const turn of acts.keys()) {
      const index = (turn + round) % acts.length
      const before = process.cpuUsage()
      await acts[index]?.()
      const { user, system } = process.cpuUsage(before)
      if (round >= 5) times[index]?.push(user + system)
    }
  }
  assert.ok(spread() < 0.05, `medians differ by ${(spread() * 100).toFixed(1)} %`)
}
