/**
 * The first administrator's one-time link (threats.md LG11: there is no default password anywhere). While no administrator exists the
 * server prints a fresh link at every start; the page behind it belongs to a surface. One link is alive at a time, for 24 hours, for one use.
 */
import { AppError } from '../errors.ts'
import type { Caller } from '../observability/audit.ts'
import { digest, equalSecrets, randomToken } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { Account } from './account.ts'
import type { Accounts } from './accounts.ts'

export interface SetupLink {
  /** Path and token: `/setup/<token>`; put the issuer before it. Shown once, never logged. */
  readonly path: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** What the person behind the link chooses. */
export interface FirstAdministrator {
  readonly email: string
  readonly name?: string
  readonly password: string
  readonly locale?: string
}

export interface SetupLinks {
  /** A fresh link, which kills every earlier one; undefined when an administrator exists. */
  renew(): Promise<SetupLink | undefined>
  /** Returns when the link is alive, and consumes nothing: mail scanners and previews open links. @throws gone */
  check(token: string): Promise<void>
  /**
   * Makes the administrator, once. Wrong input leaves the link alive.
   * @throws gone for a used, replaced, expired or invented link, invalid_request and conflict as `Accounts.create`.
   */
  use(caller: Caller, token: string, wanted: FirstAdministrator): Promise<Account>
}

/** The only entry of its kind, so that a new link replaces the old one in one write. */
const ENTRY = 'first-administrator'
const LIFE_MS = 24 * 60 * 60 * 1000

interface Dependencies {
  readonly store: Store
  readonly accounts: Accounts
  readonly now: () => number
}

export function createSetupLinks({ store, accounts, now }: Dependencies): SetupLinks {
  type Link = { readonly tokenDigest: string }
  const digestOf = (token: string) => digest('setup link', token.slice(0, 200))
  const isLink = (link: Link | undefined, token: string) => equalSecrets(link?.tokenDigest ?? '', digestOf(token))

  const check: SetupLinks['check'] = async (token) => {
    const entry = await store.find<Link>('setup_link', ENTRY)
    if (!isLink(entry?.value, token) || (await accounts.hasAdministrator())) throw gone()
  }
  /** Exactly one racing caller gets past. A link printed in between is put back: it belongs to somebody else. */
  const claim = async (token: string): Promise<() => Promise<void>> => {
    const entry = await store.take<Link>('setup_link', ENTRY)
    const putBack = async () => {
      if (entry) await store.put('setup_link', entry, 'create').catch(() => undefined)
    }
    if (isLink(entry?.value, token)) return putBack
    await putBack()
    throw gone()
  }

  return {
    check,
    async renew() {
      if (await accounts.hasAdministrator()) {
        await store.remove('setup_link', ENTRY)
        return undefined
      }
      const token = randomToken()
      const expiresAt = now() + LIFE_MS
      await store.put('setup_link', { id: ENTRY, value: { tokenDigest: digestOf(token) }, expiresAt }, 'replace')
      return { path: `/setup/${token}`, expiresAt }
    },
    async use(caller, token, wanted) {
      await check(token)
      const putBack = await claim(token)
      try {
        return await accounts.create(caller, { ...pick(wanted), role: 'administrator', emailVerified: true })
      } catch (error) {
        await putBack()
        throw error
      }
    },
  }
}

/** Nothing but these fields reaches the account, whatever a form holds. */
function pick({ email, name, password, locale }: FirstAdministrator): FirstAdministrator {
  return { email, password, ...(name ? { name } : {}), ...(locale ? { locale } : {}) }
}

function gone(): AppError {
  return new AppError('gone', 'This link has been used or has expired. Restart the server for a fresh one.')
}
