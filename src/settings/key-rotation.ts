/**
 * Settings, rotating a key or token: a new secret beside the old one, who still uses the old one, and its end. Belongs to the table of `keys.ts`.
 *
 *   GET  /:id/rotate    for how long the old one shall work, and who uses it
 *   POST /:id/rotate    the new secret, shown once
 *   POST /:id/end-old   the old one ends now
 */
import { z } from 'zod'
import { AppError, hasCode } from '../errors.ts'
import type { KeyRotation } from '../http/key-views.ts'
import { OverlapFields, overlapOf, QUIET_HOURS } from '../http/overlap-form.ts'
import { type Answer, get, post, type Route } from '../http/route.ts'
import { callersShown } from '../http/usage-shown.ts'
import type { UsedKey } from '../keys/describe.ts'
import type { RotationWish } from '../keys/rotation.ts'
import { DAY_SECONDS, lifePresets } from './key-form.ts'
import { type Does, getKey, type Room, reveal } from './key-room.ts'
import { keyShown } from './key-shown.ts'
import { callerOf, type Person } from './shell.ts'

const Nothing = z.object({})
const RotateFields = OverlapFields.extend({
  mark: z.string().max(64).default(''),
  life: z.string().max(10).default(''),
})
type RotateFields = z.infer<typeof RotateFields>

export function createRotationPages(room: Room): Route[] {
  const { access, path } = room
  return [
    get(`${path}/:id/rotate`)
      .needs(access.recent)
      .does(async ({ caller, params }) => show(room, caller, await getKey(room, caller, params['id']))),
    post(`${path}/:id/rotate`).needs(access.recentForm).takes(RotateFields).does(rotate(room)),
    post(`${path}/:id/end-old`)
      .needs(access.form)
      .takes(Nothing)
      .does(async ({ caller, params, request }) => {
        const { id } = await getKey(room, caller, params['id'])
        await room.keys.endOverlap(callerOf(caller, request), { ownerId: caller.account.id, id })
        return { kind: 'redirect', location: `${path}/${id}?done=old_ended` }
      }),
  ]
}

async function show(
  room: Room,
  person: Person,
  key: UsedKey,
  { typed, problem }: { typed?: RotateFields; problem?: NonNullable<KeyRotation['problem']> } = {},
): Promise<Answer> {
  const { callers } = await room.keys.usage({ ownerId: person.account.id, id: key.id })
  const mayRenew = key.ancestors.length === 0 && key.callBudget === undefined
  const model = {
    room: room.room,
    path: room.path,
    mark: room.once.mark(),
    key: keyShown(room.offer, key),
    callers: callersShown(callers.filter(({ secret }) => secret !== 'retired')),
    overlap: typed?.overlap ?? (key.rotation ? 'lost' : '24h'),
    quietHours: typed?.quiet_hours ?? QUIET_HOURS,
    life: typed?.life ?? '',
    lives: mayRenew ? lifePresets(room.offer.policy) : [],
    ...(problem ? { problem } : {}),
  }
  return room.draw('settings/keys-rotate', person, model, { here: room.room })
}

function wishOf(typed: RotateFields): RotationWish {
  const life = typed.life === '' ? {} : { expiresInSeconds: Number(typed.life) * DAY_SECONDS }
  return typed.overlap === 'lost' ? { lost: true } : { ...overlapOf(typed), ...life }
}

function rotate(room: Room): Does<RotateFields> {
  return async ({ caller: person, params, input, request }) => {
    const key = await getKey(room, person, params['id'])
    if (!(await room.once.isFirst(person.account.id, input.mark)))
      return { kind: 'redirect', location: `${room.path}/${key.id}?done=repeated` }
    try {
      const owned = { ownerId: person.account.id, id: key.id }
      const issued = await room.keys.rotate(callerOf(person, request), owned, wishOf(input))
      return reveal(room, person, { ...issued, isNew: false })
    } catch (error) {
      const problem = problemOf(error)
      return show(room, person, await getKey(room, person, key.id), { typed: input, problem })
    }
  }
}

/** What the form can mend; everything else is thrown on. */
function problemOf(error: unknown): NonNullable<KeyRotation['problem']> {
  if (hasCode(error, 'conflict')) return 'conflict'
  const [field] = error instanceof AppError ? (error.details.fields ?? []) : []
  if (field?.pointer === '/quiet_seconds') return 'quiet_hours'
  if (field?.pointer === '/expires_in') return 'life'
  throw error
}
