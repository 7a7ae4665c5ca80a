/**
 * Where a request comes from. Forwarding headers are believed only from peers in the trusted networks, from right to left, up to the
 * first address that is not trusted (HD2, RL2). The scheme and the host are never taken from them: URLs come from the issuer.
 */
import type { IncomingMessage } from 'node:http'
import { canonicalAddress, createNetworkList, networkOf } from './addresses.ts'

export interface Network {
  /** The caller's canonical address. Whatever cannot be read with certainty yields the socket's peer. */
  addressOf(request: IncomingMessage): string
  /** True when the peer itself is a trusted proxy: only then may its other forwarding headers be read. */
  isForwarded(request: IncomingMessage): boolean
}

/** More proxies than this in a row are not a deployment but an attack. */
const MAX_HOPS = 16

/** For a socket without an address (a pipe, or gone already). */
const NOWHERE = '0.0.0.0'

/** @param options CIDRs of the proxies, as configuration validated them. */
export function createNetwork({ trustedProxies }: { trustedProxies: readonly string[] }): Network {
  const trusted = createNetworkList(trustedProxies)
  const peerOf = ({ socket }: IncomingMessage): string => canonicalAddress(socket.remoteAddress ?? '') ?? NOWHERE
  const isForwarded = (request: IncomingMessage): boolean => !trusted.isEmpty && trusted.has(peerOf(request))

  /** The right-most hop that is no proxy of ours; undefined when one on the way cannot be read. */
  const walk = (hops: readonly string[]): string | undefined => {
    let address: string | undefined
    for (let index = hops.length - 1; index >= 0 && hops.length - index <= MAX_HOPS; index -= 1) {
      address = parseHop(hops[index] ?? '')
      if (address === undefined || !trusted.has(address)) return address
    }
    return address
  }

  return {
    isForwarded,
    addressOf(request) {
      const peer = peerOf(request)
      if (trusted.isEmpty || !trusted.has(peer)) return peer
      const { forwarded, 'x-forwarded-for': forwardedFor } = request.headers
      const answers = [
        ...(forwardedFor === undefined ? [] : [walk(String(forwardedFor).split(','))]),
        ...(forwarded === undefined ? [] : [walk(hopsOfForwarded(forwarded))]),
      ]
      const [first] = answers
      // A proxy writes one of the two headers and may pass the other on as it came: where they differ, neither is believed.
      return first !== undefined && answers.every((answer) => answer === first) ? first : peer
    },
  }
}

/** What a limit counts an address as: IPv4 by itself, IPv6 by its /64. The wider one, for a second tier, is the /48. */
export function limitKeys(address: string): { readonly narrow: string; readonly wide?: string } {
  if (!address.includes(':')) return { narrow: address }
  return { narrow: networkOf(address, 64), wide: networkOf(address, 48) }
}

/** `1.2.3.4`, `1.2.3.4:5678`, `2001:db8::1`, `[2001:db8::1]:4711`, with a zone or without. Linear in a bounded length. */
function parseHop(text: string): string | undefined {
  const hop = text.trim()
  if (hop.length > 72) return undefined
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(hop)?.[1]
  if (bracketed !== undefined) return bracketed.includes(':') ? canonicalAddress(bracketed) : undefined
  const [host = '', port, ...more] = hop.split(':')
  if (port !== undefined && more.length === 0) return /^\d{1,5}$/.test(port) ? canonicalAddress(host) : undefined
  return canonicalAddress(hop)
}

/** The `for` of each element of RFC 7239's header; an element without one cannot be read and ends the walk. */
function hopsOfForwarded(header: string): string[] {
  return header.split(',').map((element) => {
    const pairs = element.split(';').map((pair) => pair.trim())
    const found = pairs.filter((pair) => pair.slice(0, 4).toLowerCase() === 'for=')
    return found.length === 1 ? (found[0] ?? '').slice(4).replace(/^"(.*)"$/, '$1') : ''
  })
}
