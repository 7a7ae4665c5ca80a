/**
 * Who stands behind an app, as far as anybody can tell: the host that receives its answers, for only its owner can make use of them. Many apps of one
 * host are one vendor. A name an app gave itself proves nothing and is not looked at.
 */
import type { App } from './app.ts'

/** `key` is equal for apps of one vendor and for no others. `host` is absent where none is known: loopback, private schemes, services. */
export interface Vendor {
  readonly key: string
  readonly host?: string
}

/** `first_party`: configured by the operator; `verified`: checked by an operator; `unverified`: it says so itself. */
export function standingOf({ firstParty, verified }: App): 'first_party' | 'verified' | 'unverified' {
  if (firstParty) return 'first_party'
  return verified ? 'verified' : 'unverified'
}

/**
 * The host an app is known by before anything it says of itself: where the document stands that it is, or what an operator has checked, which is the
 * domain its developer has proven.
 */
export function homeOf({ clientId, verified, clientUri, publisher }: App): string | undefined {
  if (clientId.startsWith('https://')) return URL.parse(clientId)?.host
  if (!verified) return undefined
  return clientUri === undefined ? publisher?.domain : URL.parse(clientUri)?.host
}

/** That host, or the one of all of its redirect URIs; an app of several hosts stands alone. */
export function vendorOf(app: App): Vendor {
  const home = homeOf(app)
  const hosts = new Set(home === undefined ? app.redirectUris.map(publicHost) : [home])
  const [host] = hosts
  return hosts.size === 1 && host !== undefined ? { key: `host ${host}`, host } : aloneVendor(app.clientId)
}

/** An app of which nothing but its id is known any more. */
export function aloneVendor(clientId: string): Vendor {
  return { key: `app ${clientId}` }
}

/** The host when it is one that somebody owns: https, and not this machine. */
function publicHost(uri: string): string | undefined {
  const url = URL.parse(uri)
  const isPublic = url?.protocol === 'https:' && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  return isPublic ? url.host : undefined
}
