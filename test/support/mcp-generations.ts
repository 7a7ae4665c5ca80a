/**
 * The official TypeScript SDK in three generations behind one shape: the oldest that is still met in the wild, the last of the first line, and the second
 * line. Each brings its own client, transport and sign-in; what a client keeps between runs is a `Keeper`, whichever it is.
 */
import * as v2 from '@modelcontextprotocol/client'
import * as v1Auth from '@modelcontextprotocol/sdk/client/auth.js'
import * as v1 from '@modelcontextprotocol/sdk/client/index.js'
import * as v1Http from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import * as oldAuth from 'mcp-sdk-1.13/client/auth.js'
import * as old from 'mcp-sdk-1.13/client/index.js'
import * as oldHttp from 'mcp-sdk-1.13/client/streamableHttp.js'

export const SDK_REDIRECT = 'http://localhost:33418/callback'

interface Tokens {
  readonly access_token: string
  readonly refresh_token?: string
  readonly token_type: string
}

/** What a client keeps, and where it would open a browser. `documentUrl` is its metadata document, for generations that know what that is. */
export class Keeper {
  readonly redirectUrl = SDK_REDIRECT
  readonly clientMetadata = {
    client_name: 'Agent',
    redirect_uris: [SDK_REDIRECT],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }
  client: { client_id: string } | undefined
  kept: Tokens | undefined
  verifier = ''
  asked: URL | undefined
  clientMetadataUrl?: string
  clientInformation = () => this.client
  saveClientInformation(client: { client_id: string }): void {
    this.client = client
  }
  tokens = () => this.kept
  saveTokens(tokens: Tokens): void {
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
    if (what === 'all' || what === 'client') this.client = undefined
  }
}

export interface SdkSession {
  /** The text a tool answered. */
  call(tool: string): Promise<string>
}

export interface Generation {
  readonly name: string
  readonly knowsDocuments: boolean
  connect(resource: string, keeper: Keeper): Promise<SdkSession>
  /** Redeems what the browser came back with. */
  finish(resource: string, keeper: Keeper, back: URL): Promise<void>
  isUnauthorized(error: unknown): boolean
}

interface AnyClient {
  connect(transport: never): Promise<void>
  callTool(call: { name: string }): Promise<object>
}

async function session(client: AnyClient, transport: object): Promise<SdkSession> {
  await client.connect(transport as never)
  return {
    async call(name) {
      const { content } = (await client.callTool({ name })) as { content?: unknown }
      return JSON.stringify(content)
    },
  }
}

const me = { name: 'agent', version: '1.0.0' }
const codeOf = (back: URL): string => back.searchParams.get('code') ?? ''

export const generations: readonly Generation[] = [
  {
    name: 'SDK 1.13',
    knowsDocuments: false,
    connect: (resource, keeper) => session(new old.Client(me), oldTransport(resource, keeper)),
    finish: (resource, keeper, back) => oldTransport(resource, keeper).finishAuth(codeOf(back)),
    isUnauthorized: (error) => error instanceof oldAuth.UnauthorizedError,
  },
  {
    name: 'SDK 1.32',
    knowsDocuments: true,
    connect: (resource, keeper) => session(new v1.Client(me), v1Transport(resource, keeper)),
    finish: (resource, keeper, back) => v1Transport(resource, keeper).finishAuth(codeOf(back)),
    isUnauthorized: (error) => error instanceof v1Auth.UnauthorizedError,
  },
  {
    name: 'SDK 2.4',
    knowsDocuments: true,
    connect: (resource, keeper) => session(new v2.Client(me), v2Transport(resource, keeper)),
    // It reads `iss` beside the code and refuses the answer of another server (RFC 9207).
    finish: (resource, keeper, back) => v2Transport(resource, keeper).finishAuth(back.searchParams),
    isUnauthorized: (error) => error instanceof v2.UnauthorizedError,
  },
]

const oldTransport = (resource: string, keeper: Keeper) =>
  new oldHttp.StreamableHTTPClientTransport(new URL(resource), { authProvider: keeper as never })
const v1Transport = (resource: string, keeper: Keeper) =>
  new v1Http.StreamableHTTPClientTransport(new URL(resource), { authProvider: keeper as never })
const v2Transport = (resource: string, keeper: Keeper) =>
  new v2.StreamableHTTPClientTransport(new URL(resource), { authProvider: keeper as never })
