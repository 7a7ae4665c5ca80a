/**
 * Apps that are a document at their own address: fetched once, shared, kept over bad hours, and never believed about anything but what is shown.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import * as client from 'openid-client'
import { testAuthority, testCertificate, testKey } from '../support/certificates.ts'
import { type Licet, newAccount, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'

let licet: Licet
let server: Server
let origin: string
let fetches = 0
const ca = join(mkdtempSync(join(tmpdir(), 'licet-ca-')), 'ca.pem')
const documents = new Map<string, { status?: number; body: unknown; type?: string; headers?: Record<string, string> }>()

before(async () => {
  server = createServer({ cert: testCertificate, key: testKey }, (request, response) => {
    fetches += 1
    const found = documents.get(request.url ?? '')
    response.writeHead(found?.status ?? (found ? 200 : 404), {
      'content-type': found?.type ?? 'application/json',
      'cache-control': 'max-age=60',
      ...found?.headers,
    })
    response.end(typeof found?.body === 'string' ? found.body : JSON.stringify(found?.body ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `https://localhost:${(server.address() as AddressInfo).port}`
  writeFileSync(ca, testAuthority)
  licet = await startLicet({ file: { outbound: { allow_networks: ['127.0.0.0/8', '::1/128'], ca_file: ca } } })
})
after(async () => {
  await licet.close()
  server.close()
})

const redirectUri = 'http://127.0.0.1:33418/callback'

function publish(path: string, more: object = {}, headers: Record<string, string> = {}): string {
  const clientId = origin + path
  documents.set(path, {
    body: {
      client_id: clientId,
      client_name: 'Documented editor',
      redirect_uris: ['http://127.0.0.1/callback'],
      ...more,
    },
    headers,
  })
  return clientId
}

const authorizePath = (clientId: string, scope = 'mcp:read') =>
  `/authorize?${new URLSearchParams({ client_id: clientId, redirect_uri: redirectUri, response_type: 'code', scope, state: 's', code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' })}`

test('a client that is a document signs people in, is known by its host, and refreshes', async () => {
  const clientId = publish('/editor.json')
  const config = new client.Configuration(
    {
      ...((await (
        await fetch(`${licet.issuer}/.well-known/oauth-authorization-server`)
      ).json()) as client.ServerMetadata),
    },
    clientId,
    undefined,
    client.None(),
  )
  client.allowInsecureRequests(config)
  const verifier = client.randomPKCECodeVerifier()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'mcp:read',
    state: 's',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const account = await newAccount(licet.core)
  const page = await new Person(licet.issuer).open(url.href)
  assert.match(textOf(page.body), /localhost:\d+/)
  const back = await new Person(licet.issuer).authorize(url.href, { email: account.email })
  const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: 's' })
  assert.equal(decodeJwt(tokens.access_token)['client_id'], clientId)
  assert.ok((await client.refreshTokenGrant(config, tokens.refresh_token ?? '')).access_token)
})

test('DC4: a document is fetched once for many requests at once, and its absence is remembered too', async () => {
  const clientId = publish('/popular.json')
  fetches = 0
  const visits = await Promise.all(
    Array.from({ length: 20 }, () => new Person(licet.issuer).send('GET', authorizePath(clientId))),
  )
  assert.ok(visits.every((visit) => visit.status === 303))
  assert.equal(fetches, 1)
  fetches = 0
  for (let round = 0; round < 3; round++)
    await new Person(licet.issuer).send('GET', authorizePath(`${origin}/nowhere.json`))
  assert.equal(fetches, 1)
})

test('DC5: a document about somebody else, with a secret, of the wrong type, too large or without a name is refused', async () => {
  const cases: Record<string, string> = {
    other: publish('/other.json', { client_id: `${origin}/somebody-else.json` }),
    secret: publish('/secret.json', { client_secret: 'x' }),
    nameless: publish('/nameless.json', { client_name: undefined }),
    large: publish('/large.json', { padding: 'x'.repeat(6000) }),
  }
  documents.set('/html.json', { body: '<html>', type: 'text/html' })
  cases['html'] = `${origin}/html.json`
  documents.set('/moved.json', { status: 302, body: '', headers: { location: `${origin}/editor.json` } })
  cases['moved'] = `${origin}/moved.json`
  for (const [name, clientId] of Object.entries(cases)) {
    const visit = await new Person(licet.issuer).send('GET', authorizePath(clientId))
    assert.equal(visit.status, 400, name)
    assert.equal(visit.headers.get('location'), null, name)
  }
})

test('DC2: no address without a path, with a fragment, a user, another scheme or in a private network is fetched', async () => {
  const closed = await startLicet()
  fetches = 0
  const bad = [
    `${origin}`,
    `${origin}/`,
    `http://localhost:1/c.json`,
    `https://u:p@localhost/c.json`,
    `https://localhost/a/../c.json`,
  ]
  for (const clientId of bad)
    assert.equal((await new Person(licet.issuer).send('GET', authorizePath(clientId))).status, 400, clientId)
  for (const host of ['127.0.0.1', '[::1]', '169.254.169.254', '0.0.0.0', '2130706433', 'localhost']) {
    const clientId = `https://${host}:${new URL(origin).port}/editor.json`
    assert.equal((await new Person(closed.issuer).send('GET', authorizePath(clientId))).status, 400, clientId)
  }
  assert.equal(fetches, 0)
  await closed.close()
})

test('DC5: a document that changes where people are sent is asked about again; one that vanishes takes nothing away', async () => {
  let time = Date.now()
  const moving = await startLicet({
    now: () => time,
    file: {
      outbound: {
        allow_networks: ['127.0.0.0/8', '::1/128'],
        ca_file: ca,
      },
    },
  })
  const web = 'https://app.example.test/cb'
  const clientId = publish('/changing.json', { redirect_uris: [web] })
  const account = await newAccount(moving.core)
  const person = new Person(moving.issuer)
  const path = authorizePath(clientId).replace(encodeURIComponent(redirectUri), encodeURIComponent(web))
  const first = await person.authorize(path, { email: account.email })
  assert.ok(first.searchParams.get('code'), first.href)
  const again = await person.open(path)
  assert.ok(new URL(again.url).searchParams.get('code'), 'consented: nothing to ask')
  publish('/changing.json', { redirect_uris: [web, 'https://elsewhere.example.test/cb'] })
  time += 2 * 60_000
  const changed = await person.open(path)
  assert.match(changed.body, /name="decision"/)
  documents.delete('/changing.json')
  time += 2 * 60_000
  assert.ok(await moving.core.apps.find(clientId))
  await moving.close()
})
