/**
 * The table of answers that matter most and get lost after Redis has executed the request: each with what the client sees, and what its honest
 * retry must get.
 */
import assert from 'node:assert/strict'
import { type Answer, type AppClient, newPerson, registerApp, type SignedIn, tally } from '../support/app-client.ts'
import { authorizeUrl } from '../support/authorize.ts'
import { PASSWORD } from '../support/licet.ts'
import { eventually } from '../support/ports.ts'
import { asserted, assertion, dpop, newKey } from '../support/proofs.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { Deployment } from './deployment.ts'

export interface Ground {
  readonly deployment: Deployment
  readonly app: AppClient
  readonly who: SignedIn
  /** Sends while the next answer that matches is lost; returns once the server is connected again. */
  losing<T>(pattern: RegExp, send: () => Promise<T>): Promise<T>
}

export type Loss = (ground: Ground) => Promise<void>

export async function createLosses(deployment: Deployment, proxy: TcpProxy): Promise<Ground> {
  return {
    deployment,
    app: await registerApp(deployment),
    who: await newPerson(deployment),
    async losing(pattern, send) {
      const lost = proxy.loseAnswerOf(pattern)
      const [answer] = await Promise.all([send(), lost])
      await eventually('the server is ready again', async () => (await deployment.ask('/readyz')).status === 200)
      return answer
    },
  }
}

export const losses: Readonly<Record<string, Loss>> = {
  async 'replaced a refresh token: the retry gets through once'({ app, who, losing }) {
    const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
    const first = await losing(/licet:e:refresh_token:[\s\S]*"consumedAt"/, () => app.refresh(body.refresh_token))
    assertUnavailable(first)
    const retries = await Promise.all([1, 2, 3].map(() => app.refresh(body.refresh_token)))
    assert.deepEqual(tally(retries), { 200: 3 })
    assert.equal(new Set(retries.map(({ text }) => text)).size, 1, 'one child')
    assert.equal((await app.refresh(retries[0]?.body.refresh_token ?? '')).status, 200)
  },

  async 'wrote a new refresh token: the retry gets through once'({ app, who, losing }) {
    const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
    assertUnavailable(await losing(/set\r\n[\s\S]*licet:e:refresh_token:/i, () => app.refresh(body.refresh_token)))
    const retry = await app.refresh(body.refresh_token)
    assert.equal(retry.status, 200)
    assert.equal((await app.refresh(retry.body.refresh_token)).status, 200)
  },

  async 'used up a code: the retry is refused'({ app, who, losing }) {
    const pending = await app.obtainCode(who.person, who.email)
    assertUnavailable(await losing(/licet:e:authorization_code:[\s\S]*"consumedAt"/, () => app.redeem(pending)))
    assert.equal((await app.redeem(pending)).body.error, 'invalid_grant')
    // The person's next try is not affected.
    assert.equal((await app.redeem(await app.obtainCode(who.person, who.email))).status, 200)
  },

  async 'used up a device code: the retry is refused'({ deployment, who, losing }) {
    const device = await registerApp(deployment, { type: 'device' })
    const { body } = await device.post('/device_authorization', { scope: 'data:read' })
    let visit = await who.person.open(String(body['verification_uri']))
    if (visit.body.includes('name="user_code"'))
      visit = await who.person.submit(visit, { user_code: String(body['user_code']) })
    visit = await who.person.submit(visit, { decision: 'allow' })
    if (visit.body.includes('name="password"')) visit = await who.person.authorize(visit.url, who).then(() => visit)
    if (visit.body.includes('/consent"')) await who.person.submit(visit, { decision: 'allow' }, '/consent')
    const grant = 'urn:ietf:params:oauth:grant-type:device_code'
    const poll = () => device.post('/token', { grant_type: grant, device_code: String(body['device_code']) })
    assertUnavailable(await losing(/licet:e:device_code:[\s\S]*"consumedAt"/, poll))
    assert.equal((await poll()).body.error, 'invalid_grant')
  },

  async 'took note of a client assertion: it is spent, a fresh one works'({ deployment, losing }) {
    const key = await newKey()
    const jwks = { keys: [key.publicJwk as never] }
    const machine = await registerApp(deployment, { type: 'service', auth: 'private_key_jwt', jwks })
    const one = await assertion(key, machine)
    const ask = (make: () => Promise<string>) =>
      machine.with(asserted(make)).post('/token', { grant_type: 'client_credentials' })
    assertUnavailable(await losing(/licet:e:replay:/, () => ask(async () => one)))
    assert.equal((await ask(async () => one)).body.error, 'invalid_client')
    assert.equal((await ask(() => assertion(key, machine))).status, 200)
  },

  async 'took note of a DPoP proof: it is spent, a fresh one works'({ deployment, app, who, losing }) {
    const key = await newKey()
    const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
    const url = `${deployment.issuer}/token`
    const one = await dpop(key, url)
    const ask = (proof: string) => app.refresh(body.refresh_token, {}, { headers: { dpop: proof } })
    assertUnavailable(await losing(/licet:e:replay:/, () => ask(one)))
    assert.equal((await ask(one)).status, 400)
    assert.equal((await ask(await dpop(key, url))).status, 200)
  },

  async 'used up a pushed request: it is spent'({ deployment, app, who, losing }) {
    await app.obtainCode(who.person, who.email)
    const params = Object.fromEntries(new URL(authorizeUrl(app)).searchParams)
    const pushed = String((await app.post('/par', params)).body['request_uri'])
    const query = new URLSearchParams({ client_id: app.clientId, request_uri: pushed })
    const url = `${deployment.issuer}/authorize?${query}`
    const first = await losing(/licet:e:pushed_request:[\s\S]*"consumedAt"/, () => who.person.open(url))
    assert.equal(first.status, 503)
    const again = await who.person.open(url)
    assert.equal(new URL(again.url).searchParams.get('code'), null)
    assert.equal(again.status, 400)
  },

  async 'ended a grant: the retry ends the rest and is noted'({ deployment, app, who, losing }) {
    const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
    const before = await countRevocations(deployment, who)
    assertUnavailable(await losing(/getdel\r\n[\s\S]*licet:e:grant:/i, () => app.revoke(body.refresh_token)))
    assert.equal((await app.revoke(body.refresh_token)).status, 200)
    await assertDead(app, body)
    assert.ok([1, 2].includes((await countRevocations(deployment, who)) - before))
  },

  async 'wrote the audit of a revocation: the retry succeeds and is noted'({ deployment, app, who, losing }) {
    const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
    const before = await countRevocations(deployment, who)
    assertUnavailable(await losing(/licet:log:\{\d+\}:records/, () => app.revoke(body.refresh_token)))
    assert.equal((await app.revoke(body.refresh_token)).status, 200)
    await assertDead(app, body)
    assert.ok([1, 2].includes((await countRevocations(deployment, who)) - before))
  },

  async 'denied an access token: the retry is answered and the token is dead'({ app, who, losing }) {
    const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
    assertUnavailable(await losing(/licet:e:denied_token:/, () => app.revoke(body.access_token)))
    assert.equal((await app.revoke(body.access_token)).status, 200)
    assert.equal((await app.introspect(body.access_token)).body.active, false)
  },

  async 'kept a consent: nobody is asked again, and the audit knows of it'({ deployment, losing }) {
    const app = await registerApp(deployment)
    const who = await newPerson(deployment)
    let visit = await who.person.open(authorizeUrl(app))
    visit = await who.person.submit(visit, { email: who.email, password: PASSWORD }, '/sign-in')
    const form = visit
    visit = await losing(/evalsha\r\n[\s\S]*licet:e:consent:/i, () =>
      who.person.submit(form, { decision: 'allow' }, '/consent'),
    )
    assert.equal(visit.status, 503)
    assert.equal((await app.redeem(await app.obtainCode(who.person, who.email))).status, 200)
    const { items } = await deployment.core.store.read(who.accountId, { limit: 500 })
    assert.ok(items.some(({ record }) => record['event'] === 'consent.granted'))
  },

  async 'used up a finished sign-in: the person starts again and gets through'({ deployment, losing }) {
    const app = await registerApp(deployment)
    const who = await newPerson(deployment)
    let visit = await who.person.open(authorizeUrl(app))
    visit = await who.person.submit(visit, { email: who.email, password: PASSWORD }, '/sign-in')
    const form = visit
    visit = await losing(/getdel\r\n[\s\S]*licet:e:interaction:/i, () =>
      who.person.submit(form, { decision: 'allow' }, '/consent'),
    )
    assert.equal(visit.status, 503)
    assert.ok(visit.headers.get('retry-after'))
    assert.equal((await app.redeem(await app.obtainCode(who.person, who.email))).status, 200)
  },
}

function assertUnavailable({ status, body, headers }: Answer): void {
  assert.equal(status, 503)
  assert.equal(body.error, 'temporarily_unavailable')
  assert.ok(Number(headers['retry-after']) >= 1)
}

async function assertDead(app: AppClient, tokens: { access_token: string; refresh_token: string }): Promise<void> {
  assert.equal((await app.introspect(tokens.access_token)).body.active, false)
  assert.equal((await app.introspect(tokens.refresh_token)).body.active, false)
  assert.equal((await app.refresh(tokens.refresh_token)).body.error, 'invalid_grant')
}

async function countRevocations({ core }: Deployment, { accountId }: SignedIn): Promise<number> {
  const { items } = await core.store.read(accountId, { limit: 500 })
  return items.filter(({ record }) => record['event'] === 'grant.revoked').length
}
