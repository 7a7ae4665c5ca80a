/**
 * What an exchange of an access token costs (RFC 8693), against client credentials of the same app on the same server.
 */
import { appClient, basic, form, newPerson, registerApp } from '../test/support/app-client.ts'
import { startRedis } from '../test/support/redis.ts'
import { interleave, print } from './figures.ts'
import { type LicetServer, startLicet } from './licet.ts'
import { measure, tokenRequest } from './load.ts'
import type { Size } from './sections.ts'

const AIM = 0.7

/** A service and a person's token that it may exchange; the requests of both ways to a token. */
async function requests(server: LicetServer) {
  const scopes = ['data:read']
  const resourceServer = `${server.issuer}/api/v1`
  const app = await registerApp(server, { name: 'Bench web', firstParty: true, scopes })
  const service = await registerApp(server, { type: 'service', scopes, resourceServer, actsFor: [app.clientId] })
  const { issuer, clientId, secret = '' } = app
  const client = appClient({ issuer, clientId, secret, proof: basic(clientId, secret) })
  const { email, person } = await newPerson(server, server.origin)
  const { body } = await client.redeem(await client.obtainCode(person, email), {}, { origin: server.origin })
  const subject = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: body.access_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  }
  const pair = [service.clientId, service.secret ?? ''].map(encodeURIComponent).join(':')
  const authorization = `Basic ${Buffer.from(pair).toString('base64')}`
  return { itself: tokenRequest(authorization), forAnother: tokenRequest(authorization, form(subject)) }
}

export async function exchange({ rounds, quick }: Size): Promise<void> {
  const amount = quick ? 300 : 4000
  const redis = await startRedis()
  for (const choice of [{ name: 'Redis', store: redis.url }, { name: 'SQLite' }]) {
    const server = await startLicet(choice)
    const { itself, forAnother } = await requests(server)
    const contestants = [
      { name: 'client credentials', run: () => measure(server, itself, { amount }) },
      { name: 'exchange', run: () => measure(server, forAnother, { amount }) },
    ]
    print(`Exchange of an access token, ${choice.name}`, await interleave(contestants, rounds), { exchange: AIM })
    await server.stop()
  }
  await redis.stop()
}
