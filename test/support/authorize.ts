/**
 * Authorization requests as an attacker or a careless app writes them, what came back, and what the store holds afterwards.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mock } from 'node:test'
import { type Kind, kinds } from '../../src/storage/kinds.ts'
import type { Store } from '../../src/storage/store.ts'
import { form, type Params } from './app-client.ts'
import type { Visit } from './person.ts'

/** One PKCE pair for every request of a test. */
export const VERIFIER = 'a-verifier-of-the-tests-that-is-long-enough-to-pass'
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

/** A valid request of that app, changed by `params`; `undefined` takes a parameter out. */
export function authorizeUrl(
  { issuer, clientId, redirectUri }: { issuer: string; clientId: string; redirectUri: string },
  params: Params = {},
): string {
  return `${issuer}/authorize?${form({
    client_id: clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid data:read',
    state: 'the-state',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...params,
  })}`
}

/** The parameters with which the browser left for the app. */
export function answerOf(url: string | URL): URLSearchParams {
  return new URL(url).searchParams
}

/** Where a visit that was not followed wants to send the browser. */
export function locationOf({ headers }: Visit): string {
  return headers.get('location') ?? ''
}

/** How many entries of these kinds the store holds; of every kind when none is named. */
export async function countStored(store: Store, ...wanted: Kind[]): Promise<number> {
  const pages = await Promise.all(
    (wanted.length > 0 ? wanted : (Object.keys(kinds) as Kind[])).map((kind) => store.list(kind, { limit: 1000 })),
  )
  return pages.reduce((sum, page) => sum + page.items.length, 0)
}

/** A page for a person, with a 4xx and no way by itself to anywhere. */
export function assertErrorPage(visit: Visit, message = visit.url): void {
  assert.ok(visit.status >= 400 && visit.status < 500, `${visit.status} ${message}`)
  assert.match(visit.headers.get('content-type') ?? '', /text\/html/)
  assert.equal(visit.headers.get('location'), null)
  assert.doesNotMatch(visit.body, /http-equiv="refresh"/)
}

/** Everything inside happens that much later, for the library too; the server must have been started with a clock that asks `Date` each time. */
export async function later(milliseconds: number, act: () => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['Date'], now: Date.now() + milliseconds })
  try {
    await act()
  } finally {
    mock.timers.reset()
  }
}
