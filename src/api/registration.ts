/**
 * Dynamic registration (RFC 7591) and its management (RFC 7592). Anybody may register, nothing is stored, and what a request gets wrong is mended or named.
 * Until a person has consented there is nothing to change or delete: PUT is 403, DELETE 405. What metadata may be is `apps/registration.ts`'s.
 */
import { z } from 'zod'
import type { AppRecord } from '../apps/app.ts'
import { appTypes } from '../apps/app-types.ts'
import type { Apps } from '../apps/apps.ts'
import type { ClientMetadata } from '../apps/client-metadata.ts'
import type { Registration } from '../apps/registration.ts'
import { AppError } from '../errors.ts'
import { readJson } from '../http/body.ts'
import { type AccessRule, type Answer, del, get, post, put, type Route } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import type { Caller } from '../observability/audit.ts'

interface RegistrationParts {
  readonly issuer: string
  readonly registration: Registration
  readonly apps: Pick<Apps, 'find' | 'replace' | 'remove'>
  /** Refuses when this address has registered too often. */
  readonly limitAddress: (ip: string) => Promise<unknown>
  /** Whether an initial access token (RFC 7591 §3) is one; absent: anybody may register. */
  readonly admits?: (token: string) => Promise<boolean>
  readonly anyone: AccessRule<Caller>
}

interface Asking {
  readonly caller: Caller
  readonly metadata: ClientMetadata
}

export function createRegistrationRoutes(parts: RegistrationParts): readonly Route[] {
  const { registration, apps, issuer } = parts
  const open = registering(parts)
  const owner = holder(parts)
  const told = (record: AppRecord, clientId: string, token: string) => ({
    ...clientAnswer(issuer, clientId, record),
    registration_access_token: token,
  })
  return [
    post('/register')
      .needs(open)
      .as('oauth')
      .forEveryOrigin()
      .does(({ caller: { metadata } }) => {
        const { clientId, record, clientSecret, registrationToken } = refusedAsOAuth(() =>
          registration.register(metadata),
        )
        const secret = clientSecret ? { client_secret: clientSecret, client_secret_expires_at: 0 } : {}
        return created({ ...told(record, clientId, registrationToken), ...secret })
      }),
    get('/register/:clientId')
      .needs(owner)
      .as('oauth')
      .forEveryOrigin()
      .does(({ caller: { record, clientId, token } }) => ({ kind: 'json', body: told(record, clientId, token) })),
    put('/register/:clientId')
      .needs(owner)
      .as('oauth')
      .forEveryOrigin()
      .does(async ({ caller: { clientId, token, record, isStored, caller, metadata } }) => {
        if (!isStored)
          return refusal(403, 'access_denied', 'Nobody has consented to this client yet: register anew instead.')
        if (record.suspended) return refusal(403, 'access_denied', 'This client is suspended.')
        const app = await apps.replace(caller, clientId, (before) =>
          refusedAsOAuth(() => registration.change(before, metadata, clientId)),
        )
        return { kind: 'json', body: told(app, clientId, token) }
      }),
    del('/register/:clientId')
      .needs(owner)
      .as('oauth')
      .forEveryOrigin()
      .does(async ({ caller: { clientId, isStored, caller } }) => {
        if (!isStored)
          return refusal(
            405,
            'invalid_request',
            'Nobody has consented to this client yet: there is nothing to delete.',
            {
              Allow: 'GET, HEAD, OPTIONS',
            },
          )
        await apps.replace(caller, clientId, (before) => ({ ...before, removedAt: before.updatedAt }))
        return { kind: 'empty', status: 204 }
      }),
  ]
}

function created(body: object): Answer {
  return { kind: 'json', status: 201, body, headers: { 'Cache-Control': 'no-store' } }
}

function refusal(status: number, error: string, description: string, headers: Record<string, string> = {}): Answer {
  return { kind: 'json', status, body: { error, error_description: description }, headers }
}

/** Who may register: within the limit of the address, and with an initial access token where the operator asks for one. */
function registering({ limitAddress, admits, anyone }: RegistrationParts): AccessRule<Asking> {
  return {
    name: 'registration',
    describe: 'Anyone within the limit; with an initial access token where the operator asks for one.',
    async admit(ctx) {
      const caller = await anyone.admit(ctx)
      await limitAddress(ctx.state.ip)
      const given = bearerOf(ctx)
      if (admits && !(given !== undefined && (await admits(given)))) throw unauthorized()
      return { caller, metadata: await bodyOf(ctx) }
    },
  }
}

interface Holding extends Asking {
  readonly clientId: string
  /** The token as it was shown: answers repeat it (RFC 7592 §3), and only its digest is kept. */
  readonly token: string
  readonly record: AppRecord
  readonly isStored: boolean
}

/** Whoever holds the registration access token that was issued with this very id. */
function holder({ registration, apps, anyone }: RegistrationParts): AccessRule<Holding> {
  return {
    name: 'registration access token',
    describe: 'The registration access token that was issued with this client id.',
    async admit(ctx) {
      const caller = await anyone.admit(ctx)
      const clientId = ctx.state.params['clientId'] ?? ''
      const app = await apps.find(clientId)
      const token = bearerOf(ctx) ?? ''
      if (!app?.selfRegistered || !registration.isRegistrationToken(clientId, token)) throw unauthorized()
      const metadata = ctx.method === 'PUT' ? await bodyOf(ctx) : {}
      return { caller, clientId, token, record: app, isStored: app.source === 'stored', metadata }
    },
  }
}

function bearerOf({ req }: HttpContext): string | undefined {
  return /^Bearer ([\w.~+/=-]{1,512})$/i.exec(req.headers.authorization ?? '')?.[1]
}

function unauthorized(): AppError {
  return new AppError('invalid_token', 'The registration token is missing or not valid.', {
    details: { headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } },
  })
}

const Metadata = z.looseObject({})

async function bodyOf(ctx: HttpContext): Promise<ClientMetadata> {
  return Metadata.parse(await readJson(ctx.req))
}

/** RFC 7591 §3.2.2: `invalid_redirect_uri` for the redirect URIs, `invalid_client_metadata` for everything else. */
function refusedAsOAuth<T>(act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'invalid_request') throw error
    const isRedirect = error.details.fields?.[0]?.pointer.startsWith('/redirect_uris') === true
    const oauthError = isRedirect ? 'invalid_redirect_uri' : 'invalid_client_metadata'
    throw new AppError('invalid_request', error.message, { details: { ...error.details, oauthError } })
  }
}

/** What the client is told of itself (RFC 7591 §3.2.1): never null, never empty, for some clients choke on both. */
function clientAnswer(issuer: string, clientId: string, app: AppRecord): Record<string, unknown> {
  const answer = {
    client_id: clientId,
    client_id_issued_at: Math.floor(app.createdAt / 1000),
    client_name: app.name,
    redirect_uris: app.redirectUris,
    post_logout_redirect_uris: app.postLogoutRedirectUris.length > 0 ? app.postLogoutRedirectUris : undefined,
    application_type: app.type === 'native' ? 'native' : 'web',
    grant_types: appTypes[app.type].grants,
    response_types: ['code'],
    token_endpoint_auth_method: app.auth,
    dpop_bound_access_tokens: app.dpop ? true : undefined,
    jwks: app.jwks,
    jwks_uri: app.jwksUri,
    client_uri: app.clientUri,
    policy_uri: app.policyUri,
    tos_uri: app.tosUri,
    registration_client_uri: `${issuer}/register/${encodeURIComponent(clientId)}`,
  }
  return Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== undefined))
}
