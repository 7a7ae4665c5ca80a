/** Types of `resource-server.js`; what each does is written there. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JWTPayload } from 'jose'

export interface Demand {
  readonly scopes?: readonly string[]
  readonly acr?: string
  readonly maxAgeSeconds?: number
  readonly dpop?: boolean
}

export interface Shown {
  readonly method: string
  readonly url: string
  readonly headers: { readonly authorization?: string | undefined; readonly dpop?: string | string[] | undefined }
}

export type Claims = JWTPayload & {
  readonly client_id: string
  readonly scope?: string
  readonly acr?: string
  readonly auth_time?: number
}

export type Verdict =
  | { readonly ok: true; readonly claims: Claims }
  | {
      readonly ok: false
      readonly status: 401 | 403 | 503
      readonly headers: Record<string, string>
      readonly body: object
      readonly cause?: unknown
    }

export interface ResourceServer {
  check(shown: Shown, demand?: Demand): Promise<Verdict>
  metadata(scopes?: readonly string[]): object
}

export function createResourceServer(options: {
  readonly issuer: string
  readonly audience: string
  readonly metadataUrl?: string
  readonly jwks?: { keys: object[] }
  readonly proofs?: { isNew(proof: string, milliseconds: number): boolean | Promise<boolean> }
  readonly now?: () => number
}): ResourceServer

export function protectFetch(
  server: ResourceServer,
  demand: Demand,
  handler: (request: Request, claims: Claims) => Response | Promise<Response>,
  origin?: string,
): (request: Request) => Promise<Response>

export function protectNode(
  server: ResourceServer,
  origin: string,
  demand: Demand,
): (request: IncomingMessage & { auth?: Claims }, response: ServerResponse, next: () => void) => Promise<void>

export function protectKoa(
  server: ResourceServer,
  origin: string,
  demand: Demand,
  // biome-ignore lint/suspicious/noExplicitAny: koa's context, without depending on koa's types
): (ctx: any, next: () => Promise<unknown>) => Promise<void>
