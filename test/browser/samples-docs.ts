/**
 * Samples of the pages that explain.
 */
import { page } from '../../src/http/views.ts'

export const docsSamples = {
  'docs-error': page('docs/error', { code: 'insufficient_user_authentication', status: 401 }),
  'docs-reference': page('docs/reference', {
    issuer: 'http://localhost:4000',
    groups: [
      {
        name: 'keys',
        routes: [
          {
            method: 'POST',
            path: '/api/v1/keys/:id/rotate',
            summary: 'A new secret; the old one works until the overlap ends.',
            needs: 'An access token with `api:write` from a recent interactive sign-in.',
            statuses: [201, 400, 401, 403, 404, 409, 413, 415, 429, 503],
          },
        ],
      },
    ],
  }),
} as const
