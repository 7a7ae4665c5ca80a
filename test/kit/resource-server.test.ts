/**
 * The resource-server kit against tokens of a real server, with fetch, node:http, Koa and Express handlers, and against tokens that must be refused.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import express from 'express'
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import Koa from 'koa'
import { createResourceServer, protectFetch, protectKoa, protectNode } from '../../kit/resource-server.js'
import { type Licet, operator, startLicet } from '../support/licet.ts'

let licet: Licet
let token: string
const audience = () => `${licet.issuer}/api/v1`

before(async () => {
  licet = await startLicet()
  const { app, clientSecret = '' } = await licet.core.apps.create(operator, {
    name: 'Caller',
    type: 'service',
    scopes: ['data:read'],
  })
  const answer = await fetch(`${licet.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app.clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  token = ((await answer.json()) as { access_token: string }).access_token
})
after(() => licet.close())

const shown = (authorization?: string) => ({
  method: 'GET',
  url: 'https://api.example.test/things',
  headers: authorization ? { authorization } : {},
})
const server = () => createResourceServer({ issuer: licet.issuer, audience: audience() })

test('a good token is let in with its claims; a missing one is asked for, with the metadata', async () => {
  const good = await server().check(shown(`Bearer ${token}`), { scopes: ['data:read'] })
  assert.ok(good.ok)
  assert.equal(good.claims.scope, 'data:read')
  const missing = await server().check(shown())
  assert.ok(!missing.ok && missing.status === 401)
  assert.match(String(missing.headers['WWW-Authenticate']), /resource_metadata="/)
})

test('a scope that is missing is 403, a sign-in that is too weak or too old is 401 with what would do (RFC 9470)', async () => {
  const scope = await server().check(shown(`Bearer ${token}`), { scopes: ['data:write'] })
  assert.ok(
    !scope.ok &&
      scope.status === 403 &&
      /insufficient_scope.*scope="data:write"/.test(String(scope.headers['WWW-Authenticate'])),
  )
  const step = await server().check(shown(`Bearer ${token}`), { acr: 'urn:licet:acr:2fa', maxAgeSeconds: 300 })
  assert.ok(!step.ok && step.status === 401)
  assert.match(
    String(step.headers['WWW-Authenticate']),
    /insufficient_user_authentication.*acr_values="urn:licet:acr:2fa".*max_age="300"/,
  )
})

test('JW1 JW3 TK12: unsigned, self-signed, foreign-audience, wrong-type, expired and bent tokens are refused', async () => {
  const { privateKey } = await generateKeyPair('ES256')
  const claims = { sub: 'x', client_id: 'x', scope: 'data:read', jti: 'x' }
  const sign = (typ: string, aud: string) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', typ, kid: 'x' })
      .setIssuer(licet.issuer)
      .setAudience(aud)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
  const [head = '', body = '', signature = ''] = token.split('.')
  const bad = [
    new UnsecuredJWT(claims).setIssuer(licet.issuer).setAudience(audience()).setExpirationTime('5m').encode(),
    await sign('at+jwt', audience()),
    await sign('JWT', audience()),
    `${head}.${body}.${'A'.repeat(signature.length)}`,
    `${head}.${body}.`,
    `${head}.${body}`,
    'x'.repeat(9000),
  ]
  for (const one of bad) assert.equal((await server().check(shown(`Bearer ${one}`))).ok, false, one.slice(0, 40))
  const elsewhere = createResourceServer({ issuer: licet.issuer, audience: 'https://other.example.test' })
  assert.equal((await elsewhere.check(shown(`Bearer ${token}`))).ok, false)
  const later = createResourceServer({ issuer: licet.issuer, audience: audience(), now: () => Date.now() + 3_600_000 })
  const expired = await later.check(shown(`Bearer ${token}`))
  assert.ok(!expired.ok && /expired/.test(String(expired.headers['WWW-Authenticate'])))
})

test('a plain token with a proof, and a proof scheme without one, are refused', async () => {
  const verdict = await server().check(shown(`DPoP ${token}`))
  assert.ok(!verdict.ok && verdict.status === 401 && String(verdict.headers['WWW-Authenticate']).startsWith('DPoP '))
})

test('fetch, node:http, Express and Koa handlers are protected alike', async () => {
  const guard = server()
  const handler = protectFetch(guard, { scopes: ['data:read'] }, (_request, claims) =>
    Response.json({ sub: claims.sub }),
  )
  assert.equal(
    (await handler(new Request('https://api.example.test/', { headers: { authorization: `Bearer ${token}` } }))).status,
    200,
  )
  assert.equal((await handler(new Request('https://api.example.test/'))).status, 401)

  const koa = new Koa().use(protectKoa(guard, 'https://api.example.test', { scopes: ['data:read'] })).use((ctx) => {
    ctx.body = { sub: ctx.state['auth'].sub }
  })
  const web = express()
  web.get(
    '/',
    protectNode(guard, 'https://api.example.test', { scopes: ['data:read'] }) as never,
    ((request: { auth?: { sub?: string } }, response: { json(body: object): void }) =>
      response.json({ sub: request.auth?.sub })) as never,
  )
  const plain = (request: never, response: { end(text: string): void }) =>
    protectNode(guard, 'https://api.example.test', { scopes: ['data:read'] })(request, response as never, () =>
      response.end('{}'),
    )
  for (const listener of [koa.callback(), web, plain]) {
    const running = createServer(listener as never)
    await new Promise<void>((resolve) => running.listen(0, '127.0.0.1', resolve))
    const address = `http://127.0.0.1:${(running.address() as AddressInfo).port}/`
    assert.equal((await fetch(address)).status, 401)
    assert.equal((await fetch(address, { headers: { authorization: `Bearer ${token}` } })).status, 200)
    running.close()
  }
})
