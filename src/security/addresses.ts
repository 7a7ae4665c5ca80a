/**
 * IP addresses as text from outside: one canonical form per address, the networks that are not the public internet, and lists of
 * CIDRs. Every spelling of an address must end in the same place here, or a limit or a guard could be walked around (RL1, DC2).
 */
import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net'

/**
 * The canonical text of an address: IPv4 dotted, IPv6 lower-case and compressed (RFC 5952), IPv4-mapped IPv6 as IPv4, zone dropped.
 * Undefined for everything that is not an address.
 */
export function canonicalAddress(text: string): string | undefined {
  if (text.length > 64) return undefined
  if (isIPv4(text)) return text
  const [plain = ''] = text.split('%', 1)
  if (isIP(plain) !== 6) return undefined
  const { address } = new SocketAddress({ address: plain, family: 'ipv6' })
  const mapped = address.startsWith('::ffff:') ? address.slice(7) : ''
  return isIPv4(mapped) ? mapped : address
}

/** The eight 16-bit groups of a canonical IPv6 address. */
export function groupsOf(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const [, front = '', a, b, c, d] = dotted ?? []
  const hex = (high: string | undefined, low: string | undefined) => (Number(high) * 256 + Number(low)).toString(16)
  const text = dotted ? `${front}${hex(a, b)}:${hex(c, d)}` : address
  const [head = '', tail] = text.split('::', 2)
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].map((group) => Number.parseInt(group, 16))
}

/** The network a canonical IPv6 address is in, as text; an IPv4 address is its own. `bits` is 48 or 64. */
export function networkOf(address: string, bits: 48 | 64): string {
  if (!address.includes(':')) return address
  const groups = groupsOf(address).slice(0, bits / 16)
  return `${groups.map((group) => group.toString(16)).join(':')}::/${bits}`
}

/** True for 127.0.0.0/8 and ::1 in every spelling. */
export function isLoopback(text: string): boolean {
  const address = canonicalAddress(text)
  return address !== undefined && (address === '::1' || address.startsWith('127.'))
}

export interface NetworkList {
  /** True when a canonical address is in one of the networks. */
  has(address: string): boolean
  readonly isEmpty: boolean
}

/** @param networks CIDRs or single addresses, as configuration validated them. Throws a TypeError for anything else. */
export function createNetworkList(networks: readonly string[]): NetworkList {
  const list = new BlockList()
  for (const network of networks) {
    const [text = '', bits] = network.split('/', 2)
    const address = canonicalAddress(text)
    if (address === undefined) throw new TypeError(`${network} is not a network`)
    const family = address.includes(':') ? 'ipv6' : 'ipv4'
    // `::ffff:10.0.0.0/104` names 10.0.0.0/8.
    const shift = family === 'ipv4' && text.includes(':') ? 96 : 0
    const length = bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits) - shift
    if (!Number.isInteger(length) || length < 0) throw new TypeError(`${network} is not a network`)
    list.addSubnet(address, length, family)
  }
  return {
    has: (address) => networks.length > 0 && list.check(address, address.includes(':') ? 'ipv6' : 'ipv4'),
    isEmpty: networks.length === 0,
  }
}

/** IPv4 networks that are not the public internet (IANA special-purpose registry), and the metadata address of one cloud in public space. */
const specialIpv4 = createNetworkList([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
])

/** Global unicast is all of public IPv6; inside it these are special or carry an IPv4 address (Teredo, 6to4). */
const globalIpv6 = createNetworkList(['2000::/3'])
const specialIpv6 = createNetworkList(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'])

/**
 * True for a canonical address on the public internet. Loopback, private, link-local, shared, documentation, multicast and reserved
 * networks are not, nor is any IPv6 form that embeds an IPv4 address (NAT64 64:ff9b::/96, 6to4, Teredo, IPv4-compatible).
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !specialIpv4.has(address)
  return globalIpv6.has(address) && !specialIpv6.has(address)
}
