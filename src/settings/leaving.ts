/**
 * Settings, leaving: everything held about the account as one file, and its deletion, which closes the account at once and can be taken back by the
 * link in the mail until the operator's delay has passed. Keeping needs no sign-in: a closed account has none.
 *
 *   POST /settings/export           the file
 *   GET  /settings/delete           what will happen
 *   POST /settings/delete           `email` typed again
 *   GET  POST /leaving/:token       take it back
 */
import { z } from 'zod'
import type { Deletion } from '../accounts/deletion.ts'
import { hasCode } from '../errors.ts'
import { type AccessRule, type Answer, get, type Handler, post, type Route } from '../http/route.ts'
import type { DeleteProblem } from '../http/settings-views.ts'
import { page } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'
import { callerOf, type Draw, type Person, type SettingsAccess } from './shell.ts'

const DeleteForm = z.object({ email: z.string().max(1000).default('') })
const Nothing = z.object({})

interface LeavingParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly deletion: Deletion
  readonly exportAccount: (accountId: string) => Promise<Record<string, unknown>>
  readonly endAll: (accountId: string) => Promise<void>
  readonly anyone: AccessRule<Caller>
  readonly form: AccessRule<Caller>
  /** How long it can be taken back. */
  readonly delaySeconds: number
}

export function createLeaving(parts: LeavingParts): readonly Route[] {
  const { access, draw, deletion, exportAccount, delaySeconds } = parts
  return [
    post('/settings/export')
      .needs(access.provenForm)
      .takes(Nothing)
      .does(async ({ caller }) => ({
        kind: 'text',
        type: 'application/json; charset=utf-8',
        body: `${JSON.stringify(await exportAccount(caller.account.id), null, 2)}\n`,
        headers: { 'Content-Disposition': 'attachment; filename="account.json"' },
      })),
    get('/settings/delete')
      .needs(access.proven)
      .does(({ caller }) =>
        draw('settings/delete', caller, { email: caller.account.email, delaySeconds }, { here: 'profile' }),
      ),
    post('/settings/delete').needs(access.provenForm).takes(DeleteForm).does(leave(parts)),
    get('/leaving/:token')
      .needs(parts.anyone)
      .does(async ({ params }) => {
        const token = params['token'] ?? ''
        const { email, leavesAt } = await deletion.openLink(token)
        return page('interactions/keep', { action: `/leaving/${encodeURIComponent(token)}`, email, leavesAt })
      }),
    post('/leaving/:token')
      .needs(parts.form)
      .takes(Nothing)
      .does(async ({ caller, params }) => {
        await deletion.keep(caller, params['token'] ?? '')
        return page('interactions/done', { kind: 'kept', continueUrl: '/settings' })
      }),
  ]
}

function leave(parts: LeavingParts): Handler<z.infer<typeof DeleteForm>, Person, unknown> {
  const { draw, deletion, endAll, delaySeconds } = parts
  return async ({ caller: person, input, request }): Promise<Answer> => {
    const { id, email } = person.account
    const again = (problem: DeleteProblem) =>
      draw('settings/delete', person, { email, delaySeconds, problem }, { here: 'profile' })
    if (input.email.trim().toLowerCase() !== email.toLowerCase()) return again('email')
    try {
      await deletion.ask(callerOf(person, request), id)
    } catch (error) {
      if (!hasCode(error, 'forbidden')) throw error
      return again('last_administrator')
    }
    await endAll(id)
    return page('interactions/done', { kind: 'leaving' })
  }
}
