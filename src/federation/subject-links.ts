/**
 * Who somebody at a trusted issuer is here: one link per issuer and subject. An address says who somebody was when it was given out; it only ever makes
 * a link where the operator allows it, and where both sides have seen that the mailbox is theirs (FE1, FE2).
 */
import { AppError, hasCode } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { Claims } from './trusted-issuer.ts'

/** The stored value of kind `subject_link`. */
export interface SubjectLink {
  readonly issuer: string
  readonly subject: string
  readonly accountId: string
  readonly by: 'operator' | 'email'
  /** Milliseconds since 1970. */
  readonly at: number
}

interface LinkedAccount {
  readonly id: string
  readonly status: string
  readonly emailVerified: boolean
}

export interface SubjectLinks {
  /** The id of the account, undefined when nothing leads to one. `byEmail` allows the fallback. */
  resolve(issuer: string, claims: Claims & { readonly sub: string }, byEmail: boolean): Promise<string | undefined>
  /** @throws conflict when the subject is somebody else already */
  link(caller: Caller, link: Pick<SubjectLink, 'issuer' | 'subject' | 'accountId'>): Promise<SubjectLink>
  /** @throws not_found */
  unlink(caller: Caller, link: Pick<SubjectLink, 'issuer' | 'subject'>): Promise<SubjectLink>
  list(accountId: string): Promise<readonly SubjectLink[]>
}

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly findByEmail: (email: string) => Promise<LinkedAccount | undefined>
}

export function createSubjectLinks({ store, audit, now, findByEmail }: Dependencies): SubjectLinks {
  const find = async (issuer: string, subject: string) =>
    (await store.find<SubjectLink>('subject_link', idOf(issuer, subject)))?.value
  const keep = async (caller: Caller, link: Omit<SubjectLink, 'at'>): Promise<SubjectLink> => {
    const value: SubjectLink = { ...link, at: now() }
    const { accountId, issuer, by } = link
    const entry = { event: 'account.linked', accountId, subject: accountId, details: { issuer, by } }
    return audit.record(caller, entry, async () => {
      try {
        await store.put('subject_link', { id: idOf(issuer, link.subject), value }, 'create')
        return value
      } catch (error) {
        const before = hasCode(error, 'conflict') ? await find(issuer, link.subject) : undefined
        if (before?.accountId === accountId) return before
        if (before) throw new AppError('conflict', 'That subject is linked to another account.')
        throw error
      }
    })
  }
  return {
    async resolve(issuer, claims, byEmail) {
      const linked = await find(issuer, claims.sub)
      if (linked) return linked.accountId
      const { email, email_verified: isVerified } = claims
      if (!byEmail || typeof email !== 'string' || isVerified !== true) return undefined
      const account = await findByEmail(email)
      if (account?.status !== 'active' || !account.emailVerified) return undefined
      const made = await keep({ kind: 'system' }, { issuer, subject: claims.sub, accountId: account.id, by: 'email' })
      return made.accountId
    },
    link: (caller, link) => keep(caller, { ...link, by: 'operator' }),
    async unlink(caller, { issuer, subject }) {
      const link = await find(issuer, subject)
      if (!link) throw new AppError('not_found', 'There is no such link.')
      const { accountId } = link
      const entry = { event: 'account.unlinked', accountId, subject: accountId, details: { issuer } }
      await audit.record(caller, entry, () => store.remove('subject_link', idOf(issuer, subject)))
      return link
    },
    async list(accountId) {
      const { items } = await store.list<SubjectLink>('subject_link', {
        group: 'accountId',
        value: accountId,
        limit: 1000,
      })
      return items.map(({ value }) => value)
    },
  }
}

const idOf = (issuer: string, subject: string): string => digest('subject link', `${issuer}\n${subject}`)
