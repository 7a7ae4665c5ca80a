/**
 * What the pages of both rooms, keys and tokens, share: what a room needs, finding a key in it, and the one answer that shows a secret.
 */
import type { KeyRoom } from '../http/key-views.ts'
import type { Answer, Handler } from '../http/route.ts'
import type { UsedKey } from '../keys/describe.ts'
import type { KeyKind } from '../keys/key.ts'
import type { Keys } from '../keys/keys.ts'
import type { KeyOffer } from './key-form.ts'
import type { Once } from './once.ts'
import type { Draw, Person, SettingsAccess } from './shell.ts'

export interface KeysParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly issuer: string
  readonly keys: Keys
  readonly offer: KeyOffer
  readonly once: Once
}

/** One of the two places, and everything it needs. */
export interface Room extends KeysParts {
  readonly room: KeyRoom
  readonly kind: KeyKind
  readonly path: string
}

export type Does<I> = Handler<I, Person, unknown>

/** The key, or 404: of somebody else's, or of the other room's, nothing is told (AK7). */
export async function getKey({ keys, kind }: Room, { account }: Person, id = ''): Promise<UsedKey> {
  const key = await keys.getOwned({ ownerId: account.id, id, kind })
  const [rootId] = key.ancestors
  if (rootId === undefined) return key
  // What ended above it ended it, too.
  const tree = await keys.descendants({ ownerId: account.id, id: rootId })
  return tree.find((one) => one.id === key.id) ?? key
}

/** The one answer that holds a secret. */
export function reveal(
  { draw, issuer, room, path }: Room,
  person: Person,
  { key, credential, isNew }: Awaited<ReturnType<Keys['create']>> & { isNew: boolean },
): Answer {
  const { id, name, rotation } = key
  const tryUrl = `${issuer}/api/v1/accounts/me`
  const old = rotation ? { oldEndsAt: rotation.endsAt } : {}
  return draw(
    'settings/keys-reveal',
    person,
    { room, path, id, name, credential, tryUrl, isNew, ...old },
    { here: room },
  )
}
