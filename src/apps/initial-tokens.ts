/**
 * Initial access tokens (RFC 7591 §3): who may register apps where the operator does not let everybody. Made on the command line and kept as digests,
 * or written by the operator into a file. Each is shown once; ending one leaves the apps it registered alone.
 */
import { AppError } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import { digest, equalSecrets, randomId, randomToken } from '../secrets.ts'
import type { Store } from '../storage/store.ts'

/** Times are milliseconds since 1970; without `expiresAt` it works until it is revoked. */
export interface InitialToken {
  readonly id: string
  readonly name: string
  readonly createdAt: number
  readonly expiresAt?: number
}

export interface InitialTokens {
  create(caller: Caller, wanted: { name: string; expiresInSeconds?: number }): Promise<InitialToken & { token: string }>
  list(): Promise<readonly InitialToken[]>
  /** @throws not_found */
  revoke(caller: Caller, id: string): Promise<InitialToken>
  /** Whether this is one that works, in the same time for every other. */
  admits(token: string): Promise<boolean>
}

interface Kept extends Omit<InitialToken, 'expiresAt'> {
  readonly handle: string
}

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  /** What every credential begins with. */
  readonly keyPrefix: string
  /** Tokens of the operator's file. */
  readonly fromFile: readonly string[]
}

const digestOf = (token: string): string => digest('initial access token', token)

export function createInitialTokens({ store, audit, now, keyPrefix, fromFile }: Dependencies): InitialTokens {
  const written = fromFile.map(digestOf)
  const shown = ({ value, expiresAt }: { value: Kept; expiresAt?: number }): InitialToken => {
    const { handle: _handle, ...token } = value
    return { ...token, ...(expiresAt === undefined ? {} : { expiresAt }) }
  }
  return {
    async create(caller, { name, expiresInSeconds }) {
      const token = `${keyPrefix}_rt_${randomToken()}`
      const value: Kept = { id: randomId(12), handle: 'all', name, createdAt: now() }
      const expiresAt = expiresInSeconds === undefined ? {} : { expiresAt: now() + expiresInSeconds * 1000 }
      const entry = { event: 'registration_token.created', accountId: 'system', subject: value.id }
      return audit.record(caller, entry, async () => {
        await store.put('registration_token', { id: digestOf(token), value, ...expiresAt }, 'create')
        return { ...shown({ value, ...expiresAt }), token }
      })
    },
    async list() {
      const { items } = await store.list<Kept>('registration_token', { group: 'handle', value: 'all', limit: 1000 })
      return items.map(shown)
    },
    async revoke(caller, id) {
      const { items } = await store.list<Kept>('registration_token', { group: 'handle', value: 'all', limit: 1000 })
      const found = items.find(({ value }) => value.id === id)
      if (!found) throw new AppError('not_found', 'There is no such registration token.')
      const entry = { event: 'registration_token.revoked', accountId: 'system', subject: id }
      await audit.record(caller, entry, () => store.remove('registration_token', found.id))
      return shown(found)
    },
    async admits(token) {
      if (token.length > 512) return false
      const tokenDigest = digestOf(token)
      let isWritten = false
      for (const one of written) isWritten = equalSecrets(one, tokenDigest) || isWritten
      return isWritten || (await store.find('registration_token', tokenDigest)) !== undefined
    },
  }
}
