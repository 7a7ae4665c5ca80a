/**
 * The language in which surfaces state their URLs. A route is built in steps, each of another type, and only the last is a `Route`:
 * a route without an access rule does not compile. `server.ts` runs routes; `api/openapi.ts` reads the same table.
 *
 *   post('/api/v1/keys').needs(bearer('api:write')).takes(NewKey).gives(201, KeyCreated).does(createKey)
 */
import type { ZodType, z } from 'zod'
import { type Document, documentAnswer } from './documents.ts'
import type { HttpContext } from './server.ts'
import type { FileField } from './upload.ts'

/** What a handler may know of the request besides its input. Addresses are canonical, the agent is cut at 256 characters. */
export interface RequestFacts {
  readonly requestId: string
  readonly ip: string
  readonly userAgent: string
  /** One of the shipped locales, from the cookie, `ui_locales` or `Accept-Language`. */
  readonly locale: string
  /** Path and query of this request, for returning to it. */
  readonly path: string
}

/** Who may call. `admit` returns who is calling, or throws the refusal; its name and sentence appear in the API reference. */
export interface AccessRule<C> {
  readonly name: string
  readonly describe: string
  /** OpenAPI security scheme and scopes, where the rule is a bearer rule. */
  readonly scopes?: readonly string[]
  admit(ctx: HttpContext): Promise<C>
}

/** A handler's answer. `leave` ends on another site: 200 with a meta refresh and a link, so that CSP `form-action 'self'` holds. */
export type Answer<T = unknown> =
  | { kind: 'json'; body: T; status?: number; headers?: Record<string, string> }
  | PageAnswer
  | { kind: 'text'; type: string; body: string | Uint8Array; status?: number; headers?: Record<string, string> }
  | { kind: 'redirect'; location: string; cookies?: readonly Cookie[] }
  | { kind: 'leave'; url: string; cookies?: readonly Cookie[] }
  | { kind: 'empty'; status?: number; headers?: Record<string, string> }
  /** The handler's access rule has already written to `ctx` (the protocol engine answered). */
  | { kind: 'done' }

/** `account` is shown in the head of the page; `csrfScope` binds the page's forms to one thing, as `formFor` demands it. */
export interface PageAnswer {
  kind: 'page'
  view: string
  model: object
  status?: number
  headers?: Record<string, string>
  cookies?: readonly Cookie[]
  account?: { readonly email: string; readonly name?: string; readonly picture?: string }
  csrfScope?: string
}

/** How errors are told: a page (or problem JSON to those who ask for JSON), problem JSON, or the OAuth JSON of RFC 6749. */
export type Surface = 'page' | 'api' | 'oauth'

/** A cookie to set; it always gets `Path=/`, `Secure`, `HttpOnly`, `SameSite=Lax` and a `__Host-` name. `maxAgeSeconds` 0 deletes. */
export interface Cookie {
  readonly name: `__Host-${string}`
  readonly value: string
  readonly maxAgeSeconds?: number
}

export interface Call<I, C> {
  readonly input: I
  readonly params: Readonly<Record<string, string>>
  readonly caller: C
  readonly request: RequestFacts
}

export type Handler<I, C, T> = (call: Call<I, C>) => Promise<Answer<T>> | Answer<T>

/** `ANY` answers every method, for what is asked on behalf of another request (forward auth). */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'ANY'

export interface Route {
  readonly method: Method
  /** `/keys/:id`; a parameter matches one segment, decoded once. A final `/*` takes everything below, raw, as `params['*']`. */
  readonly path: string
  readonly access: AccessRule<unknown>
  /** Validates the query of GET, DELETE and ANY, the form or JSON body of the others. */
  readonly input?: ZodType
  /** The file that comes with the form, or as the whole body. */
  readonly file?: FileField
  readonly status: number
  readonly output?: ZodType
  /** The media type of an answer that is a file and no JSON. */
  readonly outputType?: string
  /** One sentence for the API reference. */
  readonly summary?: string
  /** Unless given: `api` below `/api/` and `/.well-known/`, else `page`. */
  readonly surface?: Surface
  /** Any origin may read the answer with a script, without credentials (CORS). */
  readonly isForEveryOrigin?: true
  /** A public document kept in memory; plain requests for it take the short way of `documents.ts`. */
  readonly document?: () => Document
  readonly handle: Handler<unknown, unknown, unknown>
}

interface Opened {
  needs<C>(access: AccessRule<C>): Guarded<C, Record<string, never>>
}
interface Guarded<C, I> {
  takes<S extends ZodType>(input: S): Guarded<C, z.infer<S>>
  /** Besides the input a file of at most `maxBytes`, in that field of a `multipart/form-data` form or as the whole body; undefined when none was chosen. */
  carries<F extends string>(
    file: FileField & { readonly field: F },
  ): Guarded<C, I & { readonly [name in F]?: Uint8Array }>
  /** `output` documents and, in tests, checks the JSON answer. */
  gives<S extends ZodType>(status: number, output?: S): Guarded<C, I>
  /** The answer is a file of that media type. */
  givesFile(type: string): Guarded<C, I>
  says(summary: string): Guarded<C, I>
  as(surface: Surface): Guarded<C, I>
  /** Answers preflights and lets every origin read, without credentials. */
  forEveryOrigin(): Guarded<C, I>
  does(handler: Handler<I, C, unknown>): Route
  /** Serves a public document from memory, the same to everybody: the access rule must be one that admits everyone. */
  publishes(document: () => Document): Route
}

type Draft = Omit<Route, 'handle'>

function open(method: Method, path: string): Opened {
  return { needs: (access) => guarded({ method, path, access, status: 200 }) }
}

function guarded<C, I>(draft: Draft): Guarded<C, I> {
  return {
    takes: (input) => guarded({ ...draft, input }),
    carries: (file) => guarded({ ...draft, file }),
    gives: (status, output) => guarded({ ...draft, status, ...(output ? { output } : {}) }),
    givesFile: (outputType) => guarded({ ...draft, outputType }),
    says: (summary) => guarded({ ...draft, summary }),
    as: (surface) => guarded({ ...draft, surface }),
    forEveryOrigin: () => guarded({ ...draft, isForEveryOrigin: true }),
    // The builder's types tie input and caller to this handler; the table forgets them.
    does: (handler) => ({ ...draft, handle: handler as Handler<unknown, unknown, unknown> }),
    publishes: (document) => ({ ...draft, document, handle: () => documentAnswer(document()) }),
  }
}

export const get = (path: string): Opened => open('GET', path)
export const post = (path: string): Opened => open('POST', path)
export const put = (path: string): Opened => open('PUT', path)
export const patch = (path: string): Opened => open('PATCH', path)
export const del = (path: string): Opened => open('DELETE', path)
export const any = (path: string): Opened => open('ANY', path)
