/**
 * A person's first sign-in with consent, from the authorization request through to the token, and what it costs afterwards with the session and
 * the consent in place. How often the store is asked is counted by a test, not here.
 */

import { appClient, basic, newPerson, registerApp } from '../test/support/app-client.ts'
import { Person } from '../test/support/person.ts'
import { startRedis } from '../test/support/redis.ts'
import { median } from './figures.ts'
import { type LicetServer, startLicet } from './licet.ts'
import type { Size } from './sections.ts'

export async function firstSignIn({ rounds, quick }: Size): Promise<void> {
  const redis = await startRedis()
  const servers = [
    await startLicet({ name: 'Licet on Redis', store: redis.url }),
    await startLicet({ name: 'Licet on SQLite' }),
  ]
  console.log('\nFirst sign-in with consent through to the token, one person at a time')
  try {
    for (const server of servers) await report(server, quick ? 2 : 4 * rounds)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await redis.stop()
  }
}

async function report(server: LicetServer, people: number): Promise<void> {
  const app = await registerApp(server)
  const { clientId, secret = '', issuer } = app
  const client = appClient({ issuer, clientId, secret, proof: basic(clientId, secret) })
  const timed = async (person: Person, email: string) => {
    const before = await server.process.usage()
    const began = performance.now()
    const pending = await client.obtainCode(person, email)
    const { status } = await client.redeem(pending, {}, { origin: server.origin })
    if (status !== 200) throw new Error(`no token: ${status}`)
    const ms = performance.now() - began
    return { ms, cpuMs: ((await server.process.usage()).cpuMicroseconds - before.cpuMicroseconds) / 1000 }
  }
  const [first, again] = [[], []] as { ms: number; cpuMs: number }[][]
  for (let count = 0; count < people; count += 1) {
    const { email } = await newPerson(server, server.origin)
    const person = new Person(server.issuer, server.origin)
    first?.push(await timed(person, email))
    again?.push(await timed(person, email))
  }
  const said = (values: { ms: number; cpuMs: number }[] = []) =>
    `${median(values.map(({ ms }) => ms)).toFixed(1)} ms (${median(values.map(({ cpuMs }) => cpuMs)).toFixed(1)} ms CPU)`
  console.log(`  ${server.name.padEnd(24)} first ${said(first)}, signed in already ${said(again)}`)
}
