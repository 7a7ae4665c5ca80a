/**
 * Attacks on sign-in and consent forms: forged and foreign posts, tampered scopes, double submits, silent widening, withdrawn consent, markup
 * (threats.md CS; what needs a real browser stands in `browser.test.ts`).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { consentId, createGrants } from '../../src/oidc/grants.ts'
import { type AppClient, newPerson, registerApp } from '../support/app-client.ts'
import { answerOf, authorizeUrl, countStored, locationOf, VERIFIER } from '../support/authorize.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, type Visit } from '../support/person.ts'

let licet: Licet
let app: AppClient
const MCP = 'https://mcp.example.test/mcp'
before(async () => {
  licet = await startLicet({
    file: { resources: [{ identifier: MCP, name: 'Example MCP', scopes: ['mcp:read', 'mcp:write'] }] },
  })
  app = await registerApp(licet)
})
after(() => licet.close())

/** Signed in and in front of the consent page. */
async function asked(client = app, params = {}) {
  const one = await newPerson(licet)
  const signIn = await one.person.open(authorizeUrl(client, params))
  const consent = await one.person.submit(signIn, { email: one.email, password: PASSWORD }, '/sign-in')
  assert.match(consent.body, /name="decision"/)
  return { ...one, signIn, consent }
}

async function scopeOf(back: string | URL, client = app): Promise<string> {
  const tokens = await client.redeem({ code: answerOf(back).get('code') ?? '', verifier: VERIFIER })
  assert.equal(tokens.status, 200, tokens.text)
  return String(decodeJwt(tokens.body.access_token)['scope'])
}

const csrfOf = (visit: Visit): string =>
  formsOf(visit.body)
    .flatMap(({ fields }) => fields)
    .find(([name]) => name === 'csrf')?.[1] ?? ''

test('CS2: no form of an interaction is taken from another site, without its token, or with the token of another browser or interaction', async () => {
  const { person, consent, email } = await asked()
  const other = await asked()
  const uid = new URL(consent.url).pathname.split('/')[2]
  const forms: [string, [string, string][]][] = [
    [
      'sign-in',
      [
        ['email', email],
        ['password', PASSWORD],
      ],
    ],
    ['consent', [['decision', 'allow']]],
    ['deny', []],
    ['switch', []],
  ]
  for (const [step, fields] of forms) {
    const url = `${licet.issuer}/interaction/${uid}/${step}`
    const own: [string, string] = ['csrf', csrfOf(consent)]
    const tries: [string, [string, string][], Record<string, string>][] = [
      ['no token', fields, {}],
      ['an empty token', [...fields, ['csrf', '']], {}],
      ['a foreign token', [...fields, ['csrf', csrfOf(other.consent)]], {}],
      ['two tokens', [...fields, own, own], {}],
      ['from another site', [...fields, own], { 'sec-fetch-site': 'cross-site' }],
      ['from a sister site', [...fields, own], { 'sec-fetch-site': 'same-site' }],
    ]
    for (const [name, form, headers] of tries) {
      const visit = await person.send('POST', url, form, headers)
      assert.equal(visit.status, 403, `${step}: ${name}`)
    }
    const json = await person.send('POST', url, undefined, {
      'content-type': 'application/json',
      'sec-fetch-site': 'same-origin',
    })
    assert.ok([400, 403, 415].includes(json.status), `${step}: json ${json.status}`)
    // The cookies of another browser, as a cross-site post without SameSite would carry none of them.
    const stranger = await new Person(licet.issuer).send('POST', url, [...fields, own])
    assert.equal(stranger.status, 403, `${step}: without cookies`)
    assert.equal((await person.send('GET', url)).status, 405)
  }
  const done = await person.submit(consent, { decision: 'allow' }, '/consent')
  assert.ok(answerOf(done.url).get('code'), 'the real form still works')
})

test('CS2: a token of one interaction does not work in another of the same browser', async () => {
  const { person, consent } = await asked()
  const second = await person.open(authorizeUrl(app, { state: 'second' }))
  const crossed = await person.press(
    { ...consent, body: consent.body.replaceAll(csrfOf(consent), csrfOf(second)) },
    { decision: 'allow' },
    '/consent',
  )
  assert.equal(crossed.status, 403)
})

test('CS3: nobody is signed in as the attacker by a form of the attacker, before or after a page was opened', async () => {
  const attacker = await newPerson(licet)
  const page = await attacker.person.open(authorizeUrl(app))
  const form: [string, string][] = [
    ['csrf', csrfOf(page)],
    ['email', attacker.email],
    ['password', PASSWORD],
  ]
  const uid = new URL(page.url).pathname.split('/')[2]
  const victim = await newPerson(licet)
  for (const opened of [false, true]) {
    if (opened) await victim.person.open(authorizeUrl(app))
    for (const site of ['cross-site', 'same-origin']) {
      const visit = await victim.person.send('POST', `${licet.issuer}/interaction/${uid}/sign-in`, form, {
        'sec-fetch-site': site,
      })
      assert.equal(visit.status, 403)
    }
  }
  const silent = await victim.person.send('GET', authorizeUrl(app, { prompt: 'none' }))
  assert.equal(answerOf(locationOf(silent)).get('error'), 'login_required')
})

test('CS4: more scopes or another resource are asked for again, and nothing is joined in silence', async () => {
  const { person, consent, email } = await asked()
  await person.submit(consent, { decision: 'allow' }, '/consent')
  for (const params of [
    { scope: 'openid data:read data:write' },
    { scope: 'openid email data:read' },
    { resource: MCP, scope: 'mcp:read' },
  ]) {
    const client = 'resource' in params ? await registerApp(licet, { scopes: ['mcp:read', 'data:read'] }) : app
    const page = await person.open(authorizeUrl(client, params))
    assert.match(page.body, /name="decision"/, JSON.stringify(params))
    const denied = await person.submit(page, { decision: 'deny' }, '/consent')
    assert.equal(answerOf(denied.url).get('error'), 'access_denied')
  }
  // What was refused is not in the next token, what was granted is not more than asked.
  assert.equal(await scopeOf(await person.authorize(authorizeUrl(app), { email })), 'openid data:read')
  await person.authorize(authorizeUrl(app, { scope: 'openid data:read data:write' }), {
    email,
    allow: { scope: 'data:write' },
  })
  assert.equal(await scopeOf(await person.authorize(authorizeUrl(app), { email })), 'openid data:read')
})

test('CS5: tampered scopes, durations, decisions and fields on the consent form count for nothing', async () => {
  const everything = [
    'openid',
    'data:read',
    'data:write',
    'api:admin',
    'api:write',
    'email',
    '__proto__',
    'x'.repeat(90),
  ]
  const { person, consent } = await asked()
  const victim = await asked()
  const done = await person.submit(
    consent,
    {
      decision: 'allow',
      scope: everything,
      grantId: 'x',
      accountId: victim.accountId,
      client_id: 'other',
      uid: 'x',
      resource: MCP,
      redirect_uri: 'https://evil.example/',
    },
    '/consent',
  )
  assert.ok(done.url.startsWith(app.redirectUri), done.url)
  const tokens = await app.redeem({ code: answerOf(done.url).get('code') ?? '', verifier: VERIFIER })
  const claims = decodeJwt(tokens.body.access_token)
  assert.equal(claims['scope'], 'openid data:read')
  assert.equal(claims.aud, `${licet.issuer}/api/v1`)
  for (const bad of [
    { duration: 'forever' },
    { duration: ['1d', '30d'] },
    { decision: 'allow_all' },
    { decision: ['deny', 'allow'] },
    { scope: ['x'.repeat(200)] },
    { scope: Array.from({ length: 150 }, () => 'data:read') },
    { ['__proto__']: 'x' },
  ]) {
    const one = await asked()
    const visit = await one.person.press(one.consent, { decision: 'allow', ...bad }, '/consent')
    assert.equal(visit.status, 400, JSON.stringify(bad).slice(0, 60))
    assert.doesNotMatch(visit.body, /http-equiv="refresh"/)
  }
})

test('CS5: what was ticked off is not granted, and read-only keeps what reads', async () => {
  const scope = 'openid data:read data:write'
  const refused = await asked(app, { scope })
  assert.equal(
    await scopeOf((await refused.person.submit(refused.consent, { decision: 'allow', scope: [] }, '/consent')).url),
    'openid data:read',
  )
  const reading = await asked(app, { scope })
  assert.equal(
    await scopeOf(
      (await reading.person.submit(reading.consent, { decision: 'allow_read_only', scope: ['data:write'] }, '/consent'))
        .url,
    ),
    'openid data:read',
  )
})

test('CS5: the sign-in of one account cannot be answered with the consent of another interaction', async () => {
  const mallory = await asked()
  const alice = await asked()
  const stolen = new URL(alice.consent.url).pathname.split('/')[2] ?? ''
  const own = new URL(mallory.consent.url).pathname.split('/')[2] ?? ''
  for (const step of ['consent', 'deny', 'switch', 'sign-in']) {
    const visit = await mallory.person.send('POST', `${licet.issuer}/interaction/${stolen}/${step}`, [
      ['csrf', csrfOf(mallory.consent)],
      ['decision', 'allow'],
    ])
    assert.equal(visit.status, 403)
  }
  // With the victim's uid in the signed cookie's place the signature does not fit.
  for (const [key, cookie] of mallory.person.cookies)
    if (cookie.value === own)
      mallory.person.cookies.set(key.replace(own, stolen), { value: stolen, path: cookie.path.replace(own, stolen) })
  assert.equal((await mallory.person.open(`${licet.issuer}/interaction/${stolen}`)).status, 410)
  assert.equal((await mallory.person.send('GET', `${licet.issuer}/authorize/${stolen}`)).status, 410)
})

test('CS6: consenting twenty times at once ends in one code and one grant, and never in a 500', async () => {
  for (let round = 0; round < 5; round++) {
    const { person, consent, accountId } = await asked()
    const before = await countStored(licet.core.store, 'authorization_code')
    const ends = await Promise.all(
      Array.from({ length: 20 }, () => person.copy().submit(consent, { decision: 'allow' }, '/consent')),
    )
    for (const end of ends) assert.ok(end.status < 500, `${end.status}`)
    const codes = ends.map((end) => answerOf(end.url).get('code')).filter(Boolean)
    assert.equal(codes.length, 1)
    assert.equal((await countStored(licet.core.store, 'authorization_code')) - before, 1)
    const grants = await licet.core.store.list('grant', { group: 'accountId', value: accountId })
    assert.equal(grants.items.length, 1)
    assert.equal((await app.redeem({ code: codes[0] ?? '', verifier: VERIFIER })).status, 200)
  }
})

test('CS6: a second click on Sign in and the back button end in one grant and a way on', async () => {
  const { person, email, accountId } = await newPerson(licet)
  const page = await person.open(authorizeUrl(app))
  const [first, second] = await Promise.all(
    [0, 1].map(() => person.press(page, { email, password: PASSWORD }, '/sign-in')),
  )
  assert.ok(first && second)
  for (const visit of [first, second]) assert.equal(visit.status, 200)
  const done = await person.submit(second, { decision: 'allow' }, '/consent')
  assert.ok(answerOf(done.url).get('code'))
  // Back, and once more: each of the old pages.
  for (const [old, values, action] of [
    [page, { email, password: PASSWORD }, '/sign-in'],
    [first, { decision: 'allow' }, '/consent'],
    [first, { decision: 'deny' }, '/consent'],
  ] as const) {
    const visit = await person.press(old, { ...values }, action)
    assert.equal(visit.status, 410)
    assert.match(visit.body, /href="\/authorize\?/, 'the page offers to begin again')
  }
  assert.equal((await person.send('GET', page.url)).status, 410)
  const grants = await licet.core.store.list('grant', { group: 'accountId', value: accountId })
  assert.equal(grants.items.length, 1)
})

test('CS6: an answer given after the interaction was used up does not bring it back', async () => {
  for (let round = 0; round < 10; round++) {
    const { person, consent } = await asked()
    const left = await person.press(consent, { decision: 'allow' }, '/consent')
    const slow = person.copy()
    const quick = person.copy()
    const [late, done] = await Promise.all([slow.press(consent, { decision: 'allow' }, '/consent'), quick.follow(left)])
    assert.ok(late.status < 500)
    const again = await person.copy().follow(late)
    const codes = [done, again].filter((end) => answerOf(end.url).has('code'))
    assert.equal(codes.length, 1, `round ${round}`)
  }
})

test('CS7: apps whose redirect anybody on the machine may receive are asked for every time, first-party apps never', async () => {
  for (const redirectUris of [
    ['http://127.0.0.1/cb'],
    ['http://localhost:3000/cb'],
    ['com.example.notes:/cb'],
    ['cursor://cb'],
  ]) {
    const native = {
      ...(await registerApp(licet, { type: 'native', redirectUris })),
      redirectUri: redirectUris[0] ?? '',
    }
    const { person, email } = await newPerson(licet)
    const back = await person.authorize(authorizeUrl(native), { email })
    assert.ok(answerOf(back).get('code'), back.href)
    assert.match((await person.open(authorizeUrl(native))).body, /name="decision"/, redirectUris[0])
    const silent = await person.send('GET', authorizeUrl(native, { prompt: 'none' }))
    assert.equal(answerOf(locationOf(silent)).get('error'), 'consent_required')
  }
  const own = await registerApp(licet, { firstParty: true })
  const { person, email } = await newPerson(licet)
  const page = await person.open(authorizeUrl(own))
  const done = await person.submit(page, { email, password: PASSWORD }, '/sign-in')
  assert.ok(answerOf(done.url).get('code'), 'no consent page for an app of the operator')
})

test('CS8: once consent is withdrawn nothing of that app works any more and it must ask again', async () => {
  const { person, consent, accountId, email } = await asked()
  const done = await person.submit(consent, { decision: 'allow' }, '/consent')
  const tokens = await app.redeem({ code: answerOf(done.url).get('code') ?? '', verifier: VERIFIER })
  const pending = await app.obtainCode(person, email)
  await licet.core.store.remove('consent', consentId(accountId, app.clientId))
  await createGrants({ store: licet.core.store, now: Date.now }).endAll({ accountId })
  assert.equal((await app.refresh(tokens.body.refresh_token)).body.error, 'invalid_grant')
  assert.equal((await app.redeem(pending)).body.error, 'invalid_grant')
  assert.equal((await app.introspect(tokens.body.access_token)).body.active, false)
  assert.equal((await app.userinfo(tokens.body.access_token)).status, 401)
  assert.match((await person.open(authorizeUrl(app))).body, /name="decision"/)
})

test('CS9: markup, scripts and text that reorders itself stay text wherever a page prints them', async () => {
  const evil = '"><img src=x onerror=alert(1)><script>alert(1)</script>\u202Etxt.exe'
  const account = await newAccount(licet.core, undefined, { name: 'Eve <b>bold</b>' })
  const named = await registerApp(licet, { name: 'Notes <b>bold</b>' })
  const person = new Person(licet.issuer)
  const pages = [
    await person.open(authorizeUrl(named, { login_hint: evil, ui_locales: evil })),
    await person.open(authorizeUrl(named, { scope: evil, state: evil })),
    await person.open(authorizeUrl({ ...named, clientId: evil })),
    await person.open(authorizeUrl({ ...named, redirectUri: `https://evil.example/${evil}` })),
    await person.open(`${licet.issuer}/interaction/${encodeURIComponent(evil)}`),
    await person.open(`${licet.issuer}/${encodeURIComponent(evil)}?${encodeURIComponent(evil)}`),
    await person.open(`${licet.issuer}/docs/errors/${encodeURIComponent(evil)}`),
    await person.open(
      `${licet.issuer}/logout?id_token_hint=${encodeURIComponent(evil)}&client_id=${encodeURIComponent(evil)}`,
    ),
    await person.open(`${licet.issuer}/device?user_code=${encodeURIComponent(evil)}`),
  ]
  const signIn = await person.open(authorizeUrl(named))
  pages.push(await person.press(signIn, { email: evil, password: evil }, '/sign-in'))
  pages.push(
    await person.submit(
      await person.open(authorizeUrl(named)),
      { email: account.email, password: PASSWORD },
      '/sign-in',
    ),
  )
  for (const page of pages) {
    assert.doesNotMatch(page.body, /<img src=x|<script>alert|<b>bold|\u202E/, page.url)
    assert.doesNotMatch(
      page.body,
      /<script(?! src="\/assets\/)[^>]*>(?!\s*document\.addEventListener\('DOMContentLoaded')/,
      page.url,
    )
    assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'/)
  }
  const device = await registerApp(licet, { type: 'device', name: 'TV <b>bold</b>' })
  const codes = await device.post(
    '/device_authorization',
    { scope: 'data:read' },
    { headers: { 'user-agent': evil.slice(0, 50) } },
  )
  const entry = await person.open(`${licet.issuer}/device`)
  const confirm = await person.submit(entry, { user_code: String(codes.body['user_code']) }, '/device')
  assert.match(confirm.body, /&lt;img src=x/)
  assert.doesNotMatch(confirm.body, /<img src=x|<b>bold|\u202E/)
})

test('CS10: template options in a query or a form reach no template', async () => {
  const { person, consent } = await asked()
  const options =
    'settings[view options][outputFunctionName]=x;process.exit();//&settings[view options][escapeFunction]=1&cache=1&filename=/etc/passwd&client=1&_layoutFile=../package.json&view=error&model[app][name]=x'
  const shown = await person.send('GET', `${consent.url.replace(/\/[a-z-]+$/, '')}?${options.replaceAll(' ', '%20')}`)
  assert.equal(shown.status, 200)
  const pressed = await person.press(
    consent,
    { ...Object.fromEntries(new URLSearchParams(options)), decision: 'allow' },
    '/consent',
  )
  assert.equal(pressed.status, 200)
  assert.doesNotMatch(shown.body + pressed.body, /root:x|"licet"/)
})

test('CS11: an answer by postMessage does not exist', async () => {
  const { person } = await asked()
  for (const params of [
    { response_mode: 'web_message' },
    { response_mode: 'web_message', web_message_uri: 'https://evil.example/' },
    { web_message_uri: 'https://evil.example/', prompt: 'none' },
  ]) {
    const visit = await person.send('GET', authorizeUrl(app, params))
    assert.doesNotMatch(visit.body, /postMessage/)
    assert.doesNotMatch(locationOf(visit), /evil/)
  }
  const discovery = await (await fetch(`${licet.issuer}/.well-known/openid-configuration`)).json()
  assert.deepEqual((discovery as { response_modes_supported: string[] }).response_modes_supported, [
    'query',
    'form_post',
  ])
})
