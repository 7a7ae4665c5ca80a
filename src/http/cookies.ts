/**
 * Cookies by hand: reading one by name, and appending `Set-Cookie` ourselves, because koa refuses Secure cookies over http
 * while browsers accept them on loopback. Which cookies exist is decided by those who set them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Cookie } from './route.ts'

/** The value of the first cookie of that name, or undefined. Linear in the header's length. */
export function readCookie(request: IncomingMessage, name: string): string | undefined {
  const header = request.headers.cookie
  if (!header) return undefined
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}

/**
 * Adds one `Set-Cookie`: always `Path=/; Secure; HttpOnly; SameSite=Lax`, without `Domain`, so that `__Host-` holds.
 * @throws TypeError for a value that is not RFC 6265's cookie-octets: values are tokens of ours, never text from outside.
 */
export function appendCookie(response: ServerResponse, cookie: Cookie): void {
  if (!cookie.name.startsWith('__Host-')) throw new TypeError('a cookie name begins with __Host-')
  if (!/^[\w.~+/=:!-]*$/.test(cookie.value)) throw new TypeError(`the value of ${cookie.name} is not a cookie value`)
  const age = cookie.maxAgeSeconds === undefined ? '' : `; Max-Age=${Math.trunc(cookie.maxAgeSeconds)}`
  response.appendHeader('Set-Cookie', `${cookie.name}=${cookie.value}; Path=/; Secure; HttpOnly; SameSite=Lax${age}`)
}
