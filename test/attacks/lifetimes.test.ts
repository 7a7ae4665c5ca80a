/**
 * Lifetimes under a moved clock (threats.md TK5, RT9, JW7, CA4): the whole process sees another time, the protocol library included.
 * Nothing lives longer than it was promised, plus the small tolerance for clocks that differ.
 */
import assert from 'node:assert/strict'
import { after, before, mock, test } from 'node:test'
import { decodeJwt } from 'jose'
import { type AppClient, basic, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'

let licet: Licet
let app: AppClient
let who: SignedIn
before(async () => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  licet = await startLicet({ now: () => Date.now() })
  app = await registerApp(licet)
  who = await newPerson(licet)
})
after(async () => {
  await licet.close()
  mock.timers.reset()
})

const pass = (seconds: number) => mock.timers.setTime(Date.now() + seconds * 1000)

const newCode = () => app.obtainCode(who.person, who.email)

test('TK5: a code lives sixty seconds and no longer', async () => {
  const [inTime, late, muchLater] = [await newCode(), await newCode(), await newCode()]
  pass(59)
  assert.equal((await app.redeem(inTime)).status, 200)
  pass(2)
  assert.equal((await app.redeem(late)).body.error, 'invalid_grant')
  pass(600)
  assert.equal((await app.redeem(muchLater)).body.error, 'invalid_grant')
})

test('JW7: an access token is refused everywhere once it has expired, with a tolerance of at most a minute', async () => {
  const { body } = await app.redeem(await newCode())
  const { iat = 0, exp = 0 } = decodeJwt(body.access_token)
  assert.equal(exp - iat, 900)
  pass(890)
  assert.equal((await app.introspect(body.access_token)).body.active, true)
  assert.equal((await app.userinfo(body.access_token)).status, 200)
  pass(10 + 60)
  assert.equal((await app.introspect(body.access_token)).body.active, false)
  assert.equal((await app.userinfo(body.access_token)).status, 401)
})

test('RT9: a refresh token ends after thirty idle days, and its family after ninety however often it is used', async () => {
  const idle = await app.redeem(await newCode())
  const used = await app.redeem(await newCode())
  let { refresh_token: token } = used.body
  for (let day = 29; day < 90; day += 29) {
    pass(29 * 86_400)
    const answer = await app.refresh(token)
    assert.equal(answer.status, 200, `day ${day}: ${answer.text}`)
    token = answer.body.refresh_token
    const promised = Number(answer.body['refresh_token_expires_in'])
    assert.ok(promised <= (90 - day) * 86_400, `on day ${day} it promises ${promised} seconds`)
    if (day === 29) assert.equal((await app.introspect(idle.body.refresh_token)).body.active, true)
    else assert.equal((await app.refresh(idle.body.refresh_token)).body.error, 'invalid_grant')
  }
  pass(3 * 86_400 + 1)
  assert.equal((await app.refresh(token)).body.error, 'invalid_grant')
  assert.equal((await app.introspect(token)).body.active, false)
})

test('RT9: an access token never outlives the family it was refreshed from', async () => {
  const { body } = await app.redeem(await newCode())
  let token = body.refresh_token
  for (let day = 0; day < 87; day += 29) {
    pass(29 * 86_400)
    token = (await app.refresh(token)).body.refresh_token
  }
  pass(3 * 86_400 - 60)
  const last = await app.refresh(token)
  assert.equal(last.status, 200, last.text)
  pass(120)
  assert.equal((await app.introspect(last.body.access_token)).body.active, false)
  assert.equal((await app.userinfo(last.body.access_token)).status, 401)
})

test('DV1: a device code is refused once its ten minutes have passed', async () => {
  const device = await registerApp(licet, { type: 'device' })
  const begun = await device.post('/device_authorization', { scope: 'data:read' })
  assert.ok(Number(begun.body['expires_in']) <= 600)
  pass(601)
  const late = await device.post('/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: String(begun.body['device_code']),
  })
  assert.equal(late.status, 400)
  assert.ok(['expired_token', 'invalid_grant'].includes(late.body.error ?? ''), late.text)
})

test('CA8: a rotated client secret works until its overlap ends and not a second longer', async () => {
  const { clientSecret } = await licet.core.apps.rotateSecret(operator, app.clientId, { overlapSeconds: 3600 })
  assert.ok(clientSecret)
  const renewed = app.with(basic(app.clientId, clientSecret))
  pass(2)
  assert.equal((await app.introspect('x')).status, 200)
  assert.equal((await renewed.introspect('x')).status, 200)
  pass(3600)
  assert.equal((await app.introspect('x')).status, 401)
  assert.equal((await renewed.introspect('x')).status, 200)
})
