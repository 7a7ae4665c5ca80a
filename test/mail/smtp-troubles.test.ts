/**
 * A mail server in trouble: a real one that refuses, breaks off in the middle of a mail, answers late or not at all. Nothing is lost, nothing is
 * sent twice, also by two processes on one store, and no page waits for it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { SMTPServer } from 'smtp-server'
import { createOutbox } from '../../src/mail/outbox.ts'
import { createSmtpTransport } from '../../src/mail/smtp.ts'
import { newAccount, startLicet } from '../support/licet.ts'
import { onBothStores } from '../support/people.ts'
import { Person } from '../support/person.ts'
import { eventually } from '../support/ports.ts'

type Mood = 'fine' | 'refuses connections' | 'refuses receivers for now' | 'breaks off' | 'never greets'

/** A real SMTP server whose mood the test changes; `accepted` are the message ids it has acknowledged, `begun` those it was given. */
async function moodyServer() {
  const [accepted, begun]: [string[], string[]] = [[], []]
  const state: { mood: Mood } = { mood: 'fine' }
  const fault = (responseCode: number) => Object.assign(new Error('not now'), { responseCode })
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 10,
    onConnect(_session, done) {
      if (state.mood === 'never greets') return
      done(state.mood === 'refuses connections' ? fault(421) : null)
    },
    onRcptTo: (_address, _session, done) => done(state.mood === 'refuses receivers for now' ? fault(451) : null),
    onData(stream, _session, done) {
      let raw = ''
      stream.on('data', (part: Buffer) => {
        raw += part
      })
      stream.on('end', () => {
        const id = /^Message-ID: <([^@>]+)@/m.exec(raw)?.[1] ?? ''
        begun.push(id)
        // After the whole text and before the answer: the sender cannot know whether it arrived.
        if (state.mood === 'breaks off') {
          for (const one of server.connections) one.close()
          return
        }
        accepted.push(id)
        done()
      })
    },
  })
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  return { accepted, begun, state, url: `smtp://127.0.0.1:${port}`, close }
}

onBothStores((people) => {
  let smtp: Awaited<ReturnType<typeof moodyServer>>
  before(async () => {
    smtp = await moodyServer()
  })
  after(() => smtp.close())

  test('a mail server that refuses, breaks off and comes back gets every mail once from two processes', async () => {
    const { here, there, pass, now } = people()
    const outboxes = [here, there].map(({ store, vault }) => {
      const transport = createSmtpTransport({ url: smtp.url, from: 'no-reply@id.example' })
      return createOutbox({ store, vault, now, transport })
    })
    const letters = Array.from({ length: 24 }, (_, index) => ({
      to: `person-${index}@example.com`,
      subject: `Mail ${index}`,
      text: 'x'.repeat(index * 97),
      html: '<p>x</p>',
    }))
    for (const [index, letter] of letters.entries()) await outboxes[index % 2]?.send(letter)
    const moods: Mood[] = [
      'refuses connections',
      'breaks off',
      'refuses receivers for now',
      'breaks off',
      'fine',
      'fine',
    ]
    for (const mood of moods) {
      smtp.state.mood = mood
      smtp.begun.length = 0
      await Promise.all(outboxes.map((outbox) => outbox.deliverDue()))
      assert.equal(new Set(smtp.begun).size, smtp.begun.length, `${mood}: no mail is given twice in one go`)
      // Past the longest wait, and past the lease of whoever died.
      pass(3_600_001)
    }
    const ids = smtp.accepted.toSorted()
    assert.equal(ids.length, 24)
    assert.equal(new Set(ids).size, 24)
    assert.deepEqual((await here.store.list('mail')).items, [])
    for (const outbox of outboxes) await outbox.stop()
  })

  test('attack: a mail server that answers at the last moment for minutes does not get the mail from a second process', async (t) => {
    const { here, there, pass, now } = people()
    t.mock.timers.enable({ apis: ['setInterval'] })
    const sending = slowTransport()
    const second = slowTransport()
    const slow = createOutbox({ ...here, now, transport: sending.transport })
    const other = createOutbox({ ...there, now, transport: second.transport })
    await slow.send({ to: 'ada@example.com', subject: 'Slow', text: 'x', html: 'x' })
    const delivering = slow.deliverDue()
    await eventually('the mail is being sent', async () => sending.given.length > 0)
    for (let minute = 0; minute < 10; minute += 1) {
      pass(60_000)
      t.mock.timers.tick(30_000)
      await eventually('the claim is renewed', async () => {
        const { items } = await here.store.list<{ leaseUntil: number }>('mail')
        return (items[0]?.value.leaseUntil ?? 0) > now() + 60_000
      })
      assert.equal(await other.deliverDue(), 0)
    }
    sending.finish()
    assert.equal(await delivering, 1)
    assert.deepEqual([sending.given.length, second.given.length], [1, 0])
    assert.deepEqual((await here.store.list('mail')).items, [])
  })
})

/** Takes a mail and does not answer before `finish`. */
function slowTransport() {
  const given: unknown[] = []
  let finish = () => {}
  const gate = new Promise<void>((resolve) => {
    finish = resolve
  })
  const transport = {
    async deliver(mail: unknown) {
      given.push(mail)
      await gate
      return { kind: 'sent' as const }
    },
    close: async () => {},
  }
  return { given, transport, finish: () => finish() }
}

test('a mail server that never greets delays no page, and gets the mails once it does', async (t: TestContext) => {
  const smtp = await moodyServer()
  t.after(() => smtp.close())
  smtp.state.mood = 'never greets'
  let clock = Date.now()
  const licet = await startLicet({ now: () => clock, env: { LICET_SMTP_URL: smtp.url } })
  t.after(() => licet.close())
  const accounts = await Promise.all([1, 2, 3, 4].map(() => newAccount(licet.core)))
  const person = new Person(licet.issuer)
  const ask = async (email: string) => {
    const page = await person.open('/recover')
    const began = performance.now()
    const answer = await person.submit(page, { email }, '/recover')
    assert.equal(answer.status, 200)
    return performance.now() - began
  }
  for (const { email } of accounts.slice(0, 3)) assert.ok((await ask(email)) < 2000)
  const waiting = async () => (await licet.core.store.list('mail', { group: 'state', value: 'waiting' })).items.length
  assert.equal(await waiting(), 3)
  smtp.state.mood = 'fine'
  const postponed = async () => {
    const { items } = await licet.core.store.list<{ nextAttemptAt: number }>('mail')
    // Whoever came after the first attempt may have found the server well again.
    return items.every(({ value }) => value.nextAttemptAt > 0)
  }
  await eventually('the first attempt is given up', postponed, { withinMs: 30_000 })
  clock += 31_000
  // The next mail wakes the sender, as its own clock would.
  await ask(accounts[3]?.email ?? '')
  await eventually('every mail has arrived', async () => smtp.accepted.length >= 4, { withinMs: 15_000 })
  assert.equal(new Set(smtp.accepted).size, 4)
  assert.equal(smtp.accepted.length, 4)
  await eventually('none is left', async () => (await waiting()) === 0)
})
