/**
 * Which key sets an app may register for `private_key_jwt`: public, asymmetric, long enough, few.
 * Signatures are checked in `oidc/`.
 */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import type { JwkSet } from './app.ts'

const COUNT_LIMIT = 10
/** RFC 7518 §6: what only the holder may know. A key set that carries one was meant to be secret, and is not any more. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** What is wrong with the set, as a sentence; undefined when nothing is. */
export function findKeyProblem({ keys }: JwkSet): string | undefined {
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > COUNT_LIMIT) return `Give 1 to ${COUNT_LIMIT} keys.`
  for (const key of keys) {
    if (typeof key !== 'object' || key === null) return 'Give keys as JSON objects.'
    if (PRIVATE_MEMBERS.some((member) => member in key))
      return 'Give public keys only; these are private and should be replaced.'
    const problem = findOneProblem(key)
    if (problem) return problem
  }
  return undefined
}

function findOneProblem(key: Readonly<Record<string, unknown>>): string | undefined {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey({ key: key as JsonWebKey, format: 'jwk' })
    if (asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
      return 'Give RSA keys of at least 2,048 bits.'
    return ['rsa', 'ec', 'ed25519'].includes(asymmetricKeyType ?? '') ? undefined : 'Give RSA, EC or Ed25519 keys.'
  } catch {
    return 'Give well-formed RSA, EC or Ed25519 keys.'
  }
}
