/**
 * Whether a caller is a person who has just signed in: what making and rotating keys needs besides the scope (RFC 9470). A refresh, a key, a
 * personal token and what is made from one never are.
 */
import type { ApiCaller } from './caller.ts'
import type { CredentialParts } from './presented.ts'

/**
 * True for the access token of a person who signed in interactively within the configured time; a recovery code lets in, and does not count as that
 * (pages.md), nor does a session that has ended.
 */
export async function isRecent(
  { now, recentSeconds, countsAsRecent }: Pick<CredentialParts, 'now' | 'recentSeconds' | 'countsAsRecent'>,
  { kind, account, actor, authTime, sid }: ApiCaller,
): Promise<boolean> {
  const isPerson = kind === 'access_token' && account !== undefined && actor === undefined
  if (!isPerson || authTime === undefined || now() / 1000 - authTime > recentSeconds) return false
  return sid !== undefined && (await countsAsRecent(sid))
}
