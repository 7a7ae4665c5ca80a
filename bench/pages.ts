/**
 * How long the server takes for a page, one request after the other over a kept connection; and the lists of an account with ever more sessions of
 * others in the store.
 */
import { newOwner } from '../test/support/api.ts'
import { newAccount } from '../test/support/licet.ts'
import { Person } from '../test/support/person.ts'
import { startRedis } from '../test/support/redis.ts'
import { median } from './figures.ts'
import { type LicetServer, startLicet } from './licet.ts'
import type { Size } from './sections.ts'

const PAGES = [
  '/signup',
  '/recover',
  '/settings',
  '/settings/security',
  '/settings/sessions',
  '/settings/activity',
  '/settings/keys',
  '/settings/apps',
  '/developer/apps',
] as const

/** Writes in flight at once. */
const BATCH = 500
const SEALED = 'x'.repeat(480)

const off = { sign_in_address: 'off', authorize_address: 'off', api_credential: 'off' }

export async function pages({ quick }: Size): Promise<void> {
  const redis = await startRedis({ appendfsync: 'everysec' })
  const choices = [{ name: 'Licet on SQLite' }, { name: 'Licet on Redis', store: redis.url }]
  console.log('\nPages, median and p99 of the whole request')
  for (const choice of choices) {
    const server = await startLicet({ ...choice, file: { rate_limits: off } })
    try {
      const { person } = await signedIn(server)
      const times = new Map<string, string>()
      for (const path of PAGES) times.set(path, await timed(quick ? 5 : 200, () => person.send('GET', path)))
      console.log(`  ${server.name}, aim 5 ms: ${[...times].map(([path, said]) => `${path} ${said}`).join(', ')}`)
    } finally {
      await server.stop()
    }
  }
  await redis.stop()
}

export async function sessionLists({ quick }: Size): Promise<void> {
  const redis = await startRedis({ appendfsync: 'no' })
  const choices = [{ name: 'Licet on SQLite' }, { name: 'Licet on Redis', store: redis.url }]
  console.log('\nAn account with 100 sessions, by how many are stored')
  for (const choice of choices) {
    const server = await startLicet({ ...choice, file: { rate_limits: off } })
    try {
      const owner = await newOwner(server)
      await signInTo(owner.person, owner.email)
      let stored = await fill(server, 0, 99, () => owner.accountId)
      for (const step of quick ? [200] : [100, 1000, 10_000, 100_000]) {
        stored = await fill(server, stored, step, (index) => `account-${index >> 2}`)
        const page = await timed(quick ? 5 : 100, () => owner.person.send('GET', '/settings/sessions'))
        const api = await timed(quick ? 5 : 100, async () => {
          const { status, body } = await owner.call('GET', '/api/v1/sessions?limit=50')
          if (body.items.length !== 50) throw new Error(`${body.items.length} sessions were listed`)
          return { status }
        })
        console.log(`  ${server.name.padEnd(18)} ${String(step).padStart(7)} sessions: page ${page}, API ${api}`)
      }
    } finally {
      await server.stop()
    }
  }
  await redis.stop()
}

async function signedIn(server: LicetServer): Promise<{ person: Person }> {
  const account = await newAccount(server.core)
  const person = new Person(server.issuer, server.origin)
  await signInTo(person, account.email)
  return { person }
}

async function signInTo(person: Person, email: string): Promise<void> {
  const page = await person.open('/settings')
  if (page.body.includes('name="password"'))
    await person.submit(page, { email, password: 'correct horse battery staple' }, '/sign-in')
}

/** `median ms (p99)`. @throws Error when a page is not what it should be: a refusal is fast, and no measurement. */
async function timed(amount: number, ask: () => Promise<{ status: number }>): Promise<string> {
  const times: number[] = []
  for (let round = -3; round < amount; round += 1) {
    const began = performance.now()
    const { status } = await ask()
    if (status !== 200) throw new Error(`answered ${status}`)
    if (round >= 0) times.push(performance.now() - began)
  }
  const late = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0
  return `${median(times).toFixed(1)} ms (${late.toFixed(1)})`
}

async function fill(
  { core: { store } }: LicetServer,
  from: number,
  to: number,
  accountOf: (index: number) => string,
): Promise<number> {
  const expiresAt = Date.now() + 86_400_000
  for (let start = from; start < to; start += BATCH) {
    const writes = Array.from({ length: Math.min(BATCH, to - start) }, (_, index) => {
      const number = start + index
      const value = { sealed: SEALED, accountId: accountOf(number), uid: `filled-${number}`, ip: '203.0.113.7' }
      return store.put('session', { id: `filled-${number}`, value, expiresAt }, 'replace')
    })
    await Promise.all(writes)
  }
  return to
}
