/**
 * The pages that belong to nobody in particular: the start page, assets, the choice of language, what an error code means, and the two
 * bridges from POST to GET that OpenID Connect asks of an authorization and a logout endpoint.
 */
import { z } from 'zod'
import { AppError, type ErrorCode, errorCodes } from '../errors.ts'
import { LOCALE_COOKIE } from '../http/answer.ts'
import { readForm } from '../http/body.ts'
import { isLocale } from '../http/locale.ts'
import { ownPathOr } from '../http/own-path.ts'
import type { Renderer } from '../http/page.ts'
import { type AccessRule, type Answer, get, post, type Route } from '../http/route.ts'
import { page } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'

interface StartParts {
  readonly anyone: AccessRule<Caller>
  readonly form: AccessRule<Caller>
  readonly renderer: Pick<Renderer, 'assets'>
  readonly playground: boolean
  readonly mailbox: boolean
  readonly hasAdministrator: () => Promise<boolean>
}

const YEAR_SECONDS = 31_536_000
const LongestQuery = 8000

export function createStart({
  anyone,
  form,
  renderer,
  playground,
  mailbox,
  hasAdministrator,
}: StartParts): readonly Route[] {
  return [
    get('/')
      .needs(anyone)
      .does(async () => page('home', { playground, mailbox, needsAdministrator: !(await hasAdministrator()) })),
    get('/assets/:name')
      .needs(anyone)
      .does(({ params }) => asset(renderer, params['name'] ?? '')),
    get('/favicon.ico')
      .needs(anyone)
      .does(() => asset(renderer, 'mark.svg')),
    post('/language')
      .needs(form)
      .takes(z.object({ locale: z.string().max(10), return_to: z.string().max(8000).default('/') }))
      .does(({ input }) => chooseLanguage(input)),
    get('/docs/errors/:code')
      .needs(anyone)
      .does(({ params }) => explainError(params['code'] ?? '')),
    bridge('/authorize', anyone),
    bridge('/logout', anyone),
  ]
}

function asset(renderer: Pick<Renderer, 'assets'>, name: string): Answer {
  const found = renderer.assets().find(name)
  if (!found) throw new AppError('not_found', 'There is no such file.')
  return { kind: 'text', type: found.type, body: found.body, headers: { ...found.headers, ETag: found.etag } }
}

function chooseLanguage({ locale, return_to }: { locale: string; return_to: string }): Answer {
  const location = ownPathOr(return_to, '/')
  const cookies = isLocale(locale) ? [{ name: LOCALE_COOKIE, value: locale, maxAgeSeconds: YEAR_SECONDS } as const] : []
  return { kind: 'redirect', location, cookies }
}

function explainError(code: string): Answer {
  if (!Object.hasOwn(errorCodes, code)) throw new AppError('not_found', 'There is no such error code.')
  return page('docs/error', { code, status: errorCodes[code as ErrorCode].status })
}

/** The same request as a GET, with its parameters in the query: OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2. */
function bridge(path: '/authorize' | '/logout', anyone: AccessRule<Caller>): Route {
  const form: AccessRule<URLSearchParams> = {
    ...anyone,
    admit: async (ctx) =>
      new URLSearchParams((await readForm(ctx)).map(([name, value]): [string, string] => [name, value])),
  }
  return post(path)
    .needs(form)
    .does(({ caller }) => {
      const query = caller.toString()
      if (query.length > LongestQuery)
        throw new AppError('invalid_request', 'The parameters of this request are too long.')
      return { kind: 'redirect', location: `${path}?${query}` }
    })
}
