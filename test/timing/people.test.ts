/**
 * LG1 and LG2 by the clock (threats.md): what a stranger asks of an address takes as long whether it has an account or not. Real requests, interleaved,
 * each to an address of its own; medians of 100 to 200 each lie within 5 %. A second series of known addresses is the control: where it differs from the first
 * by as much, the machine was too busy to measure and the batch counts for nothing. Batches are independent, and a real difference fails them all.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, type Visit } from '../support/person.ts'

const POOL = 1000
const BATCHES = 4
const TOLERANCE = 0.05

let licet: Licet
before(async () => {
  licet = await startLicet({
    file: { rate_limits: { sign_in_address: 'off', sign_in_account: 'off', authorize_address: 'off' } },
  })
  const digest = await licet.core.passwords.hash(PASSWORD)
  const make = (index: number) =>
    licet.core.accounts.create(operator, {
      email: `known-${index}@example.test`,
      name: 'Ada',
      passwordDigest: digest,
      emailVerified: true,
    })
  for (let start = 0; start < POOL; start += 100)
    await Promise.all(Array.from({ length: 100 }, (_, index) => make(start + index)))
  const { id } = await licet.core.accounts.create(operator, { email: 'disabled@example.test', passwordDigest: digest })
  await licet.core.accounts.disable(operator, id)
})
after(() => licet.close())

let turn = 0
const known = () => `known-${turn++ % POOL}@example.test`
/** As long as a known one: the length of what is sent is no difference. */
const unknown = () => `other-${turn++ % POOL}-${Date.now().toString(36)}@example.test`

type Ask = (email: string) => Promise<Visit>
type Kind = readonly [name: string, address: () => string]

interface Medians {
  /** Milliseconds. */
  readonly clock: ReadonlyMap<string, number>
  /** Milliseconds of the processor, of client and server together: what the answer cost, whatever else runs on the machine. */
  readonly work: ReadonlyMap<string, number>
}

/** Asks of every kind in turn, so that whatever else happens on the machine happens to all. */
async function batch(ask: Ask, kinds: readonly Kind[], rounds: number): Promise<Medians> {
  const samples = new Map(kinds.map(([name]) => [name, { clock: [] as number[], work: [] as number[] }]))
  for (let round = -5; round < rounds; round += 1) {
    for (const index of kinds.keys()) {
      const [name = '', address = known] = kinds[(index + round + kinds.length * 5) % kinds.length] ?? []
      const [began, spent] = [performance.now(), process.cpuUsage()]
      const { status } = await ask(address())
      const took = performance.now() - began
      const { user, system } = process.cpuUsage(spent)
      assert.ok(status < 400, `${name}: ${status}`)
      if (round < 0) continue
      samples.get(name)?.clock.push(took)
      samples.get(name)?.work.push((user + system) / 1000)
    }
  }
  const medians = (of: 'clock' | 'work') => new Map([...samples].map(([name, lists]) => [name, median(lists[of])]))
  return { clock: medians('clock'), work: medians('work') }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** How far each kind is from the known ones, and the first of those from the second. */
function judge(medians: ReadonlyMap<string, number>, others: readonly Kind[]): 'alike' | 'different' | 'noise' {
  const [first = 0, second = 0] = [medians.get('known'), medians.get('known again')]
  const reference = (first + second) / 2
  if (Math.abs(first / reference - 1) > TOLERANCE / 2) return 'noise'
  return others.every(([name]) => Math.abs((medians.get(name) ?? 0) / reference - 1) <= TOLERANCE)
    ? 'alike'
    : 'different'
}

async function sameTime(ask: Ask, others: readonly Kind[], rounds: number): Promise<void> {
  const kinds: Kind[] = [['known', known], ['known again', known], ...others]
  const seen: string[] = []
  let isDifferent = false
  for (let attempt = 0; attempt < BATCHES; attempt += 1) {
    const medians = await batch(ask, kinds, rounds)
    const verdict = judge(medians.clock, others)
    if (verdict === 'alike') return
    isDifferent ||= verdict === 'different'
    // Where the clock tells nothing twice, what the answers cost does; it never overrules a difference that the clock has shown.
    if (!isDifferent && attempt > 0 && judge(medians.work, others) === 'alike') return
    for (const [by, list] of Object.entries(medians))
      seen.push(
        `${by}: ${[...list].map(([name, time]: [string, number]) => `${name} ${time.toFixed(2)} ms`).join(', ')}`,
      )
  }
  assert.fail(`medians differ by more than 5 %:\n${seen.join('\n')}`)
}

/** The form of a page, sent again and again with another address. */
async function formAt(path: string, action: string) {
  const person = new Person(licet.issuer)
  const page = await person.open(path)
  const form = formsOf(page.body).find((one) => one.action.includes(action))
  assert.ok(form, path)
  return (fields: Readonly<Record<string, string>>) => {
    const kept = form.fields.filter(([name]) => !(name in fields))
    return person.send('POST', new URL(form.action, page.url).href, [...kept, ...Object.entries(fields)])
  }
}

test('LG1 attack: a wrong password takes as long for an unknown and for a disabled address as for a known one', async () => {
  const send = await formAt('/settings', '/sign-in')
  const ask: Ask = (email) => send({ email, password: 'a wrong password of a stranger' })
  await sameTime(
    ask,
    [
      ['unknown', unknown],
      ['disabled', () => 'disabled@example.test'],
    ],
    120,
  )
})

test('LG2 attack: signing up takes as long for an address that has an account as for a new one', async () => {
  const send = await formAt('/signup', '/signup')
  const ask: Ask = (email) => send({ name: 'Ada', email, password: 'quiet rivers bend slowly 71' })
  await sameTime(ask, [['new', unknown]], 100)
})

test('LG2 attack: asking to reset a password takes as long for an unknown address as for a known one', async () => {
  const send = await formAt('/recover', '/recover')
  await sameTime((email) => send({ email }), [['unknown', unknown]], 200)
})

test('LG2 attack: the sign-in page with the options for passkeys takes as long whoever is hinted at', async () => {
  const { app } = await licet.core.apps.create(operator, {
    name: 'Notes',
    type: 'spa',
    redirectUris: ['https://app.example.test/callback'],
    scopes: ['data:read'],
  })
  const query = {
    client_id: app.clientId,
    response_type: 'code',
    redirect_uri: 'https://app.example.test/callback',
    scope: 'openid',
    code_challenge: 'c'.repeat(43),
    code_challenge_method: 'S256',
  }
  const ask: Ask = async (email) => {
    const hinted = new URLSearchParams({ ...query, login_hint: email })
    return new Person(licet.issuer).open(`/authorize?${hinted}`)
  }
  await sameTime(ask, [['unknown', unknown]], 200)
})
