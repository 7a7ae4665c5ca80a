/**
 * MCP end to end: the official SDK's own client against the example MCP server. It discovers, registers itself, signs a person in, calls a tool, is
 * stepped up, refreshes, and is cut off. Once by dynamic registration, once with a registered client (mcp.md section 1).
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthClientInformationMixed, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { decodeJwt } from 'jose'
import { freePort, type Licet, newAccount, operator, root, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

let licet: Licet
let server: ChildProcess
let resource: string

before(async () => {
  const port = await freePort()
  resource = `http://localhost:${port}/mcp`
  licet = await startLicet({
    file: {
      resources: [
        { identifier: resource, name: 'Notes', scopes: ['mcp:read', 'mcp:write'], default_scopes: ['mcp:read'] },
      ],
    },
  })
  const { app, clientSecret = '' } = await licet.core.apps.create(operator, {
    name: 'Notes server',
    type: 'service',
    resourceServer: resource,
  })
  server = spawn(process.execPath, [join(root, 'examples/mcp-server/server.js')], {
    env: {
      PATH: process.env['PATH'] ?? '',
      ISSUER: licet.issuer,
      RESOURCE: resource,
      PORT: String(port),
      CLIENT_ID: app.clientId,
      CLIENT_SECRET: clientSecret,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve) => server.stdout?.once('data', resolve))
})
after(async () => {
  server.kill()
  await licet.close()
})

const redirectUrl = 'http://localhost:33418/callback'

/** The person's side of the SDK: keeps what the client keeps, and plays the browser. */
class Keeper implements OAuthClientProvider {
  readonly redirectUrl = redirectUrl
  readonly clientMetadata = {
    client_name: 'Agent',
    redirect_uris: [redirectUrl],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  }
  client: OAuthClientInformationMixed | undefined
  kept: OAuthTokens | undefined
  verifier = ''
  asked: URL | undefined
  clientInformation = () => this.client
  saveClientInformation(client: OAuthClientInformationMixed): void {
    this.client = client
  }
  tokens = () => this.kept
  saveTokens(tokens: OAuthTokens): void {
    this.kept = tokens
  }
  redirectToAuthorization(url: URL): void {
    this.asked = url
  }
  saveCodeVerifier(verifier: string): void {
    this.verifier = verifier
  }
  codeVerifier = () => this.verifier
  invalidateCredentials(what: string): void {
    if (what === 'all' || what === 'tokens') this.kept = undefined
  }
}

async function connect(keeper: Keeper): Promise<Client> {
  const client = new Client({ name: 'agent', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(resource), { authProvider: keeper }) as never)
  return client
}

/** Runs `act`; when it needs a sign-in, the person gives it and `act` runs again. */
async function withSignIn<T>(keeper: Keeper, person: Person, email: string, act: () => Promise<T>): Promise<T> {
  keeper.asked = undefined
  try {
    return await act()
  } catch (error) {
    if (!keeper.asked) throw error
    assert.ok(error instanceof UnauthorizedError, String(error))
    const back = await person.authorize((keeper.asked as URL).href, { email })
    const code = back.searchParams.get('code')
    assert.ok(code, back.href)
    await new StreamableHTTPClientTransport(new URL(resource), { authProvider: keeper }).finishAuth(code)
    return act()
  }
}

async function story(keeper: Keeper): Promise<void> {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const run = <T>(act: () => Promise<T>) => withSignIn(keeper, person, account.email, act)

  const client = await run(() => connect(keeper))
  const read = await client.callTool({ name: 'list_notes' })
  assert.match(JSON.stringify(read.content), /no notes/)
  const first = decodeJwt(keeper.kept?.access_token ?? '')
  assert.equal(first.aud, resource)
  assert.equal(first['scope'], 'mcp:read')

  // The step-up: a refresh cannot give more, so the client goes to /authorize and the earlier scope stays.
  await run(() => client.callTool({ name: 'add_note' }))
  const scopes = String(decodeJwt(keeper.kept?.access_token ?? '')['scope']).split(' ')
  assert.deepEqual(scopes.sort(), ['mcp:read', 'mcp:write'])

  // Refresh without asking anybody: the access token is thrown away, the refresh token works.
  const before = keeper.kept as OAuthTokens
  keeper.kept = { ...before, access_token: 'gone' }
  keeper.asked = undefined
  const refreshed = await connect(keeper)
  await refreshed.callTool({ name: 'list_notes' })
  assert.equal(keeper.asked, undefined)

  // One click ends it: the next refresh is refused and the client has to ask again.
  const { items } = await licet.core.store.list<{ clientId: string }>('consent', {
    group: 'accountId',
    value: account.id,
  })
  assert.equal(items.length, 1)
  await licet.core.store.removeGroup('grant', 'consentId', items[0]?.id ?? '')
  await licet.core.store.remove('consent', items[0]?.id ?? '')
  keeper.kept = { ...(keeper.kept as OAuthTokens), access_token: 'gone' }
  await assert.rejects(connect(keeper))
  assert.ok(keeper.asked, 'the client was sent to sign in again')
}

test('an MCP client that registers itself discovers, signs in, calls, steps up, refreshes and is cut off', async () => {
  await story(new Keeper())
})

test('a pre-registered MCP client does the same', async () => {
  const keeper = new Keeper()
  const { app } = await licet.core.apps.create(operator, {
    name: 'Registered agent',
    type: 'native',
    redirectUris: [redirectUrl],
    scopes: ['mcp:read'],
    optionalScopes: ['mcp:write'],
  })
  keeper.client = { client_id: app.clientId }
  await story(keeper)
})
