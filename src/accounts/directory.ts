/**
 * Finding accounts among many, for operators: by role, status and a piece of name or address. Pages follow an index, newest first, administrators
 * before members; a rare match in a large directory is found over several pages rather than in one long request.
 */
import { AppError } from '../errors.ts'
import type { Account, Role } from './account.ts'
import type { AccountPage, Accounts } from './accounts.ts'

export interface Sought {
  /** An id, an address in any spelling, or a piece of either the address or the name, whatever its case. */
  readonly query?: string
  readonly role?: Role
  readonly status?: Account['status']
  readonly cursor?: string
  readonly limit: number
}

export interface Directory {
  /** A page may hold fewer than `limit`, even none, and still have a cursor to go on. @throws invalid_request for a cursor of something else */
  find(sought: Sought): Promise<AccountPage>
}

/** Accounts looked at for one page. */
const LOOKED_AT = 1000

export function createDirectory(accounts: Pick<Accounts, 'find' | 'findByEmail' | 'list'>): Directory {
  const named = async (query: string): Promise<Account | undefined> =>
    (await accounts.findByEmail(query)) ?? (await accounts.find(query))

  return {
    async find({ query = '', cursor = '', limit, ...filter }) {
      const sought = query.trim()
      // Whoever types a whole address or id means that account, and gets it without a search.
      const known = sought && cursor === '' ? await named(sought) : undefined
      if (known) return { items: fits(known, { ...filter, piece: '' }) ? [known] : [] }
      const piece = folded(sought)
      const items: Account[] = []
      let place: Place | undefined = placeOf(cursor, filter.role)
      for (let looked = 0; place && items.length < limit && looked < LOOKED_AT; ) {
        const { role, cursor: from } = place
        const page = await accounts.list({ role, limit: limit - items.length, ...(from ? { cursor: from } : {}) })
        items.push(...page.items.filter((account) => fits(account, { ...filter, piece })))
        looked += Math.max(1, page.items.length)
        place = nextPlace(role, page.nextCursor, filter.role)
      }
      return { items, ...(place ? { nextCursor: `${place.role}.${place.cursor}` } : {}) }
    },
  }
}

interface Place {
  readonly role: Role
  /** The store's cursor within that role; empty at the beginning. */
  readonly cursor: string
}

function placeOf(cursor: string, only: Role | undefined): Place {
  if (cursor === '') return { role: only ?? 'administrator', cursor: '' }
  const [, role, rest = ''] = /^(administrator|member)\.(.*)$/s.exec(cursor) ?? []
  if (!role || (only && role !== only)) throw new AppError('invalid_request', 'The cursor is not valid.')
  return { role: role as Role, cursor: rest }
}

function nextPlace(role: Role, cursor: string | undefined, only: Role | undefined): Place | undefined {
  if (cursor !== undefined) return { role, cursor }
  return role === 'administrator' && only === undefined ? { role: 'member', cursor: '' } : undefined
}

const folded = (text: string) => text.normalize('NFKC').toLowerCase()

function fits(
  { role, status, email, name }: Account,
  wanted: Pick<Sought, 'role' | 'status'> & { readonly piece: string },
): boolean {
  if (wanted.role && role !== wanted.role) return false
  if (wanted.status && status !== wanted.status) return false
  return folded(email).includes(wanted.piece) || folded(name).includes(wanted.piece)
}
