/**
 * Attacks on browser sessions: fixation, stolen and forged cookies, cookies and ids where they must
 * not be (threats.md SS; races stand in `session-races.test.ts`).
 */
import assert from 'node:assert/strict'
import { after, before, mock, test } from 'node:test'
import { type AppClient, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { answerOf, authorizeUrl, locationOf, VERIFIER } from '../support/authorize.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, type Visit } from '../support/person.ts'

const SESSION = '__Host-licet_session'
const cookieOf = (person: Person, name = SESSION): string | undefined => person.cookies.get(`${name}\n/`)?.value

let licet: Licet
let app: AppClient
before(async () => {
  licet = await startLicet({ now: () => Date.now(), env: { LICET_LOG_LEVEL: 'debug' } })
  app = await registerApp(licet)
})
after(() => licet.close())

async function signedIn(on: Pick<Licet, 'issuer' | 'core'> = licet, client = app): Promise<SignedIn> {
  const one = await newPerson(on)
  const back = await one.person.authorize(authorizeUrl(client), { email: one.email })
  assert.ok(answerOf(back).get('code'), back.href)
  assert.ok(cookieOf(one.person))
  return one
}

/** Whether this browser is signed in, by what an app sees without anybody being asked. */
async function isSignedIn(person: Person, client = app): Promise<boolean> {
  const visit = await person.send('GET', authorizeUrl(client, { prompt: 'none' }))
  const answer = answerOf(locationOf(visit))
  assert.ok(answer.has('code') || answer.get('error') === 'login_required', locationOf(visit))
  return answer.has('code')
}

async function signOut(person: Person): Promise<Visit> {
  return person.submit(await person.open(`${person.issuer}/logout`), { logout: 'yes' }, '/logout/confirm')
}

test('SS1: a session that was planted before the sign-in is not the one afterwards', async () => {
  const { person, email } = await newPerson(licet)
  // Pages with a form of the protocol begin a session for anybody; an attacker may have read or planted its cookie.
  await person.open(`${licet.issuer}/device`)
  const planted = cookieOf(person)
  assert.ok(planted)
  const attacker = person.copy()
  await person.authorize(authorizeUrl(app), { email })
  assert.notEqual(cookieOf(person), planted)
  assert.equal(await isSignedIn(attacker), false)
  assert.equal(await isSignedIn(person), true)
})

test('SS1: signing in again gives a new session id and the old one is dead', async () => {
  for (const params of [{ prompt: 'login' }, { max_age: '0' }]) {
    const { person, email } = await signedIn()
    const thief = person.copy()
    const stolen = cookieOf(person)
    const back = await person.authorize(authorizeUrl(app, params), { email })
    assert.ok(answerOf(back).get('code'), back.href)
    assert.notEqual(cookieOf(person), stolen)
    assert.equal(await isSignedIn(thief), false)
    assert.equal(await isSignedIn(person), true)
  }
})

test('SS1: signing in as somebody else ends the first session and its id', async () => {
  const { person } = await signedIn()
  const first = person.copy()
  const other = await newAccount(licet.core)
  const again = await person.open(authorizeUrl(app, { prompt: 'login' }))
  let visit = await person.submit(again, { email: other.email, password: PASSWORD }, '/sign-in')
  visit = await person.submit(visit, { decision: 'allow' }, '/consent')
  // Without JavaScript the sign-out of the first account is one more button.
  if (visit.body.includes('/logout/confirm')) visit = await person.submit(visit, {}, '/logout/confirm')
  const code = answerOf(visit.url).get('code')
  assert.ok(code, visit.url)
  const tokens = await app.redeem({ code, verifier: VERIFIER })
  assert.equal(JSON.parse(Buffer.from(tokens.body.id_token.split('.')[1] ?? '', 'base64url').toString()).sub, other.id)
  assert.equal(await isSignedIn(first), false)
  assert.equal(await isSignedIn(person), true)
})

test('SS1: a browser with a cookie of a session that is long gone signs in and stays signed in', async () => {
  const { person, email } = await signedIn()
  const stored = await licet.core.store.list('session', { limit: 1000 })
  for (const { id } of stored.items) await licet.core.store.remove('session', id)
  const back = await person.authorize(authorizeUrl(app), { email })
  assert.ok(answerOf(back).get('code'))
  assert.equal(await isSignedIn(person), true)
})

test('SS2: after signing out the old cookie opens nothing, wherever it is used', async () => {
  const { person } = await signedIn()
  const old = person.copy()
  const done = await signOut(person)
  assert.equal(done.status, 200)
  assert.equal(cookieOf(person), undefined)
  for (const browser of [old, person]) assert.equal(await isSignedIn(browser), false)
})

test('SS3: disabling an account or signing it out everywhere ends its sessions, sign-ins under way and refresh tokens at once', async () => {
  for (const act of [
    (id: string) => licet.core.accounts.disable(operator, id as never, 'stolen'),
    (id: string) => licet.core.accounts.signOutEverywhere(operator, id as never),
  ]) {
    const { person, accountId, email } = await signedIn()
    const code = await app.obtainCode(person, email)
    const tokens = await app.redeem(code)
    const halfway = await person.copy().open(authorizeUrl(app, { prompt: 'consent' }))
    const pending = await app.obtainCode(person, email)
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 2000 })
    try {
      await act(accountId)
      assert.equal(await isSignedIn(person), false)
      const finished = await person
        .copy()
        .submit(halfway, { decision: 'allow' }, '/consent')
        .catch(() => undefined)
      assert.equal(finished && answerOf(finished.url).get('code'), null)
      assert.equal((await app.redeem(pending)).body.error, 'invalid_grant')
      assert.equal((await app.refresh(tokens.body.refresh_token)).body.error, 'invalid_grant')
      assert.equal((await app.introspect(tokens.body.access_token)).body.active, false)
    } finally {
      mock.timers.reset()
    }
  }
})

test('SS4: a session ends when nobody uses it, and on its last day however often it is used', async () => {
  const { person } = await signedIn()
  const day = 86_400_000
  const start = Date.now()
  const at = async (days: number, browser = person) => {
    mock.timers.enable({ apis: ['Date'], now: start + days * day })
    try {
      return await isSignedIn(browser)
    } finally {
      mock.timers.reset()
    }
  }
  assert.equal(await at(14.1, person.copy()), false)
  const { person: busy } = await signedIn()
  for (const days of [5, 12, 20, 28]) assert.equal(await at(days, busy), true, `${days} days`)
  assert.equal(await at(30.1, busy), false)
})

test('SS5: every cookie is Secure, HttpOnly, SameSite=Lax, without Domain, and __Host- wherever its path allows', async () => {
  const { person, email } = await newPerson(licet)
  const lines: string[] = []
  const send = person.send.bind(person)
  person.send = async (...request) => {
    const visit = await send(...request)
    lines.push(...visit.headers.getSetCookie())
    return visit
  }
  await person.authorize(authorizeUrl(app), { email })
  await person.authorize(authorizeUrl(app, { prompt: 'login' }), { email })
  await signOut(person)
  assert.ok(lines.length > 6)
  for (const line of lines) {
    const [pair = '', ...attributes] = line.toLowerCase().split(/;\s*/)
    for (const wanted of ['secure', 'httponly', 'samesite=lax']) assert.ok(attributes.includes(wanted), line)
    assert.ok(!attributes.some((one) => one.startsWith('domain')), line)
    const path = attributes.find((one) => one.startsWith('path='))
    if (path === 'path=/') assert.match(pair, /^__host-/, line)
    else assert.match(pair, /^__secure-licet_(interaction|resume)/, line)
  }
})

test('SS5 SS7: unsigned, forged, swapped and doubled session cookies open nothing and break nothing', async () => {
  const { person } = await signedIn()
  const victim = cookieOf(person) ?? ''
  const signature = cookieOf(person, `${SESSION}.sig`) ?? ''
  assert.ok(signature)
  const attacker = new Person(licet.issuer)
  const tries = [
    `${SESSION}=${victim}`,
    `${SESSION}=${victim}; ${SESSION}.sig=`,
    `${SESSION}=${victim}; ${SESSION}.sig=${'A'.repeat(27)}`,
    `${SESSION}=x; ${SESSION}.sig=${signature}`,
    `${SESSION}=${victim}x; ${SESSION}.sig=${signature}`,
    `${SESSION}=../../x; ${SESSION}.sig=${signature}`,
    `${SESSION}=${'x'.repeat(4000)}; ${SESSION}.sig=${'y'.repeat(4000)}`,
    `${SESSION}=%00%0d%0a; ${SESSION}.sig=%`,
    `${SESSION}=planted; ${SESSION}=${victim}; ${SESSION}.sig=${signature}`,
    `${SESSION}=${victim}; ${SESSION}=planted; ${SESSION}.sig=wrong; ${SESSION}.sig=${signature}`,
    `__proto__=${victim}; licet_session=${victim}; _session=${victim}`,
  ]
  for (const cookie of tries) {
    const visit = await attacker.send('GET', authorizeUrl(app, { prompt: 'none' }), undefined, { cookie })
    assert.equal(answerOf(locationOf(visit)).get('error'), 'login_required', cookie.slice(0, 80))
  }
  const [interaction] = [await attacker.open(authorizeUrl(app))]
  const name = '__Secure-licet_interaction'
  const own = [...attacker.cookies].find(([key]) => key.startsWith(`${name}.sig`))?.[1].value ?? ''
  const swapped = `${SESSION}=${new URL(interaction.url).pathname.split('/')[2]}; ${SESSION}.sig=${own}`
  const visit = await attacker.send('GET', authorizeUrl(app, { prompt: 'none' }), undefined, { cookie: swapped })
  assert.equal(answerOf(locationOf(visit)).get('error'), 'login_required')
})

test('SS6: no session id stands in a URL, a page, the log or the store; nothing of ours goes out as Referer', async () => {
  const { person, email } = await newPerson(licet)
  const seen: string[] = []
  const send = person.send.bind(person)
  person.send = async (...request) => {
    const visit = await send(...request)
    seen.push(visit.url, locationOf(visit), visit.body)
    if ((visit.headers.get('content-type') ?? '').includes('html'))
      assert.match(visit.headers.get('referrer-policy') ?? '', /^(same-origin|no-referrer)$/)
    return visit
  }
  const interaction = await person.open(authorizeUrl(app))
  const uid = new URL(interaction.url).pathname.split('/')[2] ?? ''
  const back = await person.authorize(authorizeUrl(app), { email })
  const id = cookieOf(person) ?? ''
  await person.open(`${licet.issuer}/logout`)
  seen.push(back.href)
  const code = answerOf(back).get('code') ?? ''
  await app.redeem({ code, verifier: VERIFIER })
  assert.ok(id.length > 20 && uid.length > 20)
  assert.ok(!seen.join('\n').includes(id))
  const log = licet.log.join('\n')
  assert.match(log, /"route":"\/interaction\/:uid"/)
  for (const secret of [id, uid, code]) assert.ok(!log.includes(secret), 'the log')
  const { items } = await licet.core.store.list('session', { limit: 1000 })
  assert.ok(!JSON.stringify(items).includes(id))
})
