/**
 * The one stop beside everything a vendor's app could be doing at that moment (threats.md CS8, RT5, TK14, IR3), on two processes over one Redis: once
 * both have returned nothing that was on its way is worth anything.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { callApi } from '../support/api.ts'
import { type AppClient, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { answerOf, authorizeUrl, VERIFIER } from '../support/authorize.ts'
import { PASSWORD } from '../support/licet.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

const DELAYS = [0, 3, 7, 12]

describe('beside the stop', { skip: skipWithout('redis-server') }, () => {
  let two: TwoProcesses
  let app: AppClient
  let settings: AppClient
  before(async () => {
    two = await startTwoProcesses()
    app = await registerApp(two)
    settings = await registerApp(two, { firstParty: true, scopes: ['api:read', 'api:write'] })
  })
  after(() => two?.stop())

  interface Scene extends SignedIn {
    /** Stops the vendor at the second process. */
    stop(): Promise<void>
  }

  async function scene(): Promise<Scene> {
    const who = await newPerson(two)
    const pending = await settings.obtainCode(who.person, who.email, { scope: 'api:read api:write' })
    const { access_token: token } = (await settings.redeem(pending)).body
    return {
      ...who,
      async stop() {
        const origin = two.origins[1]
        const { body } = await callApi(two.issuer, 'GET', '/api/v1/vendors', { token, origin })
        const [vendor] = body.items
        if (!vendor) return
        const { status, text } = await callApi(two.issuer, 'DELETE', `/api/v1/vendors/${vendor.id}`, { token, origin })
        assert.equal(status, 204, text)
      },
    }
  }

  async function isDead(tokens: readonly { access_token?: string; refresh_token?: string }[]): Promise<void> {
    for (const origin of two.origins)
      for (const { access_token: access = '', refresh_token: refresh = '' } of tokens) {
        assert.notEqual((await app.refresh(refresh, {}, { origin })).status, 200)
        assert.notEqual((await app.introspect(access, { origin })).body.active, true)
        assert.equal((await app.userinfo(access, { origin })).status, 401)
        assert.equal((await callApi(two.issuer, 'GET', '/api/v1/accounts/me', { token: access, origin })).status, 401)
      }
  }

  test('RT5: refreshes beside the stop leave nothing usable', async () => {
    for (const delay of DELAYS) {
      const who = await scene()
      const families = []
      for (let family = 0; family < 3; family++)
        families.push((await app.redeem(await app.obtainCode(who.person, who.email))).body)
      const [, ...answers] = await Promise.all([
        pause(delay).then(who.stop),
        ...families.map(({ refresh_token: token }, index) =>
          app.refresh(token, {}, { origin: two.origins[index % 2] ?? '' }),
        ),
      ])
      await isDead([...families, ...answers.map(({ body }) => body)])
    }
  })

  test('TK14: codes that are redeemed beside the stop, or after it, leave nothing usable', async () => {
    for (const delay of DELAYS) {
      const who = await scene()
      const codes = []
      for (let count = 0; count < 3; count++) codes.push(await app.obtainCode(who.person, who.email))
      const [late, ...racing] = codes
      const [, ...answers] = await Promise.all([
        pause(delay).then(who.stop),
        ...racing.map((code, index) => app.redeem(code, {}, { origin: two.origins[index % 2] ?? '' })),
      ])
      await isDead(answers.map(({ body }) => body))
      assert.ok(late)
      assert.equal((await app.redeem(late)).body.error, 'invalid_grant')
    }
  })

  test('CS8: a consent that was on its way when the vendor was stopped gives nothing', async () => {
    for (const delay of DELAYS) {
      const who = await scene()
      await app.redeem(await app.obtainCode(who.person, who.email))
      const more = { scope: 'openid data:read data:write' }
      const page = await who.person.open(authorizeUrl(app, more))
      assert.match(page.body, /name="decision"/)
      const left = await who.person.press(page, { decision: 'allow', scope: 'data:write' }, '/consent')
      // The answer is kept; what makes it true runs beside the stop.
      const [back] = await Promise.all([who.person.follow(left), pause(delay).then(who.stop)])
      const code = back.url.startsWith(app.redirectUri) ? answerOf(back.url).get('code') : null
      if (code) assert.notEqual((await app.redeem({ code, verifier: VERIFIER })).status, 200)
      const again = await who.person.open(authorizeUrl(app, { scope: 'openid data:read' }))
      assert.match(again.body, /name="decision"/, 'it has to ask again')
      await who.person.submit(again, { decision: 'deny' }, '/consent')
    }
  })

  test('CS8: a consent page that was open when the vendor was stopped cannot be answered any more', async () => {
    const who = await scene()
    await app.redeem(await app.obtainCode(who.person, who.email))
    const page = await who.person.open(authorizeUrl(app, { scope: 'openid data:read data:write' }))
    await who.stop()
    const answered = await who.person.press(page, { decision: 'allow', scope: 'data:write' }, '/consent')
    assert.equal(answered.status, 410)
    const { items } = await two.core.store.list('consent', { group: 'accountId', value: who.accountId })
    assert.equal(items.length, 0)
  })

  test('CS8: twenty stops at once end everything, and a vendor that is allowed afterwards works', async () => {
    const who = await scene()
    const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
    const answers = await Promise.all(Array.from({ length: 20 }, () => who.stop().catch((error: Error) => error)))
    assert.ok(answers.some((answer) => answer === undefined))
    await isDead([body])
    const fresh = (await app.redeem(await app.obtainCode(who.person, who.email))).body
    assert.equal((await app.introspect(fresh.access_token)).body.active, true)
    const { items } = await two.core.store.list('vendor', { group: 'accountId', value: who.accountId })
    assert.equal(items.length, 1, 'and has its row')
  })

  test('DV4: a device that was approved before the stop gets nothing after it', async () => {
    const who = await scene()
    const tv = await registerApp(two, { type: 'device' })
    const codes = (await tv.post('/device_authorization', { scope: 'data:read' })).body
    const entry = await who.person.open('/device')
    const confirm = await who.person.submit(entry, { user_code: String(codes['user_code']) }, '/device')
    let page = await who.person.submit(confirm, { decision: 'allow' }, '/device')
    if (page.body.includes('name="password"'))
      page = await who.person.submit(page, { email: who.email, password: PASSWORD }, '/sign-in')
    await who.person.submit(page, { decision: 'allow' }, '/consent')
    await who.stop()
    const grantType = 'urn:ietf:params:oauth:grant-type:device_code'
    const { status, body } = await tv.post('/token', {
      grant_type: grantType,
      device_code: String(codes['device_code']),
    })
    assert.deepEqual([status, body.error], [400, 'invalid_grant'])
  })
})
