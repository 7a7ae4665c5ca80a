/**
 * An MCP client as the real ones are, quirks and all: registers itself or brings its own id, sends a person to authorize, redeems, and says how far it
 * came. What a current client would do right stands here; each test bends one thing.
 */
import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { form, type Params } from './app-client.ts'
import { type Licet, newAccount } from './licet.ts'
import { Person, textOf } from './person.ts'

export const MCP = 'https://mcp.example.test/mcp'
export const WEB_CALLBACK = 'https://client.example.test/callback'

export const mcpResource = {
  identifier: MCP,
  name: 'Example MCP',
  scopes: ['mcp:read', 'mcp:write'],
  default_scopes: ['mcp:read'],
}

// biome-ignore lint/suspicious/noExplicitAny: answers of another program
type Json = Record<string, any>

export interface RegisteredClient {
  readonly status: number
  readonly body: Json
}

/** A POST to `/register`; a public client of the web unless `metadata` says otherwise. */
export async function registerItself(
  { issuer }: Pick<Licet, 'issuer'>,
  metadata: object = {},
  headers: Record<string, string> = {},
): Promise<RegisteredClient> {
  const answer = await fetch(`${issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      client_name: 'Test client',
      redirect_uris: [WEB_CALLBACK],
      token_endpoint_auth_method: 'none',
      ...metadata,
    }),
  })
  return { status: answer.status, body: (await answer.json()) as Json }
}

interface Proven {
  readonly params: Params
  readonly headers?: Record<string, string>
}

export interface ClientIdentity {
  readonly clientId: string
  /** Adds its proof to a token request. */
  readonly prove?: (params: Params) => Proven | Promise<Proven>
}

/** How far one sign-in came. `page` is the text of the page that ended it, `error` the OAuth error of the answer that did. */
export interface Outcome {
  readonly page?: string
  readonly error?: string
  readonly tokens?: Json
  readonly claims?: Json
  readonly scopes: readonly string[]
}

export interface SignInWish {
  /** Of the authorization request. */
  readonly params?: Params
  /** Of the token request. */
  readonly tokenParams?: Params
  readonly person?: Person
  readonly email?: string
}

/** From the authorization request to the tokens, with a person who allows everything. */
export async function signInWith(
  licet: Pick<Licet, 'issuer' | 'core'>,
  identity: ClientIdentity,
  { params = {}, tokenParams = {}, person = new Person(licet.issuer), email }: SignInWish = {},
): Promise<Outcome> {
  const who = email ?? (await newAccount(licet.core)).email
  const verifier = randomBytes(32).toString('base64url')
  const redirectUri = params['redirect_uri'] ?? WEB_CALLBACK
  const query = form({
    client_id: identity.clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    resource: MCP,
    scope: 'mcp:read',
    state: 'a state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...params,
  })
  const back = await person.authorize(`${licet.issuer}/authorize?${query}`, { email: who })
  const code = back.searchParams.get('code')
  if (!code) return { ...(await refusalOf(licet, person, back)), scopes: [] }
  const redeeming: Params = {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
    resource: MCP,
    ...tokenParams,
  }
  return askTokens(licet, identity, redeeming)
}

/** A token request with the client's proof. */
export async function askTokens(
  { issuer }: Pick<Licet, 'issuer'>,
  { clientId, prove }: ClientIdentity,
  params: Params,
): Promise<Outcome> {
  const proven = (await prove?.(params)) ?? { params: { client_id: clientId, ...params } }
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...proven.headers },
    body: form(proven.params),
  })
  const tokens = (await answer.json()) as Json
  if (answer.status !== 200) return { error: String(tokens['error']), scopes: [] }
  const claims = decodeJwt(tokens['access_token']) as Json
  return {
    tokens,
    claims,
    scopes: String(claims['scope'] ?? '')
      .split(' ')
      .filter(Boolean)
      .sort(),
  }
}

async function refusalOf({ issuer }: Pick<Licet, 'issuer'>, person: Person, back: URL) {
  const error = back.searchParams.get('error')
  if (error) return { error }
  if (back.origin !== new URL(issuer).origin) return { error: `nothing came back: ${back.href}` }
  return { page: textOf((await person.send('GET', back.href)).body) }
}
