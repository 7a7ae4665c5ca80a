/**
 * Settings, lifting a token: a call was refused for one scope too few, and its owner may give that one token that one scope for a quarter of an hour.
 * Asked of a fresh sign-in, with the second factor where there is one. What is lifted, and how it falls back, is `keys/elevation.ts`'s.
 *
 *   GET  /settings/lifts/:id   what was asked, by whom        POST /settings/lifts/:id   `decision` = `allow` or `deny`, once
 */
import { z } from 'zod'
import { hasCode } from '../errors.ts'
import { get, post, type Route } from '../http/route.ts'
import { agentShown } from '../http/usage-shown.ts'
import { ELEVATION_MS } from '../keys/elevation.ts'
import { scopeShown } from './key-form.ts'
import type { KeysParts } from './key-room.ts'
import { callerOf } from './shell.ts'

const Decision = z.object({ decision: z.enum(['allow', 'deny']).catch('deny') })
const TOKENS = '/settings/tokens'

export function createLiftPages({ access, draw, keys, offer }: KeysParts): readonly Route[] {
  return [
    get('/settings/lifts/:id')
      .needs(access.proven)
      .does(async ({ caller, params }) => {
        const ownerId = caller.account.id
        const asked = await keys.elevations.getOwned(ownerId, params['id'] ?? '')
        const { id: keyId, name: keyName, hint } = await keys.getOwned({ ownerId, id: asked.keyId })
        const { id, askedAt, ip = '', userAgent = '' } = asked
        const minutes = ELEVATION_MS / 60_000
        const scope = scopeShown(offer, asked.scope)
        const model = { id, keyId, keyName, hint, scope, askedAt, ip, agent: agentShown(userAgent), minutes }
        return draw('settings/lift', caller, model, { here: 'tokens' })
      }),
    post('/settings/lifts/:id')
      .needs(access.provenForm)
      .takes(Decision)
      .does(async ({ caller, params, input: { decision }, request }) => {
        const { id, keyId } = await keys.elevations.getOwned(caller.account.id, params['id'] ?? '')
        const answer = decision === 'allow' ? keys.elevations.approve : keys.elevations.refuse
        try {
          await answer(callerOf(caller, request), caller.account.id, id)
        } catch (error) {
          if (!hasCode(error, 'conflict')) throw error
          return { kind: 'redirect', location: `${TOKENS}/${keyId}?done=not_lifted` }
        }
        return {
          kind: 'redirect',
          location: `${TOKENS}/${keyId}?done=${decision === 'allow' ? 'lifted' : 'not_lifted'}`,
        }
      }),
  ]
}
