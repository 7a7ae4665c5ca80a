/** Attacks on the way out: private networks in every spelling, names that change, slow, large, packed and redirecting servers (threats.md DC). */
import assert from 'node:assert/strict'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { hasCode } from '../../src/errors.ts'
import { canonicalAddress, isPublicAddress } from '../../src/security/addresses.ts'
import { createOutbound, type OutboundOptions } from '../../src/security/outbound.ts'
import { testAuthority, testCertificate, testKey } from '../support/certificates.ts'

const names: Record<string, string[]> = {
  'hook.test': ['127.0.0.1'],
  'other.test': ['127.0.0.1'],
  'half.test': ['93.184.216.34', '127.0.0.1'],
  'mapped.test': ['::ffff:7f00:1'],
  'odd.test': ['not an address'],
  'nobody.test': [],
}

function outbound(options: Partial<OutboundOptions> = {}) {
  const asked: string[] = []
  const guarded = createOutbound({
    async resolve(host) {
      asked.push(host)
      const found = names[host]
      if (!found) throw new Error('no such name')
      return found
    },
    allowNetworks: [],
    ca: testAuthority,
    allowLoopbackHttp: false,
    elapsed: () => performance.now(),
    ...options,
  })
  return { asked, fetch: guarded.fetch }
}
const trusting = () => outbound({ allowNetworks: ['127.0.0.0/8'] })

/** Listens on a free loopback port; when the test ends every connection is cut. */
async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

const secure = (t: TestContext, handle: Parameters<typeof createHttp>[1]) =>
  listen(t, createHttps({ cert: testCertificate, key: testKey }, handle))

const isRefusal = (error: unknown) =>
  hasCode(error, 'outbound_refused') && error.message === 'The address could not be fetched.'

test('DC2 no address of a private or special network is public, in any spelling', () => {
  for (const text of [
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::7f00:1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::7f00:1',
    '100::1',
    '2001::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '2001:10::1',
    '2001:20::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2002:a9fe:a9fe::1',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%lo',
    'fec0::1',
    'ff02::1',
    'FF0E::1',
  ])
    assert.equal(isPublicAddress(canonicalAddress(text) ?? 'unreadable'), false, text)
  for (const text of [
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.255.255',
    '172.32.0.1',
    '192.0.1.1',
    '198.17.0.1',
    '198.20.0.1',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450::1',
    '2001:4860:4860::8888',
    '::ffff:8.8.8.8',
  ])
    assert.equal(isPublicAddress(canonicalAddress(text) ?? 'unreadable'), true, text)
})

test('DC2 no connection is made to loopback, however the URL spells it', async (t) => {
  let connections = 0
  const port = await listen(
    t,
    createTcp((socket) => {
      connections += 1
      socket.destroy()
    }),
  )
  const { fetch } = outbound()
  const hosts = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:7f00:0001]',
    '[64:ff9b::7f00:1]',
    '[::127.0.0.1]',
    '①②⑦.0.0.1',
    '127。0。0。1',
    'hook.test',
    'HOOK.test',
    'half.test',
    'mapped.test',
    'odd.test',
    'nobody.test',
    'unknown.test',
  ]
  await Promise.all(
    hosts.map((host) => assert.rejects(fetch(`https://${host}:${port}/`, { timeoutMs: 100 }), isRefusal, host)),
  )
  assert.equal(connections, 0)
})

test('DC2 what is not plain https is refused without asking a name server', async () => {
  const { fetch, asked } = outbound()
  for (const url of [
    'http://hook.test/',
    'ftp://hook.test/',
    'file:///etc/passwd',
    'data:text/plain,a',
    'https://user:pass@hook.test/',
    'https://user@hook.test/',
    'javascript:1',
    'not a url',
    '',
  ])
    await assert.rejects(fetch(url, { timeoutMs: 10 }), isRefusal, url)
  assert.deepEqual(asked, [])
})

test('DC2 a name that changes its mind after the check is not asked a second time (DNS rebinding)', async (t) => {
  const port = await secure(t, (_request, response) => response.end('reached'))
  const answers = [['127.0.0.1'], ['169.254.169.254']]
  let asked = 0
  const { fetch } = outbound({ allowNetworks: ['127.0.0.0/8'], resolve: async () => answers[asked++] ?? [] })
  assert.equal(await (await fetch(`https://hook.test:${port}/`)).text(), 'reached')
  assert.equal(asked, 1)
  await assert.rejects(fetch(`https://hook.test:${port}/`, { timeoutMs: 50 }), isRefusal)
})

test('DC2 a network that is allowed is reached by name and by address, with the name in TLS and Host', async (t) => {
  const port = await secure(t, (request, response) => {
    response.setHeader(
      'x-seen',
      `${request.method} ${request.url} ${request.headers.host} ${(request.socket as unknown as { servername: string }).servername}`,
    )
    request.pipe(response)
  })
  const { fetch } = trusting()
  const answer = await fetch(`https://hook.test:${port}/a?b=c`, {
    method: 'POST',
    body: 'body',
    headers: { host: 'evil.test', 'content-type': 'text/plain' },
  })
  assert.deepEqual([answer.status, await answer.text()], [200, 'body'])
  assert.equal(answer.headers.get('x-seen'), `POST /a?b=c hook.test:${port} hook.test`)
  assert.equal((await fetch(`https://127.0.0.1:${port}/`)).status, 200)
})

test('a certificate of another name or of an unknown authority is refused', async (t) => {
  const port = await secure(t, (_request, response) => response.end())
  names['wrong.test'] = ['127.0.0.1']
  await assert.rejects(trusting().fetch(`https://wrong.test:${port}/`, { timeoutMs: 200 }), isRefusal)
  const { ca: _, ...without } = {
    ca: '',
    resolve: async () => ['127.0.0.1'],
    allowNetworks: ['127.0.0.0/8'],
    allowLoopbackHttp: false,
    elapsed: () => performance.now(),
  }
  await assert.rejects(createOutbound(without).fetch(`https://hook.test:${port}/`, { timeoutMs: 200 }), isRefusal)
})

test('plain http leaves only for loopback, only where development and the network list allow it', async (t) => {
  const port = await listen(
    t,
    createHttp((_request, response) => response.end('plain')),
  )
  const both = outbound({ allowLoopbackHttp: true, allowNetworks: ['127.0.0.0/8', '10.0.0.0/8'] })
  assert.equal(await (await both.fetch(`http://127.0.0.1:${port}/`)).text(), 'plain')
  await assert.rejects(both.fetch('http://10.0.0.1/', { timeoutMs: 50 }), isRefusal)
  await assert.rejects(trusting().fetch(`http://127.0.0.1:${port}/`, { timeoutMs: 50 }), isRefusal)
  await assert.rejects(
    outbound({ allowLoopbackHttp: true }).fetch(`http://127.0.0.1:${port}/`, { timeoutMs: 50 }),
    isRefusal,
  )
})

test('DC3 an open port, a closed one, a silent one, an unknown name and a forbidden network end at the same moment', async (t) => {
  const silent = await listen(
    t,
    createTcp(() => {}),
  )
  const chatty = await listen(
    t,
    createTcp((socket) => socket.end('SSH-2.0\r\n')),
  )
  const { fetch } = trusting()
  const urls = [
    `https://127.0.0.1:${silent}/`,
    `https://127.0.0.1:${chatty}/`,
    'https://127.0.0.1:1/',
    'https://unknown.test/',
    'https://10.0.0.1/',
    'ftp://a.test/',
  ]
  const times = await Promise.all(
    urls.map(async (url) => {
      const startedAt = performance.now()
      await assert.rejects(fetch(url, { timeoutMs: 300 }), isRefusal)
      return performance.now() - startedAt
    }),
  )
  for (const [index, ms] of times.entries()) assert.ok(ms > 290 && ms < 450, `${urls[index]}: ${ms} ms`)
})

test('DC4 a slow answer ends at the deadline, which nobody can set beyond 2.5 s', async (t) => {
  const port = await secure(t, (_request, response) => {
    const drip = setInterval(() => response.write('a'), 20)
    response.once('close', () => clearInterval(drip))
  })
  const { fetch } = trusting()
  const startedAt = performance.now()
  await Promise.all([
    assert.rejects(fetch(`https://hook.test:${port}/`, { timeoutMs: 200 }), isRefusal),
    assert.rejects(fetch(`https://hook.test:${port}/`, { timeoutMs: 60_000, maxBytes: 1_000_000 }), isRefusal),
  ])
  assert.ok(performance.now() - startedAt < 3_000)
})

test('DC4 large and packed answers are refused, and redirects are not followed', async (t) => {
  let followed = 0
  const port = await secure(t, (request, response) => {
    if (request.url === '/large') response.end('a'.repeat(6_000))
    else if (request.url === '/chunked') {
      response.write('a'.repeat(4_000))
      response.end('a'.repeat(4_000))
    } else if (request.url === '/packed')
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('a'.repeat(1_000_000)))
    else if (request.url === '/headers') response.writeHead(200, { 'x-a': 'a'.repeat(20_000) }).end()
    else if (request.url === '/away') response.writeHead(302, { location: '/landed' }).end()
    else {
      followed += 1
      response.end()
    }
  })
  const { fetch } = trusting()
  for (const path of ['/large', '/chunked', '/packed', '/headers'])
    await assert.rejects(
      fetch(`https://hook.test:${port}${path}`, { maxBytes: 5_000, timeoutMs: 200 }),
      isRefusal,
      path,
    )
  assert.equal((await fetch(`https://hook.test:${port}/large`)).status, 200)
  const away = await fetch(`https://hook.test:${port}/away`)
  assert.deepEqual([away.status, away.headers.get('location')], [302, '/landed'])
  assert.equal(followed, 0)
})

test('DC4 one host gets at most four connections at once, and others are still reached', async (t) => {
  let [open, most] = [0, 0]
  const slow = await secure(t, (_request, response) => {
    open += 1
    most = Math.max(most, open)
    setTimeout(() => {
      open -= 1
      response.end()
    }, 50)
  })
  const quick = await secure(t, (_request, response) => response.end())
  const { fetch } = trusting()
  const many = Array.from({ length: 12 }, () => fetch(`https://hook.test:${slow}/`))
  const startedAt = performance.now()
  assert.equal((await fetch(`https://other.test:${quick}/`)).status, 200)
  assert.ok(performance.now() - startedAt < 500)
  for (const answer of await Promise.all(many)) assert.equal(answer.status, 200)
  assert.equal(most, 4)
})

test('DC4 a flood of requests to a silent host is bounded in sockets and in time', async (t) => {
  let open = 0
  const port = await listen(
    t,
    createTcp((socket) => {
      open += 1
      socket.on('error', () => {})
    }),
  )
  const { fetch } = trusting()
  const startedAt = performance.now()
  const results = await Promise.allSettled(
    Array.from({ length: 400 }, () => fetch(`https://hook.test:${port}/`, { timeoutMs: 300 })),
  )
  assert.ok(results.every(({ status }) => status === 'rejected'))
  assert.ok(open <= 8, String(open))
  assert.ok(performance.now() - startedAt < 1_500)
})

test('a caller that stops waiting is not held until the deadline', async (t) => {
  const port = await listen(
    t,
    createTcp(() => {}),
  )
  const stop = new AbortController()
  const startedAt = performance.now()
  const waiting = trusting().fetch(`https://hook.test:${port}/`, { signal: stop.signal })
  setImmediate(() => stop.abort())
  await assert.rejects(waiting, isRefusal)
  assert.ok(performance.now() - startedAt < 1_000)
})
