/**
 * Forms that are taken once. A page that shows a secret answers a form, so that nothing can be asked for again by its address; sending the form again
 * (reload, Back, two presses) must neither make a second secret nor show the first. Each form carries a mark, and the first use of a mark wins.
 */
import { randomId } from '../secrets.ts'
import type { Store } from '../storage/store.ts'

export interface Once {
  /** A mark for a new form. */
  mark(): string
  /** True for the first caller with that mark of this account's, on whichever process; false for everyone after, and for what is no mark. */
  isFirst(accountId: string, mark: string): Promise<boolean>
}

const MARK_LENGTH = 22
/** Longer than a sign-in stays recent: a form older than this asks for a sign-in first. */
const KEPT_SECONDS = 86_400

export function createOnce({ store }: { store: Pick<Store, 'increment'> }): Once {
  return {
    mark: () => randomId(MARK_LENGTH),
    async isFirst(accountId, mark) {
      if (!/^[0-9A-Za-z]{22}$/.test(mark)) return false
      const { count } = await store.increment(`form ${accountId} ${mark}`, KEPT_SECONDS)
      return count === 1
    },
  }
}
