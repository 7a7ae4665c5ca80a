/**
 * Attacks on signing out: without being asked, with foreign or bent hints, towards other sites, and with back-channel receivers that hang,
 * fail, redirect or point inside (threats.md LO; the picture on another site stands in `browser.test.ts`).
 */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import type { NewApp } from '../../src/apps/records.ts'
import { type AppClient, newPerson, registerApp } from '../support/app-client.ts'
import { answerOf, authorizeUrl, later, locationOf, VERIFIER } from '../support/authorize.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import type { Person, Visit } from '../support/person.ts'
import { eventually } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'

const AFTER = 'https://app.example.test/bye'

/** What a back-channel receiver got. */
interface Receiver {
  readonly url: string
  readonly bodies: string[]
  connections: number
  close(): Promise<void>
}

async function receiver(answer: 'ok' | 'fail' | 'hang' | 'redirect' | 'flood', to = ''): Promise<Receiver> {
  const bodies: string[] = []
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      bodies.push(body)
      if (answer === 'ok') response.writeHead(200).end()
      if (answer === 'fail') response.writeHead(500).end()
      if (answer === 'redirect') response.writeHead(307, { location: to }).end()
      if (answer === 'flood') response.writeHead(200).end('x'.repeat(1_000_000))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const found: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/backchannel`,
    bodies,
    connections: 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  server.on('connection', () => {
    found.connections += 1
  })
  return found
}

let licet: Licet
let app: AppClient
before(async () => {
  licet = await startLicet({ now: () => Date.now(), file: { outbound: { allow_networks: ['127.0.0.0/8'] } } })
  app = await registerApp(licet, { postLogoutRedirectUris: [AFTER] })
})
after(() => licet.close())

const logoutUrl = (params: Record<string, string> = {}) => `${licet.issuer}/logout?${new URLSearchParams(params)}`

async function signedIn(client = app) {
  const one = await newPerson(licet)
  const back = await one.person.authorize(authorizeUrl(client), { email: one.email })
  const tokens = await client.redeem({ code: answerOf(back).get('code') ?? '', verifier: VERIFIER })
  return { ...one, tokens: tokens.body }
}

async function isSignedIn(person: Person, client = app): Promise<boolean> {
  const visit = await person.send('GET', authorizeUrl(client, { prompt: 'none' }))
  return answerOf(locationOf(visit) || licet.issuer).has('code')
}

const asks = (visit: Visit): boolean => visit.status === 200 && /name="logout"/.test(visit.body)

test('LO1: a sign-out without a hint asks first, and no GET or foreign POST answers for the person', async () => {
  const { person } = await signedIn()
  for (const params of [
    {},
    { client_id: app.clientId },
    { logout: 'yes' },
    { client_id: app.clientId, post_logout_redirect_uri: AFTER, state: 's' },
  ])
    assert.ok(asks(await person.open(logoutUrl(params as Record<string, string>))), JSON.stringify(params))
  const page = await person.open(logoutUrl())
  assert.equal((await person.send('GET', `${licet.issuer}/logout/confirm?logout=yes`)).status, 405)
  for (const form of [
    [['logout', 'yes']],
    [
      ['logout', 'yes'],
      ['csrf', 'x'],
    ],
    [
      ['logout', 'yes'],
      ['csrf', ''],
    ],
    [
      ['logout', 'yes'],
      ['csrf', 'a'],
      ['csrf', 'b'],
    ],
  ] as [string, string][][])
    assert.equal(
      (await person.send('POST', `${licet.issuer}/logout/confirm`, form, { 'sec-fetch-site': 'cross-site' })).status,
      400,
    )
  assert.equal(await isSignedIn(person), true)
  assert.equal((await person.submit(page, { logout: 'yes' }, '/logout/confirm')).status, 200)
  assert.equal(await isSignedIn(person), false)
})

test('LO2: after signing out nobody is sent to an address that is not registered for that app', async () => {
  const other = await registerApp(licet, { postLogoutRedirectUris: ['https://other.example.test/bye'] })
  const { person, tokens } = await signedIn()
  const near = [
    `${AFTER}/`,
    `${AFTER}?x=1`,
    `${AFTER}#f`,
    'https://evil.example/',
    'https://app.example.test/callback',
    'https://other.example.test/bye',
    'javascript:alert(1)',
    '//evil.example',
  ]
  for (const uri of near)
    for (const by of [{ client_id: app.clientId }, { id_token_hint: tokens.id_token }]) {
      const visit = await person.send('GET', logoutUrl({ ...by, post_logout_redirect_uri: uri }))
      assert.equal(visit.status, 400, uri)
      assert.doesNotMatch(visit.body, /http-equiv="refresh"/)
      assert.equal(locationOf(visit), '')
    }
  assert.equal(await isSignedIn(person), true)
  // Without an app the address is not even looked at.
  const nobody = await person.open(logoutUrl({ post_logout_redirect_uri: AFTER }))
  const out = await person.submit(nobody, { logout: 'yes' }, '/logout/confirm')
  assert.equal(new URL(out.url).origin, licet.issuer)
  assert.equal(new URL(out.url).pathname, '/logout/success')
  // A registered one, with the state, after the question and after a hint alike.
  const again = await signedIn()
  const asked = await again.person.open(
    logoutUrl({ client_id: app.clientId, post_logout_redirect_uri: AFTER, state: 'a b&c' }),
  )
  const left = await again.person.submit(asked, { logout: 'yes' }, '/logout/confirm')
  assert.equal(left.url, `${AFTER}?${new URLSearchParams({ state: 'a b&c' })}`)
  const hinted = await signedIn()
  const gone = await hinted.person.open(
    logoutUrl({ id_token_hint: hinted.tokens.id_token, post_logout_redirect_uri: AFTER, state: 's' }),
  )
  assert.equal(gone.url, `${AFTER}?state=s`)
  assert.equal(await isSignedIn(hinted.person), false)
  const mismatch = await person.send('GET', logoutUrl({ id_token_hint: tokens.id_token, client_id: other.clientId }))
  assert.equal(mismatch.status, 400)
})

test('LO3: a bent, unsigned or foreign id_token_hint signs nobody out; one of another person or another session only asks', async () => {
  const { person, tokens, email } = await signedIn()
  const stranger = await signedIn()
  const hint = tokens.id_token
  const [header = '', payload = '', signature = ''] = hint.split('.')
  const claims = JSON.stringify({ ...decodeJwt(hint), exp: 9_999_999_999 })
  const bent = [
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`,
    `${header}.${Buffer.from(claims).toString('base64url')}.${signature}`,
    `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
    `${header}.${payload}`,
    tokens.access_token,
    'x',
  ]
  for (const id_token_hint of bent) {
    const visit = await person.send('GET', logoutUrl({ id_token_hint, post_logout_redirect_uri: AFTER }))
    assert.ok(visit.status === 400 || asks(visit), id_token_hint.slice(-20))
  }
  assert.ok(asks(await person.open(logoutUrl({ id_token_hint: stranger.tokens.id_token }))))
  // An ID token of an earlier session of the same person, found in a log: the session of today is not ended without a question.
  await person.submit(await person.open(logoutUrl()), { logout: 'yes' }, '/logout/confirm')
  await person.authorize(authorizeUrl(app), { email })
  assert.ok(asks(await person.open(logoutUrl({ id_token_hint: hint }))))
  assert.equal(await isSignedIn(person), true)
})

test('LO3: an expired ID token of this very session is hint enough', async () => {
  const { person, tokens } = await signedIn()
  await later(2 * 3_600_000, async () => {
    const out = await person.open(logoutUrl({ id_token_hint: tokens.id_token }))
    assert.equal(asks(out), false)
    assert.equal(await isSignedIn(person), false)
  })
})

async function signOutWith(receivers: readonly Receiver[], by: 'question' | 'hint', more: Partial<NewApp> = {}) {
  const apps = await Promise.all(receivers.map(({ url }) => registerApp(licet, { backchannelLogoutUri: url, ...more })))
  const [first, ...others] = apps as [AppClient, ...AppClient[]]
  const one = await signedIn(first)
  for (const other of others) await one.person.authorize(authorizeUrl(other), { email: one.email })
  const started = performance.now()
  if (by === 'hint') await one.person.open(logoutUrl({ id_token_hint: one.tokens.id_token }))
  else await one.person.submit(await one.person.open(logoutUrl()), { logout: 'yes' }, '/logout/confirm')
  return { ...one, apps, ms: performance.now() - started }
}

test('LO4: the notice is a valid logout token for its app, and the apps of the session are told, no others', async () => {
  for (const by of ['question', 'hint'] as const) {
    const [one, two, stranger] = [await receiver('ok'), await receiver('ok'), await receiver('ok')]
    await registerApp(licet, { backchannelLogoutUri: stranger.url })
    const { apps, accountId, tokens } = await signOutWith([one, two], by)
    await eventually('both apps are told', async () => one.bodies.length === 1 && two.bodies.length === 1)
    const keys = createRemoteJWKSet(new URL(`${licet.issuer}/.well-known/jwks.json`))
    const seen = new Set<unknown>()
    for (const [index, { bodies }] of [one, two].entries()) {
      const token = new URLSearchParams(bodies[0]).get('logout_token') ?? ''
      const { payload } = await jwtVerify(token, keys, {
        issuer: licet.issuer,
        audience: apps[index]?.clientId ?? '',
        typ: 'logout+jwt',
      })
      assert.equal(payload.sub, accountId)
      assert.equal(payload['sid'], decodeJwt(tokens.id_token)['sid'])
      assert.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} })
      assert.ok(payload.jti && payload.iat && payload.exp && payload.exp - payload.iat <= 120)
      assert.equal(payload['nonce'], undefined)
      assert.notEqual(decodeProtectedHeader(token).alg, 'none')
      seen.add(payload.jti)
    }
    assert.equal(seen.size, 2)
    assert.equal(stranger.bodies.length, 0)
    await Promise.all([one, two, stranger].map((each) => each.close()))
  }
})

test('LO4: receivers that hang, fail, flood or redirect keep nobody waiting, and no redirect is followed', async () => {
  const target = await receiver('ok')
  const bad = await Promise.all([
    receiver('hang'),
    receiver('fail'),
    receiver('flood'),
    receiver('redirect', target.url),
  ])
  for (const by of ['question', 'hint'] as const) {
    const { ms, person } = await signOutWith(bad, by)
    assert.ok(ms < 2000, `${by}: ${ms} ms`)
    assert.equal(await isSignedIn(person), false)
  }
  const failing = bad[1] as Receiver
  await eventually('a failed notice is tried again', async () => failing.bodies.length > 2)
  assert.equal(target.connections, 0)
  await Promise.all([...bad, target].map((each) => each.close()))
})

test('LO4: a receiver inside the network is never connected to', async () => {
  const inside = await receiver('ok')
  const strict = await startLicet()
  try {
    const client = await registerApp(strict, { backchannelLogoutUri: inside.url })
    const { person, email } = await newPerson(strict)
    await person.authorize(authorizeUrl(client), { email })
    const out = await person.submit(await person.open(`${strict.issuer}/logout`), { logout: 'yes' }, '/logout/confirm')
    assert.equal(out.status, 200)
    await eventually('the notice is given up', async () => strict.log.some((line) => line.includes('given up')))
    assert.equal(inside.connections, 0)
  } finally {
    await strict.close()
    await inside.close()
  }
})

describe('over Redis', { skip: skipWithout('redis-server') }, () => {
  test('LO6: a sign-out during which the store stops is a clear error or complete, never a page that says it is done', async () => {
    const redis = await startRedis()
    const server = await startLicet({ store: redis.url })
    try {
      const client = await registerApp(server)
      for (const delay of [0, 1, 2, 4, 8]) {
        const { person, email } = await newPerson(server)
        await person.authorize(authorizeUrl(client), { email })
        const page = await person.open(`${server.issuer}/logout`)
        const old = person.copy()
        const leaving = person.press(page, { logout: 'yes' }, '/logout/confirm')
        await new Promise((resolve) => setTimeout(resolve, delay))
        redis.server.pause()
        const answer = await leaving
        redis.server.resume()
        await eventually('the store answers again', async () => (await fetch(`${server.issuer}/readyz`)).ok)
        if (answer.status === 503) assert.ok(answer.headers.get('retry-after'))
        else assert.ok([200, 303].includes(answer.status), `${answer.status}`)
        const silent = await old.send('GET', authorizeUrl(client, { prompt: 'none' }))
        const isIn = answerOf(locationOf(silent)).has('code')
        assert.ok(answer.status === 503 || !isIn, `answered ${answer.status} after ${delay} ms`)
        if (!isIn) continue
        // Whoever was told to try again can.
        const again = await old.submit(await old.open(`${server.issuer}/logout`), { logout: 'yes' }, '/logout/confirm')
        assert.equal(again.status, 200)
      }
    } finally {
      await server.close()
      await redis.stop()
    }
  })
})
