/**
 * The stored form of an app: how a new one is made, which fields a change may name, when an operator's check no longer holds.
 * Writing it, noting it and telling others is left to `apps.ts`.
 */
import { AppError } from '../errors.ts'
import type { Stored } from '../storage/store.ts'
import type { App, AppRecord, ClientId } from './app.ts'
import { holdsSecret } from './app-types.ts'
import { type ScopeRules, takeFields, type WantedFields } from './fields.ts'
import { newSecret } from './secrets.ts'

export interface NewApp extends WantedFields {
  readonly firstParty?: boolean
  /** The resource (audience) whose tokens it may introspect. */
  readonly resourceServer?: string | undefined
  readonly mayAct?: string | undefined
  readonly actsFor?: readonly string[] | undefined
  readonly ownerId?: string | undefined
}

type Changeable = Omit<WantedFields, 'type' | 'auth'>

/** What an owner may change; type, way of proving itself and standing stay. `null` takes away what an app need not have. */
export type AppChange = { readonly [K in keyof Changeable]?: Changeable[K] | null }

const CHANGEABLE: ReadonlySet<string> = new Set<keyof AppChange>([
  'name',
  'redirectUris',
  'postLogoutRedirectUris',
  'scopes',
  'optionalScopes',
  'metadata',
  'dpop',
  'agent',
  'idTokenSignedResponseAlg',
  'jwks',
  'jwksUri',
  'backchannelLogoutUri',
  'clientUri',
  'logoUri',
  'policyUri',
  'tosUri',
  'description',
  'testers',
])

/** What a person recognises an app by, and an operator has looked at. */
const FACE: readonly (keyof AppRecord)[] = [
  'name',
  'redirectUris',
  'clientUri',
  'logoUri',
  'policyUri',
  'tosUri',
  'description',
  'logo',
]
/** What is absent is gone: a change that takes one of these away must not leave the old one standing. */
const REMOVABLE = [
  'jwks',
  'jwksUri',
  'backchannelLogoutUri',
  'clientUri',
  'logoUri',
  'policyUri',
  'tosUri',
  'description',
  'testers',
] as const satisfies readonly (keyof AppRecord)[]

/** The record of a new app and, when it holds one, its secret. @throws invalid_request */
export function newRecord(
  { now, keyPrefix, scopes }: { now: () => number; keyPrefix: string; scopes: ScopeRules },
  wanted: NewApp,
): { value: AppRecord; clientSecret?: string } {
  const firstParty = wanted.firstParty ?? false
  const fields = takeFields(wanted, { firstParty, ownerId: wanted.ownerId }, scopes)
  if (wanted.resourceServer !== undefined) checkResourceServer(wanted.resourceServer, fields.auth)
  checkDelegation(wanted)
  const at = now()
  const made = holdsSecret(fields.auth) ? newSecret(keyPrefix, at) : undefined
  const value: AppRecord = {
    ...fields,
    firstParty,
    verified: firstParty,
    ...(wanted.resourceServer === undefined ? {} : { resourceServer: wanted.resourceServer }),
    ...delegationOf(wanted),
    ...(wanted.ownerId === undefined ? {} : { ownerId: wanted.ownerId }),
    secrets: made ? [made.secret] : [],
    createdAt: at,
    updatedAt: at,
  }
  return { value, ...(made ? { clientSecret: made.clientSecret } : {}) }
}

/** The record with the change applied and judged as a whole. @throws invalid_request for a wrong value or a field that cannot be changed. */
export function changedRecord(record: AppRecord, change: AppChange, scopes: ScopeRules): AppRecord {
  for (const [field, value] of Object.entries(change)) {
    if (!CHANGEABLE.has(field)) throw refusal(field, 'This field cannot be changed.')
    if (value === null && !isRemovable(field)) throw refusal(field, 'This field cannot be taken away.')
  }
  const given = Object.fromEntries(
    Object.entries(change).flatMap(([field, value]) => (value === undefined ? [] : [[field, value ?? undefined]])),
  )
  const fields = takeFields({ ...record, ...given }, record, scopes)
  const changed: AppRecord = { ...withoutRemovable(record), ...fields }
  return withNewFace(record, changed)
}

/** `next`, without the mark of a verified app if it looks different now; an operator is then asked again. */
export function withNewFace(record: AppRecord, next: AppRecord): AppRecord {
  const isSame = FACE.every((name) => JSON.stringify(record[name]) === JSON.stringify(next[name]))
  if (!record.verified || isSame) return next
  const { verifiedName: _name, ...rest } = next
  return { ...rest, verified: false, ...(record.publisher ? { review: 'waiting' as const } : {}) }
}

const isRemovable = (field: string): boolean => (REMOVABLE as readonly string[]).includes(field)

function withoutRemovable(record: AppRecord): Omit<AppRecord, (typeof REMOVABLE)[number]> {
  const kept = Object.entries(record).filter(([name]) => !isRemovable(name))
  return Object.fromEntries(kept) as unknown as Omit<AppRecord, (typeof REMOVABLE)[number]>
}

/** What an app may say of itself and leave out the next time. */
const SAID: ReadonlySet<string> = new Set<keyof AppRecord>([
  'jwks',
  'jwksUri',
  'clientUri',
  'logoUri',
  'policyUri',
  'tosUri',
  'mended',
])

/** What a client or its document says now, with what an operator has decided about the app it describes; a check holds as long as the face does. */
export function withStanding(fresh: AppRecord, kept: AppRecord): AppRecord {
  const hasFace = FACE.every((name) => JSON.stringify(fresh[name]) === JSON.stringify(kept[name]))
  const decided = Object.entries(kept).filter(([name]) => !SAID.has(name))
  const standing = Object.fromEntries(decided) as Partial<AppRecord>
  const { metadata, createdAt } = kept
  return { ...standing, ...fresh, metadata, createdAt, verified: kept.verified && hasFace }
}

/** The app whose secret is to be rotated. @throws invalid_request when it holds none */
export function checkRotation(record: AppRecord): AppRecord {
  if (!holdsSecret(record.auth)) throw refusal('auth', 'This app has no client secret.')
  return record
}

/** The stored entry as an app. */
export function toApp({ id, value }: Stored<AppRecord>): App {
  return { ...value, clientId: id as ClientId, source: 'stored' }
}

/** Refuses a resource identifier that is none, and a resource server that cannot prove itself. @throws invalid_request */
export function checkResourceServer(identifier: string, auth: AppRecord['auth']): void {
  // The audience of RFC 8707 §2: an absolute URI without fragment.
  const isUri =
    identifier.length <= 512 &&
    /^[\x21-\x7e]+$/.test(identifier) &&
    URL.canParse(identifier) &&
    !identifier.includes('#')
  if (!isUri) throw refusal('resource_server', 'Give the resource identifier, an absolute URI without fragment.')
  if (auth === 'none') throw refusal('resource_server', 'A resource server must be able to prove itself.')
}

/** Refuses a service that is to act for others with nothing that says whose tokens are meant for it. @throws invalid_request */
export function checkDelegation({ type, resourceServer, actsFor = [] }: Delegating): void {
  if (actsFor.length === 0) return
  if (type !== 'service') throw refusal('acts_for', 'Only a service app exchanges tokens to act for others.')
  if (resourceServer === undefined)
    throw refusal('acts_for', 'Give resource_server too: it acts with tokens that are meant for its own resource.')
}

interface Delegating extends Pick<NewApp, 'resourceServer' | 'mayAct' | 'actsFor'> {
  readonly type: AppRecord['type']
}

/** As `AppRecord` keeps it. */
export function delegationOf({ mayAct, actsFor = [] }: Delegating): Pick<AppRecord, 'mayAct' | 'actsFor'> {
  return { ...(mayAct ? { mayAct } : {}), ...(actsFor.length > 0 ? { actsFor: [...new Set(actsFor)] } : {}) }
}

function refusal(field: string, detail: string): AppError {
  return new AppError('invalid_request', detail, {
    details: { fields: [{ pointer: `/${field}`, code: 'invalid', detail }] },
  })
}
