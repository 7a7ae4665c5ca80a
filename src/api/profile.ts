/**
 * The settings as an API, first part: what a person says of themselves, and how the account is protected. What the pages do stands in `settings/`; both
 * ask the same domains.
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { Attention } from '../accounts/attention.ts'
import type { Factors } from '../accounts/factors.ts'
import type { EditableAttribute } from '../accounts/fields.ts'
import type { Pictures } from '../accounts/picture.ts'
import { AppError } from '../errors.ts'
import { type Answer, del, get, patch, put, type Route } from '../http/route.ts'
import { PICTURE_LIMIT_BYTES } from '../picture.ts'
import type { Credentials } from './credentials.ts'
import { isoTime, json, ownerOf } from './own.ts'
import { maybe, text, time } from './shapes.ts'

export interface ProfileParts {
  readonly credentials: Credentials
  readonly accounts: Pick<Accounts, 'change' | 'getById'>
  readonly editable: readonly EditableAttribute[]
  readonly pictures: Pick<Pictures, 'set' | 'clear'>
  readonly factors: Pick<Factors, 'list'>
  readonly attention: (account: Account) => Promise<readonly Attention[]>
}

const Change = z.strictObject({
  name: z.string().max(1000).optional(),
  locale: z.string().max(35).optional(),
  attributes: z.record(z.string().max(64), z.string().max(1000).nullable()).optional(),
})

/** `attributes` are those that the person may change. */
export const Profile = z.strictObject({
  id: text,
  email: text,
  email_verified: z.boolean(),
  name: text,
  locale: maybe(text),
  picture: maybe(text),
  attributes: z.record(z.string(), z.unknown()),
  created_at: time,
})

const Protection = z.strictObject({
  has_password: z.boolean(),
  second_factor_required: z.boolean(),
  totp_since: maybe(time),
  passkeys: z.array(
    z.strictObject({ id: text, name: text, created_at: time, last_used_at: maybe(time), synced: z.boolean() }),
  ),
  recovery_codes_left: z.int(),
  attention: z.array(
    z.strictObject({ kind: text, count: maybe(z.int()), at: maybe(time), name: maybe(text), id: maybe(text) }),
  ),
})

const PICTURE = { field: 'picture', maxBytes: PICTURE_LIMIT_BYTES, types: ['image/png', 'image/webp'] } as const

export function createProfileRoutes(parts: ProfileParts): readonly Route[] {
  const { credentials, accounts, pictures, editable } = parts
  const read = credentials.bearer('api:read')
  const write = credentials.bearer('api:write')
  return [
    get('/api/v1/accounts/me/profile')
      .needs(read)
      .gives(200, Profile)
      .says('What you say of yourself.')
      .does(async ({ caller }) => profile(await accounts.getById(ownerOf(caller)), editable)),
    patch('/api/v1/accounts/me')
      .needs(write)
      .takes(Change)
      .gives(200, Profile)
      .says('Changes your name, language and what the operator lets you say of yourself; null takes an attribute away.')
      .does(async ({ caller, input: { name, locale, attributes } }) => {
        const change = {
          ...(name === undefined ? {} : { name }),
          ...(locale === undefined ? {} : { locale }),
          ...(attributes === undefined ? {} : { attributes }),
        }
        return profile(await accounts.change(caller.caller, ownerOf(caller), change), editable)
      }),
    put('/api/v1/accounts/me/picture')
      .needs(write)
      .carries(PICTURE)
      .gives(200, Profile)
      .says('Your picture: a PNG or WebP file as the body.')
      .does(async ({ caller, input }) => {
        if (!input.picture) throw new AppError('invalid_request', 'Send a picture.')
        return profile(await pictures.set(caller.caller, ownerOf(caller), input.picture), editable)
      }),
    del('/api/v1/accounts/me/picture')
      .needs(write)
      .gives(204)
      .says('Takes your picture away.')
      .does(async ({ caller }) => {
        await pictures.clear(caller.caller, ownerOf(caller))
        return { kind: 'empty', status: 204 }
      }),
    get('/api/v1/accounts/me/security')
      .needs(read)
      .gives(200, Protection)
      .says('How your account is protected, and what needs your attention, most pressing first.')
      .does(async ({ caller }) => {
        const account = await accounts.getById(ownerOf(caller))
        const [factors, attention] = await Promise.all([parts.factors.list(account), parts.attention(account)])
        return json(protection(account, factors, attention))
      }),
  ]
}

/** The profile as an answer. */
export function profile(
  { id, email, emailVerified, name, locale, picture, attributes, createdAt }: Account,
  editable: readonly EditableAttribute[],
): Answer {
  const shown = editable.flatMap((one) => (one.name in attributes ? [[one.name, attributes[one.name]]] : []))
  return json({
    id,
    email,
    email_verified: emailVerified,
    name,
    locale: locale ?? null,
    picture: picture ?? null,
    attributes: Object.fromEntries(shown),
    created_at: isoTime(createdAt),
  })
}

function protection(
  { hasPassword }: Account,
  { required, totpSince, passkeys, held }: Awaited<ReturnType<Factors['list']>>,
  attention: readonly Attention[],
): z.infer<typeof Protection> {
  const maybeTime = (at: number | undefined) => (at === undefined ? null : isoTime(at))
  return {
    has_password: hasPassword,
    second_factor_required: required,
    totp_since: maybeTime(totpSince),
    passkeys: passkeys.map(({ id, name, createdAt, lastUsedAt, backedUp }) => {
      return { id, name, created_at: isoTime(createdAt), last_used_at: maybeTime(lastUsedAt), synced: backedUp }
    }),
    recovery_codes_left: held.recoveryCodes,
    attention: attention.map(({ kind, ...more }) => ({
      kind,
      count: 'count' in more ? more.count : null,
      at: 'at' in more ? isoTime(more.at) : null,
      name: 'name' in more ? more.name : null,
      id: 'id' in more ? more.id : null,
    })),
  }
}
