/**
 * Developer pages, the secrets of an app and what it is used for: a new secret beside the old one, who still uses the old one, its end, and the calls of
 * the app. A new secret needs a recent sign-in; it stands in the answer to its form and nowhere else.
 *
 *   below /developer/apps/:id
 *   GET  /secrets      secrets, callers, calls by ?by=day|hour      POST /secrets   a new one, shown once
 *   GET  /usage.csv    the figures of the chart                     POST /end-old   the old one ends now
 */
import { z } from 'zod'
import type { App } from '../apps/app.ts'
import { holdsSecret } from '../apps/app-types.ts'
import { AppError } from '../errors.ts'
import type { AppSecrets } from '../http/developer-views.ts'
import { OverlapFields, overlapOf, QUIET_HOURS } from '../http/overlap-form.ts'
import { type Answer, get, post, type Route } from '../http/route.ts'
import { callersShown, usageCsv, usageShown } from '../http/usage-shown.ts'
import { rowOf, secretsOf } from './app-shown.ts'
import { callerOf, type Developer, type DeveloperParts, type Does, HOME, owned, reveal } from './room.ts'

const Shown = z.object({
  by: z.enum(['day', 'hour']).catch('day'),
  done: z.enum(['old_ended', 'repeated']).optional().catch(undefined),
})
const RotateFields = OverlapFields.extend({ mark: z.string().max(64).default('') })
type RotateFields = z.infer<typeof RotateFields>

export function createSecretPages<D extends Developer>(parts: DeveloperParts<D>): Route[] {
  const { access, apps, usage } = parts
  return [
    get(`${HOME}/:id/secrets`)
      .needs(access.signedIn)
      .takes(Shown)
      .does(async ({ caller, params, input: { by, done } }) =>
        show(parts, caller, await owned(parts, caller, params['id']), { by, ...(done ? { done } : {}) }),
      ),
    post(`${HOME}/:id/secrets`).needs(access.recentForm).takes(RotateFields).does(rotate(parts)),
    post(`${HOME}/:id/end-old`)
      .needs(access.form)
      .takes(z.object({}))
      .does(async ({ caller, params, request }) => {
        const { clientId } = await owned(parts, caller, params['id'])
        await apps.endOldSecret(callerOf(caller, request), clientId)
        return { kind: 'redirect', location: `${HOME}/${clientId}/secrets?done=old_ended` }
      }),
    get(`${HOME}/:id/usage.csv`)
      .needs(access.signedIn)
      .takes(Shown)
      .does(async ({ caller, params, input: { by } }) => ({
        kind: 'text',
        type: 'text/csv; charset=utf-8',
        body: usageCsv(await usage(await owned(parts, caller, params['id']), { by })),
        headers: { 'Content-Disposition': 'attachment; filename="usage.csv"' },
      })),
  ]
}

async function show<D extends Developer>(
  { draw, once, usage, now }: DeveloperParts<D>,
  person: D,
  app: App,
  { by, typed, ...more }: { by: 'day' | 'hour'; typed?: RotateFields } & Pick<AppSecrets, 'done' | 'problem'>,
): Promise<Answer> {
  const used = await usage(app, { by })
  return draw('developer/app-secrets', person, {
    app: { ...rowOf(app), holdsSecret: holdsSecret(app.auth), isChangeable: app.source === 'stored' },
    secrets: secretsOf(app, now(), used.secretsUsedAt),
    usage: usageShown(used, by, `${HOME}/${app.clientId}/usage.csv?by=${by}`),
    callers: callersShown(used.callers),
    mark: once.mark(),
    overlap: typed?.overlap ?? '24h',
    quietHours: typed?.quiet_hours ?? QUIET_HOURS,
    ...more,
  })
}

function rotate<D extends Developer>(parts: DeveloperParts<D>): Does<D, RotateFields> {
  return async ({ caller: person, params, input, request }) => {
    const app = await owned(parts, person, params['id'])
    if (!holdsSecret(app.auth) || !(await parts.once.isFirst(person.account.id, input.mark)))
      return { kind: 'redirect', location: `${HOME}/${app.clientId}/secrets?done=repeated` }
    try {
      const issued = await parts.apps.rotateSecret(callerOf(person, request), app.clientId, overlapOf(input))
      return reveal(parts, person, issued, { isNew: false })
    } catch (error) {
      const [field] = error instanceof AppError ? (error.details.fields ?? []) : []
      if (field?.pointer !== '/quiet_seconds') throw error
      return show(parts, person, app, { by: 'day', typed: input, problem: 'quiet_hours' })
    }
  }
}
