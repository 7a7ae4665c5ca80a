/**
 * Settings, activity, refused calls: why something of this account's was refused, for its owner alone. Whoever was refused has a reference; here it
 * leads to the cause. A reference of somebody else's reads like one that never was.
 *
 *   GET /settings/activity/refused   the latest first: ?ref= ?cursor=
 */
import { z } from 'zod'
import { hasCode } from '../errors.ts'
import { describeDevice } from '../http/device.ts'
import { get, type Route } from '../http/route.ts'
import type { RefusedRow } from '../http/settings-views.ts'
import type { Denials, StoredDenial } from '../keys/denials.ts'
import type { Draw, SettingsAccess } from './shell.ts'

const PATH = '/settings/activity/refused'
const PAGE_SIZE = 25

const Filter = z.object({
  ref: z.string().trim().max(40).optional(),
  cursor: z.string().max(500).optional(),
})

interface RefusedParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly denials: Pick<Denials, 'list' | 'getOwned'>
}

export function createRefused({ access, draw, denials }: RefusedParts): readonly Route[] {
  /** The one that was asked for, or a page of all. */
  const find = async (accountId: string, { ref, cursor }: z.infer<typeof Filter>) => {
    if (!ref) return denials.list(accountId, { limit: PAGE_SIZE, ...(cursor ? { cursor } : {}) })
    try {
      return { items: [await denials.getOwned(accountId, ref)] }
    } catch (error) {
      if (hasCode(error, 'not_found')) return { items: [] }
      throw error
    }
  }

  return [
    get(PATH)
      .needs(access.signedIn)
      .takes(Filter)
      .does(async ({ caller, input }) => {
        const found: { items: StoredDenial[]; nextCursor?: string } = await find(caller.account.id, input)
        const model = {
          rows: found.items.map(rowOf),
          isFirstPage: input.cursor === undefined && !input.ref,
          ...(input.ref ? { ref: input.ref } : {}),
          ...(found.nextCursor ? { nextUrl: `${PATH}?${new URLSearchParams({ cursor: found.nextCursor })}` } : {}),
        }
        return draw('settings/refused', caller, model, { here: 'activity' })
      }),
  ]
}

/** Where the credential is looked at, by its kind. */
const ROOMS: Readonly<Record<string, string>> = {
  api_key: '/settings/keys/',
  personal_access_token: '/settings/tokens/',
  app: '/developer/apps/',
}

function rowOf({ ref, reason, detail, credential, at, ip, userAgent, request }: StoredDenial): RefusedRow {
  const colon = credential.indexOf(':')
  const [of, id] = [credential.slice(0, colon), credential.slice(colon + 1)]
  const room = Object.hasOwn(ROOMS, of) ? ROOMS[of] : undefined
  return {
    ref,
    reason,
    of,
    at,
    ip,
    ...(detail ? { detail } : {}),
    ...(room ? { url: `${room}${encodeURIComponent(id)}` } : {}),
    ...(request ? { request } : {}),
    ...describeDevice(userAgent),
  }
}
