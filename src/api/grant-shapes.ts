/**
 * What the API answers about connected apps: one, a vendor with all of its own, a line of the history. `shapes.ts` has the rest.
 */
import { z } from 'zod'
import { maybe, text, texts, time } from './shapes.ts'

/** RFC 9396 §2, of the one type there is. */
export const ConnectionDetail = z.strictObject({
  type: z.literal('connection'),
  identifier: text,
  actions: z.array(z.enum(['read', 'write'])),
  locations: texts.optional(),
})

export const ConnectedApp = z.strictObject({
  id: text,
  client_id: text,
  name: text,
  verified: z.boolean(),
  identity_scopes: texts,
  scopes: texts,
  resources: z.array(z.strictObject({ identifier: text, scopes: texts })),
  authorization_details: z.array(ConnectionDetail),
  duration: text,
  live_families: z.int(),
  created_at: time,
  updated_at: time,
  last_used_at: maybe(time),
  expires_at: maybe(time),
})

export const Vendor = z.strictObject({
  id: text,
  host: maybe(text),
  grants: z.array(ConnectedApp),
  has_more: z.boolean(),
  live_families: z.int(),
})

export const PastConsent = z.strictObject({
  grant_id: text,
  client_id: text,
  act: z.enum(['allowed', 'narrowed', 'ended']),
  at: time,
  identity_scopes: texts,
  scopes: texts,
  authorization_details: z.array(ConnectionDetail),
  refused_scopes: texts,
  duration: maybe(text),
  expires_at: maybe(time),
})
