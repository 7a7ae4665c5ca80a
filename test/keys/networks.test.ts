import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { admittingNetwork, areWithin, canonicalNetwork, placeOf } from '../../src/keys/networks.ts'

test('every spelling of a network ends in one form', () => {
  const forms: readonly (readonly [string, string | undefined])[] = [
    ['10.1.2.3', '10.1.2.3/32'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['2001:DB8:0:0::1/32', '2001:db8::/32'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['::ffff:10.0.0.1', '10.0.0.1/32'],
    ['::ffff:a00:1/104', '10.0.0.0/8'],
    ['fe80::1%eth0', 'fe80::1/128'],
    ['::ffff:10.0.0.1/24', undefined],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/8/8', undefined],
    ['10.0.0.0/-1', undefined],
    ['10.0.0', undefined],
    ['010.0.0.1', undefined],
    ['example.com', undefined],
    ['', undefined],
    [`${'1'.repeat(100)}`, undefined],
  ]
  for (const [text, form] of forms) assert.equal(canonicalNetwork(text), form, text)
})

const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => parts.join('.'))
const ipv6 = fc
  .array(fc.nat(65_535), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'))
const cidr4 = fc.tuple(ipv4, fc.nat(32)).map(([address, length]) => `${address}/${length}`)
const cidr6 = fc.tuple(ipv6, fc.nat(128)).map(([address, length]) => `${address}/${length}`)

test('an address is in a network when Node’s own list says so', () => {
  const agree = (family: 'ipv4' | 'ipv6') => (cidr: string, ip: string) => {
    const list = new BlockList()
    const [address = '', length] = cidr.split('/')
    list.addSubnet(address, Number(length), family)
    assert.equal(admittingNetwork(ip, [cidr]) !== undefined, list.check(ip, family))
  }
  fc.assert(fc.property(cidr4, ipv4, agree('ipv4')))
  // Compared as Node compares them only where no IPv4 is inside.
  fc.assert(
    fc.property(
      cidr6.filter((cidr) => !cidr.startsWith('0:')),
      ipv6.filter((ip) => !ip.startsWith('0:')),
      agree('ipv6'),
    ),
  )
})

test('a network within another admits no address that the other does not', () => {
  const one = fc.oneof(cidr4, cidr6)
  fc.assert(
    fc.property(one, one, fc.oneof(ipv4, ipv6), (inner, outer, ip) => {
      if (areWithin([inner], [outer]) && admittingNetwork(ip, [inner])) assert.ok(admittingNetwork(ip, [outer]))
    }),
  )
  // The same first address with other lengths, where a wider network could pass for a narrower one.
  fc.assert(
    fc.property(ipv4, fc.nat(32), fc.nat(32), (address, inner, outer) => {
      const zeros = canonicalNetwork(`${address}/${Math.min(inner, outer)}`)?.split('/')[0]
      assert.equal(areWithin([`${zeros}/${inner}`], [`${zeros}/${outer}`]), inner >= outer)
    }),
  )
  assert.ok(areWithin(['10.1.0.0/16'], ['10.0.0.0/8']) && !areWithin(['10.0.0.0/8'], ['10.1.0.0/16']))
  assert.ok(areWithin([], []) && areWithin(['10.0.0.0/8'], []) && !areWithin([], ['10.0.0.0/8']))
  assert.ok(!areWithin(['::/0'], ['0.0.0.0/0']) && !areWithin(['0.0.0.0/0'], ['::/0']))
})

test('a place is the /24 of an IPv4 and the /48 of an IPv6 address', () => {
  const places = ['203.0.113.7', '::ffff:203.0.113.9', '2001:db8:1:2::3', 'fe80::1%eth0', 'nowhere'].map(placeOf)
  assert.deepEqual(places, ['203.0.113.0/24', '203.0.113.0/24', '2001:db8:1::/48', 'fe80::/48', undefined])
})
