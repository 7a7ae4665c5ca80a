/**
 * The pages about consent of somebody with many connected apps, and the stop of a vendor that holds many: pages must not grow with what is stored, and
 * a stop must be over within a second. Grants are written in bulk through the store, ten vendors' worth of them by one vendor each and the rest alone.
 */

import { vendorId } from '../src/oidc/vendors.ts'
import { newPerson, registerApp, type SignedIn } from '../test/support/app-client.ts'
import { authorizeUrl } from '../test/support/authorize.ts'
import { PASSWORD } from '../test/support/licet.ts'
import { Person } from '../test/support/person.ts'
import { startRedis } from '../test/support/redis.ts'
import { median } from './figures.ts'
import { type LicetServer, startLicet } from './licet.ts'
import type { Size } from './sections.ts'

const AT_ONCE = 200
const STOPPED = 1000

export async function consent({ rounds, quick }: Size): Promise<void> {
  const steps = quick ? [10, 100] : [10, 100, 1000, 10_000]
  const redis = await startRedis({ appendfsync: 'no' })
  console.log('\nConsent and connections, by how many grants one account has')
  for (const choice of [{ name: 'Licet on SQLite' }, { name: 'Licet on Redis', store: redis.url }]) {
    const server = await startLicet(choice)
    try {
      const scene = await begin(server)
      let stored = 0
      for (const step of steps) {
        await fill(server, scene.accountId, stored, step)
        stored = step
        await report(server, scene, { step, rounds: 5 * rounds })
      }
      await reportStop(server, scene, quick ? 100 : STOPPED)
    } finally {
      await server.stop()
    }
  }
  await redis.stop()
}

interface Scene extends SignedIn {
  readonly consentUrl: string
}

/** Somebody who is signed in, and an app that will ask for consent each time. */
async function begin(server: LicetServer): Promise<Scene> {
  const account = await newPerson(server, server.origin)
  const person = new Person(server.issuer, server.origin)
  await person.submit(await person.open('/settings/apps'), { email: account.email, password: PASSWORD }, '/sign-in')
  const app = await registerApp(server)
  return { ...account, person, consentUrl: authorizeUrl(app) }
}

/** Vendors of one app each: the rows of the page. */
async function fill(server: LicetServer, accountId: string, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += AT_ONCE) {
    const amount = Math.min(AT_ONCE, to - start)
    await Promise.all(
      Array.from({ length: amount }, (_, index) => put(server, accountId, start + index, `alone-${start + index}`)),
    )
  }
}

async function put({ core: { store } }: LicetServer, ownerId: string, number: number, host: string): Promise<void> {
  const expiresAt = Date.now() + 86_400_000
  const key = `host ${host}.example`
  const id = vendorId(ownerId, key)
  const at = Date.now()
  await store.put(
    'vendor',
    { id, value: { ownerId, accountId: ownerId, key, host: `${host}.example`, stops: 0 }, expiresAt },
    'replace',
  )
  const consentId = `consent-${number}`
  const scopes = { identity: ['openid'], [`https://api.example`]: ['data:read', 'data:write'] }
  const value = {
    accountId: ownerId,
    clientId: `app-${number}`,
    scopes,
    duration: 'until_revoked',
    generation: 'g',
    vendorId: id,
    firstAt: at,
    lastAt: at,
  }
  await store.put('consent', { id: consentId, value, expiresAt }, 'replace')
  const grant = {
    sealed: 'x'.repeat(480),
    accountId: ownerId,
    clientId: `app-${number}`,
    consentId,
    vendorId: id,
    generation: 'g',
    bound: false,
  }
  await store.put('grant', { id: `grant-${number}`, value: grant, expiresAt }, 'replace')
}

async function timed(
  times: number,
  act: () => Promise<{ status: number; body: string }>,
  has: string,
): Promise<number> {
  const taken: number[] = []
  for (let round = 0; round <= times; round += 1) {
    const began = performance.now()
    const { status, body } = await act()
    if (status !== 200 || !body.includes(has)) throw new Error(`${status}: no ${has} on the page`)
    // The first warms up.
    if (round > 0) taken.push(performance.now() - began)
  }
  return median(taken)
}

async function report(
  server: LicetServer,
  { person, consentUrl }: Scene,
  { step, rounds }: { step: number; rounds: number },
) {
  const rows = await timed(rounds, () => person.open('/settings/apps'), 'card pane vendor')
  const asked = await timed(rounds, () => person.open(consentUrl), 'name="decision"')
  console.log(
    `  ${server.name.padEnd(18)} ${String(step).padStart(6)} grants: connections page ${rows.toFixed(1)} ms, consent page ${asked.toFixed(1)} ms`,
  )
}

/** One vendor with many registrations, each with a family of tokens. */
async function reportStop(server: LicetServer, { person, accountId }: Scene, amount: number): Promise<void> {
  for (let start = 0; start < amount; start += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, amount - start) }, (_, index) =>
        put(server, accountId, 1_000_000 + start + index, 'many'),
      ),
    )
  const page = await person.open('/settings/apps')
  const began = performance.now()
  const stopped = await person.submit(page, { group: 'host many.example' }, '/stop')
  const taken = performance.now() - began
  const { store } = server.core
  const left = await store.list('consent', { group: 'vendorId', value: vendorId(accountId, 'host many.example') })
  if (stopped.status !== 200 || left.items.length > 0) throw new Error(`${stopped.status}, ${left.items.length} left`)
  console.log(
    `  ${server.name.padEnd(18)} one stop over ${amount} grants: ${taken.toFixed(0)} ms, with the page that follows`,
  )
}
