/**
 * Administrators' pages, accounts: finding one, seeing what it is and what happened to it, and what an operator may do to it: nothing that its owner does
 * (no password, no factor, no sign-in as somebody else). Each act asks for a reason where its owner will read one, and is in the audit.
 *
 *   GET  /admin/accounts             ?query= ?role= ?status=      POST /admin/accounts/invite
 *   GET  /admin/accounts/:id         one account                  POST /admin/accounts/:id/disable · enable · sign-out · reset-mfa · role
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { Directory } from '../accounts/directory.ts'
import type { Factors } from '../accounts/factors.ts'
import type { OperatorActs } from '../accounts/operator-acts.ts'
import type { SignUp } from '../accounts/sign-up.ts'
import { AppError, hasCode } from '../errors.ts'
import type { AdminAccountDone, AdminAccountProblem, AdminAccountRow } from '../http/admin-views.ts'
import { type Answer, get, post, type RequestFacts, type Route } from '../http/route.ts'
import type { Caller } from '../observability/audit.ts'
import type { LogRecord, Store } from '../storage/store.ts'
import type { Administrator, AdminRoom } from './room.ts'

export interface AdminAccountsParts<A extends Administrator> extends AdminRoom<A> {
  readonly accounts: Pick<Accounts, 'getById'>
  readonly directory: Directory
  readonly factors: Pick<Factors, 'list'>
  readonly operatorActs: OperatorActs
  readonly signUp: Pick<SignUp, 'invite' | 'policy'>
  readonly store: Pick<Store, 'read'>
}

const HOME = '/admin/accounts'
const PAGE_SIZE = 50
const TRAIL = 20

const Sought = z.object({
  query: z.string().trim().max(320).default(''),
  role: z.enum(['member', 'administrator']).optional().catch(undefined),
  status: z.enum(['active', 'disabled', 'leaving']).optional().catch(undefined),
  cursor: z.string().max(500).optional(),
  invited: z.string().max(320).optional(),
})
type Sought = z.infer<typeof Sought>
const Done = z.enum(['disabled', 'enabled', 'signed_out', 'factors_removed', 'role_changed'])
const Shown = z.object({ done: Done.optional().catch(undefined) })
const InviteForm = z.object({
  email: z.string().trim().max(1000).default(''),
  name: z.string().trim().max(1000).default(''),
  role: z.enum(['member', 'administrator']).catch('member'),
})
const ReasonForm = z.object({
  reason: z.string().trim().max(200).default(''),
  role: z.enum(['member', 'administrator']).optional().catch(undefined),
})
type ReasonForm = z.infer<typeof ReasonForm>

interface Act {
  readonly path: string
  readonly done: AdminAccountDone
  readonly needsReason: boolean
  readonly run: (acts: OperatorActs, caller: Caller, id: string, form: ReasonForm) => Promise<Account>
}

const ACTS: readonly Act[] = [
  { path: 'disable', done: 'disabled', needsReason: true, run: (acts, caller, id) => acts.disable(caller, id) },
  { path: 'enable', done: 'enabled', needsReason: false, run: (acts, caller, id) => acts.enable(caller, id) },
  { path: 'sign-out', done: 'signed_out', needsReason: false, run: (acts, caller, id) => acts.signOut(caller, id) },
  {
    path: 'reset-mfa',
    done: 'factors_removed',
    needsReason: true,
    run: (acts, caller, id) => acts.resetFactors(caller, id),
  },
  {
    path: 'role',
    done: 'role_changed',
    needsReason: true,
    async run(acts, caller, id, { role }) {
      if (!role) throw new AppError('invalid_request', 'Name the role.')
      return acts.change(caller, id, { role })
    },
  },
]

export function createAdminAccounts<A extends Administrator>(parts: AdminAccountsParts<A>): readonly Route[] {
  const { access, accounts, signUp } = parts
  return [
    get(HOME)
      .needs(access.page)
      .takes(Sought)
      .does(({ caller, input }) => showList(parts, caller, input)),
    get(`${HOME}/:id`)
      .needs(access.page)
      .takes(Shown)
      .does(async ({ caller, params, input: { done } }) =>
        showOne(parts, caller, await accounts.getById(params['id'] ?? ''), done ? { done } : {}),
      ),
    post(`${HOME}/invite`)
      .needs(access.form)
      .takes(InviteForm)
      .does(async ({ caller, input: { name, ...invited }, request }) => {
        try {
          await signUp.invite(operatorOf(caller, request, ''), { ...invited, ...(name ? { name } : {}) })
        } catch (error) {
          if (!hasCode(error, 'invalid_request') && !hasCode(error, 'conflict')) throw error
          return showList(parts, caller, { query: '' }, { email: invited.email, taken: hasCode(error, 'conflict') })
        }
        return { kind: 'redirect', location: `${HOME}?${new URLSearchParams({ invited: invited.email })}` }
      }),
    ...ACTS.map((act) => acting(parts, act)),
  ]
}

function acting<A extends Administrator>(parts: AdminAccountsParts<A>, act: Act): Route {
  return post(`${HOME}/:id/${act.path}`)
    .needs(parts.access.form)
    .takes(ReasonForm)
    .does(async ({ caller, params, input, request }) => {
      const account = await parts.accounts.getById(params['id'] ?? '')
      if (act.needsReason && input.reason === '') return showOne(parts, caller, account, { problem: 'reason' })
      try {
        await act.run(parts.operatorActs, operatorOf(caller, request, input.reason), account.id, input)
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'forbidden') throw error
        return showOne(parts, caller, account, { problem: 'last_administrator' })
      }
      return { kind: 'redirect', location: `${HOME}/${account.id}?done=${act.done}` }
    })
}

/** An administrator acting on others, with the reason that the audit keeps. */
function operatorOf({ account }: Administrator, { ip, userAgent, requestId }: RequestFacts, reason: string): Caller {
  return { kind: 'operator', id: account.id, ip, userAgent, requestId, ...(reason ? { reason } : {}) }
}

async function showList<A extends Administrator>(
  { directory, draw, signUp }: AdminAccountsParts<A>,
  person: A,
  sought: Sought,
  refused?: { readonly email: string; readonly taken: boolean },
): Promise<Answer> {
  const { query, role, status, cursor, invited } = sought
  const filter = { ...(query ? { query } : {}), ...(role ? { role } : {}), ...(status ? { status } : {}) }
  const { items, nextCursor } = await directory.find({ ...filter, limit: PAGE_SIZE, ...(cursor ? { cursor } : {}) })
  return draw('admin/accounts', person, {
    query,
    rows: items.map(rowOf),
    mayInvite: signUp.policy !== 'closed',
    isFirstPage: cursor === undefined,
    ...(role ? { role } : {}),
    ...(status ? { status } : {}),
    ...(invited ? { invited } : {}),
    ...(refused ? { refused } : {}),
    ...(nextCursor ? { nextUrl: `${HOME}?${new URLSearchParams({ ...filter, cursor: nextCursor })}` } : {}),
  })
}

function rowOf({ id, email, emailVerified, name, role, status, createdAt }: Account): AdminAccountRow {
  return { id, email, emailVerified, name, role, status, createdAt }
}

async function showOne<A extends Administrator>(
  { draw, factors, store }: AdminAccountsParts<A>,
  person: A,
  account: Account,
  more: { readonly done?: AdminAccountDone; readonly problem?: AdminAccountProblem },
): Promise<Answer> {
  const [{ held, required }, trail] = await Promise.all([
    factors.list(account),
    store.read(account.id, { limit: TRAIL }),
  ])
  return draw('admin/account', person, {
    account: {
      ...rowOf(account),
      hasPassword: account.hasPassword,
      ...(account.disabledReason ? { disabledReason: account.disabledReason } : {}),
      ...(account.leavesAt === undefined ? {} : { leavesAt: account.leavesAt }),
      attributes: Object.entries(account.attributes).map(([name, value]) => ({ name, value: JSON.stringify(value) })),
    },
    factors: { totp: held.totp, passkeys: held.passkeys, recoveryCodes: held.recoveryCodes, required },
    isYou: account.id === person.account.id,
    trail: trail.items.map(entryOf),
    ...more,
  })
}

interface Recorded {
  readonly event?: string
  readonly outcome?: 'done' | 'refused' | 'failed'
  readonly reason?: string
  readonly caller?: { readonly kind?: string; readonly id?: string; readonly ip?: string; readonly reason?: string }
}

function entryOf({ at, record }: LogRecord) {
  const { event = '', outcome = 'done', reason, caller } = record as Recorded
  return {
    at,
    event,
    outcome,
    by: caller?.kind ?? 'system',
    ...(reason ? { reason } : {}),
    ...(caller?.reason ? { why: caller.reason } : {}),
    ...(caller?.ip ? { ip: caller.ip } : {}),
  }
}
