/**
 * What a browser keeps for us between two pages of a sign-up, a recovery or a change of address: one secret in a `__Host-` cookie, so that it stands in no address, no
 * history and no `Referer` (threats.md SS6). What the secret opens is decided by the account's domains.
 */
import { readCookie } from './cookies.ts'
import type { AccessRule, Cookie } from './route.ts'

/** The caller and what the browser keeps; `value` is absent when it keeps nothing of that name. */
export interface Keeping<C> {
  readonly caller: C
  readonly value?: string
}

/** Reads the cookie of that name for whoever `rule` admits. */
export function keeping<C>(rule: AccessRule<C>, name: Cookie['name']): AccessRule<Keeping<C>> {
  return {
    ...rule,
    async admit(ctx) {
      const caller = await rule.admit(ctx)
      const value = readCookie(ctx.req, name)
      return value === undefined || value === '' ? { caller } : { caller, value }
    },
  }
}

/** Keeps `value` for that long. */
export function keep(name: Cookie['name'], value: string, maxAgeSeconds: number): Cookie {
  return { name, value, maxAgeSeconds }
}

export function forget(name: Cookie['name']): Cookie {
  return { name, value: '', maxAgeSeconds: 0 }
}
