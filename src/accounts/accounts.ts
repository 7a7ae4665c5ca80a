/**
 * Accounts: making, finding and changing them. Every change names its caller and is noted once in the audit.
 * What a field may hold stands in `fields.ts`; passwords are tried in `authenticate.ts`; ending sessions and grants of an older
 * epoch is left to those who hold them.
 */
import { takeAttributes } from '../attributes.ts'
import { AppError, hasCode } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import { randomId } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import { type Account, type AccountRecord, isAdministrator, type Role, toAccount } from './account.ts'
import { type Apply, createApply, missing, type Next, stamped } from './apply.ts'
import { readEmail } from './email.ts'
import {
  type AccountChange,
  type EditableAttribute,
  editedAttributes,
  type NewAccount,
  newRecord,
  takeChange,
} from './fields.ts'
import { leaveAdministration, withoutMark } from './last-administrator.ts'
import type { Passwords } from './password.ts'

export interface AccountPage {
  readonly items: readonly Account[]
  readonly nextCursor?: string
}

interface Finding {
  find(id: string): Promise<Account | undefined>
  /** @throws not_found */
  getById(id: string): Promise<Account>
  /** Finds in every spelling of the address. Mail goes to the found account's `email`, never to what was typed. */
  findByEmail(email: string): Promise<Account | undefined>
  /** By address or id, as the command line names accounts. @throws not_found */
  getByName(emailOrId: string): Promise<Account>
  list(options?: { role?: Role; cursor?: string; limit?: number }): Promise<AccountPage>
  /** True while an active administrator exists. */
  hasAdministrator(): Promise<boolean>
}

interface Keeping {
  /** @throws invalid_request with one entry per wrong field, conflict when the address has an account in any spelling. */
  create(caller: Caller, wanted: NewAccount): Promise<Account>
  /** Raises the epoch. @throws forbidden for the last administrator. */
  disable(caller: Caller, id: string, reason?: string): Promise<Account>
  enable(caller: Caller, id: string): Promise<Account>
  /** Taking the role away raises the epoch. @throws forbidden for the last administrator. */
  setRole(caller: Caller, id: string, role: Role): Promise<Account>
  /** Removes the account itself; what belongs to it is removed by those who hold it. @throws forbidden for the last administrator. */
  remove(caller: Caller, id: string): Promise<void>
}

interface Changing {
  /** @throws invalid_request for a field that is not in `AccountChange`, not_found. */
  change(caller: Caller, id: string, change: AccountChange): Promise<Account>
  /** Raises the epoch. */
  signOutEverywhere(caller: Caller, id: string): Promise<Account>
  /** Replaces all attributes. @throws invalid_request */
  setAttributes(caller: Caller, id: string, attributes: unknown): Promise<Account>
  /** Raises the epoch. @throws invalid_request, overloaded */
  setPassword(caller: Caller, id: string, password: string): Promise<Account>
  markEmailVerified(caller: Caller, id: string): Promise<Account>
}

export type Accounts = Finding & Keeping & Changing

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly passwords: Passwords
  /** What people may change about themselves besides name and language. */
  readonly editable?: readonly EditableAttribute[]
}

export function createAccounts(dependencies: Dependencies): Accounts {
  return { ...finding(dependencies), ...keeping(dependencies), ...changing(dependencies) }
}

function finding({ store }: Dependencies): Finding {
  const find: Accounts['find'] = async (id) => {
    const entry = await store.find<AccountRecord>('account', id)
    return entry && toAccount(entry)
  }
  const findByEmail: Accounts['findByEmail'] = async (email) => {
    const known = readEmail(email)
    const entry = known && (await store.findBy<AccountRecord>('account', 'emailKey', known.key))
    return entry && toAccount(entry)
  }
  const list: Accounts['list'] = async ({ role, ...paging } = {}) => {
    const group = role ? { group: 'role', value: role } : {}
    const { items, ...more } = await store.list<AccountRecord>('account', { ...group, ...paging })
    return { items: items.map(toAccount), ...more }
  }
  return {
    find,
    findByEmail,
    list,
    async getById(id) {
      return (await find(id)) ?? missing()
    },
    async getByName(emailOrId) {
      return (await findByEmail(emailOrId)) ?? (await find(emailOrId)) ?? missing()
    },
    async hasAdministrator() {
      let page = await list({ role: 'administrator', limit: 200 })
      while (!page.items.some(isAdministrator) && page.nextCursor) {
        page = await list({ role: 'administrator', limit: 200, cursor: page.nextCursor })
      }
      return page.items.some(isAdministrator)
    },
  }
}

/** What may make or cost an administrator. */
function keeping(dependencies: Dependencies): Keeping {
  const { store, audit, now } = dependencies
  const give = createApply(dependencies)
  const take: Apply = (caller, event, id, next, details = {}) =>
    audit.record(caller, { event, accountId: id, subject: id, details }, async () =>
      toAccount((await leaveAdministration({ store, now }, id, stamped(next, now))) ?? missing()),
    )
  return {
    async create(caller, wanted) {
      const id = randomId()
      const entry = { event: 'account.created', accountId: id, subject: id, details: { role: wanted.role ?? 'member' } }
      return audit.record(caller, entry, async () => {
        const value = await newRecord(dependencies, wanted)
        return toAccount(await store.put('account', { id, value }, 'create').catch(taken))
      })
    },
    async disable(caller, id, reason = '') {
      const disabledReason = reason.slice(0, 200)
      const next: Next = (record) => ({ ...record, status: 'disabled', disabledReason, epoch: record.epoch + 1 })
      return take(caller, 'account.disabled', id, next, { reason: disabledReason })
    },
    async enable(caller, id) {
      return give(caller, 'account.enabled', id, (record) => {
        const { disabledReason: _reason, leavesAt: _at, departure: _departure, ...rest } = withoutMark(record)
        return { ...rest, status: 'active' }
      })
    },
    async setRole(caller, id, role) {
      if (role === 'administrator') {
        return give(caller, 'account.role_changed', id, (record) => ({ ...withoutMark(record), role }), { role })
      }
      return take(caller, 'account.role_changed', id, (record) => ({ ...record, role, epoch: record.epoch + 1 }), {
        role,
      })
    },
    async remove(caller, id) {
      await audit.record(caller, { event: 'account.removed', accountId: id, subject: id }, async () => {
        // Disabled first: what the last administrator's guard refuses must not be gone already.
        const next: Next = (record) => ({ ...record, status: 'disabled', epoch: record.epoch + 1 })
        if (!(await leaveAdministration({ store, now }, id, next))) missing()
        await store.remove('account', id)
      })
    },
  }
}

/** What changes no administrator. */
function changing(dependencies: Dependencies): Changing {
  const change = createApply(dependencies)
  return {
    async change(caller, id, wanted) {
      const { attributes, ...fields } = takeChange(wanted, dependencies.editable)
      const details = { fields: Object.keys({ ...fields, ...attributes }).join(' ') }
      const edited = (record: AccountRecord) =>
        attributes ? { attributes: editedAttributes(record.attributes, attributes) } : {}
      return change(caller, 'account.changed', id, (record) => ({ ...record, ...fields, ...edited(record) }), details)
    },
    async signOutEverywhere(caller, id) {
      return change(caller, 'account.signed_out_everywhere', id, (record) => ({ ...record, epoch: record.epoch + 1 }))
    },
    async setAttributes(caller, id, given) {
      const attributes = takeAttributes(given, '/attributes')
      return change(caller, 'account.attributes_changed', id, (record) => ({ ...record, attributes }))
    },
    async setPassword(caller, id, password) {
      const known = (await dependencies.store.find<AccountRecord>('account', id))?.value ?? missing()
      const passwordDigest = await dependencies.passwords.hash(password, [known.email, known.name])
      const next: Next = (record) => ({ ...record, passwordDigest, epoch: record.epoch + 1 })
      return change(caller, 'account.password_changed', id, next)
    },
    async markEmailVerified(caller, id) {
      return change(caller, 'account.email_verified', id, (record) => ({ ...record, emailVerified: true }))
    },
  }
}

function taken(error: unknown): never {
  if (!hasCode(error, 'conflict')) throw error
  const detail = 'This e-mail address has an account already.'
  throw new AppError('conflict', detail, {
    details: { fields: [{ pointer: '/email', code: 'taken', detail }] },
    cause: error,
  })
}
