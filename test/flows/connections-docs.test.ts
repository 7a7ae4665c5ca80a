/**
 * The examples of docs/connections.md as they stand there: what the hook is sent, answers and checks, what an app asks, and what it gets.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { parse } from 'yaml'
import { newPerson, registerApp } from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import { type Licet, PASSWORD, root, startLicet } from '../support/licet.ts'
import { type Receiver, reachReceivers, startReceiver } from '../support/receiver.ts'

const SECRET = 'the hook and the server share this'
const text = readFileSync(join(root, 'docs/connections.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, block = '']) =>
    name === language ? [block] : [],
  )
const [sent, answered, asked, got] = blocks('json').map((block) => JSON.parse(block))

let receiver: Receiver
before(async () => {
  receiver = await startReceiver()
})
after(() => receiver?.close())

async function withLicet(connections: object, act: (licet: Licet) => Promise<void>): Promise<void> {
  const licet = await startLicet({ file: { ...reachReceivers(), connections } })
  await act(licet).finally(() => licet.close())
}

async function consentPage(licet: Licet) {
  const app = await registerApp(licet)
  const { person, email, accountId } = await newPerson(licet)
  const signIn = await person.open(authorizeUrl(app, { authorization_details: JSON.stringify(asked) }))
  const page = await person.submit(signIn, { email, password: PASSWORD }, '/sign-in')
  return { app, person, email, accountId, page }
}

test('the request asks, and what was ticked comes back as the page says', async () => {
  const { connections } = parse(blocks('yaml')[0] ?? '') as { connections: object }
  await withLicet(connections, async (licet) => {
    const { app, person, page } = await consentPage(licet)
    const ticked = { decision: 'allow', connection: ['read google', 'write google', 'read slack'] }
    const back = await person.submit(page, ticked, '/consent')
    const { body } = await app.redeem({ code: new URL(back.url).searchParams.get('code') ?? '', verifier: VERIFIER })
    assert.deepEqual(body['authorization_details'], got)
    assert.deepEqual(decodeJwt(body.access_token)['authorization_details'], got)
    assert.deepEqual((await app.introspect(body.access_token)).body['authorization_details'], got)
  })
})

test('the hook is sent what the page says, proves it with the code that stands there, and its answer is offered', async () => {
  receiver.reply = () => ({ body: answered })
  const code = `data:text/javascript,${encodeURIComponent(blocks('js')[0] ?? '')}`
  const { isFromLicet } = (await import(code)) as { isFromLicet(...parts: (string | undefined)[]): boolean }
  await withLicet({ hook: { url: `${receiver.url}/connections`, secret: SECRET } }, async (licet) => {
    const { email, accountId, page } = await consentPage(licet)
    assert.match(page.body, /name="connection" value="write google"/)
    const [delivery] = receiver.deliveries
    assert.ok(delivery)
    const signature = String(delivery.headers['x-licet-signature'])
    assert.deepEqual(JSON.parse(delivery.body), { account: { ...sent.account, id: accountId, email } })
    assert.equal(isFromLicet(delivery.body, signature, SECRET), true)
    assert.equal(isFromLicet(`${delivery.body} `, signature, SECRET), false)
    assert.equal(isFromLicet(delivery.body, undefined, SECRET), false)
  })
})
