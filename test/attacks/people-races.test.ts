/**
 * RC2 of threats.md for people: everything an account may do once, done twenty times at the same moment through the pages of two server processes on
 * one Redis. The same gates without pages are raced in `test/accounts/`.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Account } from '../../src/accounts/account.ts'
import { newOwner, type Owner, TEN } from '../support/api.ts'
import { type AppClient, registerApp, tally } from '../support/app-client.ts'
import { newAccount, operator, PASSWORD } from '../support/licet.ts'
import { factorDesk, processOn } from '../support/people.ts'
import { Person, textOf, type Visit } from '../support/person.ts'
import { skipWithout } from '../support/tools.ts'
import { codeOf } from '../support/totp.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

const NEW = 'quiet rivers bend slowly 71'

describe('on two processes over Redis', { skip: skipWithout('redis-server') }, () => {
  let two: TwoProcesses
  let desk: ReturnType<typeof factorDesk>
  before(async () => {
    two = await startTwoProcesses({ file: { sign_up: { policy: 'open' } } })
    desk = factorDesk(processOn(two.core.store, Date.now, ['a root secret of the tests that is long enough']))
  })
  after(() => two?.stop())

  const origin = (index: number) => two.origins[index % 2] ?? two.issuer
  const browser = (index = 0) => new Person(two.issuer, origin(index))
  const twenty = <T>(act: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: 20 }, (_, index) => act(index)))
  /** Twenty windows of one browser, half of them towards each process. */
  const windows = (person: Person, act: (window: Person, index: number) => Promise<Visit>): Promise<Visit[]> =>
    twenty((index) => act(person.copy(origin(index)), index))
  const served = (visits: readonly Visit[]): void => {
    for (const { status, url } of visits) assert.ok(status < 500, `${status} ${url}`)
  }
  const isInside = ({ status, url }: Visit): boolean => status === 200 && url === `${two.issuer}/settings`
  const passwordGiven = async (
    person: Person,
    { email }: Pick<Account, 'email'>,
    password = PASSWORD,
  ): Promise<Visit> => person.submit(await person.open('/settings'), { email, password }, '/sign-in')
  const linkTo = async (email: string, room: string): Promise<string> => {
    const box = JSON.parse((await browser().send('GET', '/dev/mailbox.json')).body) as { to: string; links: string[] }[]
    const link = box.find(({ to }) => to === email)?.links.find((one) => one.includes(room))
    assert.ok(link, `a mail to ${email}`)
    return link
  }
  /** An account with an authenticator app whose code of this moment is unused, and ten recovery codes. */
  const enrolled = async () => {
    const account = await newAccount(two.core)
    const { key } = await desk.totp.begin(account.id, account.email)
    const secret = key.replaceAll(' ', '')
    const { recoveryCodes = [] } = await desk.factors.confirmTotp(
      operator,
      account,
      codeOf(secret, Date.now() - 30_000),
    )
    assert.equal(recoveryCodes.length, 10)
    return { account, secret, recoveryCodes }
  }
  /** Twenty browsers that have given the password and are asked for the second factor. */
  const halfway = (account: Account, way: string) =>
    twenty(async (index) => {
      const person = browser(index)
      const asked = await passwordGiven(person, account)
      return { person, page: await person.open(`${asked.url.split('/').slice(0, 5).join('/')}?way=${way}`) }
    })

  test('MF4 RC2: one recovery code in twenty sign-ins at once opens one', async () => {
    const { account, recoveryCodes } = await enrolled()
    const half = await halfway(account, 'recovery_code')
    const visits = await Promise.all(
      half.map(({ person, page }) => person.submit(page, { recovery_code: recoveryCodes[0] ?? '' }, '/recovery-code')),
    )
    served(visits)
    assert.equal(visits.filter(isInside).length, 1)
    assert.equal(await desk.recoveryCodes.count(account.id), 9)
  })

  test('MF2 RC2: one code of the authenticator app in twenty sign-ins at once opens one', async () => {
    const { account, secret } = await enrolled()
    const half = await halfway(account, 'totp')
    const code = codeOf(secret, Date.now())
    const visits = await Promise.all(half.map(({ person, page }) => person.submit(page, { code }, '/code')))
    served(visits)
    assert.equal(visits.filter(isInside).length, 1)
  })

  test('LG8 RC2: one reset link sent twenty times with different passwords sets one', async () => {
    const { email } = await newAccount(two.core)
    const asking = browser()
    await asking.submit(await asking.open('/recover'), { email }, '/recover')
    const link = await linkTo(email, '/recover/')
    const opened = await twenty(async (index) => {
      const person = browser(index)
      return { person, page: await person.open(link) }
    })
    const visits = await Promise.all(
      opened.map(({ person, page }, index) => person.submit(page, { password: `${NEW} ${index}` }, '/recover/new')),
    )
    served(visits)
    const winners = visits.flatMap((visit, index) => (/password was changed/.test(textOf(visit.body)) ? [index] : []))
    assert.equal(winners.length, 1)
    assert.ok(isInside(await passwordGiven(browser(), { email }, `${NEW} ${winners[0]}`)))
    assert.ok(!isInside(await passwordGiven(browser(), { email }, `${NEW} ${((winners[0] ?? 0) + 1) % 20}`)))
  })

  test('RC2: one invitation accepted twenty times makes one account, of whoever was first', async () => {
    const { authenticate, link } = await invited('invited@example.test')
    const opened = await twenty(async (index) => {
      const person = browser(index)
      return { person, page: await person.open(link) }
    })
    const visits = await Promise.all(
      opened.map(({ person, page }, index) =>
        person.submit(page, { name: `Person ${index}`, password: `${NEW} ${index}` }, '/signup/'),
      ),
    )
    served(visits)
    const winners = visits.flatMap((visit, index) => (/confirmed/.test(textOf(visit.body)) ? [index] : []))
    assert.equal(winners.length, 1)
    assert.ok(isInside(await authenticate(`${NEW} ${winners[0]}`)))
    assert.equal((await two.core.accounts.findByEmail('invited@example.test'))?.name, `Person ${winners[0]}`)
  })

  const invited = async (email: string) => {
    const admin = await newOwner(two, { scope: TEN, account: { role: 'administrator' } })
    const { status, body } = await admin.call('POST', '/api/v1/admin/accounts/invite', { json: { email } })
    assert.equal(status, 201)
    const authenticate = (password: string) => passwordGiven(browser(), { email }, password)
    return { link: String(body.link), authenticate }
  }

  test('RC2: the digits and the link of one verification, used twenty times at once, prove the address once', async () => {
    const email = 'fresh@example.test'
    const person = browser()
    const asked = await person.submit(await person.open('/signup'), { name: 'Ada', email, password: NEW }, '/signup')
    const link = await linkTo(email, '/verify/')
    const box = JSON.parse((await person.send('GET', '/dev/mailbox.json')).body) as { to: string; text: string }[]
    const code = /\b\d{6}\b/.exec(box.find(({ to }) => to === email)?.text ?? '')?.[0] ?? ''
    const opened = await person.open(link)
    const visits = await windows(person, (window, index) =>
      index % 4 < 2 ? window.submit(asked, { code }, '/verify') : window.submit(opened, {}, '/verify/'),
    )
    served(visits)
    assert.equal(visits.filter(({ body }) => /confirmed/.test(textOf(body))).length, 1)
    const { items } = await two.core.store.read((await two.core.accounts.findByEmail(email))?.id ?? '')
    assert.equal(items.filter(({ record }) => record['event'] === 'account.email_verified').length, 1)
  })

  test('RC4: twenty sign-ups at once with one address in many spellings make one account', async () => {
    const spellings = ['Same@Example.test', 'same@example.test', 'SAME@EXAMPLE.TEST', 'same@example.TEST']
    const forms = await twenty(async (index) => {
      const person = browser(index)
      return { person, form: await person.open('/signup') }
    })
    const visits = await Promise.all(
      forms.map(({ person, form }, index) =>
        person.submit(form, { name: 'Same', email: spellings[index % 4] ?? '', password: NEW }, '/signup'),
      ),
    )
    for (const { status, url } of visits) assert.deepEqual([status, url], [200, `${two.issuer}/verify`])
    const { items } = await two.core.accounts.list({ role: 'member', limit: 1000 })
    assert.equal(items.filter(({ email }) => email.toLowerCase() === 'same@example.test').length, 1)
  })

  test('RC2 RC3: a device allowed in twenty windows at once gets its tokens once', async () => {
    const device = await registerApp(two, { type: 'device', name: 'Television' })
    const account = await newAccount(two.core)
    const person = browser()
    await passwordGiven(person, account)
    const allow = async (codes: Codes): Promise<Visit> => {
      const typed = await person.open(`${two.issuer}/device`)
      const page = await person.submit(typed, { user_code: codes.userCode }, '/device')
      return person.submit(page, { decision: 'allow' }, '/device')
    }
    // Once with the consent page, so that afterwards Allow is the last step.
    const consent = await allow(await begin(device))
    await person.submit(consent, { decision: 'allow' }, '/consent')
    const codes = await begin(device)
    const typed = await person.open(`${two.issuer}/device`)
    const page = await person.submit(typed, { user_code: codes.userCode }, '/device')
    const visits = await windows(person, (window) => window.submit(page, { decision: 'allow' }, '/device'))
    served(visits)
    const answers = await twenty((index) =>
      device.post('/token', { grant_type: GRANT, device_code: codes.deviceCode }, { origin: origin(index) }),
    )
    assert.deepEqual(tally(answers), { '200': 1, '400 invalid_grant': 19 })
  })

  test('RC8: all administrators demoted and disabled at once, twenty times over, leave one', async () => {
    const admins = await Promise.all(
      Array.from({ length: 5 }, () => newOwner(two, { scope: TEN, account: { role: 'administrator' } })),
    )
    const { items } = await two.core.accounts.list({ role: 'administrator', limit: 1000 })
    const others = items.filter(({ id }) => !admins.some(({ accountId }) => accountId === id))
    for (const { id } of others) await two.core.accounts.setRole(operator, id, 'member')
    const room = '/api/v1/admin/accounts'
    const answers = await twenty((index) => {
      const [by, about] = [admins[index % 5], admins[(index + Math.floor(index / 5)) % 5]] as [Owner, Owner]
      const sending = { origin: origin(index) }
      return index % 2 === 0
        ? by.call('PATCH', `${room}/${about.accountId}`, { ...sending, json: { role: 'member' } })
        : by.call('POST', `${room}/${about.accountId}/disable`, { ...sending, json: { reason: 'race' } })
    })
    for (const { status, text } of answers) assert.ok(status < 500, text)
    const left = (await two.core.accounts.list({ role: 'administrator', limit: 1000 })).items
    assert.ok(left.some(({ status }) => status === 'active'))
    assert.ok(await two.core.accounts.hasAdministrator())
  })
})

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

interface Codes {
  readonly deviceCode: string
  readonly userCode: string
}

async function begin(device: AppClient): Promise<Codes> {
  const { body } = await device.post('/device_authorization', { scope: 'openid data:read' })
  return { deviceCode: String(body['device_code']), userCode: String(body['user_code']) }
}
