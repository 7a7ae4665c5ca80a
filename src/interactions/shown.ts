/**
 * What a page shows of an app, an account and scopes. Names an app gave itself never stand alone: the host goes with them, and how much an
 * operator knows of the app. Pages themselves belong to `sign-in.ts`, `consent.ts` and `protocol-pages.ts`.
 */
import type { App } from '../apps/app.ts'
import { logoPath } from '../apps/logos.ts'
import { homeOf, standingOf } from '../apps/vendor.ts'
import type { ConsentWarning, Registered } from '../http/consent-views.ts'
import type { AskingApp } from '../http/views.ts'

export function shownApp(app: App, redirectUri?: string): AskingApp {
  const logo = app.verified ? logoPath(app) : undefined
  return {
    name: app.name,
    host: homeOf(app) ?? hostOf(redirectUri) ?? app.clientId,
    standing: standingOf(app),
    ...(logo ? { logo } : {}),
  }
}

/** Who put the app here. A developer's own name would be one more name that proves nothing, so it is not shown. */
export function registeredBy({ source, selfRegistered, ownerId, createdAt }: App): Registered {
  if (source === 'document') return { by: 'document' }
  const at = createdAt > 0 ? { at: createdAt } : {}
  if (selfRegistered) return { by: 'itself', ...at }
  return ownerId === undefined ? { by: 'operator' } : { by: 'developer', ...at }
}

/** Host of a redirect target; for a private scheme the scheme with its colon. */
export function hostOf(uri: string | undefined): string | undefined {
  const url = uri === undefined ? null : URL.parse(uri)
  if (!url) return undefined
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.host : url.protocol
}

/** What a person should think about before allowing. */
export function warningsFor(app: App, redirectUri: string | undefined): ConsentWarning[] {
  const url = redirectUri === undefined ? null : URL.parse(redirectUri)
  const warnings: ConsentWarning[] = []
  if (url?.protocol === 'http:') warnings.push('loopback')
  else if (url && url.protocol !== 'https:') warnings.push('private_scheme')
  if (standingOf(app) === 'unverified') warnings.push('unverified')
  return warnings
}
