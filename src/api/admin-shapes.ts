/**
 * What the administration API answers about accounts and the audit, as schemas; the rest stands in `shapes.ts`.
 */
import { z } from 'zod'
import { Activity } from './shapes.ts'

const time = z.iso.datetime()
const text = z.string()
const maybe = <T extends z.ZodType>(schema: T) => schema.nullable()

export const AdminAccount = z.strictObject({
  id: text,
  email: text,
  email_verified: z.boolean(),
  name: text,
  locale: maybe(text),
  role: z.enum(['member', 'administrator']),
  status: z.enum(['active', 'disabled', 'leaving']),
  disabled_reason: maybe(text),
  has_password: z.boolean(),
  attributes: z.record(z.string(), z.unknown()),
  created_at: time,
  updated_at: time,
})

/** One account in full. */
export const ShownAccount = z.strictObject({
  ...AdminAccount.shape,
  second_factors: z.strictObject({
    required: z.boolean(),
    totp: z.boolean(),
    passkeys: z.int(),
    recovery_codes: z.int(),
  }),
})

/** `link` makes the account, once; it went out by mail as well. */
export const Invitation = z.strictObject({ email: text, link: z.url(), expires_at: time })

export const ImportResult = z.strictObject({
  dry_run: z.boolean(),
  created: z.int(),
  known: z.int(),
  refused: z.int(),
  /** The first hundred. */
  problems: z.array(z.strictObject({ line: z.int(), detail: text })),
})

/** As the owner's, with who did it and why. */
export const AuditEntry = z.strictObject({
  ...Activity.shape,
  account_id: text,
  by: maybe(z.strictObject({ kind: text, id: maybe(text), reason: maybe(text) })),
  request_id: maybe(text),
})

/** A link of a hash-chained log, with what the hash is made of. */
export const AuditLink = z.strictObject({
  log: z.int(),
  sequence: z.int(),
  at: z.int(),
  hash: text,
  record: z.record(z.string(), z.unknown()),
})
