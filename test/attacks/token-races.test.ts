/**
 * Races for single-use things (threats.md RC1): twenty callers at once, against two processes on one Redis and against one process on SQLite.
 * Exactly one may win; each race is run several times, for a race lost once in ten is lost.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Core } from '../../src/core.ts'
import {
  type Answer,
  type AppClient,
  newPerson,
  registerApp,
  type Sending,
  type SignedIn,
  tally,
} from '../support/app-client.ts'
import { startLicet } from '../support/licet.ts'
import { asserted, assertion, dpop, newKey } from '../support/proofs.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses } from '../support/two-processes.ts'

interface Field {
  readonly issuer: string
  readonly origins: readonly string[]
  readonly core: Core
  stop(): Promise<void>
}

const fields: Record<string, { skip: string | false; start: () => Promise<Field> }> = {
  'two processes on Redis': { skip: skipWithout('redis-server'), start: () => startTwoProcesses() },
  'one process on SQLite': {
    skip: false,
    async start() {
      const licet = await startLicet()
      return { issuer: licet.issuer, origins: [licet.issuer], core: licet.core, stop: licet.close }
    },
  },
}

const ROUNDS = 3

for (const [where, { skip, start }] of Object.entries(fields)) {
  describe(where, { skip }, () => {
    let field: Field
    let app: AppClient
    let who: SignedIn
    before(async () => {
      field = await start()
      app = await registerApp(field)
      who = await newPerson(field)
    })
    after(() => field?.stop())

    const twenty = (one: (sending: Sending) => Promise<Answer>): Promise<Answer[]> =>
      Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          one({ origin: field.origins[index % field.origins.length] ?? field.issuer }),
        ),
      )

    test(`TK4: twenty parallel redemptions of one code succeed once and leave nothing alive (${where})`, async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const pending = await app.obtainCode(who.person, who.email)
        const answers = await twenty((sending) => app.redeem(pending, {}, sending))
        assert.deepEqual(tally(answers), { 200: 1, '400 invalid_grant': 19 })
        const won = answers.find(({ status }) => status === 200)
        assert.ok(won)
        assert.equal((await app.introspect(won.body.access_token)).body.active, false)
        assert.equal((await app.refresh(won.body.refresh_token)).body.error, 'invalid_grant')
      }
    })

    test(`TK11: one DPoP proof sent twenty times in parallel is taken once (${where})`, async () => {
      const service = await registerApp(field, { type: 'service', scopes: ['data:read'] })
      for (let round = 0; round < ROUNDS; round++) {
        const proof = await dpop(await newKey(), `${field.issuer}/token`)
        const answers = await twenty((sending) =>
          service.post('/token', { grant_type: 'client_credentials' }, { ...sending, headers: { dpop: proof } }),
        )
        const taken = answers.filter(({ status }) => status === 200)
        assert.equal(taken.length, 1, JSON.stringify(tally(answers)))
        assert.ok(answers.every(({ status }) => status === 200 || status === 400 || status === 401))
      }
    })

    test(`RT4: twenty parallel refreshes of one token have one child between them (${where})`, async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
        const answers = await twenty((sending) => app.refresh(body.refresh_token, {}, sending))
        assert.deepEqual(tally(answers), { 200: 20 }, 'honest retries are answered')
        assert.equal(new Set(answers.map(({ text }) => text)).size, 1, 'all with the same answer')
        const child = answers[0]?.body.refresh_token ?? ''
        assert.equal((await app.refresh(child)).status, 200, 'and the child works')
      }
    })

    test(`CA5: one client assertion sent twenty times in parallel is taken once (${where})`, async () => {
      const key = await newKey()
      const keyed = await registerApp(field, {
        type: 'service',
        scopes: ['data:read'],
        auth: 'private_key_jwt',
        jwks: { keys: [key.publicJwk as never] },
      })
      for (let round = 0; round < ROUNDS; round++) {
        const one = await assertion(key, keyed)
        const thief = keyed.with(asserted(async () => one))
        const answers = await twenty((sending) => thief.post('/token', { grant_type: 'client_credentials' }, sending))
        assert.deepEqual(tally(answers), { 200: 1, '401 invalid_client': 19 })
      }
    })

    test(`DV4: twenty parallel redemptions of one device code succeed once (${where})`, async () => {
      const device = await registerApp(field, { type: 'device' })
      for (let round = 0; round < ROUNDS; round++) {
        const begun = await device.post('/device_authorization', { scope: 'data:read' })
        assert.equal(begun.status, 200, begun.text)
        await approve(who, String(begun.body['verification_uri']), String(begun.body['user_code']))
        const answers = await twenty((sending) =>
          device.post(
            '/token',
            {
              grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
              device_code: String(begun.body['device_code']),
            },
            sending,
          ),
        )
        assert.deepEqual(tally(answers), { 200: 1, '400 invalid_grant': 19 })
      }
    })
  })
}

/** The person types the code, confirms it, and allows what the device asks. */
async function approve({ person }: SignedIn, url: string, userCode: string): Promise<void> {
  let visit = await person.submit(await person.open(url), { user_code: userCode })
  visit = await person.submit(visit, { decision: 'allow' })
  if (visit.body.includes('/consent"')) visit = await person.submit(visit, { decision: 'allow' }, '/consent')
  assert.equal(visit.status, 200, visit.body.slice(0, 400))
}
