/**
 * Whether a caller is a person who has just signed in: what making and rotating keys needs besides the scope (RFC 9470). A refresh, a key, a
 * personal token and what is made from one never are.
 */
import type { ApiCaller } from './caller.ts'
import type { CredentialParts } from './presented.ts'

/** True for the access token of a person who signed in interactively within the configured time. */
export function isRecent(
  { now, recentSeconds }: Pick<CredentialParts, 'now' | 'recentSeconds'>,
  { kind, account, actor, authTime }: ApiCaller,
): boolean {
  const isPerson = kind === 'access_token' && account !== undefined && actor === undefined
  return isPerson && authTime !== undefined && now() / 1000 - authTime <= recentSeconds
}
