/**
 * The picture of an account: chosen and taken away in the settings, shown to everybody who knows its address, as the `picture` claim gives it. What
 * counts as a picture is the domain's (`accounts/picture.ts`); what was taken can be nothing but an image wherever it is opened.
 *
 *   POST /settings/picture            `picture`, a PNG or WebP file
 *   POST /settings/picture/remove
 *   GET  /pictures/:account/:name     the picture
 */
import { z } from 'zod'
import type { Pictures } from '../accounts/picture.ts'
import { AppError, hasCode } from '../errors.ts'
import { type AccessRule, type Answer, get, post, type Route } from '../http/route.ts'
import type { ProfileProblem } from '../http/settings-views.ts'
import type { Caller } from '../observability/audit.ts'
import { PICTURE_LIMIT_BYTES } from '../picture.ts'
import { callerOf, type Person, type SettingsAccess } from './shell.ts'

interface PictureParts {
  readonly access: SettingsAccess
  readonly anyone: AccessRule<Caller>
  readonly pictures: Pictures
  /** The profile page after a picture was not taken. */
  readonly profile: (person: Person, more: { problem: ProfileProblem }) => Promise<Answer>
}

const Nothing = z.object({})
export const PICTURE = { field: 'picture', maxBytes: PICTURE_LIMIT_BYTES, types: ['image/png', 'image/webp'] } as const
const SAVED: Answer = { kind: 'redirect', location: '/settings?saved=profile' }

export function createPicture({ access, anyone, pictures, profile }: PictureParts): readonly Route[] {
  return [
    post('/settings/picture')
      .needs(access.form)
      .takes(Nothing)
      .carries(PICTURE)
      .does(async ({ caller, input, request }) => {
        if (!input.picture) return profile(caller, { problem: 'picture' })
        try {
          await pictures.set(callerOf(caller, request), caller.account.id, input.picture)
          return SAVED
        } catch (error) {
          if (!hasCode(error, 'invalid_request') && !hasCode(error, 'payload_too_large')) throw error
          return profile(caller, { problem: 'picture' })
        }
      }),
    post('/settings/picture/remove')
      .needs(access.form)
      .takes(Nothing)
      .does(async ({ caller, request }) => {
        await pictures.clear(callerOf(caller, request), caller.account.id)
        return SAVED
      }),
    get('/pictures/:account/:name')
      .needs(anyone)
      .does(async ({ params }) => {
        const name = params['name'] ?? ''
        const found = await pictures.find(params['account'] ?? '', name)
        if (!found) throw new AppError('not_found', 'There is no such picture.')
        return { kind: 'text', type: found.type, body: found.bytes, headers: { ...HEADERS, ETag: `"${name}"` } }
      }),
  ]
}

/** Other sites may show it as an image; opened by itself it runs nothing. Taken away, it is gone from caches within a day. */
const HEADERS = {
  'Cache-Control': 'private, max-age=86400',
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'Content-Disposition': 'inline',
}
