/** Form tokens: bound to the browser, to a scope, and never accepted from another site. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { get, post } from '../../src/http/route.ts'
import { anyForm, anyone, formFor } from '../../src/security/access.ts'
import { PRE_SESSION_COOKIE } from '../../src/security/csrf.ts'
import { csrf, serve } from '../support/http.ts'

const start = (t: TestContext) =>
  serve(t, [
    get('/form')
      .needs(anyone)
      .does(() => ({ kind: 'page', view: 'home', model: {} })),
    get('/interaction/:uid')
      .needs(anyone)
      .does(({ params }) => ({ kind: 'page', view: 'home', model: {}, csrfScope: params['uid'] ?? '' })),
    post('/form')
      .needs(anyForm(csrf))
      .does(() => ({ kind: 'empty' })),
    post('/interaction/:uid')
      .needs(formFor(csrf, 'uid'))
      .does(() => ({ kind: 'empty' })),
  ])

type Fetch = Awaited<ReturnType<typeof serve>>['fetch']

/** Opens a page as a browser; yields its cookie and the token of its forms. */
async function open(fetch: Fetch, path: string, cookie = '') {
  const answer = await fetch(path, { headers: cookie ? { cookie } : {} })
  const [set] = answer.headers.getSetCookie()
  const token = /"csrf":"([\w-]+)"/.exec(await answer.text())?.[1] ?? ''
  return { cookie: set?.split(';')[0] ?? cookie, token, set }
}

async function submit(
  fetch: Fetch,
  path: string,
  given: { cookie?: string; token?: string; site?: string; body?: string },
) {
  const { cookie = '', token = '', site, body = `csrf=${token}` } = given
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    cookie,
    origin: 'http://licet.test',
    ...(site === undefined ? {} : { 'sec-fetch-site': site }),
  }
  return (await fetch(path, { method: 'POST', headers, body })).status
}

test('a form of ours, sent back by the same browser, is taken; its cookie is set once', async (t) => {
  const { fetch } = await start(t)
  const page = await open(fetch, '/form')
  assert.match(page.set ?? '', /^__Host-licet_pre=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  assert.equal((await open(fetch, '/form', page.cookie)).set, undefined)
  for (const site of [undefined, 'same-origin', 'none'])
    assert.equal(await submit(fetch, '/form', { ...page, ...(site ? { site } : {}) }), 204)
})

test('CS2 a form sent from another site is refused, even with the right token', async (t) => {
  const { fetch } = await start(t)
  const page = await open(fetch, '/form')
  for (const site of ['cross-site', 'same-site', '', 'null', 'same-origin, cross-site'])
    assert.equal(await submit(fetch, '/form', { ...page, site }), 403, site)
})

test('CS2 a form without the token, with a changed one or with two is refused', async (t) => {
  const { fetch } = await start(t)
  const { cookie, token } = await open(fetch, '/form')
  const bodies = [
    '',
    'a=b',
    'csrf=',
    `csrf=${token.slice(1)}`,
    `csrf=${token}A`,
    `csrf=${token.toUpperCase()}`,
    `csrf=x&csrf=${token}`,
    `csrf=${token}&csrf=x`,
    `csrf[]=${token}`,
  ]
  for (const body of bodies) assert.equal(await submit(fetch, '/form', { cookie, body }), 403, body)
})

test('CS3 the attacker’s own token does not work in the victim’s browser, nor without its cookie', async (t) => {
  const { fetch } = await start(t)
  const attacker = await open(fetch, '/form')
  const victim = await open(fetch, '/form')
  assert.equal(await submit(fetch, '/form', { cookie: victim.cookie, token: attacker.token }), 403)
  assert.equal(await submit(fetch, '/form', { token: attacker.token }), 403)
  for (const value of ['', 'short', 'a'.repeat(44), `${'a'.repeat(42)}!`])
    assert.equal(
      await submit(fetch, '/form', { cookie: `${PRE_SESSION_COOKIE}=${value}`, token: csrf.issue.name }),
      403,
    )
})

test('CS5 a token of one interaction is refused in another, and outside of interactions', async (t) => {
  const { fetch } = await start(t)
  const one = await open(fetch, '/interaction/one')
  const plain = await open(fetch, '/form', one.cookie)
  assert.equal(await submit(fetch, '/interaction/one', one), 204)
  assert.equal(await submit(fetch, '/interaction/two', one), 403)
  assert.equal(await submit(fetch, '/form', one), 403)
  assert.equal(await submit(fetch, '/interaction/one', plain), 403)
})

test('a JSON body is no form: it cannot carry a token', async (t) => {
  const { fetch } = await start(t)
  const { cookie, token } = await open(fetch, '/form')
  const answer = await fetch('/form', {
    method: 'POST',
    headers: { cookie, 'content-type': 'application/json' },
    body: JSON.stringify({ csrf: token }),
  })
  assert.equal(answer.status, 415)
})
