/**
 * Samples of the pages that explain.
 */
import { page } from '../../src/http/views.ts'
import { shimNames, shims } from '../../src/shims.ts'

export const docsSamples = {
  'docs-error': page('docs/error', { code: 'insufficient_user_authentication', status: 401 }),
  'docs-leaked-keys': page('docs/leaked-keys', {
    pattern: '\\blicet_(?:key|pat)_[0-9A-Za-z]+\\b',
    reportUrl: 'http://localhost:4000/api/v1/leaks',
    isReceived: true,
  }),
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
  'docs-clients': page('docs/clients', {
    rows: [...shimNames].map((name, index) => ({ name, ...shims[name], isOn: index !== 2 })),
    served: [
      {
        software: 'vscode.dev',
        source: 'document',
        shims: [
          { name: 'document_loopback_port', count: 128, lastAt: Date.UTC(2026, 10, 3) },
          { name: 'grant_types_unknown', count: 1, lastAt: Date.UTC(2026, 10, 1) },
        ],
      },
      {
        software: 'Desk Agent',
        source: 'self_registered',
        shims: [{ name: 'application_type_missing', count: 12, lastAt: Date.UTC(2026, 10, 2) }],
      },
    ],
  }),
} as const
