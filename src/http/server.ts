/**
 * The HTTP server: joins the URL table, the protocol engine and the machinery around them, with the order of everything a request
 * passes visible in one place. The only importer of koa. What stands at which URL is the surfaces' and the engine's.
 */
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { AppError } from '../errors.ts'
import type { Log } from '../observability/log.ts'
import type { Metrics } from '../observability/metrics.ts'
import { type Csrf, createAnswerWriter, factsOf, pageContext } from './answer.ts'
import { answering } from './answering.ts'
import { type ArrivalOptions, createArrival, createGate, createPinning, createRequestIds } from './arrival.ts'
import { type InputShape, type Pairs, readFile, readInput, readQuery, shapeOf } from './body.ts'
import { createPublishing, crossOriginLines } from './documents.ts'
import { createFailure, type FailureOptions } from './failure.ts'
import { createListener, type ListenerLimits } from './listener.ts'
import type { Renderer } from './page.ts'
import type { Route, Surface } from './route.ts'
import { createRouter, type EnginePath, type Place, type Target } from './router.ts'

/** What is known of a request from its arrival on. */
export interface RequestState {
  readonly requestId: string
  /** The caller's address, canonical, behind trusted proxies. */
  readonly ip: string
  /** As it was sent: never decoded, never folded. */
  readonly path: string
  readonly query: string
  /** Host and port of an absolute request target. */
  readonly authority: string | undefined
  /** The pattern of the URL table, for logs and metrics; `none` where nothing answers. */
  readonly route: string
  readonly surface: Surface
  readonly place: Place | undefined
  readonly target: Target | undefined
  readonly params: Readonly<Record<string, string>>
  readonly startedAt: number
  /** The form, once somebody has read it, and the file that came with it. */
  form: Pairs | undefined
  file: Uint8Array | undefined
}

/** koa's context with our state. Access rules and the protocol engine see it; handlers do not. */
export type HttpContext = Koa.ParameterizedContext<RequestState, object>

/** Answers what the URL table leaves to it: the protocol. It must take its paths as they come and finish the response itself. */
export interface Engine {
  readonly paths: readonly EnginePath[]
  handle(ctx: HttpContext): Promise<void>
}

export interface HttpServerOptions extends Omit<ArrivalOptions, 'router' | 'nextId'> {
  readonly randomBytes: (size: number) => Buffer
  readonly routes: readonly Route[]
  readonly engine?: Engine
  readonly renderer: Pick<Renderer, 'render'>
  readonly csrf: Csrf
  readonly log: Log
  readonly metrics: Pick<Metrics, 'request'>
  /** `all` logs every request at `info`; `failures` only those answered with 5xx. */
  readonly requestLog: 'all' | 'failures'
  /** `LICET_DEBUG`: error answers carry the reason, or the chain of causes. */
  readonly showReasons: boolean
  /** The reference of a refusal that has none yet. */
  readonly refOf?: FailureOptions['refOf']
  readonly limits?: Partial<ListenerLimits>
}

export interface HttpServer {
  /** Port 0 picks a free one. */
  listen(address: { host: string; port: number }): Promise<AddressInfo>
  /** Stops accepting, finishes requests in flight (10 s at most), closes idle connections. */
  close(): Promise<void>
  isDraining(): boolean
}

/**
 * koa lends its context (`ctx.get`, `ctx.query`, cookies) and nothing else: its middleware stack and its way of writing answers cost as
 * much as everything here together, on every token request.
 * @throws TypeError when two routes claim one path and method.
 */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { engine, issuer } = options
  const nextId = createRequestIds(options.randomBytes)
  const publish = createPublishing({ ...options, nextId })
  const arrive = createArrival({ ...options, nextId, router: createRouter(options.routes, engine?.paths) })
  const pass = createGate(options)
  const pin = createPinning(issuer)
  const run = createRunner(options)
  const fail = createFailing(options)
  const note = createNoting(options)

  /** Everything a request passes, in this order. */
  const handle = async (ctx: HttpContext): Promise<void> => {
    ctx.state = arrive(ctx.req, ctx.res)
    try {
      pass(ctx)
      if (!answerCrossOrigin(ctx)) {
        const target = targetOf(ctx)
        if (target.kind === 'route') await answering(ctx.res, () => run(ctx, target.route))
        else {
          pin(ctx)
          await engine?.handle(ctx)
        }
      }
    } catch (error) {
      fail(ctx, error)
    }
    note(ctx)
  }

  const app = new Koa<RequestState, object>({ proxy: false })
  return createListener((request, response) => {
    if (!publish(request, response)) void handle(app.createContext(request, response))
  }, options.limits)
}

/** Runs one route: who calls, what it says, what is answered. */
function createRunner(options: Pick<HttpServerOptions, 'routes' | 'renderer' | 'csrf' | 'issuer'>) {
  const write = createAnswerWriter(options)
  const shapes = new Map<Route, InputShape>(
    options.routes.flatMap((route) => (route.input ? [[route, shapeOf(route.input)]] : [])),
  )
  return async (ctx: HttpContext, route: Route): Promise<void> => {
    const caller = await route.access.admit(ctx)
    const input = await inputOf(ctx, route, shapes.get(route))
    const answer = await route.handle({ input, params: ctx.state.params, caller, request: factsOf(ctx) })
    write(ctx, answer, route.status)
  }
}

async function inputOf(ctx: HttpContext, { method, file }: Route, shape: InputShape | undefined): Promise<unknown> {
  if (['GET', 'DELETE', 'ANY'].includes(method)) return shape ? readQuery(ctx, shape) : {}
  if (!file) return shape ? readInput(ctx, shape) : {}
  const bytes = await readFile(ctx, file)
  return { ...(shape ? ((await readInput(ctx, shape)) as object) : {}), ...(bytes ? { [file.field]: bytes } : {}) }
}

/** Turns what was thrown into an answer. */
function createFailing({ issuer, log, showReasons, refOf, renderer }: HttpServerOptions) {
  return createFailure({
    issuer,
    log,
    showReasons,
    ...(refOf ? { refOf } : {}),
    draw: (ctx, model) => renderer.render('error', model, pageContext(ctx)),
  })
}

/** Counts the request and, where asked to, logs it: the route's pattern, never the path. */
function createNoting({ log, metrics, elapsed, requestLog }: HttpServerOptions) {
  return ({ req, res, state }: HttpContext): void => {
    const { method = 'OTHER' } = req
    const { route, requestId } = state
    const ms = elapsed() - state.startedAt
    metrics.request(method, route, res.statusCode, ms / 1000)
    if (requestLog === 'all' || res.statusCode >= 500)
      log.info(
        { request_id: requestId, method, route, status: res.statusCode, ms: Math.round(ms * 10) / 10 },
        'request',
      )
  }
}

/** What answers this method at this path. 404 where nothing stands, 405 with `Allow` where something else does. */
function targetOf({ state, method }: HttpContext): Target {
  const { place, target } = state
  if (target) return target
  if (!place) throw new AppError('not_found', 'There is nothing at this address.')
  const known = /^[A-Z]{1,20}$/.test(method) ? method : 'This method'
  throw new AppError('method_not_allowed', `${known} is not answered at this address.`, {
    details: { headers: { Allow: place.allow } },
  })
}

/** Places open to every origin: the CORS headers, and the answer to a preflight. Credentials are never allowed. */
function answerCrossOrigin({ req, res, state }: HttpContext): boolean {
  if (state.place?.isForEveryOrigin !== true) return false
  for (const [name, value] of crossOriginLines) res.setHeader(name, value)
  if (req.method !== 'OPTIONS' || state.target !== undefined) return false
  res.statusCode = 204
  res.setHeader('Access-Control-Allow-Methods', state.place.allow)
  res.setHeader('Access-Control-Allow-Headers', 'Authorization, *')
  res.setHeader('Access-Control-Max-Age', '3600')
  res.end()
  return true
}
