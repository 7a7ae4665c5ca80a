/**
 * Offline verification in the resource-server kit against bare jose on the same key and token, in this process: nothing but the processor is asked.
 */
import { createLocalJWKSet, jwtVerify } from 'jose'
import { createResourceServer } from '../kit/resource-server.js'
import { startLicet } from '../kit/testing.js'
import { interleave, print } from './figures.ts'
import type { Sample } from './load.ts'
import type { Size } from './sections.ts'

export async function kit({ rounds, quick }: Size): Promise<void> {
  await using licet = await startLicet()
  const { issuer, audience } = licet
  const token = await licet.mintAccessToken({ scope: 'data:read' })
  const jwks = (await (await fetch(`${issuer}/.well-known/jwks.json`)).json()) as { keys: object[] }
  const keys = createLocalJWKSet(jwks as Parameters<typeof createLocalJWKSet>[0])
  const server = createResourceServer({ issuer, audience, jwks })
  const shown = { method: 'GET', url: audience, headers: { authorization: `Bearer ${token}` } }
  const amount = quick ? 500 : 5000
  const bare = () => jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] })
  const ours = async () => {
    if (!(await server.check(shown, { scopes: ['data:read'] })).ok) throw new Error('a good token was refused')
  }
  const contestants = [
    { name: 'bare jose', run: () => repeat(bare, amount) },
    { name: 'licet/resource-server', run: () => repeat(ours, amount) },
  ]
  print('Verifying an access token offline', await interleave(contestants, rounds), { 'licet/resource-server': 0.9 })
}

/** One after the other, in the shape of a load's sample. */
async function repeat(act: () => Promise<unknown>, amount: number): Promise<Sample> {
  const took: number[] = []
  const before = process.cpuUsage()
  const began = performance.now()
  for (let index = 0; index < amount; index += 1) {
    const at = performance.now()
    await act()
    took.push(performance.now() - at)
  }
  const milliseconds = performance.now() - began
  const { user, system } = process.cpuUsage(before)
  took.sort((left, right) => left - right)
  return {
    requestsPerSecond: (1000 * amount) / milliseconds,
    cpuMicroseconds: (user + system) / amount,
    p50Ms: took[amount >> 1] ?? 0,
    p99Ms: took[Math.floor(amount * 0.99)] ?? 0,
  }
}
