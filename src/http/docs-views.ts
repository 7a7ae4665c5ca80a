/**
 * The models of pages that explain: an error code, and the routes of the API, which speaks English only.
 */

export interface DocsViews {
  'docs/error': { readonly code: string; readonly status: number }
  'docs/reference': ApiReference
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
