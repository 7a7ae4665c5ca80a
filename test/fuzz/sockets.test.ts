/**
 * Six thousand connections with bytes that are almost HTTP: valid requests with bytes changed, cut off, doubled or run together, wrong lengths,
 * bent chunks, rubbish in headers. Another seed: run this file itself with `--seed=N`.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { sendRaw } from './connection.ts'
import { write } from './requests.ts'
import { faultOf, startTarget, type Target } from './target.ts'

const { values } = parseArgs({ options: { seed: { type: 'string', default: '20260102' } }, strict: false })
const SEED = Number(values.seed)
const CONNECTIONS = 6_000
const AT_ONCE = 48

let target: Target
before(async () => {
  target = await startTarget()
})
after(() => target?.stop())

/** What happens to the bytes of one request. */
type Damage =
  | { readonly kind: 'put' | 'over'; readonly at: number; readonly bytes: string }
  | { readonly kind: 'cut' | 'remove' | 'double'; readonly at: number }
  | { readonly kind: 'length'; readonly value: string }
  | { readonly kind: 'chunks'; readonly body: string }
  | { readonly kind: 'lines'; readonly lines: readonly string[] }

const rubbish = [
  ...[
    '\0',
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    ' ',
    '\t',
    ':',
    '\x7f',
    '\xff',
    '\x80\x81',
    'HTTP/1.1',
    'HTTP/9.9',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ],
  ...[
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc',
    'GET / HTTP/1.1\r\n',
    'Host: evil.example\r\n',
    '%',
    '?',
    '#',
    '/',
    '//',
    '*',
    'http://evil/',
  ],
  ...['x'.repeat(20_000), `${'a: b\r\n'.repeat(150)}`],
]
const lengths = [
  '-1',
  '0',
  '1',
  '99999999999999999999',
  '1, 1',
  '1 2',
  '0x10',
  '+5',
  '1e3',
  '',
  ' ',
  '5\r\nContent-Length: 6',
  '70000',
]
const chunked = [
  '0\r\n\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
  'zz\r\n',
  '-1\r\n',
  'ffffffffffffffff\r\n',
  '5\r\nhel',
  '5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n',
  '1\na\n0\n\n',
  `5;${'x'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`,
]
const extraLines = [
  'Host: evil.example',
  'host:',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: \x0bchunked',
  ' folded',
  'No colon',
  ': no name',
  'Sp ace: x',
  'X: \0',
  'Connection: upgrade',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Expect: what',
  'Connection: keep-alive, close',
  'Content-Length: 5',
  'Trailer: Host',
]

const places = fc.nat({ max: 1200 })
const damages = fc.oneof(
  fc.record({ kind: fc.constantFrom('put', 'over'), at: places, bytes: fc.constantFrom(...rubbish) }),
  fc.record({
    kind: fc.constantFrom('put', 'over'),
    at: places,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  }),
  fc.record({ kind: fc.constantFrom('cut', 'remove', 'double'), at: places }),
  fc.record({ kind: fc.constant('length'), value: fc.constantFrom(...lengths) }),
  fc.record({ kind: fc.constant('chunks'), body: fc.constantFrom(...chunked) }),
  fc.record({
    kind: fc.constant('lines'),
    lines: fc.array(fc.constantFrom(...extraLines), { minLength: 1, maxLength: 3 }),
  }),
) as fc.Arbitrary<Damage>

function harm(whole: string, damage: Damage): string {
  const headEnd = whole.indexOf('\r\n\r\n')
  const head = headEnd < 0 ? whole : whole.slice(0, headEnd)
  const body = headEnd < 0 ? '' : whole.slice(headEnd + 4)
  const at = 'at' in damage ? damage.at % (whole.length + 1) : 0
  switch (damage.kind) {
    case 'put':
      return whole.slice(0, at) + damage.bytes + whole.slice(at)
    case 'over':
      return whole.slice(0, at) + damage.bytes + whole.slice(at + damage.bytes.length)
    case 'cut':
      return whole.slice(0, at)
    case 'remove':
      return whole.slice(0, at) + whole.slice(at + 1)
    case 'double':
      return whole.slice(0, at) + whole.slice(Math.max(0, at - 20))
    case 'length':
      return `${head.replace(/\r\ncontent-length: \d+/i, '')}\r\nContent-Length: ${damage.value}\r\n\r\n${body}`
    case 'chunks':
      return `${head.replace(/\r\ncontent-length: \d+/i, '')}\r\nTransfer-Encoding: chunked\r\n\r\n${damage.body}`
    case 'lines':
      return `${[head, ...damage.lines].join('\r\n')}\r\n\r\n${body}`
  }
}

interface Stream {
  /** Requests one after the other on one connection, none of them waiting for an answer. */
  readonly requests: readonly { readonly template: number; readonly damages: readonly Damage[] }[]
}

const streams = (count: number): fc.Arbitrary<Stream> =>
  fc.record({
    requests: fc.array(
      fc.record({ template: fc.nat({ max: count - 1 }), damages: fc.array(damages, { maxLength: 3 }) }),
      { minLength: 1, maxLength: 4 },
    ),
  })

test(`bytes that are almost HTTP are never a 5xx, a hang or a leak: ${CONNECTIONS} connections`, async (t) => {
  t.diagnostic(`seed ${SEED}`)
  const statuses = new Map<string, number>()
  let sent = 0
  let requests = 0

  const send = async ({ requests: parts }: Stream): Promise<string | undefined> => {
    sent += 1
    requests += parts.length
    const address = `10.${(sent >> 16) & 255}.${(sent >> 8) & 255}.${sent & 255}`
    const bytes = parts.map(({ template, damages }) => {
      const valid = target.templates[template]
      assert.ok(valid)
      const whole = write(valid, [], target.host, [['x-forwarded-for', address]]).toString('latin1')
      return damages.reduce(harm, whole)
    })
    const { text, hung } = await sendRaw(target.port, Buffer.from(bytes.join(''), 'latin1'))
    const found = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
    for (const status of found.length > 0 ? found : [0])
      statuses.set(String(status), (statuses.get(String(status)) ?? 0) + 1)
    const worst = hung ? -1 : Math.max(0, ...found)
    const fault = faultOf({
      status: worst,
      head: '',
      body: worst >= 500 ? text.slice(text.search(/HTTP\/1\.1 5/)) : text,
    })
    return fault && `${fault} after ${JSON.stringify(bytes).slice(0, 1500)}`
  }

  const before = target.footprint()
  const memory = target.memory()
  const property = fc.asyncProperty(
    fc.array(streams(target.templates.length), { minLength: 1, maxLength: AT_ONCE, size: 'max' }),
    async (batch) => {
      const faults = await Promise.all(batch.map(send))
      assert.deepEqual(
        faults.filter((fault) => fault !== undefined),
        [],
      )
    },
  )
  for (let round = 0; sent < CONNECTIONS; round += 1)
    await fc.assert(property, { seed: SEED + round, numRuns: 20, interruptAfterTimeLimit: 60_000 })

  const answers = [...statuses].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([status, count]) => `${status} ×${count}`)
  t.diagnostic(`${sent} connections, ${requests} requests: ${answers.join(', ')}`)
  t.diagnostic(`memory ${Math.round(memory)} → ${Math.round(target.memory())} MB`)
  assert.ok(requests >= CONNECTIONS)
  assert.ok(target.memory() < 700, `${target.memory()} MB`)
  const { lasting, strangers } = target.footprint()
  assert.deepEqual(lasting, before.lasting, 'nothing that stays was stored')
  assert.equal(strangers, 0, 'nothing of a stranger stays long')
  assert.equal((await fetch(`http://${target.host}/readyz`)).status, 200)
})
