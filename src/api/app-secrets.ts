/**
 * The client secrets of one's own apps and what the apps are used for: `/api/v1/apps/:id/rotate-secret`, `/old-secret` and `/usage`. A new secret needs a recent
 * interactive sign-in. The apps themselves are `apps.ts`'s.
 */
import { type App, describeApp } from '../apps/app.ts'
import type { Apps } from '../apps/apps.ts'
import { getOwnApp } from '../apps/ownership.ts'
import { del, get, post, type Route } from '../http/route.ts'
import type { SecretCaller } from '../keys/callers.ts'
import type { Period, UsageReport } from '../keys/usage-report.ts'
import type { ApiCaller } from './caller.ts'
import type { Credentials } from './credentials.ts'
import { overlapOf, RotateBody } from './key-bodies.ts'
import { ownerOf } from './own.ts'
import { IssuedApp, Usage } from './shapes.ts'
import { periodOf, shownUsage, UsagePeriod } from './usage.ts'

export interface AppSecretParts {
  readonly credentials: Credentials
  readonly apps: Pick<Apps, 'find' | 'rotateSecret' | 'endOldSecret'>
  /** Calls of an app by day or hour, and who called with which secret. */
  readonly usage: (app: App, period: Period) => Promise<UsageReport & { readonly callers: readonly SecretCaller[] }>
  readonly now: () => number
}

export function createAppSecretRoutes({ credentials, apps, usage, now }: AppSecretParts): readonly Route[] {
  const getOwned = (caller: ApiCaller, clientId = ''): Promise<App> => getOwnApp(apps, ownerOf(caller), clientId)
  return [
    post('/api/v1/apps/:id/rotate-secret')
      .needs(credentials.recent('api:write'))
      .takes(RotateBody)
      .gives(201, IssuedApp)
      .says('A new client secret; the old one works until the overlap ends.')
      .does(async ({ caller, params, input }) => {
        const { clientId } = await getOwned(caller, params['id'])
        const { app, clientSecret } = await apps.rotateSecret(caller.caller, clientId, overlapOf(input))
        const { client_id, ...rest } = describeApp(app, now())
        return { kind: 'json', status: 201, body: { client_id, client_secret: clientSecret, ...rest } }
      }),
    del('/api/v1/apps/:id/old-secret')
      .needs(credentials.personal('api:write'))
      .gives(204)
      .says('Ends the old client secret of a rotation now.')
      .does(async ({ caller, params }) => {
        await apps.endOldSecret(caller.caller, (await getOwned(caller, params['id'])).clientId)
        return { kind: 'empty', status: 204 }
      }),
    get('/api/v1/apps/:id/usage')
      .needs(credentials.bearer('api:read'))
      .takes(UsagePeriod)
      .gives(200, Usage)
      .says('Calls of an app of yours by day or hour, and who called last with which client secret.')
      .does(async ({ caller, params, input }) => {
        const used = await usage(await getOwned(caller, params['id']), periodOf(input))
        return { kind: 'json', body: shownUsage(used) }
      }),
  ]
}
