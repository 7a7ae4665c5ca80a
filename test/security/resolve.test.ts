/** Names to addresses without the operating system's blocking resolver. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createResolve, createResolveTxt } from '../../src/security/resolve.ts'

test('localhost stays on this machine, and the hosts file is read before DNS', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'licet-hosts-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const hostsFile = join(directory, 'hosts')
  writeFileSync(
    hostsFile,
    '127.0.0.1 localhost evil\n# 1.1.1.1 hidden.test\n10.1.2.3\tHook.test  other.test # third.test\n2001:db8::7 hook.test\n',
  )
  const resolve = createResolve({ hostsFile })
  const never = new AbortController().signal
  assert.deepEqual(await resolve('localhost', never), ['127.0.0.1', '::1'])
  assert.deepEqual(await resolve('a.LOCALHOST.', never), ['127.0.0.1', '::1'])
  assert.deepEqual(await resolve('HOOK.test.', never), ['10.1.2.3', '2001:db8::7'])
  assert.deepEqual(await resolve('other.test', never), ['10.1.2.3'])
})

/** A name server that answers every question with the same TXT record in two parts (RFC 1035 §3.3.14). */
async function nameServer(parts: readonly string[]) {
  const socket = createSocket('udp4')
  socket.on('message', (question, from) => {
    const head = Buffer.from(question.subarray(0, 12))
    head.writeUInt16BE(0x8180, 2)
    head.writeUInt16BE(1, 6)
    head.writeUInt16BE(0, 8)
    head.writeUInt16BE(0, 10)
    const end = question.indexOf(0, 12) + 5
    const text = Buffer.concat(parts.map((part) => Buffer.concat([Buffer.from([part.length]), Buffer.from(part)])))
    const record = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, text.length >> 8, text.length & 255])
    socket.send(Buffer.concat([head, question.subarray(12, end), record, text]), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return { server: `127.0.0.1:${socket.address().port}`, close: () => socket.close() }
}

test('a TXT record is put together from its parts, and a name without one is refused', async (t) => {
  const { server, close } = await nameServer(['licet-verify=', 'abc'])
  assert.deepEqual(await createResolveTxt({ servers: [server] })('_licet-challenge.notes.example'), [
    'licet-verify=abc',
  ])
  close()
  t.diagnostic('a closed server')
  await assert.rejects(createResolveTxt({ servers: ['127.0.0.1:9'] })('notes.example'))
})
