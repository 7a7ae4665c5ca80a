/**
 * Attacks on the sign-in of the running server: telling accounts apart, guessing, empty and bent forms, skipped steps, the first
 * administrator (threats.md LG; the password door itself is tested in `test/accounts/authenticate.test.ts`).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { answerOf, authorizeUrl, later, locationOf } from '../support/authorize.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, textOf, type Visit } from '../support/person.ts'

let licet: Licet
let app: AppClient
before(async () => {
  licet = await startLicet({
    now: () => Date.now(),
    env: { LICET_TRUSTED_PROXIES: '127.0.0.1/32' },
    file: { rate_limits: { sign_in_address: '10/1m', sign_in_account: '5/15m' } },
  })
  app = await registerApp(licet)
})
after(() => licet.close())

let addresses = 0
/** A browser at an address nobody else has. */
function browser(address = `198.51.${++addresses >> 8}.${addresses & 255}`): Person {
  const person = new Person(licet.issuer)
  const { send } = person
  person.send = (method, url, form, headers) =>
    send.call(person, method, url, form, { ...headers, 'x-forwarded-for': address })
  return person
}

async function attempt(person: Person, email: string, password: string): Promise<Visit> {
  return person.press(await person.open(authorizeUrl(app)), { email, password }, '/sign-in')
}

/** What of an answer may differ between two honest requests is made alike. */
function stripped({ status, headers, body }: Visit, email: string, uid: string): object {
  const kept = [...headers].filter(
    ([name]) =>
      ![
        'date',
        'x-request-id',
        'content-length',
        'ratelimit',
        'x-ratelimit-remaining',
        'x-ratelimit-reset',
        'set-cookie',
      ].includes(name),
  )
  const cookies = headers.getSetCookie().map((line) => line.replace(/=[^;]*/, ''))
  return {
    status,
    kept,
    cookies,
    body: body
      .replaceAll(email, 'EMAIL')
      .replaceAll(uid, 'UID')
      .replace(/name="(csrf|handle)" value="[^"]*"/g, '')
      .replace(/(?<=challenge&#34;:&#34;)[\w-]+/g, '')
      .replace(/[\w-]{16}(?=<\/code>)/g, ''),
  }
}

test('LG1: an unknown account, a wrong password and a disabled account look the same to the last header and cookie', async () => {
  const known = await newAccount(licet.core)
  const disabled = await newAccount(licet.core)
  await licet.core.accounts.disable(operator, disabled.id, 'left')
  const answers: object[] = []
  for (const [email, password] of [
    [known.email, 'a wrong password'],
    [disabled.email, PASSWORD],
    [`${'nobody'.padEnd(known.email.indexOf('@'), 'x')}@example.test`, PASSWORD],
  ] as const) {
    const person = browser()
    const page = await person.open(authorizeUrl(app))
    const visit = await person.press(page, { email, password }, '/sign-in')
    answers.push(stripped(visit, email, new URL(page.url).pathname.split('/')[2] ?? ''))
  }
  assert.deepEqual(answers[1], answers[0])
  assert.deepEqual(answers[2], answers[0])
})

test('LG3: one address is stopped after ten tries, whatever accounts, sessions and apps it uses', async () => {
  const attacker = browser('192.0.2.77')
  const statuses: number[] = []
  for (let guess = 0; guess < 13; guess++) {
    attacker.cookies.clear()
    statuses.push((await attempt(attacker, `victim-${guess}@example.test`, 'Summer2026!')).status)
  }
  assert.deepEqual(statuses, [...Array(10).fill(200), 429, 429, 429])
  const limited = await attempt(attacker, 'victim-99@example.test', 'Summer2026!')
  assert.ok(Number(limited.headers.get('retry-after')) > 0)
  assert.match(limited.headers.get('content-type') ?? '', /html/)
  const honest = await newAccount(licet.core)
  assert.match((await attempt(browser(), honest.email, PASSWORD)).body, /value="allow"/)
})

test('LG3: an account guessed at from many addresses is closed to all of them, and opens again by itself', async () => {
  const { email } = await newAccount(licet.core)
  for (let guess = 0; guess < 5; guess++) assert.equal((await attempt(browser(), email, `wrong ${guess}`)).status, 200)
  const refused = await attempt(browser(), email, PASSWORD)
  assert.equal(refused.status, 429)
  assert.ok(Number(refused.headers.get('retry-after')) > 0)
  await later(16 * 60_000, async () =>
    assert.match((await attempt(browser(), email, PASSWORD)).body, /name="decision"/),
  )
})

test('LG3: guesses of others do not lock a person out of a browser in which she has signed in before', async () => {
  const { email } = await newAccount(licet.core)
  const own = browser()
  assert.match((await attempt(own, email, PASSWORD)).body, /value="allow"/)
  for (let guess = 0; guess < 6; guess++) await attempt(browser(), email, `wrong ${guess}`)
  assert.equal((await attempt(browser(), email, PASSWORD)).status, 429)
  assert.match((await attempt(own, email, PASSWORD)).body, /value="allow"/)
  // A browser that knows another account, or whose cookie was bent, is a stranger here.
  const mallory = browser()
  const other = await newAccount(licet.core)
  await attempt(mallory, other.email, PASSWORD)
  assert.equal((await attempt(mallory, email, PASSWORD)).status, 429)
  const copied = browser()
  for (const [key, cookie] of own.cookies)
    if (/device/.test(key)) copied.cookies.set(key, { ...cookie, value: `${cookie.value.slice(0, -3)}AAA` })
  assert.equal((await attempt(copied, email, PASSWORD)).status, 429)
})

test('LG10: empty, missing, repeated and bent fields sign nobody in and are told as a form or a 4xx', async () => {
  const { email } = await newAccount(licet.core)
  const forms: [string, [string, string][]][] = [
    ['nothing', []],
    ['no password', [['email', email]]],
    ['no email', [['password', PASSWORD]]],
    [
      'empty password',
      [
        ['email', email],
        ['password', ''],
      ],
    ],
    [
      'two passwords',
      [
        ['email', email],
        ['password', 'x'],
        ['password', PASSWORD],
      ],
    ],
    [
      'two emails',
      [
        ['email', 'x@example.test'],
        ['email', email],
        ['password', PASSWORD],
      ],
    ],
    [
      'array',
      [
        ['email', email],
        ['password[]', PASSWORD],
      ],
    ],
    [
      'object',
      [
        ['email', email],
        ['password[$ne]', 'x'],
      ],
    ],
    [
      'a NUL',
      [
        ['email', `${email}\0`],
        ['password', PASSWORD],
      ],
    ],
    [
      'long',
      [
        ['email', email],
        ['password', 'x'.repeat(30_000)],
      ],
    ],
    [
      'pollution',
      [
        ['__proto__', '1'],
        ['email', email],
        ['password', PASSWORD],
      ],
    ],
    [
      'skip',
      [
        ['email', email],
        ['accountId', 'x'],
        ['login', 'true'],
        ['stage', 'consent'],
      ],
    ],
  ]
  for (const [name, fields] of forms) {
    const person = browser()
    const page = await person.open(authorizeUrl(app))
    const csrf = formsOf(page.body)[0]?.fields.find(([field]) => field === 'csrf')?.[1] ?? ''
    const visit = await person.send('POST', `${page.url}/sign-in`, [['csrf', csrf], ...fields])
    assert.ok([200, 400, 413].includes(visit.status), `${name}: ${visit.status}`)
    assert.doesNotMatch(visit.body, /value="allow"|http-equiv="refresh"/, name)
    const silent = await person.send('GET', authorizeUrl(app, { prompt: 'none' }))
    assert.equal(answerOf(locationOf(silent)).get('error'), 'login_required', name)
  }
  const json = browser()
  const page = await json.open(authorizeUrl(app))
  const visit = await json.send('POST', `${page.url}/sign-in`, undefined, {
    'content-type': 'application/json',
    'sec-fetch-site': 'same-origin',
  })
  assert.ok(visit.status >= 400 && visit.status < 500)
})

test('LG10: steps out of order lead to the step that is due, never past it', async () => {
  const person = browser()
  const page = await person.open(authorizeUrl(app))
  const csrf = formsOf(page.body)[0]?.fields.find(([field]) => field === 'csrf')?.[1] ?? ''
  for (const fields of [
    [['decision', 'allow']],
    [
      ['decision', 'allow_read_only'],
      ['duration', '1d'],
      ['scope', 'data:read'],
    ],
  ] as [string, string][][]) {
    const visit = await person.send('POST', `${page.url}/consent`, [['csrf', csrf], ...fields])
    assert.match(visit.body, /name="password"/)
    assert.doesNotMatch(visit.body, /http-equiv="refresh"/)
  }
  const uid = new URL(page.url).pathname.split('/')[2]
  const resumed = await person.open(`${licet.issuer}/authorize/${uid}`)
  assert.doesNotMatch(resumed.url, /code=/)
  assert.ok(resumed.status === 410 || /name="password"/.test(resumed.body), `${resumed.status}`)
})

test('LG11: a fresh server has no account; its setup link works once, makes one administrator and cannot be guessed', async () => {
  const fresh = await startLicet({ now: () => Date.now() })
  try {
    assert.equal((await fresh.core.store.list('account')).items.length, 0)
    const link = /\/setup\/([\w-]+)/.exec(fresh.announcements.join('\n'))?.[1] ?? ''
    assert.ok(link.length >= 40, link)
    const person = new Person(fresh.issuer)
    for (const guess of ['x', link.slice(0, -1), `${link}x`, link.toUpperCase(), link.split('').reverse().join('')])
      assert.ok([404, 410].includes((await person.open(`${fresh.issuer}/setup/${guess}`)).status), guess)
    const page = await person.open(`${fresh.issuer}/setup/${link}`)
    assert.equal(page.status, 200)
    const foreign = await new Person(fresh.issuer).send('POST', page.url, [
      ['name', 'Eve'],
      ['email', 'eve@evil.example'],
      ['password', PASSWORD],
    ])
    assert.equal(foreign.status, 403)
    const rivals = Array.from({ length: 10 }, (_, index) =>
      person.copy().press(page, { name: 'Admin', email: `admin-${index}@example.test`, password: PASSWORD }),
    )
    for (const visit of await Promise.all(rivals)) assert.ok(visit.status < 500, textOf(visit.body).slice(0, 200))
    assert.equal((await fresh.core.store.list('account', { group: 'role', value: 'administrator' })).items.length, 1)
    assert.equal((await fresh.core.store.list('account')).items.length, 1)
    assert.equal((await person.open(`${fresh.issuer}/setup/${link}`)).status, 410)
  } finally {
    await fresh.close()
  }
})
