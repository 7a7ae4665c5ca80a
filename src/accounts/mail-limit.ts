/**
 * How many mails strangers can cause to one address: a few per hour and purpose, more are silently not sent. The page says the same either way,
 * so the limit tells nothing about an account (threats.md LG2).
 */
import type { Vault } from '../secrets.ts'
import type { Store } from '../storage/store.ts'

/** Sends unless this address got enough mails of that kind lately. `emailKey` as `readEmail` gives it. */
export type MailWithinLimit = (kind: string, emailKey: string, send: () => Promise<void>) => Promise<void>

const LIMIT = 5
const WINDOW_SECONDS = 3600

export function createMailLimit({ store, vault }: { store: Store; vault: Vault }): MailWithinLimit {
  return async (kind, emailKey, send) => {
    const counter = `mails:${kind}:${vault.fingerprint('mails to an address', emailKey)}`
    const { count } = await store.increment(counter, WINDOW_SECONDS)
    if (count <= LIMIT) await send()
  }
}
