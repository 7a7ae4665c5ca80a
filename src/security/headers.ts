/**
 * The security headers of every answer, per surface, made once at start (HD5, CS1). They are set on arrival, before the protocol
 * engine runs: it adds the hashes of its own inline scripts to a `script-src` that is already there.
 */
import type { ServerResponse } from 'node:http'
import type { Surface } from '../http/route.ts'

export interface SecurityHeaders {
  /** Sets what every answer of that surface carries. */
  apply(response: ServerResponse, surface: Surface): void
  /** The same as lines. */
  linesOf(surface: Surface): Lines
}

type Lines = readonly (readonly [name: string, value: string])[]

/**
 * `form-action 'self'` holds because our forms answer 200 with a meta refresh when they leave; `same-origin` as referrer policy
 * because `no-referrer` would make our own forms send `Origin: null`.
 */
const pageLines: Lines = [
  [
    'Content-Security-Policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  ],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'same-origin'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  [
    'Permissions-Policy',
    'camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=(), publickey-credentials-get=(self), publickey-credentials-create=(self)',
  ],
]

/** A JSON answer that a browser is made to open as a page shows nothing and runs nothing. */
const machineLines: Lines = [['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"]]

const everyLine: Lines = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Cache-Control', 'no-store'],
]

/** @param options an https issuer adds HSTS for a year, subdomains included. */
export function createSecurityHeaders({ issuer }: { issuer: string }): SecurityHeaders {
  const transport: Lines = issuer.startsWith('https:')
    ? [['Strict-Transport-Security', 'max-age=31536000; includeSubDomains']]
    : []
  const machine = [...everyLine, ...machineLines, ...transport]
  const lines: Record<Surface, Lines> = {
    page: [...everyLine, ...pageLines, ...transport],
    api: machine,
    oauth: machine,
  }
  return {
    linesOf: (surface) => lines[surface],
    apply(response, surface) {
      for (const [name, value] of lines[surface]) response.setHeader(name, value)
    },
  }
}
