/**
 * Lifting a personal token, over real HTTP: a refused call leads to its owner, who allows one right for a quarter of an hour after a fresh second
 * factor. And who must not be able to: a stranger, a borrowed browser, a remembered one, an old request.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Account } from '../../src/accounts/account.ts'
import { callApi, makeKey } from '../support/api.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'
import { codeOf, keyOf } from '../support/totp.ts'

let licet: Licet
let time = Date.now()
const pass = (seconds: number) => {
  time += seconds * 1000
}

before(async () => {
  licet = await startLicet({ now: () => time, file: { mfa: { policy: 'optional', remember_device_days: 30 } } })
})
after(() => licet.close())

async function signIn(account: Account, path = '/settings') {
  const person = new Person(licet.issuer)
  const page = await person.submit(await person.open(path), { email: account.email, password: PASSWORD }, '/sign-in')
  return { person, page }
}

async function owner() {
  const account = await newAccount(licet.core)
  const { id, key } = await makeKey(licet, account.id, { kind: 'personal_access_token', scopes: ['api:read'] })
  const call = () => callApi(licet.issuer, 'DELETE', '/api/v1/sessions/none', { token: key })
  return { account, id, key, call }
}

test('a call beyond the token leads to its owner; once allowed it passes, and after 15 minutes it does not', async () => {
  const { account, id, call } = await owner()
  const { person } = await signIn(account)
  const refused = await call()
  assert.equal(refused.status, 403)
  assert.match(refused.body.approval_url, new RegExp(`^${licet.issuer}/settings/lifts/`))
  assert.equal((await call()).body.approval_url, refused.body.approval_url, 'one request, however often it is repeated')

  assert.match(
    textOf((await person.open(`/settings/tokens/${id}`)).body),
    /A program asks for one more right api:write/,
  )
  const asked = await person.open(refused.body.approval_url)
  assert.match(textOf(asked.body), /Change things in your account api:write/)
  const lifted = await person.submit(asked, { decision: 'allow' }, '/lifts/')
  assert.match(textOf(lifted.body), /Allowed\. It falls back by itself/)
  assert.equal((await call()).status, 404, 'the right is there; the session is not')
  assert.equal((await person.submit(asked, { decision: 'allow' }, '/lifts/')).status, 404, 'answered once')
  pass(15 * 60 + 2)
  assert.equal((await call()).status, 403)
})

test('denied, or not answered as the form says, nothing is lifted; a rotated token is not lifted by an old request', async () => {
  const { account, id, call } = await owner()
  const { person } = await signIn(account)
  for (const decision of ['deny', 'ALLOW', '']) {
    const asked = await person.open((await call()).body.approval_url)
    assert.match(textOf((await person.submit(asked, { decision }, '/lifts/')).body), /Nothing was allowed/)
    assert.equal((await call()).status, 403)
  }
  const asked = await person.open((await call()).body.approval_url)
  await licet.core.keys.rotate({ kind: 'account', id: account.id }, { ownerId: account.id, id })
  assert.match(textOf((await person.submit(asked, { decision: 'allow' }, '/lifts/')).body), /Nothing was allowed/)
})

test('attack: a stranger with the address learns and lifts nothing; nor does a form without its token', async () => {
  const { call } = await owner()
  const { approval_url: address } = (await call()).body
  const stranger = await signIn(await newAccount(licet.core))
  assert.equal((await stranger.person.open(address)).status, 404)
  const csrf = /name="csrf" value="([^"]+)"/.exec((await stranger.person.open('/settings')).body)?.[1] ?? ''
  for (const token of [csrf, ''])
    assert.ok(
      [403, 404].includes(
        (
          await stranger.person.send('POST', address, [
            ['csrf', token],
            ['decision', 'allow'],
          ])
        ).status,
      ),
    )
  assert.equal((await call()).status, 403)
})

test('attack: a borrowed browser signs in again first, and lands on the same page', async () => {
  const { account, call } = await owner()
  const { person } = await signIn(account)
  pass(16 * 60)
  const address = (await call()).body.approval_url
  const again = await person.open(address)
  assert.match(again.body, /name="password"/)
  const asked = await person.submit(again, { email: account.email, password: PASSWORD }, '/sign-in')
  assert.equal(asked.url, address)
})

test('attack: a remembered browser spares the second factor elsewhere, and not here', async () => {
  const { account, call } = await owner()
  const { person } = await signIn(account)
  const security = await person.open('/settings/security')
  const setUp = await person.submit(security, {}, '/totp')
  const key = keyOf(setUp.body)
  const code = () => {
    pass(30)
    return codeOf(key, time)
  }
  await person.submit(setUp, { code: code() }, '/totp/confirm')
  // A sign-in that remembers this browser, and one that is spared the code.
  await person.submit(await person.open('/logout'), { logout: 'yes' }, '/logout')
  const half = await person.submit(
    await person.open('/settings'),
    { email: account.email, password: PASSWORD },
    '/sign-in',
  )
  await person.submit(half, { code: code(), remember: 'yes' }, '/code')
  await person.submit(await person.open('/logout'), { logout: 'yes' }, '/logout')
  const spared = await person.submit(
    await person.open('/settings/keys/new'),
    { email: account.email, password: PASSWORD },
    '/sign-in',
  )
  assert.equal(spared.url, `${licet.issuer}/settings/keys/new`, 'elsewhere it is enough')

  const address = (await call()).body.approval_url
  let page = await person.open(address)
  assert.notEqual(page.url, address)
  if (page.body.includes('name="password"'))
    page = await person.submit(page, { email: account.email, password: PASSWORD }, '/sign-in')
  assert.match(page.body, /name="code"/, textOf(page.body))
  page = await person.submit(page, { code: code() }, '/code')
  assert.equal(page.url, address)
  assert.match(textOf((await person.submit(page, { decision: 'allow' }, '/lifts/')).body), /Allowed/)
})

test('an API key is not lifted: it acts for itself, and nobody is asked', async () => {
  const account = await newAccount(licet.core)
  const { key } = await makeKey(licet, account.id, { scopes: ['api:read'] })
  const refused = await callApi(licet.issuer, 'DELETE', '/api/v1/sessions/none', { token: key })
  assert.equal(refused.status, 403)
  assert.equal('approval_url' in refused.body, false)
})
