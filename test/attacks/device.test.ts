/**
 * Attacks on the device flow: guessing user codes, polling, phishing by link, foreign and doubled redemption, forged approvals, approve
 * against deny (threats.md DV, RC3).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type Answer, type AppClient, newPerson, registerApp, type SignedIn, tally } from '../support/app-client.ts'
import { authorizeUrl, countStored, later } from '../support/authorize.ts'
import { type Licet, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, textOf, type Visit } from '../support/person.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
/** Every browser of these tests comes from an address of its own, behind a proxy that is believed. */
const env = { LICET_TRUSTED_PROXIES: '127.0.0.1/32' }

let licet: Licet
let device: AppClient
before(async () => {
  licet = await startLicet({ now: () => Date.now(), env })
  device = await registerApp(licet, { type: 'device', name: 'Television' })
})
after(() => licet.close())

let addresses = 0
/** A browser at an address nobody else has. */
function at(person: Person, address = `203.0.113.${++addresses % 250}`): Person {
  const { send } = person
  person.send = (method, url, form, headers) =>
    send.call(person, method, url, form, { ...headers, 'x-forwarded-for': address })
  return person
}

async function somebody(on: Pick<Licet, 'issuer' | 'core'> = licet, origin = on.issuer): Promise<SignedIn> {
  const one = await newPerson(on, origin)
  at(one.person)
  return one
}

interface Codes {
  readonly deviceCode: string
  readonly userCode: string
}

async function begin(client = device, scope = 'openid data:read'): Promise<Codes> {
  const { body } = await client.post('/device_authorization', { scope })
  return { deviceCode: String(body['device_code']), userCode: String(body['user_code']) }
}

const poll = (client: AppClient, { deviceCode }: Codes, origin = client.issuer): Promise<Answer> =>
  client.post('/token', { grant_type: GRANT, device_code: deviceCode }, { origin })

/** From the empty page to the one that asks whether this is the person's device. */
async function confirmPage(person: Person, { userCode }: Codes): Promise<Visit> {
  return person.submit(await person.open(`${person.issuer}/device`), { user_code: userCode }, '/device')
}

/** Presses Allow and goes through sign-in and consent as they come. */
async function approve({ person, email }: SignedIn, codes: Codes): Promise<Visit> {
  let visit = await person.submit(await confirmPage(person, codes), { decision: 'allow' }, '/device')
  if (visit.body.includes('name="password"'))
    visit = await person.submit(visit, { email, password: PASSWORD }, '/sign-in')
  if (visit.body.includes('/consent"')) visit = await person.submit(visit, { decision: 'allow' }, '/consent')
  return visit
}

test('DV1: whoever guesses user codes is stopped after a few, from whatever session, and codes die in ten minutes', async () => {
  const codes = await begin()
  const { body } = await device.post('/device_authorization', {})
  assert.ok(Number(body['expires_in']) <= 600)
  assert.match(String(body['user_code']), /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
  const guesser = at(new Person(licet.issuer), '198.51.100.7')
  const statuses: number[] = []
  for (let guess = 0; guess < 12; guess++) {
    // A new session each time does not help: the limit is the address's.
    if (guess % 3 === 0) guesser.cookies.clear()
    const page = await guesser.open(`${licet.issuer}/device`)
    const answer = await guesser.press(page, { user_code: 'BCDF-GHJK' }, '/device')
    statuses.push(answer.status)
    if (answer.status === 429) assert.ok(Number(answer.headers.get('retry-after')) > 0)
  }
  assert.deepEqual(
    statuses.slice(0, 5),
    [200, 200, 200, 200, 200].map(() => statuses[0]),
  )
  assert.ok(statuses.indexOf(429) >= 5 && statuses.indexOf(429) <= 10, statuses.join(' '))
  assert.equal(statuses.at(-1), 429)
  // Others are not stopped, and the code still works in time.
  const one = await somebody()
  assert.match(textOf((await approve(one, codes)).body), /Television/)
  const old = await begin()
  await later(601_000, async () => {
    const page = await confirmPage(at(new Person(licet.issuer)), old)
    assert.doesNotMatch(page.body, /name="decision"/)
    assert.match((await poll(device, old)).body.error ?? '', /expired_token|invalid_grant/)
  })
})

test('DV1: an unknown, an expired and a used code are told apart by nobody who has not found one', async () => {
  const { person } = await somebody()
  const page = await person.open(`${licet.issuer}/device`)
  for (const user_code of ['', 'x'.repeat(5000), 'BCDF-GHJK', "' or 1=1", '../../x', '💥'.repeat(20)]) {
    const answer = await person.press(await person.open(page.url), { user_code }, '/device')
    assert.ok(answer.status < 500, user_code.slice(0, 20))
    assert.doesNotMatch(answer.body, /name="decision"/)
  }
})

test('DV2: a device that polls too fast is told to slow down, five seconds more each time, and is then served', async () => {
  const codes = await begin()
  assert.equal((await poll(device, codes)).body.error, 'authorization_pending')
  assert.equal((await poll(device, codes)).body.error, 'slow_down')
  const burst = await Promise.all(Array.from({ length: 5 }, () => poll(device, codes)))
  assert.deepEqual(tally(burst), { '400 slow_down': 5 })
  // Six times told: the interval is 5 + 6 × 5 seconds now.
  await later(20_000, async () => assert.equal((await poll(device, codes)).body.error, 'slow_down'))
  await later(62_000, async () => assert.equal((await poll(device, codes)).body.error, 'authorization_pending'))
  const polite = await begin()
  for (let second = 0; second < 60; second += 5.5)
    await later(second * 1000, async () =>
      assert.equal((await poll(device, polite)).body.error, 'authorization_pending'),
    )
  await approve(await somebody(), polite)
  await later(70_000, async () => assert.equal((await poll(device, polite)).status, 200))
})

test('DV3: a link with the code in it approves nothing: the person sends the form, sees who asks from where, and must press Allow', async () => {
  const codes = await begin()
  const victim = await somebody()
  const web = await registerApp(licet)
  await victim.person.authorize(authorizeUrl(web), { email: victim.email })
  const { body } = await device.post(
    '/device_authorization',
    { scope: 'data:read' },
    { headers: { 'user-agent': 'EvilOS/1.0', 'x-forwarded-for': '198.51.100.99' } },
  )
  const opened = await victim.person.open(String(body['verification_uri_complete']))
  assert.equal(opened.status, 200)
  assert.doesNotMatch(opened.body, /name="decision"|\.submit\(\)|http-equiv="refresh"/)
  assert.ok(
    formsOf(opened.body).some(({ fields }) =>
      fields.some(([name, value]) => name === 'user_code' && value === body['user_code']),
    ),
  )
  const shown = await victim.person.submit(opened, {}, '/device')
  const text = textOf(shown.body)
  for (const fact of [/Television/, /198\.51\.100\.99/, /EvilOS/, new RegExp(String(body['user_code']))])
    assert.match(text, fact)
  assert.match(shown.body, /value="allow"[\s\S]*value="deny"/)
  assert.equal(
    (await poll(device, { deviceCode: String(body['device_code']), userCode: '' })).body.error,
    'authorization_pending',
  )
  await victim.person.submit(shown, { decision: 'deny' }, '/device')
  await later(10_000, async () =>
    assert.equal(
      (await poll(device, { deviceCode: String(body['device_code']), userCode: '' })).body.error,
      'access_denied',
    ),
  )
  assert.equal((await poll(device, codes)).body.error, 'authorization_pending')
})

test('DV4: a device code is worth nothing to another app, before and after it was approved', async () => {
  const codes = await begin()
  const other = await registerApp(licet, { type: 'device' })
  const web = await registerApp(licet)
  for (const thief of [other, web])
    assert.match((await poll(thief, codes)).body.error ?? '', /invalid_grant|unauthorized_client/)
  await approve(await somebody(), codes)
  for (const thief of [other, web])
    assert.match((await poll(thief, codes)).body.error ?? '', /invalid_grant|unauthorized_client/)
  await later(10_000, async () => {
    const tokens = await poll(device, codes)
    assert.equal(tokens.status, 200, tokens.text)
    assert.equal(decodeJwt(tokens.body.access_token)['scope'], 'openid data:read')
    for (const kind of ['authorization_code', 'refresh_token'])
      assert.equal(
        (await device.post('/token', { grant_type: kind, code: codes.deviceCode, refresh_token: codes.deviceCode }))
          .status,
        400,
      )
    // The second redemption fails and takes back what the first one got.
    await later(30_000, async () => assert.equal((await poll(device, codes)).body.error, 'invalid_grant')).catch(
      () => undefined,
    )
  })
  await later(60_000, async () => assert.equal((await poll(device, codes)).body.error, 'invalid_grant'))
})

test('DV5: no other site and no other browser approves or refuses a device', async () => {
  const codes = await begin()
  const victim = await somebody()
  const web = await registerApp(licet)
  await victim.person.authorize(authorizeUrl(web), { email: victim.email })
  const shown = await confirmPage(victim.person, codes)
  const attacker = await confirmPage(at(new Person(licet.issuer)), codes)
  const csrfOf = (visit: Visit) => formsOf(visit.body)[0]?.fields.find(([name]) => name === 'csrf')?.[1] ?? ''
  assert.ok(csrfOf(attacker))
  for (const decision of ['allow', 'deny'])
    for (const csrf of [undefined, '', 'x', csrfOf(attacker)]) {
      const form: [string, string][] = [
        ['user_code', codes.userCode],
        ['decision', decision],
        ...(csrf === undefined ? [] : [['csrf', csrf] as [string, string]]),
      ]
      const visit = await victim.person.copy().send('POST', `${licet.issuer}/device`, form, {
        'sec-fetch-site': 'cross-site',
        'x-forwarded-for': `203.0.113.${++addresses % 250}`,
      })
      assert.ok([400, 403].includes(visit.status), `${decision} ${csrf}: ${visit.status}`)
    }
  assert.equal((await poll(device, codes)).body.error, 'authorization_pending')
  // The forged posts carried the victim's cookies, which a browser would have kept back: only therefore is the page to be opened again.
  assert.match(shown.body, /name="decision"/)
  await victim.person.submit(await confirmPage(at(victim.person), codes), { decision: 'deny' }, '/device')
  await later(10_000, async () => assert.equal((await poll(device, codes)).body.error, 'access_denied'))
})

test('RC3: who did not claim the code finishes nothing, and its owner is who signed in', async () => {
  const codes = await begin()
  const owner = await somebody()
  const other = await somebody()
  const page = await owner.person.submit(await confirmPage(owner.person, codes), { decision: 'allow' }, '/device')
  assert.match(page.body, /name="password"/)
  // The code is claimed: others are refused, and the claimant's page is nobody else's.
  assert.doesNotMatch((await confirmPage(other.person, codes)).body, /name="decision"/)
  assert.equal((await other.person.open(page.url)).status, 410)
  const resume = page.url.replace('/interaction/', '/device/')
  assert.ok((await other.person.open(resume)).status >= 400)
  const asked = await owner.person.submit(page, { email: owner.email, password: PASSWORD }, '/sign-in')
  await owner.person.submit(asked, { decision: 'allow' }, '/consent')
  const tokens = await poll(device, codes)
  assert.equal(decodeJwt(tokens.body.access_token).sub, owner.accountId)
})

test('RC3: a refusal on the consent page refuses the device', async () => {
  const codes = await begin()
  const { person, email } = await somebody()
  const page = await person.submit(await confirmPage(person, codes), { decision: 'allow' }, '/device')
  const asked = await person.submit(page, { email, password: PASSWORD }, '/sign-in')
  const refused = await person.submit(asked, { decision: 'deny' }, '/consent')
  assert.equal(refused.status, 200, textOf(refused.body))
  assert.equal((await poll(device, codes)).body.error, 'access_denied')
})

describe('on two processes over Redis', { skip: skipWithout('redis-server') }, () => {
  let two: TwoProcesses
  let client: AppClient
  before(async () => {
    two = await startTwoProcesses({ env })
    client = await registerApp(two, { type: 'device' })
  })
  after(() => two?.stop())

  test('DV4: twenty parallel redemptions of one device code on two processes yield tokens once', async () => {
    const codes = await begin(client)
    await approve(await somebody(two), codes)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => poll(client, codes, two.origins[index % 2])),
    )
    assert.deepEqual(tally(answers), { '200': 1, '400 invalid_grant': 19 })
    assert.equal(await countStored(two.core.store, 'grant'), 0, 'a code used twice takes its grant along')
  })

  test('RC3: twenty times Allow against Deny at the same moment ends in one state, which the device hears', async () => {
    const one = await somebody(two)
    await approve(one, await begin(client))
    for (let round = 0; round < 20; round++) {
      const codes = await begin(client)
      const left = at(one.person.copy(two.origins[0]))
      const right = at(one.person.copy(two.origins[1]))
      const shown = await confirmPage(left, codes)
      const [allowed, denied] = await Promise.all([
        left.submit(shown, { decision: 'allow' }, '/device'),
        right.submit(shown, { decision: 'deny' }, '/device'),
      ])
      for (const visit of [allowed, denied]) assert.ok(visit.status < 500, `${visit.status}`)
      const heard = await poll(client, codes)
      assert.ok(
        heard.status === 200 || heard.body.error === 'access_denied',
        `round ${round}: ${heard.text} ${textOf(allowed.body)} / ${textOf(denied.body)}`,
      )
    }
  })
})
