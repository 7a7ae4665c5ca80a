/**
 * Resources and scopes (RFC 8707, contract.md): how a resource may be spelled, several in one authorization, what a request without scope gets,
 * what stands in a token's scope, and where userinfo accepts it. On every store, with both strict clients in turn.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { NewApp } from '../../src/apps/records.ts'
import { type Licet, newAccount } from '../support/licet.ts'
import { Person } from '../support/person.ts'
import { CALLBACK, register } from '../support/registered.ts'
import { onEveryStore } from '../support/stores.ts'
import { type Params, strictClients, type Tokens } from '../support/strict-client.ts'

const MCP = 'https://mcp.example.test/mcp'
const BARE = 'https://bare.example.test'
const SIGNED = 'urn:example:reports'

const resources = [
  {
    identifier: MCP,
    name: 'Example MCP',
    scopes: ['mcp:read', 'mcp:write'],
    default_scopes: ['mcp:read'],
    access_token: { lifetime: '5m' },
  },
  { identifier: BARE, name: 'Bare', scopes: ['llm:read'] },
  { identifier: SIGNED, name: 'Reports', scopes: ['billing:read'], access_token: { alg: 'RS256' } },
]

const file = {
  resources,
  scopes: { 'billing:read': { family: 'billing', access: 'read', describe: 'See your invoices', third_party: true } },
}

/** From a registered app to its tokens; `tokenParams` go with the code. */
async function obtain(
  licet: Licet,
  app: Partial<NewApp>,
  params: Params,
  {
    strict = strictClients[0],
    tokenParams = {},
  }: { strict?: (typeof strictClients)[number]; tokenParams?: Params } = {},
) {
  const { credentials } = await register(licet, app)
  const account = await newAccount(licet.core)
  const client = await strict.connect(licet.issuer, credentials)
  const authorization = await client.authorize(CALLBACK, params)
  const back = await new Person(licet.issuer).authorize(authorization.url.href, account)
  const tokens = await authorization.finish(back, tokenParams)
  return { account, client, tokens }
}

const scopesOf = ({ access_token }: Tokens): string[] =>
  String(decodeJwt(access_token)['scope'] ?? '')
    .split(' ')
    .sort()
const audienceOf = ({ access_token }: Tokens) => decodeJwt(access_token).aud

onEveryStore(
  (licet) => {
    for (const strict of strictClients) {
      describe(strict.name, () => {
        const spellings = [
          MCP,
          'HTTPS://MCP.EXAMPLE.TEST/mcp',
          'https://mcp.example.test:443/mcp',
          'https://mcp.example.test/mcp/',
          'https://Mcp.Example.Test:443/mcp/',
        ]
        test('a resource gets its registered audience however it is spelled, at every endpoint', async () => {
          const [, upper = '', port = '', slash = ''] = spellings
          const { tokens, client } = await obtain(
            licet(),
            { scopes: ['mcp:read', 'mcp:write'] },
            { resource: upper, scope: 'mcp:read' },
            { strict, tokenParams: { resource: slash } },
          )
          assert.deepEqual([audienceOf(tokens), scopesOf(tokens), tokens.expires_in], [MCP, ['mcp:read'], 300])
          const refreshed = await client.refresh(tokens.refresh_token ?? '', { resource: port })
          assert.equal(audienceOf(refreshed), MCP)
          const { credentials } = await register(licet(), { type: 'service', scopes: ['mcp:read'] })
          const machine = await strict.connect(licet().issuer, credentials)
          for (const resource of spellings)
            assert.equal(audienceOf(await machine.clientCredentials({ resource })), MCP, resource)
        })

        test('two resources of one authorization get a token each, with the scopes each owns', async () => {
          const app = { scopes: ['mcp:read', 'llm:read'] }
          const asked = { resource: [MCP, BARE], scope: 'openid mcp:read llm:read' }
          const { tokens, client } = await obtain(licet(), app, asked, { strict, tokenParams: { resource: MCP } })
          assert.equal(audienceOf(tokens), MCP)
          assert.deepEqual(scopesOf(tokens), ['mcp:read', 'openid'])
          const other = await client.refresh(tokens.refresh_token ?? '', { resource: `${BARE}/` })
          assert.equal(audienceOf(other), BARE)
          assert.deepEqual(scopesOf(other), ['llm:read', 'openid'])
          const again = await client.refresh(other.refresh_token ?? '', { resource: `${MCP}/` })
          assert.deepEqual([audienceOf(again), scopesOf(again)], [MCP, ['mcp:read', 'openid']])
        })

        test('a resource of one authorization is refused a token of another', async () => {
          const app = { scopes: ['mcp:read', 'data:read'] }
          const { tokens, client } = await obtain(licet(), app, { resource: MCP, scope: 'mcp:read' }, { strict })
          const refused = client.refresh(tokens.refresh_token ?? '', { resource: `${licet().issuer}/api/v1` })
          await assert.rejects(refused, { error: 'invalid_target' })
          assert.equal(audienceOf(await client.refresh(tokens.refresh_token ?? '')), MCP)
        })

        test('userinfo accepts every access token whose scope has openid, whatever its resource', async () => {
          const { tokens, client, account } = await obtain(
            licet(),
            { scopes: ['mcp:read'] },
            { resource: MCP, scope: 'openid email mcp:read' },
            { strict },
          )
          assert.equal(audienceOf(tokens), MCP)
          assert.equal((await client.userinfo(tokens.access_token, account.id))['email'], account.email)
          const without = await obtain(
            licet(),
            { scopes: ['mcp:read'] },
            { resource: MCP, scope: 'mcp:read' },
            { strict },
          )
          await assert.rejects(without.client.userinfo(without.tokens.access_token, without.account.id))
        })

        test('a refresh may ask for fewer scopes, never for more', async () => {
          const app = { scopes: ['data:read', 'data:write'] }
          const { tokens, client } = await obtain(licet(), app, { scope: 'openid data:read data:write' }, { strict })
          const fewer = await client.refresh(tokens.refresh_token ?? '', { scope: 'data:read' })
          assert.deepEqual(scopesOf(fewer), ['data:read'])
          const widened = client.refresh(fewer.refresh_token ?? '', { scope: 'data:read api:write' })
          await assert.rejects(widened, { error: 'invalid_scope' })
          const all = await client.refresh(fewer.refresh_token ?? '')
          assert.deepEqual(scopesOf(all), ['data:read', 'data:write', 'openid'])
        })
      })
    }

    test('an unknown resource is refused', async () => {
      const { credentials } = await register(licet(), { type: 'service', scopes: ['mcp:read'] })
      const client = await strictClients[0].connect(licet().issuer, credentials)
      for (const resource of [
        'https://unknown.example.test/',
        'http://mcp.example.test/mcp',
        `${MCP}/deeper`,
        `${MCP}#x`,
      ])
        await assert.rejects(client.clientCredentials({ resource }), { error: 'invalid_target' }, resource)
    })

    test('a service gets a token for a further resource with the scopes it is registered for there', async () => {
      const { credentials } = await register(licet(), { type: 'service', scopes: ['mcp:write', 'data:read'] })
      const client = await strictClients[1].connect(licet().issuer, credentials)
      const tokens = await client.clientCredentials({ resource: MCP })
      assert.deepEqual([audienceOf(tokens), scopesOf(tokens)], [MCP, ['mcp:write']])
      await assert.rejects(client.clientCredentials({ resource: MCP, scope: 'mcp:read' }), { error: 'invalid_scope' })
      await assert.rejects(client.clientCredentials({ resource: MCP, scope: 'data:read' }), { error: 'invalid_scope' })
    })

    const defaults: readonly [title: string, app: string[], params: Params, expected: string[]][] = [
      ['its registered scopes when it asks for none', ['data:read', 'llm:read'], {}, ['data:read', 'llm:read']],
      ['api:read when it registered none and asks for none', [], {}, ['api:read']],
      [
        'of its registered scopes those the resource owns',
        ['data:read', 'mcp:write'],
        { resource: MCP },
        ['mcp:write'],
      ],
      ['the default scopes of a further resource when it registered none there', [], { resource: MCP }, ['mcp:read']],
      [
        'what it asked for beside identity when it asks for identity alone',
        ['data:read'],
        { scope: 'openid email' },
        ['data:read', 'email', 'openid'],
      ],
      ['no scope that nobody knows', ['data:read'], { scope: 'openid data:read claudeai' }, ['data:read', 'openid']],
    ]
    for (const [title, scopes, params, expected] of defaults) {
      test(`AZ17: an app gets ${title}`, async () => {
        const { tokens } = await obtain(licet(), { scopes }, params)
        assert.deepEqual(scopesOf(tokens), expected)
        assert.deepEqual(tokens.scope?.split(' ').sort(), expected)
      })
    }

    test('a resource signs its access tokens with the algorithm it was configured with', async () => {
      const { tokens } = await obtain(
        licet(),
        { scopes: ['billing:read'] },
        { resource: SIGNED, scope: 'billing:read' },
      )
      assert.equal(decodeProtectedHeader(tokens.access_token).alg, 'RS256')
      assert.equal(audienceOf(tokens), SIGNED)
    })

    test('an app registered for a refresh token gets one with and without offline_access', async () => {
      for (const scope of ['data:read', 'data:read offline_access', 'openid data:read offline_access']) {
        const { tokens, client } = await obtain(licet(), { scopes: ['data:read'] }, { scope })
        assert.ok(tokens.refresh_token, scope)
        assert.ok(Number(tokens['refresh_token_expires_in']) > 0)
        assert.deepEqual(scopesOf(tokens), scope.split(' ').sort())
        assert.deepEqual(scopesOf(await client.refresh(tokens.refresh_token)), scope.split(' ').sort())
      }
    })
  },
  { file },
)
