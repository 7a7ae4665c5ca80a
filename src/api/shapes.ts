/**
 * What the API answers, as schemas: the reference is made from them, and the tests hold every answer against them. Inputs stand with their routes.
 */
import { z } from 'zod'

export const time = z.iso.datetime()
export const maybe = <T extends z.ZodType>(schema: T) => schema.nullable()
export const text = z.string()
export const texts = z.array(z.string())

/** `{items, next_cursor}`; pass the cursor on as it is. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.strictObject({ items: z.array(item), next_cursor: maybe(text) })
}

export const Key = z.strictObject({
  id: text,
  kind: z.enum(['api_key', 'personal_access_token']),
  name: text,
  scopes: texts,
  resource: maybe(text),
  hint: text,
  created_at: time,
  expires_at: time,
  last_used_at: maybe(time),
  last_used_ip: maybe(text),
  last_user_agent: maybe(text),
  allowed_ips: texts,
  state: z.enum(['active', 'rotating', 'expired', 'revoked']),
  revoked_at: maybe(time),
  revoked_reason: maybe(text),
  quota: maybe(z.strictObject({ requests: z.int(), window_seconds: z.int() })),
  call_budget: maybe(z.int()),
  may_create_children: z.boolean(),
  parent_id: maybe(text),
  rotation: maybe(
    z.strictObject({
      old_hint: text,
      replaced_at: time,
      ends_at: time,
      quiet_seconds: maybe(z.int()),
      until_first_use: z.boolean(),
    }),
  ),
  elevation: maybe(z.strictObject({ scope: text, until: time })),
})

/** `key` stands in this answer and nowhere else. */
export const IssuedKey = z.strictObject({ ...Key.shape, key: text })

const counts = { ok: z.int(), denied: z.int(), limited: z.int() }
export const Usage = z.strictObject({
  total: z.strictObject(counts),
  buckets: z.array(z.strictObject({ at: time, ...counts })),
  callers: z.array(
    z.strictObject({
      ip: text,
      user_agent: text,
      first_at: time,
      last_at: time,
      calls: z.int(),
      calls_per_hour: z.number(),
      secret: z.enum(['current', 'old', 'retired']),
      moving: maybe(z.enum(['still', 'moved', 'unseen'])),
    }),
  ),
})

export const App = z.strictObject({
  client_id: text,
  name: text,
  type: z.enum(['web', 'spa', 'native', 'device', 'service']),
  auth: text,
  redirect_uris: texts,
  post_logout_redirect_uris: texts,
  scopes: texts,
  optional_scopes: texts,
  metadata: z.record(z.string(), z.unknown()),
  dpop: z.boolean(),
  agent: z.boolean(),
  id_token_signed_response_alg: z.enum(['ES256', 'RS256']),
  first_party: z.boolean(),
  verified: z.boolean(),
  description: maybe(text),
  client_uri: maybe(text),
  logo_uri: maybe(text),
  policy_uri: maybe(text),
  tos_uri: maybe(text),
  jwks: maybe(z.looseObject({})),
  jwks_uri: maybe(text),
  backchannel_logout_uri: maybe(text),
  testers: texts,
  publisher: maybe(z.strictObject({ domain: text, by: z.enum(['dns', 'file']), proven_at: time })),
  review: maybe(z.enum(['waiting'])),
  declined_reason: maybe(text),
  resource_server: maybe(text),
  may_act: maybe(text),
  acts_for: texts,
  owner: maybe(text),
  state: z.enum(['active', 'suspended']),
  suspended_reason: maybe(text),
  source: text,
  secrets: z.array(
    z.strictObject({
      id: text,
      hint: text,
      created_at: time,
      expires_at: maybe(time),
      quiet_seconds: maybe(z.int()),
      until_first_use: z.boolean(),
    }),
  ),
  created_at: time,
  updated_at: time,
})

/** `client_secret` stands in this answer and nowhere else. */
export const IssuedApp = z.strictObject({ ...App.shape, client_secret: text.optional() })

/** What to publish to show that one commands a domain; one of the two is enough. */
export const Challenge = z.strictObject({
  domain: text,
  txt: z.strictObject({ name: text, value: text }),
  file: z.strictObject({ url: text, content: text }),
})

export const Resource = z.strictObject({
  id: text,
  identifier: text,
  name: text,
  scopes: texts,
  default_scopes: texts,
  state: z.enum(['unproven', 'waiting', 'live', 'refused']),
  proven: maybe(z.strictObject({ by: z.enum(['dns', 'file', 'loopback']), at: time })),
  refused_reason: maybe(text),
  owner: text,
  challenge: Challenge,
  /** Serve `document` at `url` (RFC 9728). */
  metadata: z.strictObject({ url: text, document: z.looseObject({ resource: text }) }),
  created_at: time,
  updated_at: time,
})

export const Session = z.strictObject({
  id: text,
  created_at: time,
  last_active_at: time,
  signed_in_at: time,
  expires_at: maybe(time),
  ip: text,
  user_agent: text,
  /** Client ids of the apps signed in to from it. */
  apps: texts,
  current: z.boolean(),
})

export const Activity = z.strictObject({
  id: text,
  at: time,
  event: text,
  outcome: z.enum(['done', 'refused', 'failed']),
  subject: maybe(text),
  reason: maybe(text),
  details: maybe(z.record(z.string(), z.unknown())),
  actor: maybe(text),
  ip: maybe(text),
  user_agent: maybe(text),
})

export const Denial = z.strictObject({
  ref: text,
  reason: text,
  at: time,
  credential: text,
  ip: text,
  user_agent: text,
  request: maybe(text),
})

export const Me = z.strictObject({
  account: maybe(z.strictObject({ id: text, email: text, email_verified: z.boolean(), name: text })),
  credential: z.strictObject({
    type: z.enum(['access_token', 'api_key', 'personal_access_token']),
    id: text,
    name: text,
    client_id: maybe(text),
    created_at: time,
    expires_at: time,
  }),
  scopes: texts,
  audience: texts,
  assurance: z.strictObject({ acr: maybe(text), amr: texts, auth_time: maybe(z.int()) }),
  network: z.strictObject({ ip: text, allowed: z.boolean(), rule: maybe(text) }),
  rate_limit: maybe(z.strictObject({ policy: text, limit: z.int(), remaining: z.int(), reset_seconds: z.int() })),
  explain: z
    .strictObject({ scope: text, allowed: z.boolean(), reason: maybe(text), recent_sign_in: z.boolean() })
    .optional(),
})

/** Every refusal (RFC 9457); `type` leads to an explanation. */
export const Problem = z.strictObject({
  type: z.url(),
  title: text,
  status: z.int(),
  detail: text,
  code: text,
  request_id: text,
  error_ref: text.optional(),
  /** Where the owner of a personal token can lift it for a while. */
  approval_url: text.optional(),
  policy: text.optional(),
  errors: z.array(z.strictObject({ pointer: text, code: text, detail: text })).optional(),
  reason: text.optional(),
})
