/**
 * Attacks on pushed authorization requests: a second use, another browser, another app, another time, parameters beside it (threats.md AZ7, AZ8).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type AppClient, newPerson, registerApp } from '../support/app-client.ts'
import { answerOf, assertErrorPage, authorizeUrl, later, locationOf, VERIFIER } from '../support/authorize.ts'
import { type Licet, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, type Visit } from '../support/person.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

let licet: Licet
let app: AppClient
before(async () => {
  licet = await startLicet({ now: () => Date.now() })
  app = await registerApp(licet)
})
after(() => licet.close())

const anonymous = () => new Person(licet.issuer)

/** Somebody who is signed in and has consented to what the app usually asks. */
async function settled() {
  const one = await newPerson(licet)
  const back = await one.person.authorize(authorizeUrl(app), { email: one.email })
  assert.ok(answerOf(back).get('code'), back.href)
  return one
}

/** The parameters of a plain request, for the body of a pushed one. */
function plain(): Record<string, string> {
  return Object.fromEntries(answerOf(authorizeUrl(app)))
}

async function push(params: Record<string, string> = {}): Promise<string> {
  const pushed = await app.post('/par', { ...plain(), ...params })
  assert.equal(pushed.status, 201, pushed.text)
  return String(pushed.body['request_uri'])
}

const pushedUrl = (requestUri: string, more = {}, clientId = app.clientId) =>
  `${licet.issuer}/authorize?${new URLSearchParams({ client_id: clientId, request_uri: requestUri, ...more })}`

test('AZ7: what stands in the query beside a pushed request counts for nothing', async () => {
  const { person } = await settled()
  const requestUri = await push({ state: 'pushed' })
  const visit = await person.send(
    'GET',
    pushedUrl(requestUri, {
      redirect_uri: 'https://evil.example/',
      scope: 'openid data:write',
      state: 'query',
      prompt: 'none',
      response_mode: 'fragment',
    }),
  )
  const where = locationOf(visit)
  assert.ok(where.startsWith(`${app.redirectUri}?`), where)
  assert.equal(answerOf(where).get('state'), 'pushed')
  const tokens = await app.redeem({ code: answerOf(where).get('code') ?? '', verifier: VERIFIER })
  assert.equal(decodeJwt(tokens.body.access_token)['scope'], 'openid data:read')
})

test('AZ8: a pushed request is refused when it was used, is unknown, has expired or belongs to another app', async () => {
  const { person } = await settled()
  const requestUri = await push()
  const other = await registerApp(licet)
  const foreign = await person.send('GET', pushedUrl(requestUri, {}, other.clientId))
  assert.doesNotMatch(locationOf(foreign), /[?&]code=/)
  const first = await person.send('GET', pushedUrl(requestUri))
  assert.ok(answerOf(locationOf(first)).get('code'), 'the foreign attempt must not have used it up')
  for (const who of [person, anonymous()]) {
    const again = await who.send('GET', pushedUrl(requestUri))
    assert.doesNotMatch(locationOf(again), /code=|interaction/)
    assertErrorPage(again)
  }
  for (const unknown of [
    'urn:ietf:params:oauth:request_uri:unknown',
    'urn:ietf:params:oauth:request_uri:',
    'https://app.example.test/request',
  ])
    assertErrorPage(await person.send('GET', pushedUrl(unknown)))
  const late = await push()
  await later(90_000, async () => assertErrorPage(await person.send('GET', pushedUrl(late))))
})

test('AZ8: of two browsers that began from one pushed request, even long ago, one gets a code', async () => {
  const requestUri = await push()
  const people = [await newPerson(licet), await newPerson(licet)]
  const pages = await Promise.all(people.map(({ person }) => person.open(pushedUrl(requestUri))))
  // The pushed request itself has expired by the time they have typed their passwords.
  await later(100_000, async () => {
    const ends: string[] = []
    for (const [index, { person, email }] of people.entries()) {
      const consent = await person.submit(pages[index] as Visit, { email, password: PASSWORD }, '/sign-in')
      ends.push((await person.submit(consent, { decision: 'allow' }, '/consent')).url)
    }
    assert.equal(ends.filter((url) => answerOf(url).has('code')).length, 1, ends.join('\n'))
  })
})

describe('on two processes over Redis', { skip: skipWithout('redis-server') }, () => {
  let two: TwoProcesses
  before(async () => {
    two = await startTwoProcesses()
  })
  after(() => two?.stop())

  test('AZ8: of twenty parallel uses of one pushed request on two processes one gets a code', async () => {
    const client = await registerApp(two)
    const { person, email } = await newPerson(two)
    await person.authorize(authorizeUrl(client), { email })
    const params = Object.fromEntries(answerOf(authorizeUrl(client)))
    for (let round = 0; round < 3; round++) {
      const pushed = await client.post('/par', params)
      const query = new URLSearchParams({ client_id: client.clientId, request_uri: String(pushed.body['request_uri']) })
      const visits = await Promise.all(
        Array.from({ length: 20 }, (_, index) => {
          const browser = person.copy(two.origins[index % 2])
          return browser.send('GET', `${two.issuer}/authorize?${query}`)
        }),
      )
      const codes = visits.map((visit) => answerOf(locationOf(visit) || two.issuer).get('code')).filter(Boolean)
      assert.equal(codes.length, 1)
      for (const visit of visits) assert.ok(visit.status < 500, `${visit.status}`)
      const redeemed = await client.redeem({ code: codes[0] ?? '', verifier: VERIFIER })
      assert.equal(redeemed.status, 200, redeemed.text)
    }
  })
})
