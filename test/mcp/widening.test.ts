/**
 * No shim widens an audience or a scope: whatever is sent, in whatever spelling, what comes out is a registered resource that was meant, and scopes that
 * the app may ask for and the person has allowed. Over the pure parts with thousands of requests, over the server with a few.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { App } from '../../src/apps/app.ts'
import { takeMetadata } from '../../src/apps/client-metadata.ts'
import { hasCode } from '../../src/errors.ts'
import type { Consent } from '../../src/oidc/grants.ts'
import { accumulated } from '../../src/oidc/plan.ts'
import { spellingShims } from '../../src/oidc/resource-spelling.ts'
import { createShims } from '../../src/shims.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { MCP, mcpResource, registerItself, signInWith } from '../support/mcp-client.ts'

const SCOPES = [
  'api:read',
  'api:write',
  'api:admin',
  'data:read',
  'data:write',
  'mcp:read',
  'mcp:write',
  'internal:all',
]
const shims = createShims()

const host = fc.constantFrom(
  'mcp.example.test',
  'MCP.example.test',
  'mcp.example.test.',
  'mcp.example.tes',
  'evil.test',
)
const port = fc.constantFrom('', ':443', ':80', ':8443', ':0443', ':')
const path = fc.constantFrom(
  '',
  '/',
  '/mcp',
  '/mcp/',
  '/mcp//',
  '/MCP',
  '/mcp/x',
  '/x/../mcp',
  '/%6dcp',
  '/mcp;x',
  '\\mcp',
)
const tail = fc.constantFrom('', '?', '?x=1', '#', '#f', ' ', '\t')
const scheme = fc.constantFrom('https', 'HTTPS', 'http', 'wss')
const user = fc.constantFrom('', 'u@', 'mcp.example.test@', 'u:p@')
const spelling = fc
  .tuple(scheme, user, host, port, path, tail)
  .map(([s, u, h, p, rest, end]) => `${s}://${u}${h}${p}${rest}${end}`)

test('no spelling of a resource is mended unless scheme, host, port, path and query are those of the registered one', () => {
  fc.assert(
    fc.property(spelling, spelling, (spelled, registered) => {
      if (spellingShims(spelled, registered) === undefined) return
      if (spelled === registered) return
      const [sent, meant] = [new URL(spelled), new URL(registered)]
      const withoutSlash = (url: URL) => url.pathname.replace(/\/$/, '')
      assert.deepEqual(
        [sent.protocol, sent.host, sent.username, sent.search, withoutSlash(sent)],
        [meant.protocol, meant.host, meant.username, meant.search, withoutSlash(meant)],
      )
      assert.equal(sent.hash, '')
    }),
    { numRuns: 5000 },
  )
})

test('an app accumulates scopes of the asked resources only, and only those that this very consent holds', () => {
  const some = fc.subarray(SCOPES)
  const maps = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'identity'), some)
  fc.assert(
    fc.property(some, fc.subarray(['a', 'b']), maps, fc.boolean(), (requested, identifiers, scopes, isItself) => {
      const app = { selfRegistered: isItself || undefined } as unknown as App
      const consent = { scopes } as unknown as Consent
      const result = accumulated({ shims, app, requested, identifiers, consent })
      const held = isItself ? identifiers.flatMap((identifier) => scopes[identifier] ?? []) : []
      assert.deepEqual(new Set(result), new Set([...requested, ...held]))
    }),
    { numRuns: 2000 },
  )
})

test('whatever metadata says, a client gives itself no scope, grant, standing, secret or address that it could not have', () => {
  const any = fc.oneof(fc.string(), fc.constantFrom(null, '', true, 7), fc.array(fc.string(), { maxLength: 3 }))
  const hostile = fc.record(
    {
      redirect_uris: fc.array(
        fc.constantFrom(
          'https://a.test/cb',
          'http://127.0.0.1/cb',
          'cursor://x/cb',
          'http://evil.test/',
          'javascript:x',
        ),
        { minLength: 1, maxLength: 4 },
      ),
      scope: fc.oneof(fc.constantFrom('api:admin', 'internal:all mcp:read', 'claudeai'), any),
      grant_types: fc.oneof(fc.constant(['client_credentials', 'implicit']), any),
      response_types: any,
      application_type: any,
      token_endpoint_auth_method: fc.oneof(fc.constantFrom('none', 'client_secret_jwt', 'private_key_jwt'), any),
      client_name: any,
      client_uri: any,
      first_party: any,
      verified: any,
      scopes: fc.constant(['api:admin']),
      optionalScopes: fc.constant(['api:admin']),
      client_id: fc.constant('console'),
      client_secret: any,
    },
    { requiredKeys: ['redirect_uris'] },
  )
  const taken = new Set(
    'name type auth redirectUris postLogoutRedirectUris dpop agent jwks jwksUri clientUri policyUri tosUri mended'.split(
      ' ',
    ),
  )
  fc.assert(
    fc.property(hostile, (metadata) => {
      try {
        const result = takeMetadata(metadata, { shims, scopes: SCOPES })
        assert.deepEqual(
          Object.keys(result).filter((key) => !taken.has(key)),
          [],
        )
        assert.ok(['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'].includes(result.auth))
        assert.ok(result.redirectUris.every((uri) => metadata.redirect_uris.some((given) => given === uri)))
        assert.ok(!result.redirectUris.some((uri) => /^http:\/\/evil|^javascript/.test(uri)))
      } catch (error) {
        assert.ok(hasCode(error, 'invalid_request'), String(error))
      }
    }),
    { numRuns: 3000 },
  )
})

let licet: Licet
before(async () => {
  licet = await startLicet({ file: { resources: [mcpResource] } })
})
after(() => licet.close())

test('no request of a self-registered client, mended or not, ends in another audience or a scope beyond its resource', async () => {
  const { body } = await registerItself(licet, { scope: 'api:admin', grant_types: ['client_credentials'] })
  const identity = { clientId: String(body['client_id']) }
  const scopes = fc.subarray(['mcp:read', 'mcp:write', 'data:write', 'claudeai', 'openid', 'offline_access', ''])
  const request = fc.record({
    resource: fc.constantFrom(MCP, `${MCP}/`, 'HTTPS://mcp.example.test:443/mcp', 'https://mcp.example.test/mcp/x'),
    scope: scopes.map((list) => list.join(' ')),
  })
  await fc.assert(
    fc.asyncProperty(request, async ({ resource, scope }) => {
      const outcome = await signInWith(licet, identity, { params: { resource, scope }, tokenParams: { resource } })
      if (!outcome.tokens) return
      assert.equal(outcome.claims?.['aud'], MCP)
      const may = new Set(['mcp:read', ...scope.split(' ')])
      assert.ok(
        outcome.scopes.every((one) => may.has(one) && one !== 'data:write'),
        outcome.scopes.join(),
      )
    }),
    { numRuns: 12 },
  )
})
