/**
 * Where the protocol engine is reached, and who is let through: the table of its paths, the caps on what an anonymous request may carry, and the
 * limits per address and per app. Belongs to the composition root: it joins the HTTP server, the limiter and the engine.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from './errors.ts'
import type { EnginePath } from './http/router.ts'
import type { Engine, HttpContext } from './http/server.ts'
import { findOversized } from './oidc/caps.ts'
import { limitKeys } from './security/network.ts'
import { type RateLimiter, rateLimitHeaders } from './security/rate-limit.ts'

type Policy =
  | 'sign_in_address'
  | 'token_client'
  | 'authorize_address'
  | 'registration_address'
  | 'api_credential'
  | 'client_secret'
  | 'device_address'

interface Door extends EnginePath {
  /** Counted per address before anything is read. */
  readonly limit?: Policy
}

const program = ['POST', 'OPTIONS']

const doors: readonly Door[] = [
  { path: '/authorize', methods: ['GET'], surface: 'page', limit: 'authorize_address' },
  { path: '/authorize/:uid', methods: ['GET'], surface: 'page' },
  { path: '/token', methods: program, surface: 'oauth' },
  { path: '/revoke', methods: program, surface: 'oauth' },
  { path: '/introspect', methods: program, surface: 'oauth' },
  { path: '/userinfo', methods: ['GET', 'POST', 'OPTIONS'], surface: 'oauth' },
  { path: '/par', methods: program, surface: 'oauth', limit: 'authorize_address' },
  { path: '/device_authorization', methods: program, surface: 'oauth', limit: 'authorize_address' },
  { path: '/device', methods: ['GET'], surface: 'page', limit: 'authorize_address' },
  { path: '/device', methods: ['POST'], surface: 'page', limit: 'device_address' },
  { path: '/device/:uid', methods: ['GET'], surface: 'page' },
  { path: '/logout', methods: ['GET'], surface: 'page', limit: 'authorize_address' },
  { path: '/logout/confirm', methods: ['POST'], surface: 'page' },
  { path: '/logout/success', methods: ['GET'], surface: 'page' },
]

interface DoorParts {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  readonly limiter: RateLimiter<Policy>
  /** Keeps our context for the protocol's hooks, which see only the request. */
  readonly remember: (ctx: HttpContext) => void
}

/** The engine as the HTTP server sees it. */
export function createDoors({ handle, limiter, remember }: DoorParts): Engine {
  const limits = new Map(
    doors.flatMap(({ path, methods, limit }) =>
      limit ? methods.map((method) => [`${method} ${path}`, limit] as const) : [],
    ),
  )
  const pages = new Set<string | undefined>(doors.filter(({ surface }) => surface === 'page').map(({ path }) => path))
  return {
    paths: doors.map(({ path, methods, surface }) => ({ path, methods, surface })),
    async handle(ctx) {
      remember(ctx)
      const { route, ip, query } = ctx.state
      if (route === '/authorize') refuseOversized(query)
      // The library answers JSON to whoever does not ask for HTML by name: a page of ours stays a page.
      if (pages.has(route)) ctx.req.headers.accept = 'text/html'
      const limit = limits.get(`${ctx.method} ${route}`)
      const standing = limit && (await limiter.enforceAddress(limit, ip))
      if (standing)
        for (const [name, value] of Object.entries(rateLimitHeaders(standing))) ctx.res.setHeader(name, value)
      await handle(ctx.req, ctx.res)
    },
  }
}

function refuseOversized(query: string): void {
  const found = findOversized(new URLSearchParams(query))
  if (found) throw new AppError('invalid_request', found)
}

/** Counts a request of an app at the token endpoint, by the app or by app and address; refused beyond the limit. */
export function clientLimit(limiter: RateLimiter<Policy>) {
  return async (
    ctx: { oidc: { route: string }; set(name: string, value: string): void },
    clientId: string,
    address?: string,
  ): Promise<void> => {
    if (ctx.oidc.route !== 'token') return
    const key = address === undefined ? clientId : `${clientId} ${limitKeys(address).narrow}`
    const standing = await limiter.enforce('token_client', key)
    if (standing) for (const [name, value] of Object.entries(rateLimitHeaders(standing))) ctx.set(name, value)
  }
}
