/**
 * Where people may be sent back to: the registered addresses exactly, but for the port of a native app's loopback address (RFC 8252 §7.3). The standard
 * says so of 127.0.0.1 and [::1]; `localhost`, and documents that list no port at all, are shims.
 */
import type { Client, Provider } from 'oidc-provider'
import type { ShimName, Shims } from '../shims.ts'
import { noteMended } from './mending.ts'
import { currentContext } from './work.ts'

interface RedirectingClient extends Client {
  redirectUriAllowed(uri: string): boolean
}

/** Gives clients of `provider` our judgement over the library's. */
export function judgeRedirects(provider: Provider, shims: Shims): void {
  const prototype = provider.Client.prototype as unknown as RedirectingClient
  const { redirectUriAllowed } = prototype
  prototype.redirectUriAllowed = function allowed(uri) {
    if (!redirectUriAllowed.call(this, uri)) return false
    const names = driftOf(this, uri)
    if (!names.every((name) => shims.on(name))) return false
    for (const name of names) noteMended(currentContext()?.oidc.params, name)
    return true
  }
}

/** The shims without which this address would not be the registered one. */
function driftOf({ clientId, redirectUris = [] }: Client, uri: string): ShimName[] {
  if (redirectUris.includes(uri)) return []
  const { hostname } = new URL(uri)
  const isDocument = clientId.startsWith('https://')
  return [
    ...(hostname === 'localhost' ? (['localhost_port'] as const) : []),
    ...(isDocument && redirectUris.some((one) => isPortless(one, hostname))
      ? (['document_loopback_port'] as const)
      : []),
  ]
}

function isPortless(registered: string, hostname: string): boolean {
  const url = URL.parse(registered)
  return url?.protocol === 'http:' && url.hostname === hostname && url.port === ''
}
