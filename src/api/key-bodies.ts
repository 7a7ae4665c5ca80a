/**
 * What the API takes about keys: the bodies of requests, and what they mean inside. The routes are `keys.ts`'s; whether a value is good for a key is
 * decided in `keys/fields.ts`.
 */
import { z } from 'zod'
import type { NewKey } from '../keys/fields.ts'
import type { KeyChange } from '../keys/records.ts'
import type { RotationWish } from '../keys/rotation.ts'
import type { OverlapWish } from '../overlap.ts'

export const NewKeyBody = z.strictObject({
  name: z.string().max(1000),
  scopes: z.array(z.string().max(100)).max(200),
  expires_in: z.number().int().positive().optional(),
  not_before: z.iso.datetime({ offset: true }).optional(),
  allowed_ips: z.array(z.string().max(100)).max(200).optional(),
  resource: z.string().max(500).optional(),
  quota: z.strictObject({ requests: z.number().int(), window_seconds: z.number().int() }).optional(),
  call_budget: z.number().int().optional(),
  may_create_children: z.boolean().optional(),
})
/** `quota: null` takes it away. */
export const ChangeBody = NewKeyBody.pick({ name: true, scopes: true, allowed_ips: true, may_create_children: true })
  .extend({ quota: NewKeyBody.shape.quota.unwrap().nullable() })
  .partial()
export const RotateBody = z.strictObject({
  overlap_seconds: z.number().optional(),
  quiet_seconds: z.number().optional(),
  until_first_use: z.literal(true).optional(),
})

export const RotateKeyBody = RotateBody.extend({ expires_in: z.number().int().optional() })

export function wantedOf(body: z.infer<typeof NewKeyBody>): NewKey {
  return {
    name: body.name,
    scopes: body.scopes,
    expiresInSeconds: body.expires_in,
    notBefore: body.not_before === undefined ? undefined : Date.parse(body.not_before),
    allowedIps: body.allowed_ips,
    resource: body.resource,
    quota: body.quota && { requests: body.quota.requests, windowSeconds: body.quota.window_seconds },
    callBudget: body.call_budget,
    mayCreateChildren: body.may_create_children,
  }
}

export function wishOf({ expires_in: expiresInSeconds, ...body }: z.infer<typeof RotateKeyBody>): RotationWish {
  return { ...overlapOf(body), ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }) }
}

/** For a key or an app. */
export function overlapOf({
  overlap_seconds: overlapSeconds,
  quiet_seconds: quietSeconds,
  until_first_use: untilFirstUse,
}: z.infer<typeof RotateBody>): OverlapWish {
  return {
    ...(overlapSeconds === undefined ? {} : { overlapSeconds }),
    ...(quietSeconds === undefined ? {} : { quietSeconds }),
    ...(untilFirstUse ? { untilFirstUse } : {}),
  }
}

export function changeOf(body: z.infer<typeof ChangeBody>): KeyChange {
  const { name, scopes, allowed_ips: allowedIps, quota, may_create_children: mayCreateChildren } = body
  return {
    ...(name === undefined ? {} : { name }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(allowedIps === undefined ? {} : { allowedIps }),
    ...(quota === undefined
      ? {}
      : { quota: quota && { requests: quota.requests, windowSeconds: quota.window_seconds } }),
    ...(mayCreateChildren === undefined ? {} : { mayCreateChildren }),
  }
}
