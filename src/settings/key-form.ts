/**
 * The form for a new key or token: what a person may choose, what they chose, and what was wrong with it. What a key may be at all is decided in
 * `keys/fields.ts`; the routes are `keys.ts`'s.
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import { AppError } from '../errors.ts'
import type { FamilyChoice, KeyForm, KeyLevel, KeyProblem, ScopeShown } from '../http/key-views.ts'
import { barrierTo, type KeyPolicy } from '../keys/decide.ts'
import type { NewKey } from '../keys/fields.ts'
import type { Key } from '../keys/key.ts'

/** What the operator offers: every scope with its family, and every resource with its name. */
export interface KeyOffer {
  readonly scopes: Readonly<Record<string, OfferedScope>>
  readonly resources: readonly { readonly identifier: string; readonly name: string }[]
  readonly policy: KeyPolicy
}

interface OfferedScope {
  readonly family: string
  readonly access: 'read' | 'write' | 'admin'
  readonly describe: string
}

const text = (most: number) => z.string().max(most).default('')

/** Levels come as `family_<name>`. */
export const KeyFields = z
  .object({
    mark: text(64),
    name: text(1000),
    access: z.enum(['all', 'read', 'restricted']).catch('restricted'),
    expires: text(10),
    expires_days: text(10),
    allowed_ips: text(8000),
    my_address: text(100),
    resource: text(500),
    quota_requests: text(20),
    quota_window: text(20),
    may_create_children: text(10),
  })
  .catchall(z.string().max(100))
export type KeyFields = z.infer<typeof KeyFields>

type FormValues = Omit<KeyForm, 'shell' | 'room' | 'path' | 'mark' | 'problems'>

const PRESETS = [7, 30, 90, 365]
export const DAY_SECONDS = 86_400
const LEVELS: readonly KeyLevel[] = ['none', 'read', 'write', 'admin']

/** A scope with the sentence the operator gave it. */
export function scopeShown({ scopes }: Pick<KeyOffer, 'scopes'>, name: string): ScopeShown {
  return { name, sentence: scopes[name]?.describe ?? '' }
}

/** The form as it opens: read access for 90 days or what the policy says, or the settings of a key that is to be made again. */
export function openForm(offer: KeyOffer, account: Account, ip: string, like?: Key): FormValues {
  const life = like ? (like.expiresAt - like.createdAt) / 1000 : offer.policy.defaultLifetimeSeconds
  const days = Math.max(1, Math.round(life / DAY_SECONDS))
  const levelOf = (family: string): KeyLevel =>
    LEVELS.findLast((level) => like?.scopes.some((name) => isOf(offer.scopes[name], family, level))) ?? 'none'
  return {
    ...limitsOf(offer, ip),
    name: like?.name ?? '',
    access: like ? 'restricted' : 'read',
    families: familiesOf(offer, account, levelOf),
    expires: PRESETS.includes(days) ? String(days) : 'custom',
    expiresDays: PRESETS.includes(days) ? '' : String(days),
    networks: like?.allowedIps.join('\n') ?? '',
    isMineOnly: false,
    resource: like?.resource ?? '',
    quotaRequests: like?.quota ? String(like.quota.requests) : '',
    quotaWindow: String(like?.quota?.windowSeconds ?? 3600),
    mayCreateChildren: like?.mayCreateChildren ?? false,
  }
}

/** The form with everything that was typed. */
export function keepForm(offer: KeyOffer, account: Account, ip: string, typed: KeyFields): FormValues {
  return {
    ...limitsOf(offer, ip),
    name: typed.name,
    access: typed.access,
    families: familiesOf(offer, account, (family) => levelIn(typed, family)),
    expires: typed.expires,
    expiresDays: typed.expires_days,
    networks: typed.allowed_ips,
    isMineOnly: typed.my_address !== '',
    resource: typed.resource,
    quotaRequests: typed.quota_requests,
    quotaWindow: typed.quota_window,
    mayCreateChildren: typed.may_create_children === 'yes',
  }
}

/** What was asked for. Numbers that are none stay NaN, for the domain to refuse. */
export function wantedOf(offer: KeyOffer, account: Account, typed: KeyFields): NewKey {
  const days = Number(typed.expires === 'custom' ? typed.expires_days || Number.NaN : typed.expires || Number.NaN)
  const networks = linesOf(`${typed.allowed_ips}\n${typed.my_address}`)
  return {
    name: typed.name,
    scopes: chosenScopes(offer, account, typed),
    expiresInSeconds: days * DAY_SECONDS,
    ...(networks.length > 0 ? { allowedIps: networks } : {}),
    ...(typed.resource === '' ? {} : { resource: typed.resource }),
    ...(typed.quota_requests === ''
      ? {}
      : { quota: { requests: Number(typed.quota_requests), windowSeconds: Number(typed.quota_window) } }),
    ...(typed.may_create_children === 'yes' ? { mayCreateChildren: true } : {}),
  }
}

/** One network per line; commas and spaces part them too. */
export function linesOf(typed: string): string[] {
  return typed.split(/[\s,]+/).filter((line) => line !== '')
}

const FIELDS: readonly (readonly [RegExp, KeyProblem['field']])[] = [
  [/^\/name/, 'name'],
  [/^\/scopes/, 'scopes'],
  [/^\/expires_in/, 'expires'],
  [/^\/allowed_ips/, 'allowed_ips'],
  [/^\/quota/, 'quota'],
  [/^\/resource/, 'resource'],
]

/** What was wrong, in the order of the form, each field once. Whatever the form cannot mend is thrown on. */
export function problemsOf(error: unknown, networks: readonly string[]): KeyProblem[] {
  if (!(error instanceof AppError)) throw error
  if (error.code === 'conflict' || error.code === 'forbidden') return [{ field: 'form', code: error.code }]
  if (error.code !== 'invalid_request') throw error
  const found = (error.details.fields ?? []).map(({ pointer, code }): KeyProblem => {
    const field = FIELDS.find(([pattern]) => pattern.test(pointer))?.[1] ?? 'form'
    const value = field === 'allowed_ips' ? networks[Number(pointer.split('/')[2])] : undefined
    return { field, code, ...(value === undefined ? {} : { value }) }
  })
  return FIELDS.flatMap(([, field]) => found.find((problem) => problem.field === field) ?? []).concat(
    found.filter(({ field }) => field === 'form').slice(0, 1),
  )
}

/** The lives that are offered, in days, within the policy. */
export function lifePresets({ maxLifetimeSeconds }: KeyPolicy): number[] {
  return PRESETS.filter((days) => days * DAY_SECONDS <= maxLifetimeSeconds)
}

function limitsOf({ policy, resources }: KeyOffer, ip: string) {
  const mostDays = Math.floor(policy.maxLifetimeSeconds / DAY_SECONDS)
  return { presets: lifePresets(policy), mostDays, myAddress: ip, resources }
}

const isOf = (scope: OfferedScope | undefined, family: string, level: KeyLevel): boolean =>
  scope?.family === family && scope.access === level

function levelIn(typed: KeyFields, family: string): KeyLevel {
  return LEVELS.find((level) => level === typed[`family_${family}`]) ?? 'none'
}

/** Scopes that this account may put into a key now. */
export function offeredTo({ scopes, policy }: KeyOffer, account: Account): [string, OfferedScope][] {
  return Object.entries(scopes).filter(([name]) => barrierTo(name, account, policy) === undefined)
}

function familiesOf(offer: KeyOffer, account: Account, levelOf: (family: string) => KeyLevel): FamilyChoice[] {
  const offered = offeredTo(offer, account)
  return [...new Set(offered.map(([, { family }]) => family))].map((name) => {
    const scopes = offered.filter(([, scope]) => scope.family === name)
    const levels = LEVELS.filter((level) => level === 'none' || scopes.some(([, { access }]) => access === level))
    const chosen = levelOf(name)
    return {
      name,
      levels,
      chosen: levels.includes(chosen) ? chosen : 'none',
      scopes: scopes.map(([scope]) => scopeShown(offer, scope)),
    }
  })
}

/** A level brings those below it. "All" leaves an administrator's scopes to whoever names them. */
function chosenScopes(offer: KeyOffer, account: Account, typed: KeyFields): string[] {
  const most = (family: string): KeyLevel =>
    typed.access === 'restricted' ? levelIn(typed, family) : typed.access === 'all' ? 'write' : 'read'
  return offeredTo(offer, account)
    .filter(([, { family, access }]) => LEVELS.indexOf(access) <= LEVELS.indexOf(most(family)))
    .map(([name]) => name)
}
