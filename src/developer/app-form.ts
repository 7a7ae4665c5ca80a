/**
 * What a developer writes of an app: the form, each redirect URI with its own verdict, and what was wrong. What an app may be at all is decided in
 * `apps/fields.ts`; the routes are `apps.ts`'s.
 */
import { z } from 'zod'
import type { JwkSet } from '../apps/app.ts'
import type { AppType } from '../apps/app-types.ts'
import { judgeRedirectUri, judgeRedirectUris } from '../apps/redirect-uris.ts'
import { AppError } from '../errors.ts'
import type { AppDraft, AppField, AppProblem, ScopeChoice, UriVerdict } from '../http/developer-views.ts'

/** What apps of third parties may ask for, with the operator's sentences. */
export type OfferedScopes = Readonly<Record<string, { readonly describe: string; readonly thirdParty: boolean }>>

const text = (most: number) => z.string().max(most).default('')
const TYPES = ['web', 'spa', 'native', 'device', 'service'] as const

/** One field of the form may hold several scopes, parted by spaces. */
export const ChangeFields = z.object({
  name: text(1000),
  redirect_uris: text(45_000),
  scope: z.array(z.string().max(2000)).max(200),
  optional_scope: z.array(z.string().max(2000)).max(200),
})
export const NewAppFields = ChangeFields.extend({
  mark: text(64),
  type: z.enum(TYPES).catch('web'),
  auth: z.enum(['secret', 'private_key_jwt']).catch('secret'),
  jwks: text(20_000),
})
export type ChangeFields = z.infer<typeof ChangeFields>
export type NewAppFields = z.infer<typeof NewAppFields>

/** What an app asks for: `optional` may be refused by a person. */
interface AskedScopes {
  readonly scopes: readonly string[]
  readonly optionalScopes: readonly string[]
}

/** A scope that is ticked twice is one that may be refused. */
export function askedScopes({ scope, optional_scope: optional }: ChangeFields): AskedScopes {
  const optionalScopes = wordsIn(optional)
  return { scopes: wordsIn(scope).filter((name) => !optionalScopes.includes(name)), optionalScopes }
}

/** One URI per line. */
export function linesOf(typed: string): string[] {
  return typed
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** The form as it stands, with a verdict for every line. */
export function draftOf(
  offered: OfferedScopes,
  typed: { readonly name: string; readonly redirectUris: string; readonly type: AppType } & AskedScopes,
  problems: readonly AppProblem[],
): AppDraft {
  return {
    name: typed.name,
    redirectUris: typed.redirectUris,
    verdicts: verdictsOf(linesOf(typed.redirectUris), typed.type),
    scopes: scopeChoices(offered, typed),
    problems,
  }
}

/** Each URI by itself, and among the others: the second of two equal ones is refused. */
export function verdictsOf(uris: readonly string[], type: AppType): UriVerdict[] {
  const reasons = new Map(judgeRedirectUris(uris, type, '').problems.map(({ pointer, code }) => [pointer, code]))
  return uris.map((uri, index) => {
    const judged = judgeRedirectUri(uri, type)
    const reason = reasons.get(`/${index}`)
    return { uri, warnings: judged.ok ? judged.warnings : [], ...(reason ? { reason } : {}) }
  })
}

function scopeChoices(offered: OfferedScopes, { scopes, optionalScopes }: AskedScopes): ScopeChoice[] {
  return Object.entries(offered)
    .filter(([name, { thirdParty }]) => thirdParty || scopes.includes(name) || optionalScopes.includes(name))
    .map(([name, { describe }]) => ({
      name,
      sentence: describe,
      chosen: optionalScopes.includes(name) ? 'optional' : scopes.includes(name) ? 'asked' : 'none',
    }))
}

/** Public keys as they were pasted (RFC 7517). @throws invalid_request for what is no JSON. */
export function keysIn(pasted: string): { jwks?: JwkSet; jwksUri?: string } {
  const typed = pasted.trim()
  if (/^https?:\S+$/.test(typed)) return { jwksUri: typed }
  try {
    const jwks: unknown = JSON.parse(typed)
    if (typeof jwks === 'object' && jwks !== null && Array.isArray((jwks as { keys?: unknown }).keys))
      return { jwks: jwks as JwkSet }
  } catch {}
  const detail = 'Paste a JWK set, or give its https address.'
  throw new AppError('invalid_request', detail, {
    details: { fields: [{ pointer: '/jwks', code: 'malformed', detail }] },
  })
}

const FIELDS: readonly (readonly [RegExp, AppField])[] = [
  [/^\/name/, 'name'],
  [/^\/redirect_uris/, 'redirect_uris'],
  [/^\/(?:optional_)?scopes/, 'scope'],
  [/^\/jwks/, 'jwks'],
]

/** What was wrong, each field once. Whatever the form cannot mend is thrown on. */
export function problemsOf(error: unknown): AppProblem[] {
  if (!(error instanceof AppError)) throw error
  if (error.code === 'conflict' || error.code === 'forbidden') return [{ field: 'form', code: error.code }]
  if (error.code !== 'invalid_request') throw error
  const found = new Map<AppField, AppProblem>()
  for (const { pointer, code } of error.details.fields ?? []) {
    const field = FIELDS.find(([pattern]) => pattern.test(pointer))?.[1] ?? 'form'
    if (!found.has(field)) found.set(field, { field, code })
  }
  return [...found.values()]
}

const wordsIn = (fields: readonly string[]): string[] =>
  [...new Set(fields.flatMap((one) => one.split(/\s+/)))].filter(Boolean)
