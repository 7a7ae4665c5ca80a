/**
 * Apps as their developer sees them: what they are, how they stand, which secrets live. What an app is stands in `apps/`.
 */
import type { App } from '../apps/app.ts'
import { appTypes, holdsSecret } from '../apps/app-types.ts'
import { standingOf } from '../apps/vendor.ts'
import type { AppDetail, AppRow, SecretRow } from '../http/developer-views.ts'
import { verdictsOf } from './app-form.ts'

export function rowOf(app: App): AppRow {
  const { clientId, name, type, suspended, createdAt } = app
  return { clientId, name, type, standing: standingOf(app), isSuspended: suspended !== undefined, createdAt }
}

/** `now`: ended secrets are not shown. */
export function detailOf(app: App, now: number): Pick<AppDetail, 'app' | 'registered' | 'secrets'> {
  return {
    app: {
      ...rowOf(app),
      auth: app.auth,
      hasRedirects: appTypes[app.type].redirectUris === 'required',
      holdsSecret: holdsSecret(app.auth),
      isChangeable: app.source === 'stored',
      ...(app.suspended ? { suspendedReason: app.suspended.reason } : {}),
    },
    registered: verdictsOf(app.redirectUris, app.type),
    secrets: secretsOf(app, now),
  }
}

/** Those that live at `now`, with when each was last used where that is known. */
export function secretsOf({ secrets }: App, now: number, usedAt: Readonly<Record<string, number>> = {}): SecretRow[] {
  return secrets
    .filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now)
    .map(({ id, hint, createdAt, expiresAt, quietSeconds, untilFirstUse }) => {
      const lastUsedAt = usedAt[id]
      return {
        id,
        hint,
        createdAt,
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...(quietSeconds === undefined ? {} : { quietSeconds }),
        ...(untilFirstUse ? { untilFirstUse } : {}),
        ...(lastUsedAt === undefined ? {} : { lastUsedAt }),
      }
    })
}
