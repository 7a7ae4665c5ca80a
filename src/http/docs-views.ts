/**
 * The models of pages that explain: an error code, and the routes of the API, which speaks English only.
 */

export interface DocsViews {
  /** `isReceived`: something was sent; nothing says what came of it. */
  'docs/leaked-keys': { readonly pattern: string; readonly reportUrl: string; readonly isReceived: boolean }
  'docs/error': { readonly code: string; readonly status: number }
  'docs/reference': ApiReference
  'docs/clients': ClientShims
}

interface ApiReference {
  readonly issuer: string
  readonly groups: readonly { readonly name: string; readonly routes: readonly ShownRoute[] }[]
}

interface ShownRoute {
  readonly method: string
  readonly path: string
  readonly summary: string
  /** Who may call. */
  readonly needs: string
  readonly statuses: readonly number[]
}

/** What is mended for clients that need it; `served` is there for administrators. `lastAt` is milliseconds since 1970. */
interface ClientShims {
  readonly rows: readonly {
    readonly name: string
    readonly at: 'registration' | 'document' | 'authorization' | 'token' | 'introspection'
    readonly mends: string
    readonly off: string
    readonly isOn: boolean
  }[]
  readonly served?: readonly {
    readonly software: string
    readonly source: 'document' | 'self_registered' | 'registered'
    readonly shims: readonly { readonly name: string; readonly count: number; readonly lastAt: number }[]
  }[]
}
