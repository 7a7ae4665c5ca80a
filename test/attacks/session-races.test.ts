/**
 * Sign-outs against requests in flight, and tabs of one browser against each other, on two processes over Redis (threats.md SS2, RC6, RC7), and more
 * sign-ins than an account may have (SS8).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type AppClient, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { answerOf, authorizeUrl, locationOf } from '../support/authorize.ts'
import { PASSWORD } from '../support/licet.ts'
import { Person, type Visit } from '../support/person.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

const SESSION = '__Host-licet_session'
const cookieOf = (person: Person, name = SESSION): string | undefined => person.cookies.get(`${name}\n/`)?.value

async function signedIn(on: TwoProcesses, client: AppClient): Promise<SignedIn> {
  const one = await newPerson(on)
  const back = await one.person.authorize(authorizeUrl(client), { email: one.email })
  assert.ok(answerOf(back).get('code'), back.href)
  assert.ok(cookieOf(one.person))
  return one
}

/** Whether this browser is signed in, by what an app sees without anybody being asked. */
async function isSignedIn(person: Person, client: AppClient): Promise<boolean> {
  const visit = await person.send('GET', authorizeUrl(client, { prompt: 'none' }))
  const answer = answerOf(locationOf(visit))
  assert.ok(answer.has('code') || answer.get('error') === 'login_required', locationOf(visit))
  return answer.has('code')
}

describe('on two processes over Redis', { skip: skipWithout('redis-server') }, () => {
  let two: TwoProcesses
  let client: AppClient
  before(async () => {
    two = await startTwoProcesses()
    client = await registerApp(two)
  })
  after(() => two?.stop())
  const [one, other] = [0, 1] as const

  test('SS2 RC6: twenty times a sign-out wins against every request in flight on the other process', async () => {
    const { person, email } = await signedIn(two, client)
    const second = await registerApp(two)
    for (let round = 0; round < 20; round++) {
      await person.authorize(authorizeUrl(client), { email })
      const page = await person.open(`${two.issuer}/logout`)
      const consent = await person.copy().send('GET', authorizeUrl(second))
      const halfway = person.copy(two.origins[other])
      const asked = await halfway.follow(consent)
      const browsers = Array.from({ length: 6 }, (_, index) => person.copy(two.origins[index % 2]))
      await Promise.all([
        person.press(page, { logout: 'yes' }, '/logout/confirm'),
        ...browsers.map((browser, index) => browser.send('GET', authorizeUrl(client, { state: String(index) }))),
        asked.body.includes('/consent')
          ? halfway.submit(asked, { decision: 'allow' }, '/consent').catch(() => undefined)
          : undefined,
      ])
      for (const browser of [...browsers, halfway, person])
        assert.equal(await isSignedIn(browser, client), false, `round ${round}`)
    }
  })

  test('SS2: a sign-out wins against a sign-in that is renewing the session at the same moment', async () => {
    const { person, email } = await signedIn(two, client)
    let signedOut = 0
    for (let round = 0; round < 20; round++) {
      await person.authorize(authorizeUrl(client), { email })
      const tab = person.copy(two.origins[other])
      const again = await tab.open(authorizeUrl(client, { prompt: 'login' }))
      const left = await tab.press(again, { email, password: PASSWORD }, '/sign-in')
      for (const [key, cookie] of tab.cookies) person.cookies.set(key, cookie)
      const page = await person.open(`${two.issuer}/logout`)
      const renewing = tab.copy()
      const leave = async () => {
        // The two meet at another point in every round.
        await pause(round / 2)
        return person.press(page, { logout: 'yes' }, '/logout/confirm')
      }
      const [answer] = await Promise.all([leave(), renewing.follow(left)])
      // With a cookie that has just been replaced the answer is an error, never "you are signed out".
      if (answer.status >= 400) continue
      signedOut += 1
      for (const browser of [person, tab, renewing])
        assert.equal(await isSignedIn(browser, client), false, `round ${round}`)
    }
    assert.ok(signedOut > 0)
  })

  test('SS8: beyond a hundred sessions each sign-in ends the oldest, also with twenty at once on two processes', async () => {
    const { person: oldest, email, accountId } = await signedIn(two, client)
    const group = { group: 'accountId', value: accountId, limit: 1000 }
    const stored = async () => (await two.core.store.list<{ uid: string }>('session', group)).items
    const first = (await stored())[0]?.value.uid
    // Written as sign-ins write them; signing in 150 times would take a minute and show nothing else.
    const expiresAt = Date.now() + 3_600_000
    const fill = async (from: number, to: number) => {
      for (let index = from; index < to; index += 1) {
        const value = { accountId, uid: `filled-${index}`, sealed: '' }
        await two.core.store.put('session', { id: `filled-${accountId}-${index}`, value, expiresAt }, 'create')
      }
    }
    await fill(0, 99)
    assert.equal((await stored()).length, 100)
    assert.equal(await isSignedIn(oldest, client), true)
    const browsers = Array.from({ length: 20 }, (_, index) => new Person(two.issuer, two.origins[index % 2]))
    const backs = await Promise.all(browsers.map((browser) => browser.authorize(authorizeUrl(client), { email })))
    for (const back of backs) assert.ok(answerOf(back).get('code'), back.href)
    const left = (await stored()).map(({ value }) => value.uid)
    assert.equal(left.length, 100)
    for (const uid of [first, ...Array.from({ length: 19 }, (_, index) => `filled-${index}`)])
      assert.ok(uid && !left.includes(uid), uid)
    assert.equal(await isSignedIn(oldest, client), false)
    for (const browser of browsers) assert.equal(await isSignedIn(browser, client), true)
    // What an older server left behind goes with the next sign-ins, a page at a time.
    await fill(100, 250)
    for (const _ of [1, 2]) await new Person(two.issuer).authorize(authorizeUrl(client), { email })
    assert.equal((await stored()).length, 100)
  })

  test('RC7: twenty times two tabs sign in and consent at once; both finish and the session knows both apps', async () => {
    const second = await registerApp(two)
    for (let round = 0; round < 20; round++) {
      const { person, email, accountId } = await newPerson(two)
      const [left, right] = [person.copy(two.origins[one]), person.copy(two.origins[other])]
      // Both tabs share one cookie jar; what the server sets in one is seen by the other.
      for (const tab of [left, right]) (tab as { cookies: unknown }).cookies = person.cookies
      const pages = [await left.open(authorizeUrl(client)), await right.open(authorizeUrl(second))]
      const consents = []
      for (const [index, tab] of [left, right].entries())
        consents.push(await tab.press(pages[index] as Visit, { email, password: PASSWORD }, '/sign-in'))
      // The first tab goes all the way; the second has read the page of a signed-out browser.
      const begun = await left.submit(consents[0] as Visit, { decision: 'allow' }, '/consent')
      const ended = await right.submit(consents[1] as Visit, { decision: 'allow' }, '/consent')
      assert.ok(answerOf(begun.url).get('code'), begun.url)
      assert.ok(answerOf(ended.url).get('code'), `round ${round}: ${ended.url}`)
      for (const app of [client, second]) assert.equal(await isSignedIn(person, app), true)
      const { items } = await two.core.store.list('session', { group: 'accountId', value: accountId })
      assert.equal(items.length, 1)
    }
  })

  test('RC7: twenty times two signed-in tabs consent at the same moment; no authorization is lost and the session is kept', async () => {
    for (let round = 0; round < 20; round++) {
      const apps = [await registerApp(two), await registerApp(two)] as const
      const { person } = await signedIn(two, client)
      const tabs = [person.copy(two.origins[one]), person.copy(two.origins[other])]
      const ends = await Promise.all(
        tabs.map(async (tab, index) => {
          const asked = await tab.open(authorizeUrl(apps[index] as AppClient))
          return tab.submit(asked, { decision: 'allow' }, '/consent')
        }),
      )
      for (const end of ends) assert.ok(answerOf(end.url).get('code'), `round ${round}: ${end.url}`)
      for (const tab of [...tabs, person]) for (const one of apps) assert.equal(await isSignedIn(tab, one), true)
    }
  })

  test('RC7: a tab that signs in again does not throw out the other, whose answer comes at the same moment', async () => {
    for (let round = 0; round < 20; round++) {
      const { person, email } = await signedIn(two, client)
      const [left, right] = [person.copy(two.origins[one]), person.copy(two.origins[other])]
      const again = await left.open(authorizeUrl(client, { prompt: 'login' }))
      const leaving = await left.press(again, { email, password: PASSWORD }, '/sign-in')
      const cookies: string[][] = []
      const visits = await Promise.all([
        left.follow(leaving),
        ...Array.from({ length: 5 }, async () => {
          const visit = await right.copy().send('GET', authorizeUrl(client))
          cookies.push(visit.headers.getSetCookie().filter((line) => line.startsWith(`${SESSION}=`)))
          return visit
        }),
      ])
      assert.ok(answerOf(visits[0]?.url ?? '').get('code'), visits[0]?.url)
      assert.equal(await isSignedIn(left, client), true)
      // Whatever order the answers arrive in, none of them takes the new cookie away.
      for (const line of cookies.flat()) assert.doesNotMatch(line, /max-age=0|1970/i, `round ${round}`)
    }
  })
})
