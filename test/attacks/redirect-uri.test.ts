/**
 * Attacks on redirect URIs: near misses, omissions, ports, open redirection by way of errors, doubled answers (threats.md RU).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { NewApp } from '../../src/apps/records.ts'
import { type AppClient, newPerson, registerApp } from '../support/app-client.ts'
import { answerOf, authorizeUrl, locationOf } from '../support/authorize.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf, type Visit } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

const anonymous = () => new Person(licet.issuer)

/** An app with these redirect URIs, asking for the first. */
async function appWith(redirectUris: string[], more: Partial<NewApp> = {}): Promise<AppClient> {
  return { ...(await registerApp(licet, { redirectUris, ...more })), redirectUri: redirectUris[0] ?? '' }
}

function assertNoRedirect(visit: Visit, what: string): void {
  assert.equal(visit.status, 400, what)
  assert.equal(locationOf(visit), '', what)
  assert.doesNotMatch(visit.body, /http-equiv="refresh"|<form[^>]+action="http/, what)
}

test('RU1: a redirect URI that is not the registered one to the last character is an error page', async () => {
  const app = await appWith(['https://app.example.test/cb'])
  const { person, email } = await newPerson(licet)
  await person.authorize(authorizeUrl(app), { email })
  const near = [
    'https://app.example.test/cb/',
    'https://app.example.test/cb?x=1',
    'https://app.example.test/cb?',
    'https://app.example.test/cb#f',
    'https://app.example.test/cb#',
    'https://app.example.test/cb/../evil',
    'https://app.example.test/./cb',
    'https://app.example.test//cb',
    'https://APP.example.test/cb',
    'HTTPS://app.example.test/cb',
    'https://app.example.test:443/cb',
    'https://app.example.test:8443/cb',
    'https://app.example.test./cb',
    'https://app.example.test/%63b',
    'https://app.example.test/CB',
    'https://app.example.test/cb ',
    ' https://app.example.test/cb',
    'https://app.example.test/cb\t',
    'https://app.example.test/cb\n',
    'https://app.example.test/cb\0',
    'https://user@app.example.test/cb',
    'https://app.example.test@evil.example/cb',
    'https://app.example.test\\@evil.example/cb',
    'https://evil.example\\app.example.test/cb',
    'https://app.example.test.evil.example/cb',
    'https://evil.example/cb',
    'http://app.example.test/cb',
    '//app.example.test/cb',
    '/cb',
    'cb',
    'javascript:alert(1)',
    'data:text/html,x',
    'https://app.example.test/cb,https://evil.example/',
    'https://app.example.test/cb https://evil.example/',
  ]
  for (const uri of near)
    for (const who of [anonymous(), person])
      for (const params of [{}, { prompt: 'none' }, { scope: 'api:admin' }, { response_mode: 'form_post' }])
        assertNoRedirect(await who.send('GET', authorizeUrl(app, { redirect_uri: uri, ...params })), uri)
})

test('RU1: neither does a pushed request or another app bring a foreign redirect URI in', async () => {
  const app = await appWith(['https://app.example.test/cb'])
  const other = await appWith(['https://other.example.test/cb'])
  assertNoRedirect(await anonymous().send('GET', authorizeUrl(app, { redirect_uri: other.redirectUri })), 'another app')
  const pushed = await app.post('/par', {
    ...Object.fromEntries(answerOf(authorizeUrl(app))),
    redirect_uri: other.redirectUri,
  })
  assert.equal(pushed.status, 400)
})

test('RU2: a request without a redirect URI is refused, although only one is registered', async () => {
  const app = await appWith(['https://app.example.test/cb'])
  assertNoRedirect(await anonymous().send('GET', authorizeUrl(app, { redirect_uri: undefined })), 'omitted')
  assertNoRedirect(await anonymous().send('GET', authorizeUrl(app, { redirect_uri: '' })), 'empty')
})

test('RU3: the port varies for the loopback redirects of native apps, and nothing else does', async () => {
  const app = await appWith(
    ['http://127.0.0.1/cb', 'http://[::1]/cb', 'http://localhost/cb', 'http://127.0.0.1:4000/fixed'],
    { type: 'native' },
  )
  const good = [
    'http://127.0.0.1:51004/cb',
    'http://[::1]:51004/cb',
    'http://localhost:51004/cb',
    'http://127.0.0.1/cb',
    'http://127.0.0.1:5/fixed',
  ]
  for (const uri of good) {
    const visit = await anonymous().send('GET', authorizeUrl(app, { redirect_uri: uri }))
    assert.match(locationOf(visit), /\/interaction\//, uri)
    const silent = await anonymous().send('GET', authorizeUrl(app, { redirect_uri: uri, prompt: 'none' }))
    assert.ok(locationOf(silent).startsWith(`${uri}?error=login_required`), locationOf(silent))
  }
  const bad = [
    'http://127.0.0.1:51004/other',
    'http://127.0.0.1:51004/cb/',
    'http://127.0.0.1:51004/cb?x=1',
    'http://127.0.0.1:51004/cb#f',
    'https://127.0.0.1:51004/cb',
    'http://127.0.0.2:51004/cb',
    'http://127.1:51004/cb',
    'http://2130706433:51004/cb',
    'http://0.0.0.0:51004/cb',
    'http://[::ffff:127.0.0.1]:51004/cb',
    'http://localhost.evil.example:51004/cb',
    'http://127.0.0.1:51004@evil.example/cb',
    'http://x@127.0.0.1:51004/cb',
    'http://127.0.0.1:51004\\@evil.example/cb',
    'http://127.0.0.1:99999/cb',
    'http://LOCALHOST:51004/cb',
  ]
  for (const uri of bad) assertNoRedirect(await anonymous().send('GET', authorizeUrl(app, { redirect_uri: uri })), uri)
  const web = await appWith(['http://127.0.0.1/cb'], { type: 'spa' })
  assertNoRedirect(
    await anonymous().send('GET', authorizeUrl(web, { redirect_uri: 'http://127.0.0.1:51004/cb' })),
    'a web app',
  )
})

test('RU4: an app with a redirect URI that others could receive or that runs programs is not registered', async () => {
  const refused: [NewApp['type'], string][] = [
    ['web', 'http://app.example.test/cb'],
    ['web', 'https://u:p@app.example.test/cb'],
    ['web', 'https://app.example.test/cb#f'],
    ['web', 'https://*.example.test/cb'],
    ['web', 'cursor://cb'],
    ['native', 'ms-msdt:/id'],
    ['native', 'javascript:alert(1)'],
    ['native', 'data:text/html,x'],
    ['native', 'http://app.example.test/cb'],
    ['spa', 'https://app.example.test/cb?code=x'],
    ['spa', 'https://app.example.test/cb?state=x&iss=y'],
  ]
  for (const [type, uri] of refused)
    await assert.rejects(
      licet.core.apps.create(operator, { name: 'Notes', type, redirectUris: [uri] }),
      { code: 'invalid_request' },
      uri,
    )
})

/** An app that somebody registered for himself: nobody of ours has looked at where it sends people. */
async function selfMade(redirectUri: string): Promise<AppClient> {
  const owner = await newAccount(licet.core)
  return appWith([redirectUri], { ownerId: owner.id, scopes: [], optionalScopes: ['data:read'] } as Partial<NewApp>)
}

const mistakes = [
  { scope: 'openid api:admin' },
  { resource: 'https://unknown.example/' },
  { code_challenge: undefined },
  { response_type: 'token' },
  { prompt: 'dance' },
  { request: 'x' },
  { response_mode: 'form_post', prompt: 'dance' },
  { response_type: 'token', response_mode: 'fragment' },
]

test('RU5: a mistake in a request of an app nobody has checked sends no one there by itself', async () => {
  const app = await selfMade('https://phish.example.test/sign-in')
  const { person, email } = await newPerson(licet)
  await person.authorize(authorizeUrl(await appWith(['https://app.example.test/cb'])), { email })
  for (const who of [anonymous(), person])
    for (const params of mistakes) {
      const visit = await who.send('GET', authorizeUrl(app, params))
      assert.equal(visit.status, 400, JSON.stringify(params))
      assert.equal(locationOf(visit), '', JSON.stringify(params))
      assert.doesNotMatch(visit.body, /http-equiv="refresh"|<script(?! src="\/assets)|<form[^>]+action="http/)
      assert.match(textOf(visit.body), /phish\.example\.test|Notes/, 'the page says who is asking')
    }
  // The way there is a link that a person may take, with the answer the app waits for.
  const visit = await anonymous().send('GET', authorizeUrl(app, { prompt: 'dance' }))
  const link =
    /href="(https:\/\/phish\.example\.test\/sign-in\?[^"]+)"/.exec(visit.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
  assert.equal(answerOf(link).get('error'), 'invalid_request')
  assert.equal(answerOf(link).get('state'), 'the-state')
  assert.equal(answerOf(link).get('iss'), licet.issuer)
})

test('RU5: silent requests and what a person has decided go back by themselves, and so do mistakes of checked apps', async () => {
  const app = await selfMade('https://phish.example.test/cb')
  const silent = await anonymous().send('GET', authorizeUrl(app, { prompt: 'none' }))
  assert.ok(locationOf(silent).startsWith('https://phish.example.test/cb?error=login_required'))
  const { person, email } = await newPerson(licet)
  const asked = await person.submit(await person.open(authorizeUrl(app)), { email, password: PASSWORD }, '/sign-in')
  const denied = await person.submit(asked, { decision: 'deny' }, '/consent')
  assert.equal(answerOf(denied.url).get('error'), 'access_denied')
  const trusted = await appWith(['https://app.example.test/cb'])
  for (const params of mistakes.slice(0, 6)) {
    const visit = await anonymous().send('GET', authorizeUrl(trusted, params))
    assert.match(locationOf(visit), /^https:\/\/app\.example\.test\/cb[?#]error=/, JSON.stringify(params))
  }
})

test('RU6: no return path leads to another site', async () => {
  const { person } = await newPerson(licet)
  const page = await person.open(`${licet.issuer}/`)
  const ways = [
    '//evil.example',
    '/\\evil.example',
    '\\/evil.example',
    'https:evil.example',
    'https://evil.example',
    '%2f%2fevil.example',
    '/\t/evil.example',
    '/%09/evil.example',
    '/..//evil.example',
    '///evil.example',
    'javascript:alert(1)',
    `${licet.issuer}@evil.example/`,
  ]
  for (const way of ways) {
    const visit = await person.press(page, { locale: 'de', return_to: way }, '/language')
    const where = locationOf(visit)
    if (visit.status === 303) assert.equal(new URL(where, licet.issuer).origin, licet.issuer, `${way} → ${where}`)
    else assert.ok(visit.status >= 400 && visit.status < 500, `${way} ${visit.status}`)
    const app = await appWith(['https://app.example.test/cb'])
    const out = await anonymous().open(
      `${licet.issuer}/logout?${new URLSearchParams({ client_id: app.clientId, post_logout_redirect_uri: way })}`,
    )
    assert.equal(new URL(out.url).origin, licet.issuer, way)
    assert.equal(out.status, 400, way)
  }
})

test('RU7: a redirect URI with a query of its own keeps it and gets exactly one of every answer parameter', async () => {
  const app = await appWith(['https://app.example.test/cb?tenant=1&x=%2F'])
  const { person, email } = await newPerson(licet)
  const back = await person.authorize(authorizeUrl(app), { email })
  for (const name of ['code', 'state', 'iss', 'tenant', 'x'])
    assert.equal(back.searchParams.getAll(name).length, 1, name)
  assert.ok(back.href.startsWith('https://app.example.test/cb?tenant=1&x='))
  const failed = new URL(locationOf(await anonymous().send('GET', authorizeUrl(app, { prompt: 'none' }))))
  for (const name of ['error', 'state', 'iss', 'tenant']) assert.equal(failed.searchParams.getAll(name).length, 1, name)
  const injected = await person.authorize(authorizeUrl(app, { state: 'a&code=stolen&iss=evil' }), { email })
  for (const name of ['code', 'iss']) assert.equal(injected.searchParams.getAll(name).length, 1, name)
})
