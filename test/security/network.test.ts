/** Callers' addresses: canonical forms, networks, forwarding headers. */
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalAddress, createNetworkList, groupsOf, isLoopback, networkOf } from '../../src/security/addresses.ts'
import { createNetwork, limitKeys } from '../../src/security/network.ts'

const from = (peer: string, headers: Record<string, string> = {}) =>
  ({ socket: { remoteAddress: peer }, headers }) as unknown as IncomingMessage

test('every spelling of an address has one canonical form', () => {
  for (const [text, canonical] of [
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:CB00:7107', '203.0.113.7'],
    ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
  ] as const)
    assert.equal(canonicalAddress(text), canonical)
  for (const text of [
    '',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.4.5',
    '256.1.1.1',
    '2130706433',
    '0x7f.1',
    'localhost',
    ':::',
    '[::1]',
    '1.2.3.4%eth0',
    ' 1.2.3.4',
    'a'.repeat(100),
  ])
    assert.equal(canonicalAddress(text), undefined, text)
})

test('the groups of any address make the same address again', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const canonical = canonicalAddress(text) ?? ''
      if (!canonical.includes(':')) return
      assert.equal(
        canonicalAddress(
          groupsOf(canonical)
            .map((group) => group.toString(16))
            .join(':'),
        ),
        canonical,
      )
    }),
    { numRuns: 300 },
  )
})

test('a list of networks knows single addresses, both families and mapped forms', () => {
  const list = createNetworkList(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::ffff:172.16.0.0/108'])
  for (const address of ['10.255.0.1', '192.0.2.1', '2001:db8:ffff::1', '172.31.0.1'])
    assert.ok(list.has(address), address)
  for (const address of ['11.0.0.1', '192.0.2.2', '2001:db9::1', '172.32.0.1']) assert.ok(!list.has(address), address)
  for (const network of ['10.0.0/8', 'x', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/a', ''])
    assert.throws(() => createNetworkList([network]), network)
  assert.equal(createNetworkList([]).has('10.0.0.1'), false)
})

test('RL1 addresses of one /64 are limited as one, whatever their spelling', () => {
  const keys = ['2001:db8:1:2::1', '2001:0DB8:0001:0002:ffff::', '2001:db8:1:2:a:b:c:d'].map((text) =>
    limitKeys(canonicalAddress(text) ?? ''),
  )
  assert.deepEqual(new Set(keys.map(({ narrow }) => narrow)), new Set(['2001:db8:1:2::/64']))
  assert.equal(keys[0]?.wide, '2001:db8:1::/48')
  assert.deepEqual(limitKeys('203.0.113.7'), { narrow: '203.0.113.7' })
  assert.equal(networkOf('::1', 64), '0:0:0:0::/64')
})

test('without trusted proxies every forwarding header is ignored', () => {
  const network = createNetwork({ trustedProxies: [] })
  assert.equal(
    network.addressOf(from('::ffff:10.0.0.1', { 'x-forwarded-for': '9.9.9.9', forwarded: 'for=9.9.9.9' })),
    '10.0.0.1',
  )
  assert.equal(network.addressOf(from('fe80::1%eth0')), 'fe80::1')
  assert.equal(network.isForwarded(from('10.0.0.1')), false)
})

test('RL2 the right-most hop that is no proxy of ours is the caller, ports and zones aside', () => {
  const network = createNetwork({ trustedProxies: ['10.0.0.0/8', 'fd00::/8'] })
  for (const [header, caller] of [
    ['9.9.9.9', '9.9.9.9'],
    ['1.1.1.1, 9.9.9.9', '9.9.9.9'],
    ['127.0.0.1, 9.9.9.9, 10.9.9.9', '9.9.9.9'],
    ['9.9.9.9:1234', '9.9.9.9'],
    ['[2001:db8::9]:443', '2001:db8::9'],
    ['[2001:db8::9]', '2001:db8::9'],
    ['2001:db8::9', '2001:db8::9'],
    ['2001:DB8::9%eth0, fd00::1', '2001:db8::9'],
    ['::ffff:9.9.9.9', '9.9.9.9'],
    ['10.1.1.1, 10.2.2.2', '10.1.1.1'],
  ] as const)
    assert.equal(network.addressOf(from('10.0.0.1', { 'x-forwarded-for': header })), caller, header)
})

test('RL2 a hop that cannot be read yields the socket’s peer', () => {
  const network = createNetwork({ trustedProxies: ['10.0.0.0/8'] })
  for (const header of [
    '',
    ' ',
    ',',
    '9.9.9.9,',
    '9.9.9.9, unknown',
    '9.9.9.9, _hidden',
    'localhost',
    '9.9.9.9:x',
    '9.9.9.9:',
    '[9.9.9.9]',
    '[::1',
    '9.9.9',
    '0x9.9.9.9',
    '9.9.9.9 8.8.8.8',
    '9.9.9.9, <script>',
    `9.9.9.9, ${'1'.repeat(500)}`,
  ])
    assert.equal(network.addressOf(from('10.0.0.1', { 'x-forwarded-for': header })), '10.0.0.1', header)
})

test('a caller outside the trusted networks cannot speak as one of them', () => {
  const network = createNetwork({ trustedProxies: ['10.0.0.0/8'] })
  assert.equal(network.addressOf(from('203.0.113.5', { 'x-forwarded-for': '10.0.0.7' })), '203.0.113.5')
  assert.equal(network.isForwarded(from('203.0.113.5')), false)
  assert.equal(network.isForwarded(from('::ffff:10.0.0.1')), true)
})

test('the Forwarded header is read by the same rule; where both headers differ neither is believed', () => {
  const network = createNetwork({ trustedProxies: ['10.0.0.0/8'] })
  const addressOf = (headers: Record<string, string>) => network.addressOf(from('10.0.0.1', headers))
  assert.equal(addressOf({ forwarded: 'for=1.1.1.1, for="9.9.9.9:80";proto=https, For=10.2.2.2' }), '9.9.9.9')
  assert.equal(addressOf({ forwarded: 'for="[2001:db8::9]:4711"' }), '2001:db8::9')
  for (const forwarded of ['proto=https', 'for=unknown', 'for=_a', 'for=9.9.9.9;for=8.8.8.8', 'for="'])
    assert.equal(addressOf({ forwarded }), '10.0.0.1', forwarded)
  assert.equal(addressOf({ 'x-forwarded-for': '9.9.9.9', forwarded: 'for=9.9.9.9' }), '9.9.9.9')
  assert.equal(addressOf({ 'x-forwarded-for': '9.9.9.9', forwarded: 'for=8.8.8.8' }), '10.0.0.1')
})

test('loopback is recognised in every spelling and nowhere else', () => {
  for (const text of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1'])
    assert.ok(isLoopback(text), text)
  for (const text of ['128.0.0.1', '::2', '', 'localhost', '1270.0.0.1', '10.0.0.1']) assert.ok(!isLoopback(text), text)
})
