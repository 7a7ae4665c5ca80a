/**
 * F11 of threats.md: two server processes on one Redis, and twenty requests at once for everything that may happen once. Codes, refresh tokens,
 * assertions, proofs and device codes race in `test/attacks/token-races.test.ts` and `device.test.ts`; here race pushed requests, answers of
 * people, setup links, and uses against the act that ends them.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createSetupLinks } from '../../src/accounts/setup-link.ts'
import { type Answer, type AppClient, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { authorizeUrl } from '../support/authorize.ts'
import { operator, PASSWORD } from '../support/licet.ts'
import { Person, type Visit } from '../support/person.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

const ROUNDS = 2

describe('two processes', { skip: skipWithout('redis-server') }, () => {
  let field: TwoProcesses
  let app: AppClient
  let who: SignedIn
  before(async () => {
    field = await startTwoProcesses()
    app = await registerApp(field)
    who = await newPerson(field)
    await app.obtainCode(who.person, who.email)
  })
  after(() => field?.stop())

  const origin = (index: number) => field.origins[index % 2] ?? field.issuer
  const twenty = <T>(one: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: 20 }, (_, index) => one(index)))
  /** Twenty windows of one browser, half of them towards each process. */
  const windows = (act: (person: Person, index: number) => Promise<Visit>, { person } = who): Promise<Visit[]> =>
    twenty((index) => act(person.copy(origin(index)), index))
  const codesOf = (visits: readonly Visit[]) =>
    visits.map(({ url }) => new URL(url).searchParams.get('code')).filter((code) => code !== null)
  const assertServed = (visits: readonly { status: number }[]) =>
    assert.deepEqual(
      visits.filter(({ status }) => status >= 500).map(({ status }) => status),
      [],
    )

  test('F11: a pushed request opened in twenty windows yields one code', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const params = Object.fromEntries(new URL(authorizeUrl(app)).searchParams)
      const pushed = String((await app.post('/par', params)).body['request_uri'])
      const query = new URLSearchParams({ client_id: app.clientId, request_uri: pushed })
      const visits = await windows((person) => person.open(`${field.issuer}/authorize?${query}`))
      assertServed(visits)
      assert.equal(codesOf(visits).length, 1)
    }
  })

  test('F11: a consent sent twenty times yields one code and one grant', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const asking = await registerApp(field)
      const page = await who.person.open(authorizeUrl(asking))
      assert.match(page.body, /\/consent"/)
      const visits = await windows((person) => person.submit(page, { decision: 'allow' }, '/consent'))
      assertServed(visits)
      assert.equal(codesOf(visits).length, 1)
    }
  })

  test('F11: a sign-in sent twenty times ends in at most one code', async () => {
    const own = await registerApp(field, { firstParty: true })
    const person = new Person(field.issuer, origin(0))
    const page = await person.open(authorizeUrl(own))
    const visits = await windows((copy) => copy.submit(page, { email: who.email, password: PASSWORD }, '/sign-in'), {
      ...who,
      person,
    })
    assertServed(visits)
    assert.equal(codesOf(visits).length, 1)
  })

  test('F11: a setup link used twenty times makes one administrator', async () => {
    const { store, accounts } = field.core
    const link = await createSetupLinks({ store, accounts, now: Date.now }).renew()
    assert.ok(link)
    const person = new Person(field.issuer, origin(0))
    const page = await person.open(field.issuer + link.path)
    const visits = await windows(
      (copy, index) => copy.submit(page, { name: 'Ada', email: `first-${index}@example.test`, password: PASSWORD }),
      { ...who, person },
    )
    assertServed(visits)
    assert.equal(visits.filter(({ status }) => status === 200).length, 1)
    assert.equal((await accounts.list({ role: 'administrator' })).items.length, 1)
  })

  /** Runs ten of each at once; whatever the uses got must be dead once all have ended. */
  async function race(
    use: (index: number) => Promise<Answer>,
    end: (index: number) => Promise<unknown>,
  ): Promise<void> {
    const answers = await twenty(async (index) => (index % 2 ? use(index) : void (await end(index))))
    const got = answers.filter((answer) => answer !== undefined)
    assertServed(got)
    for (const { status, body } of got) {
      if (status !== 200) continue
      assert.equal((await app.introspect(body.access_token)).body.active, false)
      assert.equal((await app.introspect(body.refresh_token)).body.active, false)
      assert.notEqual((await app.refresh(body.refresh_token)).status, 200)
    }
  }

  test('F11: refresh against revocation leaves nothing usable (RT5)', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
      await race(
        (index) => app.refresh(body.refresh_token, {}, { origin: origin(index) }),
        (index) => app.revoke(body.refresh_token, { origin: origin(index) }),
      )
    }
  })

  test('F11: redemption and refresh against a disabled account leave nothing usable (RT5, TK14)', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const other = await newPerson(field)
      const { body } = await app.redeem(await app.obtainCode(other.person, other.email))
      const pending = await app.obtainCode(other.person, other.email)
      const id = other.accountId as Parameters<typeof field.core.accounts.disable>[1]
      await race(
        (index) =>
          index % 4 === 1
            ? app.redeem(pending, {}, { origin: origin(index) })
            : app.refresh(body.refresh_token, {}, { origin: origin(index) }),
        (index) => (index === 0 ? field.core.accounts.disable(operator, id) : Promise.resolve()),
      )
    }
  })
})
