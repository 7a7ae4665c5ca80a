/**
 * Second factors as they are stored: one entry per account, so that every act on them is one atomic change. A code is used once, the last
 * factor is kept and a replaced set is dead at once because no two entries have to agree. Meaning is left to `totp.ts`,
 * `recovery-codes.ts` and `passkeys.ts`; nothing here is usable without the root secret, but public keys.
 */
import { AppError, hasCode } from '../errors.ts'
import type { Store } from '../storage/store.ts'

/** Times are milliseconds since 1970. */
export interface FactorRecord {
  readonly totp?: TotpRecord
  /** Begun and not yet confirmed: counts for nothing. `by`: the sign-in or session that began it. */
  readonly totpPending?: { readonly secretSealed: string; readonly expiresAt: number; readonly by?: string }
  readonly recovery?: RecoveryRecord
  readonly passkeys: readonly PasskeyRecord[]
}

interface TotpRecord {
  readonly secretSealed: string
  readonly confirmedAt: number
  /** The last time step a code was taken for; earlier ones and this one are used up. */
  readonly lastStep: number
}

interface RecoveryRecord {
  readonly saltSealed: string
  /** Of the codes that are left. */
  readonly codeDigests: readonly string[]
  readonly createdAt: number
}

export interface PasskeyRecord {
  /** Public name in URLs. */
  readonly id: string
  readonly credentialId: string
  /** COSE, base64url. */
  readonly publicKey: string
  readonly counter: number
  readonly transports: readonly string[]
  readonly backedUp: boolean
  readonly name: string
  readonly createdAt: number
  readonly lastUsedAt?: number
}

export interface FactorRecords {
  find(accountId: string): Promise<FactorRecord>
  /**
   * One atomic change. `next` returns undefined to leave things as they are; it may be called several times and has no effects. True when
   * it changed something.
   */
  change(accountId: string, next: (record: FactorRecord) => FactorRecord | undefined): Promise<boolean>
  remove(accountId: string): Promise<boolean>
}

const none: FactorRecord = { passkeys: [] }

export function createFactorRecords({ store }: { store: Store }): FactorRecords {
  /** True when there was nothing and now is; undefined when somebody else began at the same moment. */
  const begin = async (id: string, first: FactorRecord | undefined): Promise<boolean | undefined> => {
    if (!first) return false
    try {
      await store.put('factors', { id, value: first }, 'create')
      return true
    } catch (error) {
      if (hasCode(error, 'conflict')) return undefined
      throw error
    }
  }
  return {
    async find(accountId) {
      return (await store.find<FactorRecord>('factors', accountId))?.value ?? none
    },
    async change(accountId, next) {
      for (let round = 0; round < 5; round += 1) {
        const { changed, entry } = await store.update<FactorRecord>('factors', accountId, (record) => {
          const value = next(record)
          return value && { value }
        })
        if (entry) return changed
        const begun = await begin(accountId, next(none))
        if (begun !== undefined) return begun
      }
      throw new AppError(
        'conflict',
        'Somebody changed the sign-in methods of this account at the same moment. Try again.',
      )
    },
    remove: (accountId) => store.remove('factors', accountId),
  }
}
