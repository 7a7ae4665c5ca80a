/**
 * Settings, rotating a key or token: a new secret beside the old one, who still uses the old one, and its end. Belongs to the table of `keys.ts`.
 *
 *   GET  /:id/rotate    for how long the old one shall work, and who uses it
 *   POST /:id/rotate    the new secret, shown once
 *   POST /:id/end-old   the old one ends now
 */
import { z } from 'zod'
import { hasCode } from '../errors.ts'
import { type Answer, get, post, type Route } from '../http/route.ts'
import type { UsedKey } from '../keys/describe.ts'
import type { RotationWish } from '../keys/rotation.ts'
import { type Does, getKey, type Room, reveal } from './key-room.ts'
import { callerShown, keyShown } from './key-shown.ts'
import { callerOf, type Person } from './shell.ts'

const Nothing = z.object({})
const OVERLAPS = ['now', '1h', '24h', '7d', 'quiet', 'lost'] as const
type Overlap = (typeof OVERLAPS)[number]
const RotateFields = z.object({
  mark: z.string().max(64).default(''),
  overlap: z.enum(OVERLAPS).catch('24h'),
})

/** `quiet`: nobody has used it for six hours. */
const WISHES: Readonly<Record<Overlap, RotationWish>> = {
  now: { overlapSeconds: 0 },
  '1h': { overlapSeconds: 3600 },
  '24h': { overlapSeconds: 86_400 },
  '7d': { overlapSeconds: 604_800 },
  quiet: { quietSeconds: 21_600 },
  lost: { lost: true },
}

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

async function show(room: Room, person: Person, key: UsedKey, problem?: 'conflict'): Promise<Answer> {
  const { callers } = await room.keys.usage({ ownerId: person.account.id, id: key.id })
  const model = {
    room: room.room,
    path: room.path,
    mark: room.once.mark(),
    key: keyShown(room.offer, key),
    callers: callers.filter(({ secret }) => secret !== 'retired').map(callerShown),
    ...(problem ? { problem } : {}),
  }
  return room.draw('settings/keys-rotate', person, model, { here: room.room })
}

function rotate(room: Room): Does<z.infer<typeof RotateFields>> {
  return async ({ caller: person, params, input, request }) => {
    const key = await getKey(room, person, params['id'])
    if (!(await room.once.isFirst(person.account.id, input.mark)))
      return { kind: 'redirect', location: `${room.path}/${key.id}?done=repeated` }
    try {
      const owned = { ownerId: person.account.id, id: key.id }
      const issued = await room.keys.rotate(callerOf(person, request), owned, WISHES[input.overlap])
      return reveal(room, person, { ...issued, isNew: false })
    } catch (error) {
      if (!hasCode(error, 'conflict')) throw error
      return show(room, person, await getKey(room, person, key.id), 'conflict')
    }
  }
}
