/**
 * The connections hook through the whole server: what it is asked and how it is signed, that only what it answers can be chosen, and that the page
 * works without it.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { decodeJwt } from 'jose'
import { newPerson, registerApp } from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import { type Licet, PASSWORD, startLicet } from '../support/licet.ts'
import { textOf, type Visit } from '../support/person.ts'
import { type Receiver, reachReceivers, startReceiver } from '../support/receiver.ts'

const SECRET = 'the hook and the server share this'
const PNG = 'data:image/png;base64,iVBORw0KGgo='
let receiver: Receiver
let licet: Licet
before(async () => {
  receiver = await startReceiver()
  const hook = { url: `${receiver.url}/connections`, timeout: '400ms', secret: SECRET }
  licet = await startLicet({ file: { ...reachReceivers(), connections: { hook } } })
})
after(async () => {
  await licet?.close()
  await receiver?.close()
})
beforeEach(() => {
  receiver.deliveries.length = 0
})

const ask = async (asked: object[]) => {
  const app = await registerApp(licet)
  const who = await newPerson(licet)
  const signIn = await who.person.open(authorizeUrl(app, { authorization_details: JSON.stringify(asked) }))
  const page = await who.person.submit(signIn, { email: who.email, password: PASSWORD }, '/sign-in')
  const answer = async (values: Record<string, string | string[]>) => {
    const back = await who.person.submit(page, { decision: 'allow', ...values }, '/consent')
    const code = new URL(back.url).searchParams.get('code') ?? ''
    const { body, status, text } = await app.redeem({ code, verifier: VERIFIER })
    assert.equal(status, 200, text)
    return decodeJwt(body.access_token)['authorization_details']
  }
  return { ...who, page, answer }
}
const offered = ({ body }: Visit) => [...body.matchAll(/name="connection" value="([^"]+)"/g)].map(([, value]) => value)
const choice = [{ type: 'connection', actions: ['read'] }]

test('the hook is asked for this person under a signature over the body, and only what it answers can be chosen', async () => {
  receiver.reply = () => ({
    body: {
      connections: [
        { id: 'google', name: 'Google <b>\u202Elive', icon: PNG },
        { id: 'slack', name: 'Slack', icon: 'https://tracker.example/pixel.png' },
        { id: 'two words', name: 'Spaces' },
        { id: 'nameless' },
        null,
      ],
    },
  })
  const { page, answer, accountId, email } = await ask(choice)
  assert.deepEqual(offered(page), ['read google', 'read slack'])
  assert.ok(page.body.includes(PNG))
  assert.doesNotMatch(page.body, /tracker\.example|<b>|\u202E/)
  const [asked] = receiver.deliveries
  assert.ok(asked)
  assert.equal(
    asked.headers['x-licet-signature'],
    `sha256=${createHmac('sha256', SECRET).update(asked.body).digest('hex')}`,
  )
  assert.deepEqual(JSON.parse(asked.body), { account: { id: accountId, email, email_verified: true, attributes: {} } })
  assert.deepEqual(await answer({ connection: ['read google', 'read github'] }), [
    { type: 'connection', identifier: 'google', actions: ['read'] },
  ])
})

test('what the person has not connected is named and cannot be allowed', async () => {
  receiver.reply = () => ({ body: { connections: [{ id: 'google', name: 'Google' }] } })
  const { page, answer } = await ask([
    { type: 'connection', identifier: 'dropbox' },
    { type: 'connection', identifier: 'google' },
  ])
  assert.match(textOf(page.body), /Asked for, but not connected: dropbox/)
  assert.deepEqual(await answer({ connection: ['read dropbox', 'read google'] }), [
    { type: 'connection', identifier: 'google', actions: ['read'] },
  ])
})

const silences: Record<string, Receiver['reply']> = {
  'answers 500': () => ({ status: 500, body: {} }),
  'answers no list': () => ({ body: { connections: 'all' } }),
  'answers too much': () => ({ body: { connections: [{ id: 'google', name: 'x'.repeat(300_000) }] } }),
  'does not answer in time': () => new Promise(() => {}),
}
for (const [what, reply] of Object.entries(silences)) {
  test(`a hook that ${what} offers nothing, and the rest can be allowed all the same`, async () => {
    receiver.reply = reply
    const { page, answer } = await ask(choice)
    assert.deepEqual(offered(page), [])
    assert.match(textOf(page.body), /cannot be listed at the moment/)
    assert.equal(await answer({ connection: ['read google'] }), undefined)
    assert.match(licet.log.at(-1) ?? '', /the connections hook failed/)
  })
}
