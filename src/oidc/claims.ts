/**
 * Which claims stand in a token and who may set them, highest first; a lower source never overwrites a higher one:
 * 1 the protocol's own (set by the library and `accounts.ts`, by nobody else), 2 constants of the configuration, 3 what the operator's hook
 * answered for this token, 4 fields of the app's metadata, 5 attributes of the account. Claims of one resource stand over those of every resource.
 * Configuration that names a protocol claim does not start; a hook that does is ignored for that name.
 */
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { AppError } from '../errors.ts'
import { protocolClaims } from '../protocol-claims.ts'
import { type HookFetch, postSigned } from './hooks.ts'
import type { ClaimSource, ClaimsHook } from './settings.ts'

export interface ClaimRequest {
  readonly account?: Account
  /** Absent where a key acts by itself. */
  readonly app?: App
  readonly grantType: string
  readonly resource: string
  readonly scopes: readonly string[]
}

/** Asks the hook; the answer's `claims`, or undefined when it may be left out. Throws `unavailable` when the policy is to refuse. */
export type AskHook = (request: ClaimRequest) => Promise<Record<string, unknown> | undefined>

/** The custom claims of one token under the precedence above. */
export async function customClaims(
  sources: Readonly<Record<string, ClaimSource>>,
  request: ClaimRequest,
  askHook?: AskHook,
): Promise<Record<string, unknown>> {
  const { account, app } = request
  const named = Object.entries(sources)
  const fromAccount = pick(named, 'account', (source) => at(account?.attributes, source.path))
  const fromApp = pick(named, 'app', (source) => at(app?.metadata, source.path))
  const fromHook = withoutProtocol((await askHook?.(request)) ?? {})
  const fromConstants = pick(named, 'constant', (source) => source.value)
  return { ...fromAccount, ...fromApp, ...fromHook, ...fromConstants }
}

function pick<F extends ClaimSource['from']>(
  named: readonly (readonly [string, ClaimSource])[],
  from: F,
  value: (source: Extract<ClaimSource, { from: F }>) => unknown,
): Record<string, unknown> {
  const claims = named
    .filter((entry): entry is [string, Extract<ClaimSource, { from: F }>] => entry[1].from === from)
    .map(([name, source]) => [name, value(source)] as const)
  return Object.fromEntries(claims.filter(([name, found]) => found !== undefined && !protocolClaims.has(name)))
}

/** The value at a path of own members; undefined where it ends early. */
function at(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
    values,
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function withoutProtocol(claims: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !protocolClaims.has(name)))
}

/** Bytes; what is in a token is sent with every request, and one of more than 8 kB is refused everywhere. */
const LARGEST_ANSWER = 4096

/**
 * POSTs `{account, app, grant_type, resource, scopes}` and reads `{claims}`. The body is signed:
 * `X-Licet-Signature: sha256=<hex HMAC-SHA-256 of the body>`. Past the deadline, on any status but 200, on any answer that is not an object and
 * on one of more than 4 kB the configured policy decides: `refuse` fails the token request, `omit` issues the token without these claims.
 * `onFailure` hears of what was left out.
 */
export function createClaimsHook(hook: ClaimsHook, fetch: HookFetch, onFailure: (error: unknown) => void): AskHook {
  return async ({ account, app, grantType, resource, scopes }) => {
    const question = {
      account: account
        ? {
            id: account.id,
            email: account.email,
            email_verified: account.emailVerified,
            attributes: account.attributes,
          }
        : null,
      app: app ? { client_id: app.clientId, name: app.name, type: app.type, metadata: app.metadata } : null,
      grant_type: grantType,
      resource,
      scopes,
    }
    try {
      const answer = (await postSigned(fetch, { ...hook, maxBytes: LARGEST_ANSWER }, question)) as { claims?: unknown }
      if (typeof answer.claims !== 'object' || answer.claims === null || Array.isArray(answer.claims))
        throw new Error('the claims hook answered no claims')
      return answer.claims as Record<string, unknown>
    } catch (cause) {
      if (hook.onError === 'omit') {
        onFailure(cause)
        return undefined
      }
      // 503, not 502: nothing between here and the app must take this for a server that is broken, and the app tries again.
      throw new AppError('unavailable', 'The claims for this token could not be obtained', { cause })
    }
  }
}
