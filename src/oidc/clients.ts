/**
 * Apps as the library's clients. An app is looked up at most once a second per process, so that suspending one takes effect within
 * a second everywhere. Secrets are compared by the app domain over digests; the library never holds one.
 */
import type { AdapterPayload, ClientAuthMethod } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import { appTypes } from '../apps/app-types.ts'
import { CONNECTION } from './details.ts'
import { GRANT_EXCHANGE } from './key-tokens.ts'
import { type TrialRules, trialOf } from './trial.ts'
import { GRANT_JWT_BEARER } from './workloads.ts'

export const GRANT_DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'

/** What the protocol asks of the app domain. */
export interface AppSource {
  find(clientId: string): Promise<App | undefined>
}

export interface Clients {
  /** The app if it exists and is not suspended. */
  app(clientId: string): Promise<App | undefined>
  /** The library's metadata of that app: the same object as before while nothing of it has changed. */
  metadata(clientId: string): Promise<AdapterPayload | undefined>
  /** Forgets what is remembered of one app, or of all. */
  forget(clientId?: string): void
}

const REMEMBER_MS = 1000
const REMEMBER_AT_MOST = 10_000

interface ClientParts {
  readonly apps: AppSource
  readonly now: () => number
  /** Whether the app may present identity assertions. */
  readonly mayAssert: (app: App) => boolean
  readonly unverified: TrialRules
}

export function createClients({ apps, now, mayAssert, unverified }: ClientParts): Clients {
  const remembered = new Map<string, { until: number; app: App | undefined; metadata: AdapterPayload | undefined }>()

  const onTrial = (app: App): App => {
    const trial = trialOf(app, unverified)
    return trial ? { ...app, trial } : app
  }
  const look = async (clientId: string) => {
    const known = remembered.get(clientId)
    if (known && known.until > now()) return known
    const found = await apps.find(clientId)
    const app = found?.suspended ? undefined : found && onTrial(found)
    const metadata = app && unlessChanged(known?.metadata, clientMetadata(app, mayAssert(app)))
    const entry = { until: now() + REMEMBER_MS, app, metadata }
    if (remembered.size >= REMEMBER_AT_MOST) remembered.clear()
    remembered.set(clientId, entry)
    return entry
  }

  return {
    app: async (clientId) => (await look(clientId)).app,
    metadata: async (clientId) => (await look(clientId)).metadata,
    forget: (clientId) => (clientId === undefined ? remembered.clear() : void remembered.delete(clientId)),
  }
}

function unlessChanged(before: AdapterPayload | undefined, after: AdapterPayload): AdapterPayload {
  return before && JSON.stringify(before) === JSON.stringify(after) ? before : after
}

/** Grants that the library knows by itself, and those that are registered with it. */
const KNOWN_GRANTS: ReadonlySet<string> = new Set([
  'authorization_code',
  'refresh_token',
  'client_credentials',
  GRANT_DEVICE,
  GRANT_EXCHANGE,
])

function clientMetadata(app: App, mayAssert: boolean): AdapterPayload {
  const { grants, redirectUris } = appTypes[app.type]
  return {
    client_id: app.clientId,
    client_name: app.name,
    application_type: app.type === 'native' ? 'native' : 'web',
    grant_types: [...grants.filter((grant) => KNOWN_GRANTS.has(grant)), ...(mayAssert ? [GRANT_JWT_BEARER] : [])],
    response_types: redirectUris === 'required' ? ['code'] : [],
    redirect_uris: [...app.redirectUris],
    post_logout_redirect_uris: [...app.postLogoutRedirectUris],
    // The library knows no workloads: what `workloads.ts` puts in place of their assertion is compared like a secret, and is worth one request.
    token_endpoint_auth_method: (app.auth === 'workload_identity'
      ? 'client_secret_post'
      : app.auth) as ClientAuthMethod,
    id_token_signed_response_alg: app.idTokenSignedResponseAlg,
    response_modes: ['query', 'form_post'],
    // Whoever asks a person may ask for single connections; the library reads this where there are any.
    authorization_details_types: app.type === 'service' ? [] : [CONNECTION],
    // The library demands a value for methods with a secret; ours are digests and compared in `provider.ts`.
    ...(app.auth !== 'none' && app.auth !== 'private_key_jwt' ? { client_secret: 'kept-as-a-digest' } : {}),
    ...(app.jwks ? { jwks: app.jwks as never } : {}),
    ...(app.jwksUri ? { jwks_uri: app.jwksUri } : {}),
    ...(app.dpop ? { dpop_bound_access_tokens: true } : {}),
    ...(app.backchannelLogoutUri
      ? { backchannel_logout_uri: app.backchannelLogoutUri, backchannel_logout_session_required: true }
      : {}),
  } as AdapterPayload
}
