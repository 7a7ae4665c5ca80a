/**
 * Accounts as the protocol sees them: found only while they may sign in, and only for what was obtained after they last signed out
 * everywhere. Every use of a code, token or session passes here (threats.md TK14, RT5, RT10, RC5).
 */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Account } from '../accounts/account.ts'
import { accountClaims } from '../accounts/claims.ts'
import type { App } from '../apps/app.ts'
import { type AskHook, customClaims } from './claims.ts'
import type { Clients } from './clients.ts'
import type { ProtocolAccount } from './policy.ts'
import type { Resources } from './resources.ts'
import type { OidcSettings } from './settings.ts'
import { isOutsider } from './trial.ts'
import { servedOrRefused } from './work.ts'

/** What the protocol asks of the account domain. */
export interface AccountSource {
  find(id: string): Promise<Account | undefined>
}

/**
 * True while the account is active and has not signed out everywhere since `authTime` (seconds since 1970). A sign-in of the very second of the
 * sign-out counts as earlier; `signInSecond` keeps later ones out of that second.
 */
export function stands(account: Account | undefined, authTime: number | undefined): account is Account {
  if (account?.status !== 'active') return false
  return (
    authTime === undefined || account.signedOutAt === undefined || authTime > Math.floor(account.signedOutAt / 1000)
  )
}

type Claims = (use: string, scope: string) => Promise<{ sub: string; [claim: string]: unknown }>

/** The library's `findAccount`. */
export function createAccountFinder(accounts: AccountSource, claims: OidcSettings['claims'], clients: Clients) {
  return async (
    ctx: KoaContextWithOIDC,
    id: string,
    token?: { authTime?: number },
  ): Promise<(ProtocolAccount & { claims: Claims }) | undefined> => {
    const account = await servedOrRefused(() => accounts.find(id))
    const signedInAt = token === undefined ? ctx.oidc.session?.loginTs : token.authTime
    if (!stands(account, signedInAt)) return undefined
    const asking = token && (await clients.app(ctx.oidc.client?.clientId ?? ''))
    // Whoever is a tester no longer: what they obtained ends with the next use.
    if (asking && isOutsider(account, asking)) return undefined
    return {
      accountId: account.id,
      account,
      async claims(use) {
        const standard = { ...accountClaims(account, ['profile', 'email']), sub: account.id }
        const app = await clients.app(ctx.oidc.client?.clientId ?? '')
        if (!app) return standard
        const request = {
          account,
          app,
          grantType: String(ctx.oidc.params?.['grant_type'] ?? ''),
          resource: '',
          scopes: [],
        }
        const sources = use === 'id_token' ? claims.idToken : claims.userinfo
        return { ...(await customClaims(sources, request)), ...standard }
      },
    }
  }
}

interface SourceOfToken {
  acr?: string
  amr?: string[]
  authTime?: number
  sessionUid?: string
}

interface IssuedToken {
  readonly kind: string
  readonly aud?: string | string[]
  readonly scope?: string
}

/**
 * The library's `extraTokenClaims`: how the person signed in (RFC 9068 §2.2.1) and the custom claims. The protocol's own claims are set by the
 * library afterwards and win.
 */
export function createTokenClaims(
  claims: OidcSettings['claims'],
  resources: Resources,
  clients: Clients,
  askHook: AskHook | undefined,
) {
  return async (ctx: KoaContextWithOIDC, token: IssuedToken): Promise<Record<string, unknown>> => {
    const { entities, client, params } = ctx.oidc
    const source = (entities.RefreshToken ?? entities.AuthorizationCode ?? entities.DeviceCode) as
      | SourceOfToken
      | undefined
    const app = await clients.app(client?.clientId ?? '')
    const account = (ctx.oidc.account as unknown as ProtocolAccount | undefined)?.account
    const audience = String(token.aud ?? '')
    const custom = app
      ? await customClaims(
          { ...claims.accessToken, ...resources.find(audience)?.claims },
          {
            ...(account ? { account } : {}),
            app,
            grantType: String(params?.['grant_type'] ?? ''),
            resource: audience,
            scopes: token.scope?.split(' ') ?? [],
          },
          // A hook that refuses is a server that cannot answer now, not a bad request.
          askHook && ((request) => servedOrRefused(() => askHook(request))),
        )
      : {}
    if (token.kind !== 'AccessToken') return { ...custom, ...mayActClaim(app) }
    return { ...custom, ...signInClaims(source), ...actorClaims(app) }
  }
}

/** An agent acts for the person in all it does, and its tokens say so. */
function actorClaims(app: App | undefined): Record<string, unknown> {
  return { ...(app?.agent ? { act: { sub: app.clientId } } : {}), ...mayActClaim(app) }
}

function mayActClaim(app: App | undefined): Record<string, unknown> {
  return app?.mayAct ? { may_act: { sub: app.mayAct } } : {}
}

function signInClaims(source: SourceOfToken | undefined): Record<string, unknown> {
  return {
    ...(source?.authTime ? { auth_time: source.authTime } : {}),
    ...(source?.acr ? { acr: source.acr } : {}),
    ...(source?.amr ? { amr: source.amr } : {}),
    ...(source?.sessionUid ? { sid: source.sessionUid } : {}),
  }
}
