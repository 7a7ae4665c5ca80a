import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { delayAfter } from '../../src/mail/delivery.ts'
import type { Delivered, Mail, Transport } from '../../src/mail/mail.ts'
import { createMessages } from '../../src/mail/messages.ts'
import { createOutbox } from '../../src/mail/outbox.ts'
import { createVault } from '../../src/secrets.ts'
import { openTestStore } from '../support/open-store.ts'

const letter: Mail = {
  to: 'ada@example.com',
  subject: 'Hello',
  text: 'Open https://id.example/a?b=1 and https://id.example/c. Bye',
  html: '<p>Hello</p>',
}

/** A transport that answers what it is told, and keeps what it was given. */
function recorder(answer: () => Delivered | Promise<Delivered> = () => ({ kind: 'sent' })) {
  const given: { id: string; mail: Mail }[] = []
  let closed = 0
  const transport: Transport = {
    async deliver(mail) {
      given.push(mail)
      return answer()
    },
    async close() {
      closed += 1
    },
  }
  return { transport, given, isClosed: () => closed > 0 }
}

function setUp(t: TestContext, transport?: Transport) {
  const desk = openTestStore(t)
  return { ...desk, outbox: createOutbox({ ...desk, transport }) }
}

test('without a transport mails stay in the mailbox, newest first, with the links of their text', async (t) => {
  const { outbox, now, pass } = setUp(t)
  await outbox.send(letter)
  pass(1000)
  await outbox.send({ ...letter, subject: 'Second', text: 'No link' })
  assert.deepEqual(await outbox.listMailbox(), [
    { ...letter, subject: 'Second', text: 'No link', links: [], at: now() },
    { ...letter, links: ['https://id.example/a?b=1', 'https://id.example/c.'], at: now() - 1000 },
  ])
  assert.equal(await outbox.deliverDue(), 0)
})

test('the mailbox keeps 200 mails', async (t) => {
  const { outbox, pass, store } = setUp(t)
  for (let index = 0; index < 205; index += 1) {
    await outbox.send({ ...letter, subject: `Mail ${index}` })
    pass(1)
  }
  const kept = await outbox.listMailbox()
  assert.deepEqual([kept.length, kept[0]?.subject, kept.at(-1)?.subject], [200, 'Mail 204', 'Mail 5'])
  const stored = await store.list('mail', { limit: 1000 })
  assert.equal(stored.items.length, 200)
})

test('the store holds neither address nor text of a mail in clear', async (t) => {
  const { outbox, store } = setUp(t)
  await outbox.send(letter)
  assert.doesNotMatch(JSON.stringify(await store.list('mail')), /ada@|Hello|id\.example/)
})

test('a mail sealed with a root secret that is gone is left out of the mailbox', async (t) => {
  const desk = setUp(t)
  await desk.outbox.send(letter)
  const later = createOutbox({ ...desk, vault: createVault(['another root secret, long enough as well']) })
  assert.deepEqual(await later.listMailbox(), [])
})

const smuggled = [
  'ada@example.com\r\nBcc: eve@example.com',
  'ada@example.com\nBcc: eve@example.com',
  'ada@example.com, eve@example.com',
  'ada@example.com;eve@example.com',
  'ada@example.com eve@example.com',
  'Ada <eve@example.com>',
  'eve@example.com(ada@example.com',
  '"ada@example.com" <eve@example.com>',
  'ada@example.com\u0000',
  'ada@eve@example.com',
  'ada@\u200bexample.com',
  'ada@exämple.com',
  'group:eve@example.com',
  'ada',
  '',
  `${'a'.repeat(300)}@example.com`,
]
for (const to of smuggled) {
  test(`attack: no mail goes to ${JSON.stringify(to.slice(0, 50))}`, async (t) => {
    const { outbox } = setUp(t)
    await assert.rejects(outbox.send({ ...letter, to }), (error) => hasCode(error, 'invalid_request'))
    assert.deepEqual(await outbox.listMailbox(), [])
  })
}

test('attack: a subject with a line break adds no header', async (t) => {
  const { outbox } = setUp(t)
  for (const subject of ['Hello\r\nBcc: eve@example.com', 'Hello\nX', 'Hello\u2028X', 'x'.repeat(501)]) {
    await assert.rejects(outbox.send({ ...letter, subject }), (error) => hasCode(error, 'invalid_request'))
  }
})

test('a waiting mail is sent once and then gone from the store', async (t) => {
  const { transport, given } = recorder()
  const { outbox, store } = setUp(t, transport)
  await outbox.send(letter)
  assert.deepEqual(await outbox.listMailbox(), [])
  assert.deepEqual([await outbox.deliverDue(), await outbox.deliverDue()], [1, 0])
  assert.deepEqual(
    given.map(({ mail }) => mail),
    [letter],
  )
  assert.deepEqual((await store.list('mail')).items, [])
})

test('two processes sending at once send every mail once', async (t) => {
  const { transport, given } = recorder(async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return { kind: 'sent' }
  })
  const desk = setUp(t, transport)
  const other = createOutbox({ ...desk, store: desk.openAnother(), transport })
  for (let index = 0; index < 30; index += 1) await desk.outbox.send({ ...letter, subject: `Mail ${index}` })
  const counts = await Promise.all([desk.outbox.deliverDue(), other.deliverDue(), desk.outbox.deliverDue()])
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    30,
  )
  assert.equal(new Set(given.map(({ mail }) => mail.subject)).size, 30)
  assert.equal(given.length, 30)
})

test('a mail that fails is tried again, each time later, with the same id', async (t) => {
  let answer: Delivered = { kind: 'later', reason: 'ECONNECTION' }
  const { transport, given } = recorder(() => answer)
  const { outbox, pass } = setUp(t, transport)
  await outbox.send(letter)
  assert.equal(await outbox.deliverDue(), 0)
  pass(29_999)
  await outbox.deliverDue()
  assert.equal(given.length, 1)
  pass(1)
  await outbox.deliverDue()
  assert.equal(given.length, 2)
  pass(30_000)
  await outbox.deliverDue()
  assert.equal(given.length, 2)
  pass(30_000)
  answer = { kind: 'sent' }
  assert.equal(await outbox.deliverDue(), 1)
  assert.equal(new Set(given.map(({ id }) => id)).size, 1)
})

test('waiting times double and stay under an hour', () => {
  assert.deepEqual([1, 2, 3, 4].map(delayAfter), [30_000, 60_000, 120_000, 240_000])
  assert.equal(delayAfter(1000), 3_600_000)
})

test('a mail refused for good is kept as failed and not tried again; three days end every mail', async (t) => {
  const { transport, given } = recorder(() => ({ kind: 'never', reason: 'EENVELOPE 550' }))
  const { outbox, store, pass } = setUp(t, transport)
  await outbox.send(letter)
  await outbox.deliverDue()
  pass(3_600_000)
  await outbox.deliverDue()
  assert.equal(given.length, 1)
  const { items } = await store.list<{ reason: string }>('mail', { group: 'state', value: 'failed' })
  assert.deepEqual(
    items.map(({ value }) => value.reason),
    ['EENVELOPE 550'],
  )
  pass(3 * 86_400_000)
  assert.deepEqual((await store.list('mail')).items, [])
})

test('a mail whose sender died is sent by another process when the lease ends, not before', async (t) => {
  let finish: ((value: Delivered) => void) | undefined
  const hanging = recorder(() => new Promise<Delivered>((resolve) => (finish = resolve)))
  const desk = setUp(t, hanging.transport)
  await desk.outbox.send(letter)
  const stuck = desk.outbox.deliverDue()
  while (hanging.given.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const rescue = recorder()
  const other = createOutbox({ ...desk, store: desk.openAnother(), transport: rescue.transport })
  assert.equal(await other.deliverDue(), 0)
  desk.pass(120_000)
  assert.equal(await other.deliverDue(), 1)
  // The first sender comes back late, with a failure: it must not bring the mail back.
  finish?.({ kind: 'later', reason: 'ETIMEDOUT' })
  await stuck
  assert.deepEqual((await desk.store.list('mail')).items, [])
})

test('the loop sends soon after a mail is kept, and stopping waits for the mail being sent', async (t) => {
  let finish: ((value: Delivered) => void) | undefined
  const { transport, given, isClosed } = recorder(() => new Promise<Delivered>((resolve) => (finish = resolve)))
  const { outbox, store } = setUp(t, transport)
  outbox.start()
  await outbox.send(letter)
  while (given.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  let stopped = false
  const stopping = outbox.stop().then(() => {
    stopped = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([stopped, isClosed()], [false, false])
  finish?.({ kind: 'sent' })
  await stopping
  assert.ok(isClosed())
  assert.deepEqual((await store.list('mail')).items, [])
})

test('every attempt is reported without address or text', async (t) => {
  const desk = openTestStore(t)
  const reports: unknown[] = []
  const { transport } = recorder(() => ({ kind: 'later', reason: 'ECONNECTION' }))
  const outbox = createOutbox({ ...desk, transport, report: (attempt) => reports.push(attempt) })
  await outbox.send(letter)
  await outbox.deliverDue()
  const [report] = reports as { mail: string }[]
  assert.deepEqual(reports, [{ mail: report?.mail, attempts: 1, outcome: 'later', reason: 'ECONNECTION' }])
})

test('a message is rendered in the receiver’s language and goes to the account’s address', async (t) => {
  const { outbox, now } = setUp(t)
  const rendered: unknown[] = []
  const renderMail = (view: string, model: object, locale: string) => {
    rendered.push([view, model, locale])
    return { subject: view, text: locale, html: '<p></p>' }
  }
  const messages = createMessages({ outbox, renderMail, now })
  const reuse = { appName: 'Notes', at: now(), ip: '192.0.2.1' }
  await messages.refreshReuse({ email: 'ada@example.com', locale: 'de' }, reuse)
  await messages.test({ email: 'ada@example.com' })
  assert.deepEqual(rendered, [
    ['mail/refresh-reuse', reuse, 'de'],
    ['mail/test', { at: now() }, 'en'],
  ])
  const kept = await outbox.listMailbox()
  assert.deepEqual(
    new Set(kept.map(({ to, subject }) => `${to} ${subject}`)),
    new Set(['ada@example.com mail/test', 'ada@example.com mail/refresh-reuse']),
  )
})
