import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Mail } from '../../src/mail/mail.ts'
import { createOutbox } from '../../src/mail/outbox.ts'
import { createSmtpTransport } from '../../src/mail/smtp.ts'
import { openTestStore } from '../support/open-store.ts'

const letter: Mail = {
  to: 'ada@example.com',
  subject: 'Grüße von Licet',
  text: 'Öffnen Sie https://id.example/verify/abc',
  html: '<p>Öffnen Sie <a href="https://id.example/verify/abc">den Link</a></p>',
}

/** A real SMTP server on a free loopback port; keeps receivers and raw texts. */
async function startServer(t: TestContext, options: SMTPServerOptions = {}, address = '127.0.0.1') {
  const received: { to: string[]; raw: string }[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 10,
    onData(stream, session, done) {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        received.push({
          to: session.envelope.rcptTo.map((one) => one.address),
          raw: Buffer.concat(parts).toString('utf8'),
        })
        done()
      })
    },
    ...options,
  })
  server.on('error', () => {})
  server.listen(0, address)
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return { received, url: `smtp://${address}:${port}`, port }
}

function connect(t: TestContext, url: string) {
  const transport = createSmtpTransport({ url, from: 'no-reply@id.example', fromName: 'Licet' })
  t.after(() => transport.close())
  return transport
}

test('a mail arrives as multipart text and HTML, for one receiver, with the id of the outbox', async (t) => {
  const { received, url } = await startServer(t)
  assert.deepEqual(await connect(t, url).deliver({ id: 'mail1', mail: letter }), { kind: 'sent' })
  const [mail] = received
  assert.ok(mail)
  assert.deepEqual(mail.to, ['ada@example.com'])
  for (const part of [
    /^From: Licet <no-reply@id\.example>\r$/m,
    /^To: ada@example\.com\r$/m,
    /^Message-ID: <mail1@id\.example>\r$/m,
    /^Auto-Submitted: auto-generated\r$/m,
    /^Content-Type: multipart\/alternative;/m,
    /^Content-Type: text\/plain; charset=utf-8\r$/m,
    /^Content-Type: text\/html; charset=utf-8\r$/m,
  ]) {
    assert.match(mail.raw, part)
  }
})

test('name and password of the URL are used, percent-decoded', async (t) => {
  const seen: unknown[] = []
  const { url, port } = await startServer(t, {
    authOptional: false,
    allowInsecureAuth: true,
    onAuth({ username, password }, _session, done) {
      seen.push([username, password])
      done(null, { user: username })
    },
  })
  assert.ok(url)
  const transport = connect(t, `smtp://licet%40id:p%2Fw%3A1@127.0.0.1:${port}`)
  assert.equal((await transport.deliver({ id: 'm', mail: letter })).kind, 'sent')
  assert.deepEqual(seen, [['licet@id', 'p/w:1']])
})

test('a receiver refused for good is never tried again, a wrong password or a greylisted one later', async (t) => {
  const refusing = (responseCode: number): SMTPServerOptions => ({
    onRcptTo: (_address, _session, done) => done(Object.assign(new Error('no'), { responseCode })),
  })
  const cases: readonly [SMTPServerOptions, RegExp][] = [
    [refusing(550), /^never EENVELOPE 550$/],
    [refusing(451), /^later EENVELOPE 451$/],
    [{ authOptional: false }, /^later /],
  ]
  for (const [options, expected] of cases) {
    const { url } = await startServer(t, options)
    const delivered = await connect(t, url).deliver({ id: 'm', mail: letter })
    assert.match(`${delivered.kind} ${'reason' in delivered ? delivered.reason : ''}`, expected)
  }
})

test('nobody listening means later, and the reason names no address', async (t) => {
  const delivered = await connect(t, 'smtp://127.0.0.1:1').deliver({ id: 'm', mail: letter })
  assert.ok(delivered.kind === 'later')
  assert.doesNotMatch(delivered.reason, /ada|127/)
})

test('attack: a server in between that hides STARTTLS gets no mail in clear', async (t) => {
  // 127.0.0.2 stands for a mail server elsewhere: it is not one of the names that count as this machine.
  const { received, url } = await startServer(t, {}, '127.0.0.2')
  assert.equal((await connect(t, url).deliver({ id: 'm', mail: letter })).kind, 'later')
  assert.deepEqual(received, [])
  assert.equal((await connect(t, `${url}/?tls=optional`).deliver({ id: 'm', mail: letter })).kind, 'sent')
  assert.equal(received.length, 1)
})

test('attack: a mail server with a certificate of its own making gets no mail', async (t) => {
  const { received, url } = await startServer(t, { disabledCommands: [] })
  assert.equal((await connect(t, url).deliver({ id: 'm', mail: letter })).kind, 'later')
  assert.deepEqual(received, [])
})

test('the whole way: kept, sent by the loop, gone from the store', async (t) => {
  const { received, url } = await startServer(t)
  const desk = openTestStore(t)
  const outbox = createOutbox({ ...desk, transport: connect(t, url) })
  outbox.start()
  await outbox.send(letter)
  while (received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await outbox.stop()
  assert.equal(received.length, 1)
  assert.deepEqual((await desk.store.list('mail')).items, [])
})
