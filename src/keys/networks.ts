/**
 * Networks a key may be used from. An address is the network of its own length, so one comparison decides both whether an address may
 * use a key and whether a child's networks lie inside its parent's. Every spelling of one network ends in one form (AK10): IPv4-mapped
 * IPv6 is IPv4, zones are no part of an address.
 */
import { isIP, isIPv4, SocketAddress } from 'node:net'

interface Network {
  readonly family: 4 | 6
  readonly bits: bigint
  readonly length: number
}

/** A CIDR or address in the one form it is kept in, `10.0.0.0/8`; undefined when it is none. Host bits are cleared. */
export function canonicalNetwork(text: string): string | undefined {
  const network = parseNetwork(text)
  if (!network) return undefined
  const first = cut(network)
  const address = network.family === 4 ? dotted(first) : colons(first)
  return `${address}/${network.length}`
}

/** The CIDR of the list that admits the address; undefined when none does. What cannot be read is admitted by none. */
export function admittingNetwork(ip: string, cidrs: readonly string[]): string | undefined {
  const address = ip.includes('/') ? undefined : parseNetwork(ip)
  return address && cidrs[parseAll(cidrs).findIndex((network) => contains(network, address))]
}

/** True when every inner network lies in one of the outer; no outer networks mean everywhere, no inner ones too. */
export function areWithin(inner: readonly string[], outer: readonly string[]): boolean {
  if (outer.length === 0) return true
  const networks = parseAll(outer)
  return inner.length > 0 && parseAll(inner).every((one) => networks.some((other) => contains(other, one)))
}

/** Lists belong to entries that are cached: each is parsed once. */
const parsed = new WeakMap<readonly string[], readonly (Network | undefined)[]>()

function parseAll(cidrs: readonly string[]): readonly (Network | undefined)[] {
  const known = parsed.get(cidrs)
  if (known) return known
  const networks = cidrs.map(parseNetwork)
  parsed.set(cidrs, networks)
  return networks
}

/** The network that counts as one place: /24 of IPv4, /48 of IPv6. Undefined for what is no address. */
export function placeOf(ip: string): string | undefined {
  const address = parseNetwork(ip)
  return address && canonicalNetwork(`${ip.split('%', 1)[0]}/${placeLength(ip, address.family)}`)
}

function placeLength(ip: string, family: 4 | 6): number {
  if (family === 6) return 48
  return ip.includes(':') ? 120 : 24
}

function contains(outer: Network | undefined, inner: Network | undefined): boolean {
  if (!outer || !inner || outer.family !== inner.family || outer.length > inner.length) return false
  return cut(outer) === cut({ ...inner, length: outer.length })
}

function cut({ bits, length, family }: Network): bigint {
  const rest = BigInt((family === 4 ? 32 : 128) - length)
  return (bits >> rest) << rest
}

function parseNetwork(text: string): Network | undefined {
  if (text.length > 64) return undefined
  const [host = '', prefix, ...more] = text.split('/')
  if (more.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return undefined
  const address = parseAddress(host)
  if (!address) return undefined
  const whole = address.family === 4 ? 32 : 128
  // `::ffff:10.0.0.0/104` names 10.0.0.0/8.
  const length = prefix === undefined ? whole : Number(prefix) - (address.family === 4 && host.includes(':') ? 96 : 0)
  return length >= 0 && length <= whole ? { ...address, length } : undefined
}

function parseAddress(text: string): { family: 4 | 6; bits: bigint } | undefined {
  if (isIPv4(text)) return { family: 4, bits: fromDotted(text) }
  const [plain = ''] = text.split('%', 1)
  if (isIP(plain) !== 6) return undefined
  const { address } = new SocketAddress({ address: plain, family: 'ipv6' })
  const mapped = address.startsWith('::ffff:') ? address.slice(7) : ''
  return isIPv4(mapped) ? { family: 4, bits: fromDotted(mapped) } : { family: 6, bits: fromColons(address) }
}

function fromDotted(text: string): bigint {
  return text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n)
}

function fromColons(address: string): bigint {
  const hex = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.map(Number)
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  })
  const [head = '', tail] = hex.split('::', 2)
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n)
}

function dotted(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join('.')
}

function colons(bits: bigint): string {
  const groups = [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((bits >> shift) & 65535n).toString(16))
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}
