/**
 * What the owner of a key hears by mail: each thing once, in their language, and never the key itself.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { localesDirectory, viewsDirectory } from '../../src/core.ts'
import { createRenderer } from '../../src/http/page.ts'
import { createKeyMessages } from '../../src/mail/key-messages.ts'
import { callApi, makeKey, newOwner, type Owner } from '../support/api.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { eventually } from '../support/ports.ts'

const DAY = 86_400_000

let licet: Licet
let ada: Owner
let time = Date.now()

before(async () => {
  licet = await startLicet({ now: () => time, env: { LICET_TRUSTED_PROXIES: '127.0.0.1/32' } })
  ada = await newOwner(licet)
})
after(() => licet.close())

interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
}

async function mailsTo(email: string): Promise<Mail[]> {
  const { body } = await callApi(licet.issuer, 'GET', '/dev/mailbox.json')
  return (body as Mail[]).filter(({ to }) => to === email)
}

const subjects = async (name: string) =>
  (await mailsTo(ada.email)).map(({ subject }) => subject).filter((subject) => subject.includes(name))

test('making, revoking and finding a key is told once each, without the key', async () => {
  const secrets: string[] = []
  const make = async (name: string) => {
    const made = await ada.call('POST', '/api/v1/keys', { json: { name, scopes: ['api:read'] } })
    assert.equal(made.status, 201, made.text)
    secrets.push(made.body.key)
    return made.body
  }
  const revoked = await make('Nightly')
  for (let count = 0; count < 2; count += 1) await ada.call('DELETE', `/api/v1/keys/${revoked.id}`)
  const found = await make('Leaky')
  for (let count = 0; count < 2; count += 1)
    await callApi(licet.issuer, 'POST', '/api/v1/leaks', { json: { key: found.key } })
  assert.deepEqual(await subjects('Nightly'), ['Licet: “Nightly” was revoked', 'Licet: “Nightly” was created'])
  assert.deepEqual(await subjects('Leaky'), ['Licet: “Leaky” was found and ended', 'Licet: “Leaky” was created'])
  const mails = await mailsTo(ada.email)
  for (const secret of secrets) assert.equal(JSON.stringify(mails).includes(secret.slice(10)), false)
  assert.ok(mails.some(({ text }) => text.includes(`${licet.issuer}/settings/keys/${revoked.id}`)))
})

test('the first use from a new network is told once, with the address', async () => {
  const json = { name: 'Roaming', scopes: ['api:read'] }
  const { key } = (await ada.call('POST', '/api/v1/tokens', { json })).body
  for (const from of ['127.0.0.1', '203.0.113.7', '203.0.113.9', '203.0.113.7'])
    await callApi(licet.issuer, 'GET', '/api/v1/keys', { token: key, headers: { 'x-forwarded-for': from } })
  await eventually('the notice', async () => (await subjects('Roaming')).length === 2, {
    withinMs: 10_000,
    everyMs: 200,
  })
  assert.deepEqual(await subjects('Roaming'), [
    'Licet: “Roaming” was used from a new network',
    'Licet: “Roaming” was created',
  ])
  const [mail] = (await mailsTo(ada.email)).filter(({ subject }) => subject.includes('new network'))
  assert.match(String(mail?.text), /203\.0\.113\.7/)
})

test('a key that ends is told of a week and a day before, once each, in the language of its owner', async () => {
  const { config, core } = licet
  const { brand, issuer } = config
  const renderer = createRenderer({ viewsDirectory, localesDirectory, brand, issuer, isDevelopment: true })
  const sent: Mail[] = []
  const outbox = { send: async (mail: Mail) => void sent.push(mail) }
  const stop = core.keys.onNotice(createKeyMessages({ outbox: outbox as never, renderMail: renderer.renderMail }))
  await core.accounts.change(operator, ada.accountId, { locale: 'de' })
  await makeKey(licet, ada.accountId, { name: 'Ending', expiresInSeconds: 30 * 86_400 })
  const begun = time
  for (const days of [22, 23.5, 24, 29.5, 29.8]) {
    time = begun + days * DAY
    await core.keys.tend()
  }
  time = begun
  stop()
  const told = sent.filter(({ subject }) => subject === 'Licet: „Ending“ läuft bald ab')
  assert.deepEqual(
    told.map(({ to }) => to),
    [ada.email, ada.email],
  )
})
