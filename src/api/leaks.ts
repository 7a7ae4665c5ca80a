/**
 * What anybody may do who finds a key: end it, by program or on a page, and know how keys look. The answer is the same for every text, so that nobody
 * learns here whether a key works.
 */
import { z } from 'zod'
import { type AccessRule, get, post, type Route } from '../http/route.ts'
import { page } from '../http/views.ts'
import type { Keys } from '../keys/keys.ts'
import type { Caller } from '../observability/audit.ts'

export interface LeakParts {
  readonly issuer: string
  readonly keys: Pick<Keys, 'reportLeak' | 'pattern'>
  readonly isKey: (credential: string) => boolean
  /** Refuses an address that reports too much. */
  readonly limitLeaks: (ip: string) => Promise<unknown>
  readonly anyone: AccessRule<Caller>
  /** A form of this server's pages. */
  readonly form: AccessRule<Caller>
}

const PAGE = '/docs/leaked-keys'
const Found = z.strictObject({ key: z.string().max(1000) })
const Typed = z.object({ key: z.string().max(1000).default('') })

export function createLeakRoutes({ issuer, keys, isKey, limitLeaks, anyone, form }: LeakParts): readonly Route[] {
  const reportUrl = `${issuer}/api/v1/leaks`
  const report = async (caller: Caller, ip: string, text: string) => {
    const credential = text.trim()
    // What cannot be a key costs nothing and counts for nothing.
    if (!isKey(credential)) return
    await limitLeaks(ip)
    await keys.reportLeak(caller, credential)
  }
  const show = (isReceived: boolean) => page('docs/leaked-keys', { pattern: keys.pattern, reportUrl, isReceived })
  return [
    post('/api/v1/leaks')
      .needs(anyone)
      .takes(Found)
      .gives(202, z.strictObject({ received: z.literal(true) }))
      .says('Kills a key that was found somewhere; the answer is the same for every text.')
      .does(async ({ caller, input, request }) => {
        await report(caller, request.ip, input.key)
        return { kind: 'json', status: 202, body: { received: true } }
      }),
    get('/api/v1/key-pattern')
      .needs(anyone)
      .gives(200, z.strictObject({ pattern: z.string(), report_url: z.url(), documentation_url: z.url() }))
      .says(
        'A regular expression that finds credentials of this server, for secret scanners, and where to report them.',
      )
      .does(() => ({
        kind: 'json',
        body: { pattern: keys.pattern, report_url: reportUrl, documentation_url: issuer + PAGE },
      })),
    get(PAGE)
      .needs(anyone)
      .does(() => show(false)),
    post(PAGE)
      .needs(form)
      .takes(Typed)
      .does(async ({ caller, input, request }) => {
        await report(caller, request.ip, input.key)
        return show(true)
      }),
  ]
}
