/**
 * What the protocol asks of the key domain, and how a key that was refused is told in OAuth's words.
 */
import { errors } from 'oidc-provider'
import { keySpent } from '../keys/allowance.ts'
import type { CheckRequest, Denied, Explanation, Verdict } from '../keys/check.ts'

export interface KeySource {
  /** Whether it begins like a key of ours. */
  isKey(credential: string): boolean
  check(credential: string, request: CheckRequest): Promise<Verdict>
  explain(credential: string, asked: { ip: string; audience?: string }): Promise<Explanation>
  stands(keyId: string): Promise<boolean>
}

/** RFC 8693 §2.2.2: a subject token that is not good is `invalid_request`. */
export function exchangeRefusal(denied: Denied): Error {
  const { outside, needed = [], errorRef } = denied
  if (outside === 'insufficient_scope')
    return new errors.InvalidScope('the subject token does not hold every requested scope', needed.join(' '))
  if (outside === 'invalid_token') return new errors.InvalidRequest('the subject token is not valid')
  return keySpent(denied, errorRef)
}
