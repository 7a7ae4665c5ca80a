/**
 * Where the API describes itself: `/api/v1/openapi.json` for programs, `/api/docs` for people. Both are made from the URL table when they are first
 * asked for and kept.
 */
import { createHash } from 'node:crypto'
import type { Document } from '../http/documents.ts'
import { type AccessRule, get, type Route } from '../http/route.ts'
import { page } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'
import { apiRoutes, describeApi, statusesOf } from './openapi.ts'

interface ReferenceParts {
  readonly issuer: string
  readonly title: string
  /** The whole URL table, asked for once it stands. */
  readonly routes: () => readonly Route[]
  readonly anyone: AccessRule<Caller>
}

export function createReference({ issuer, title, routes, anyone }: ReferenceParts): readonly Route[] {
  let document: Document | undefined
  return [
    get('/api/v1/openapi.json')
      .needs(anyone)
      .publishes(() => {
        document ??= documentOf(describeApi(routes(), { issuer, title }))
        return document
      }),
    get('/api/docs')
      .needs(anyone)
      .as('page')
      .does(() => page('docs/reference', { issuer, groups: groupsOf(routes()) })),
  ]
}

function documentOf(content: object): Document {
  const body = Buffer.from(JSON.stringify(content))
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  return { body, etag, contentType: 'application/json; charset=utf-8' }
}

/** By the first word of the path after the version, in the order of the table. */
function groupsOf(routes: readonly Route[]) {
  const shown = apiRoutes(routes).map((route) => ({
    name: route.path.split('/')[3] ?? '',
    method: route.method,
    path: route.path,
    summary: route.summary ?? '',
    needs: route.access.describe,
    statuses: statusesOf(route),
  }))
  return [...Map.groupBy(shown, ({ name }) => name)].map(([name, list]) => ({ name, routes: list }))
}
