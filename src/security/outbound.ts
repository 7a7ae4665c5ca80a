/**
 * The only way out of this server (DC2–DC4, DC11). A URL from outside is resolved, every address is checked, and the connection goes
 * to a checked address, so that a name that changes its mind in between (DNS rebinding) gains nothing. https, no redirects, one
 * deadline for everything, a size cap, few connections at once. Every failure is one error after one length of time.
 */
import { request as httpRequest } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { createSecureContext, getCACertificates } from 'node:tls'
import { AppError } from '../errors.ts'
import { canonicalAddress, createNetworkList, isLoopback, isPublicAddress } from './addresses.ts'
import { type Exchange, exchange } from './exchange.ts'
import type { Resolve } from './resolve.ts'
import { createSlots } from './slots.ts'

export interface OutboundOptions {
  /** Every address of a name; rejects when there is none. */
  readonly resolve: Resolve
  /** CIDRs of private networks that may be reached. */
  readonly allowNetworks: readonly string[]
  /** PEM certificates trusted besides the usual ones. */
  readonly ca?: string
  /** Development: plain http to loopback, which must stand in `allowNetworks` too. */
  readonly allowLoopbackHttp: boolean
  /** Milliseconds of a monotonic clock. */
  readonly elapsed: () => number
}

export interface OutboundInit {
  readonly method?: string
  readonly headers?: RequestInit['headers']
  readonly body?: RequestInit['body']
  readonly signal?: AbortSignal | null
  /** For everything: name, connection, answer. Default and most: 2,500. */
  readonly timeoutMs?: number
  /** Of the answer's body. Default 100 kB. */
  readonly maxBytes?: number
}

export interface Outbound {
  /**
   * As the platform's `fetch`, without redirects: a 3xx is returned as it is. The body has been read when this resolves.
   * Throws `outbound_refused`, whatever the reason, when the deadline has come: time tells nothing of what is behind a name.
   */
  fetch(url: string | URL, init?: OutboundInit): Promise<Response>
}

const TIMEOUT_MS = 2_500
const MAX_BYTES = 102_400

export function createOutbound(options: OutboundOptions): Outbound {
  const { resolve, allowLoopbackHttp, elapsed } = options
  const allowed = createNetworkList(options.allowNetworks)
  // Made once: reading a hundred authorities again for every connection would cost more than the connection.
  const trust = options.ca === undefined ? {} : { ca: [...getCACertificates('default'), options.ca] }
  const secureContext = createSecureContext({ minVersion: 'TLSv1.2', ...trust })
  const agent = new Agent({ keepAlive: false, secureContext, rejectUnauthorized: true })
  const slots = createSlots({ perHost: 4, global: 32, waiting: 128 })

  const mayReach = (address: string): boolean => isPublicAddress(address) || allowed.has(address)

  /** The addresses to connect to; throws unless every one of them may be reached. */
  const addressesOf = async (url: URL, signal: AbortSignal): Promise<string[]> => {
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const found = isIP(host) ? [host] : await resolve(host, signal)
    const addresses = found.map(canonicalAddress).filter((address) => address !== undefined)
    if (addresses.length === 0 || addresses.length < found.length) throw new Error('the name has no usable address')
    // A machine has two loopback addresses and one name for both; where one of them is allowed, that one is meant.
    const loopback = addresses.filter((address) => isLoopback(address) && mayReach(address))
    const meant = loopback.length > 0 && addresses.every(isLoopback) ? loopback : addresses
    if (!meant.every(mayReach)) throw new Error('the name leads to a network that is not allowed')
    if (url.protocol === 'http:' && !meant.every(isLoopback)) throw new Error('plain http leaves this machine')
    return meant
  }

  const go = async (url: URL, init: OutboundInit, signal: AbortSignal): Promise<Response> => {
    refuseForm(url, allowLoopbackHttp)
    const release = await slots.take(url.host, signal)
    try {
      const addresses = await addressesOf(url, signal)
      const sent = new Request(url, {
        method: init.method ?? 'GET',
        headers: init.headers ?? {},
        body: init.body ?? null,
      })
      const plan: Exchange = {
        send:
          url.protocol === 'https:'
            ? (target, rest) => httpsRequest(target, { ...rest, agent })
            : (target, rest) => httpRequest(target, { ...rest, agent: false }),
        addresses,
        maxBytes: init.maxBytes ?? MAX_BYTES,
        signal,
      }
      return await exchange(sent, plan)
    } finally {
      release()
    }
  }

  return {
    async fetch(target, init = {}) {
      const timeoutMs = Math.min(init.timeoutMs ?? TIMEOUT_MS, TIMEOUT_MS)
      const endsAt = elapsed() + timeoutMs
      const deadline = AbortSignal.timeout(timeoutMs)
      try {
        return await go(new URL(target), init, init.signal ? AbortSignal.any([deadline, init.signal]) : deadline)
      } catch (cause) {
        // A closed port, a dead host and a forbidden network end at the same moment (DC3).
        await pause(endsAt - elapsed(), init.signal)
        throw new AppError('outbound_refused', 'The address could not be fetched.', { cause })
      }
    },
  }
}

function refuseForm(url: URL, allowLoopbackHttp: boolean): void {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && allowLoopbackHttp))
    throw new Error('the URL is not https')
  if (url.username !== '' || url.password !== '') throw new Error('the URL holds credentials')
  if (url.hostname === '' || url.hostname.length > 253) throw new Error('the URL has no usable host')
}

/** Resolves after that time, or when the caller has stopped waiting. */
function pause(ms: number, signal: AbortSignal | null | undefined): Promise<void> {
  if (ms <= 0 || signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    signal?.addEventListener('abort', done)
  })
}
