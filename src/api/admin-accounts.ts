/**
 * Accounts in the hands of an operator: `/api/v1/admin/accounts`. What `licet account …` does, for administrators and their programs: making,
 * inviting and importing accounts, finding one, changing it, and closing it down. Each act keeps its reason in the audit.
 */
import { z } from 'zod'
import type { Accounts } from '../accounts/accounts.ts'
import { describeAccount } from '../accounts/describe.ts'
import type { Directory } from '../accounts/directory.ts'
import type { Factors } from '../accounts/factors.ts'
import type { NewAccount } from '../accounts/fields.ts'
import { rowsOf } from '../accounts/import-lines.ts'
import { createImport, takeAll } from '../accounts/import-rows.ts'
import type { OperatorActs } from '../accounts/operator-acts.ts'
import type { Passwords } from '../accounts/password.ts'
import type { SignUp } from '../accounts/sign-up.ts'
import { type AccessRule, type Answer, get, patch, post, type Route } from '../http/route.ts'
import type { Caller } from '../observability/audit.ts'
import { AdminAccount, ImportResult, Invitation, ShownAccount } from './admin-shapes.ts'
import type { ApiCaller } from './caller.ts'
import { pageOf } from './shapes.ts'

export type AdminAccounts = Pick<Accounts, 'find' | 'findByEmail' | 'getById' | 'create'>

export interface AdminAccountParts {
  readonly administrator: AccessRule<ApiCaller>
  readonly issuer: string
  readonly accounts: AdminAccounts
  readonly directory: Directory
  readonly operatorActs: OperatorActs
  readonly factors: Pick<Factors, 'list'>
  readonly signUp: Pick<SignUp, 'invite'>
  readonly passwords: Passwords
}

const ROOM = '/api/v1/admin/accounts'

const word = z.string().max(1000)
const role = z.enum(['member', 'administrator'])
const reason = z.string().trim().max(200)
const attributes = z.record(z.string(), z.unknown())
const Reason = z.strictObject({ reason: reason.min(1) })
const MaybeReason = z.strictObject({ reason: reason.optional() })
const Sought = z.object({
  query: z.string().max(320).optional(),
  role: role.optional(),
  status: z.enum(['active', 'disabled', 'leaving']).optional(),
  cursor: z.string().max(500).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
})
const NewBody = z.strictObject({
  email: word,
  name: word.optional(),
  password: z.string().max(20_000).optional(),
  email_verified: z.boolean().optional(),
  locale: word.optional(),
  role: role.optional(),
  attributes: attributes.optional(),
  reason: reason.optional(),
})
const InviteBody = z.strictObject({
  email: word,
  name: word.optional(),
  locale: word.optional(),
  role: role.optional(),
  reason: reason.optional(),
})
const ChangeBody = z.strictObject({
  name: word.optional(),
  locale: word.optional(),
  role: role.optional(),
  attributes: attributes.optional(),
  email_verified: z.literal(true).optional(),
  reason: reason.optional(),
})
const ImportBody = z.strictObject({
  format: z.enum(['csv', 'ndjson']),
  content: z.string(),
  dry_run: z.boolean().default(false),
  reason: reason.optional(),
})

export function createAdminAccountRoutes(parts: AdminAccountParts): readonly Route[] {
  const { administrator, accounts, directory, factors } = parts
  return [
    get(ROOM)
      .needs(administrator)
      .takes(Sought)
      .gives(200, pageOf(AdminAccount))
      .says(
        'Accounts, administrators first; `query` is an id, an address, or a piece of address or name. Pages may be short.',
      )
      .does(async ({ input }) => {
        const { items, nextCursor } = await directory.find(given(input))
        return json({ items: items.map(describeAccount), next_cursor: nextCursor ?? null })
      }),
    get(`${ROOM}/:id`)
      .needs(administrator)
      .gives(200, ShownAccount)
      .says('One account, with the second factors it has.')
      .does(async ({ params }) => {
        const account = await accounts.getById(params['id'] ?? '')
        const { held, required } = await factors.list(account)
        const { totp, passkeys, recoveryCodes } = held
        const second = { required, totp, passkeys, recovery_codes: recoveryCodes }
        return json({ ...describeAccount(account), second_factors: second })
      }),
    ...makingRoutes(parts),
    ...actRoutes(parts),
  ]
}

/** Accounts that come to be: one, by invitation, or many. */
function makingRoutes({ administrator, issuer, accounts, signUp, passwords }: AdminAccountParts): readonly Route[] {
  return [
    post(ROOM)
      .needs(administrator)
      .takes(NewBody)
      .gives(201, AdminAccount)
      .says('Makes an account; without a password nobody signs in to it with one.')
      .does(async ({ caller, input: { reason: why, email_verified: emailVerified, ...wanted } }) => {
        const account = given({ ...wanted, emailVerified }) as NewAccount
        return json(describeAccount(await accounts.create(operatorOf(caller, why), account)), 201)
      }),
    post(`${ROOM}/invite`)
      .needs(administrator)
      .takes(InviteBody)
      .gives(201, Invitation)
      .says('Invites an address: a mail with a link that makes a verified account, once, within seven days.')
      .does(async ({ caller, input: { reason: why, ...invited } }) => {
        const { path, expiresAt } = await signUp.invite(operatorOf(caller, why), given(invited))
        const expiry = new Date(expiresAt).toISOString()
        return json({ email: invited.email, link: `${issuer}${path}`, expires_at: expiry }, 201)
      }),
    post(`${ROOM}/import`)
      .needs(administrator)
      .takes(ImportBody)
      .gives(200, ImportResult)
      .says('Makes accounts from CSV or NDJSON with their password digests; a dry run only says what would happen.')
      .does(async ({ caller, input }) => {
        const mode = input.dry_run ? 'dry_run' : 'write'
        const take = createImport({ accounts, passwords, mode })
        const by = operatorOf(caller, input.reason)
        const result = await takeAll(rowsOf(linesOf(input.content), input.format), (row) => take(by, row))
        return json({ dry_run: input.dry_run, ...result })
      }),
  ]
}

/** What is done to one account. */
function actRoutes({ administrator, operatorActs }: AdminAccountParts): readonly Route[] {
  const room = `${ROOM}/:id`
  return [
    patch(room)
      .needs(administrator)
      .takes(ChangeBody)
      .gives(200, AdminAccount)
      .says('Changes name, language, role or attributes (all replaced), or vouches for the address.')
      .does(async ({ caller, params, input: { reason: why, email_verified: emailVerified, ...change } }) => {
        const wanted = given({ ...change, emailVerified })
        return json(describeAccount(await operatorActs.change(operatorOf(caller, why), params['id'] ?? '', wanted)))
      }),
    post(`${room}/disable`)
      .needs(administrator)
      .takes(Reason)
      .gives(200, AdminAccount)
      .says('Ends everything of an account within a second and lets nobody sign in to it.')
      .does(async ({ caller, params, input }) =>
        json(describeAccount(await operatorActs.disable(operatorOf(caller, input.reason), params['id'] ?? ''))),
      ),
    post(`${room}/enable`)
      .needs(administrator)
      .takes(MaybeReason)
      .gives(200, AdminAccount)
      .says('Lets the person sign in again.')
      .does(async ({ caller, params, input }) =>
        json(describeAccount(await operatorActs.enable(operatorOf(caller, input.reason), params['id'] ?? ''))),
      ),
    post(`${room}/sign-out`)
      .needs(administrator)
      .takes(MaybeReason)
      .gives(200, AdminAccount)
      .says('Ends every session, refresh token and sign-in under way, everywhere within a second.')
      .does(async ({ caller, params, input }) =>
        json(describeAccount(await operatorActs.signOut(operatorOf(caller, input.reason), params['id'] ?? ''))),
      ),
    post(`${room}/reset-mfa`)
      .needs(administrator)
      .takes(Reason)
      .gives(200, AdminAccount)
      .says('Removes every second factor and signs out everywhere, once you know who asks; the owner gets a mail.')
      .does(async ({ caller, params, input }) =>
        json(describeAccount(await operatorActs.resetFactors(operatorOf(caller, input.reason), params['id'] ?? ''))),
      ),
  ]
}

const json = (body: unknown, status = 200): Answer => ({ kind: 'json', status, body })

/** An administrator acting on others. */
export function operatorOf({ caller }: ApiCaller, why: string | undefined): Caller {
  return { ...caller, kind: 'operator', ...(why ? { reason: why } : {}) }
}

/** Without what was not given. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}

async function* linesOf(content: string): AsyncGenerator<string> {
  yield* content.split(/\r?\n/)
}
