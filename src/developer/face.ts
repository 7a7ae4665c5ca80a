/**
 * Developer pages, what people see of an app: its words, links and logo, who publishes it, who may try it while it is not verified, and the consent
 * page as people will see it. An operator's mark ends when any of it changes.
 *
 *   below /developer/apps/:id
 *   GET  /face       POST /face   words, links, testers, keys        POST /logo · /logo/remove     `logo`, a PNG or WebP file
 *   GET  /preview    the consent page for ?scope= &resource= &redirect_uri=
 *                    POST /publisher   what to publish, or a look whether it is there
 *   GET  /logos/:app/:name   the logo
 */
import { z } from 'zod'
import type { Account } from '../accounts/account.ts'
import type { App } from '../apps/app.ts'
import { holdsSecret } from '../apps/app-types.ts'
import type { Apps } from '../apps/apps.ts'
import type { Challenge } from '../apps/domain-proof.ts'
import { type Logos, logoPath } from '../apps/logos.ts'
import { getOwnApp } from '../apps/ownership.ts'
import type { Publishers } from '../apps/publishers.ts'
import { AppError, hasCode } from '../errors.ts'
import type { AppFace, FaceDone, FaceProblem } from '../http/developer-views.ts'
import { type AccessRule, type Answer, get, type Handler, post, type RequestFacts, type Route } from '../http/route.ts'
import type { ViewName, Views } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'
import { PICTURE_LIMIT_BYTES } from '../picture.ts'
import { keysIn, linesOf } from './app-form.ts'
import { rowOf } from './app-shown.ts'

interface Developer {
  readonly account: Account
}

export interface FaceParts<D extends Developer> {
  readonly access: {
    readonly signedIn: AccessRule<D>
    readonly form: AccessRule<D>
    readonly recentForm: AccessRule<D>
  }
  readonly anyone: AccessRule<Caller>
  readonly draw: <V extends Extract<ViewName, `developer/${string}`>>(
    view: V,
    person: D,
    model: Omit<Views[V], 'shell'>,
  ) => Answer
  readonly apps: Pick<Apps, 'find' | 'change'>
  readonly logos: Logos
  readonly publishers: Pick<Publishers, 'challenge' | 'prove'>
  readonly limitProof: (accountId: string) => Promise<unknown>
  /** The consent page as people will see it; undefined for a resource that is not there. */
  readonly preview: (
    app: App,
    account: Account,
    request: PreviewRequest,
    backUrl: string,
  ) => Promise<Answer | undefined>
  /** Whether the operator lets only testers use apps that are not verified. */
  readonly asksTesters: boolean
}

interface PreviewRequest {
  readonly scope: readonly string[]
  readonly resource?: string
  readonly redirectUri?: string
}

const HOME = '/developer/apps'
const text = (most: number) => z.string().trim().max(most).default('')
const Shown = z.object({ done: z.enum(['saved', 'logo', 'proven']).optional().catch(undefined) })
const FaceFields = z.object({
  description: text(1000),
  client_uri: text(2048),
  policy_uri: text(2048),
  tos_uri: text(2048),
  testers: text(30_000),
  jwks: text(20_000),
})
type FaceFields = z.infer<typeof FaceFields>
const PublisherFields = z.object({ domain: text(300), act: z.enum(['show', 'look']).catch('show') })
const PreviewFields = z.object({
  scope: z.string().max(2000).optional(),
  resource: z.string().max(500).optional(),
  redirect_uri: z.string().max(2048).optional(),
})
const LOGO = { field: 'logo', maxBytes: PICTURE_LIMIT_BYTES, types: ['image/png', 'image/webp'] } as const

/** Shown as an image it is one; opened by itself it runs nothing. Another logo has another address. */
const LOGO_HEADERS = {
  'Cache-Control': 'private, max-age=86400',
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Disposition': 'inline',
}

type Does<D extends Developer, I> = Handler<I, D, unknown>
type More = { problem?: FaceProblem; typed?: FaceFields; challenge?: Challenge; done?: FaceDone }

export function createFacePages<D extends Developer>(parts: FaceParts<D>): readonly Route[] {
  const { access, apps, logos } = parts
  const owned = ({ account }: D, id = '') => getOwnApp(apps, account.id, id)
  return [
    get(`${HOME}/:id/face`)
      .needs(access.signedIn)
      .takes(Shown)
      .does(async ({ caller, params, input: { done } }) =>
        show(parts, caller, await owned(caller, params['id']), done ? { done } : {}),
      ),
    post(`${HOME}/:id/face`).needs(access.recentForm).takes(FaceFields).does(save(parts)),
    post(`${HOME}/:id/publisher`).needs(access.recentForm).takes(PublisherFields).does(publish(parts)),
    post(`${HOME}/:id/logo`)
      .needs(access.form)
      .takes(z.object({}))
      .carries(LOGO)
      .does(async ({ caller, params, input, request }) => {
        const app = await owned(caller, params['id'])
        if (!input.logo) return show(parts, caller, app, { problem: { field: 'logo' } })
        try {
          await logos.set(callerOf(caller, request), app.clientId, input.logo)
        } catch (error) {
          if (!hasCode(error, 'invalid_request') && !hasCode(error, 'payload_too_large')) throw error
          return show(parts, caller, app, { problem: { field: 'logo' } })
        }
        return { kind: 'redirect', location: `${HOME}/${app.clientId}/face?done=logo` }
      }),
    post(`${HOME}/:id/logo/remove`)
      .needs(access.form)
      .does(async ({ caller, params, request }) => {
        const app = await owned(caller, params['id'])
        await logos.clear(callerOf(caller, request), app.clientId)
        return { kind: 'redirect', location: `${HOME}/${app.clientId}/face?done=saved` }
      }),
    get(`${HOME}/:id/preview`).needs(access.signedIn).takes(PreviewFields).does(preview(parts)),
    get('/logos/:app/:name')
      .needs(parts.anyone)
      .does(async ({ params }) => {
        const name = params['name'] ?? ''
        const found = await logos.find(params['app'] ?? '', name)
        if (!found) throw new AppError('not_found', 'There is no such logo.')
        return { kind: 'text', type: found.type, body: found.bytes, headers: { ...LOGO_HEADERS, ETag: `"${name}"` } }
      }),
  ]
}

function callerOf({ account }: Developer, { ip, userAgent, requestId }: RequestFacts): Caller {
  return { kind: 'account', id: account.id, ip, userAgent, requestId }
}

function save<D extends Developer>(parts: FaceParts<D>): Does<D, FaceFields> {
  return async ({ caller: person, params, input, request }) => {
    const app = await getOwnApp(parts.apps, person.account.id, params['id'])
    try {
      await parts.apps.change(callerOf(person, request), app.clientId, {
        description: input.description || null,
        clientUri: input.client_uri || null,
        policyUri: input.policy_uri || null,
        tosUri: input.tos_uri || null,
        testers: linesOf(input.testers),
        ...(app.auth === 'private_key_jwt' ? { jwks: null, jwksUri: null, ...keysIn(input.jwks) } : {}),
      })
    } catch (error) {
      return show(parts, person, app, { typed: input, problem: problemOf(error) })
    }
    return { kind: 'redirect', location: `${HOME}/${app.clientId}/face?done=saved` }
  }
}

const FIELDS = ['description', 'client_uri', 'policy_uri', 'tos_uri', 'testers', 'jwks', 'domain'] as const

/** The first thing that was wrong; what the page cannot say is thrown on. */
function problemOf(error: unknown): FaceProblem {
  if (!hasCode(error, 'invalid_request')) throw error
  const [first] = error.details.fields ?? []
  const field = FIELDS.find((name) => first?.pointer.startsWith(`/${name}`))
  if (!first || !field) throw error
  return { field, code: first.code }
}

function publish<D extends Developer>(parts: FaceParts<D>): Does<D, z.infer<typeof PublisherFields>> {
  return async ({ caller: person, params, input, request }) => {
    const app = await getOwnApp(parts.apps, person.account.id, params['id'])
    let challenge: Challenge | undefined
    try {
      challenge = parts.publishers.challenge(app, input.domain)
      if (input.act === 'show') return show(parts, person, app, { challenge })
      await parts.limitProof(person.account.id)
      await parts.publishers.prove(callerOf(person, request), app, input.domain)
    } catch (error) {
      return show(parts, person, app, { problem: problemOf(error), ...(challenge ? { challenge } : {}) })
    }
    return { kind: 'redirect', location: `${HOME}/${app.clientId}/face?done=proven` }
  }
}

function preview<D extends Developer>(parts: FaceParts<D>): Does<D, z.infer<typeof PreviewFields>> {
  return async ({ caller: { account }, params, input }) => {
    const app = await getOwnApp(parts.apps, account.id, params['id'])
    // Only what is registered: a page that shows another host would be a lie about this app.
    const redirectUri = app.redirectUris.find((uri) => uri === input.redirect_uri) ?? app.redirectUris[0]
    const scope = input.scope?.split(' ').filter(Boolean) ?? ['openid', ...app.scopes, ...app.optionalScopes]
    const wish = {
      scope,
      ...(input.resource ? { resource: input.resource } : {}),
      ...(redirectUri ? { redirectUri } : {}),
    }
    const page = await parts.preview(app, account, wish, `${HOME}/${app.clientId}`)
    if (page) return page
    throw new AppError('not_found', 'There is no such resource.')
  }
}

function show<D extends Developer>({ draw, asksTesters }: FaceParts<D>, person: D, app: App, more: More): Answer {
  const { typed, challenge, ...rest } = more
  const keys = app.jwksUri ?? (app.jwks ? JSON.stringify(app.jwks, null, 2) : '')
  const logo = logoPath(app)
  const model: Omit<AppFace, 'shell'> = {
    app: { ...rowOf(app), holdsSecret: holdsSecret(app.auth) },
    description: typed?.description ?? app.description ?? '',
    links: {
      client_uri: typed?.client_uri ?? app.clientUri ?? '',
      policy_uri: typed?.policy_uri ?? app.policyUri ?? '',
      tos_uri: typed?.tos_uri ?? app.tosUri ?? '',
    },
    testers: typed?.testers ?? (app.testers ?? []).join('\n'),
    asksTesters,
    ...(app.auth === 'private_key_jwt' ? { jwks: typed?.jwks ?? keys } : {}),
    ...(logo ? { logo } : {}),
    ...(app.publisher ? { domain: app.publisher.domain } : {}),
    ...(app.declined ? { declinedReason: app.declined.reason } : {}),
    isWaiting: app.review === 'waiting',
    ...(challenge ? { challenge } : {}),
    ...rest,
  }
  return draw('developer/app-face', person, model)
}
