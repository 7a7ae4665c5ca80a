/**
 * The moment before which nothing counts: a restored backup knows nothing of what was revoked since it was made, so everything obtained before
 * the restore is dead. Accounts are handed to the protocol as if they had signed out everywhere then.
 */
import type { Store } from '../storage/store.ts'
import type { AccountSource } from './accounts.ts'

const REMEMBER_MS = 1000

/** Accounts behind the fence; it is looked up at most once a second. */
export function fencedAccounts(
  accounts: AccountSource,
  { store, now }: { store: Store; now: () => number },
): AccountSource {
  let [notBefore, until] = [0, 0]

  const current = async (): Promise<number> => {
    if (until > now()) return notBefore
    notBefore = (await store.find<{ at: number }>('meta', 'not_before'))?.value.at ?? 0
    until = now() + REMEMBER_MS
    return notBefore
  }

  return {
    async find(id) {
      const account = await accounts.find(id)
      const fence = account && (await current())
      if (!account || !fence) return account
      return { ...account, signedOutAt: Math.max(account.signedOutAt ?? 0, fence) }
    },
  }
}
