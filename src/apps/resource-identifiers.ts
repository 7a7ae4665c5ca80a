/**
 * Which identifiers a developer may bring for a resource: an https address of a host somebody can own, in the one spelling that becomes the audience.
 * Whose it is is settled in `resources.ts`; how clients spell identifiers is understood in `oidc/resources.ts`.
 */
import { readDomain } from './domain-proof.ts'

const LENGTH_LIMIT = 256

export interface IdentifierRules {
  readonly issuer: string
  /** Identifiers that are taken, whatever their spelling. */
  readonly configured: readonly string[]
  /** http on this machine is let through. */
  readonly allowLoopback: boolean
}

export interface IdentifierProblem {
  readonly code: 'malformed' | 'not_https' | 'not_public' | 'own' | 'taken'
  readonly detail: string
}

/** Lower-case scheme and host, no default port, no trailing slash (RFC 8707 §2, MCP "Canonical Server URI"); what is no address comes back as it is. */
export function canonicalIdentifier(typed: string): string {
  const url = URL.parse(typed.trim())
  return url ? `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}${url.search}` : typed
}

/** Why the identifier cannot be taken; undefined when it can. */
export function findIdentifierProblem(typed: string, rules: IdentifierRules): IdentifierProblem | undefined {
  const url = /^[\x21-\x7e]{1,256}$/.test(typed.trim()) ? URL.parse(typed.trim()) : null
  if (!url || /[\\#?*]/.test(typed) || url.username || url.password || canonicalIdentifier(typed).length > LENGTH_LIMIT)
    return {
      code: 'malformed',
      detail: 'Give an address without user, query or fragment, such as https://mcp.example.com/mcp.',
    }
  if (url.host === new URL(rules.issuer).host) return { code: 'own', detail: 'This address belongs to this server.' }
  if (rules.configured.some((one) => canonicalIdentifier(one) === canonicalIdentifier(typed)))
    return { code: 'taken', detail: 'This identifier stands in the configuration.' }
  const isLoopback = /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'http:' && isLoopback && rules.allowLoopback) return undefined
  if (url.protocol !== 'https:') return { code: 'not_https', detail: 'Use https.' }
  return isPublic(url.hostname) ? undefined : { code: 'not_public', detail: 'Use the name of a public host.' }
}

function isPublic(host: string): boolean {
  try {
    return readDomain(host) === host
  } catch {
    return false
  }
}
