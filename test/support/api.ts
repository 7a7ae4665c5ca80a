/**
 * A program that uses the API with any credential of ours: raw HTTP to any process of a server. And a person who has signed in and holds an access
 * token and keys, which is what most tests of the API begin with.
 */
import type { NewKey } from '../../src/keys/fields.ts'
import type { KeyKind } from '../../src/keys/key.ts'
import { type AppClient, type Deployment, registerApp } from './app-client.ts'
import { newAccount } from './licet.ts'
import { Person } from './person.ts'
import { type Reply, type Sending, sendOnWire } from './wire.ts'

/** Fields are what a test says they are. */
// biome-ignore lint/suspicious/noExplicitAny: answers of another program
export type Json = any

export interface ApiAnswer extends Reply {
  readonly body: Json
}

export interface ApiCall extends Sending {
  readonly token?: string | undefined
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is. */
  readonly body?: string
}

/** One request with a bearer credential. */
export async function callApi(
  issuer: string,
  method: string,
  path: string,
  { token, json, headers = {}, ...sending }: ApiCall = {},
): Promise<ApiAnswer> {
  const reply = await sendOnWire(issuer, method, path, {
    ...sending,
    headers: {
      accept: 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  })
  return { ...reply, body: parsed(reply.text) }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

export const TEN = [
  'api:read',
  'api:write',
  'api:admin',
  'connections:read',
  'connections:write',
  'data:read',
  'data:write',
  'llm:read',
  'mcp:read',
  'mcp:write',
] as const

/** What a member's sign-in may hold. */
export const NINE = TEN.filter((scope) => scope !== 'api:admin')

export interface Owner {
  readonly accountId: string
  readonly email: string
  readonly person: Person
  /** From a sign-in just now. */
  readonly token: string
  readonly refreshToken: string
  /** With the access token unless another is given. */
  call(method: string, path: string, call?: ApiCall): Promise<ApiAnswer>
}

export interface OwnerOptions {
  readonly scope?: readonly string[]
  readonly resource?: string
  readonly account?: object
  readonly app?: AppClient
}

/** A first-party app with every scope, for signing owners in. */
export function ownApp(deployment: Deployment): Promise<AppClient> {
  return registerApp(deployment, { name: 'Console', firstParty: true, scopes: [...TEN], optionalScopes: [] })
}

/** A new account, signed in. */
export async function newOwner(deployment: Deployment, options: OwnerOptions = {}): Promise<Owner> {
  const { scope = NINE, resource, account: more = {} } = options
  const account = await newAccount(deployment.core, undefined, more)
  const app = options.app ?? (await ownApp(deployment))
  const person = new Person(deployment.issuer)
  const asked = { scope: ['openid', ...scope].join(' '), ...(resource ? { resource } : {}) }
  const { status, text, body } = await app.redeem(await app.obtainCode(person, account.email, asked))
  if (status !== 200) throw new Error(`no token came back: ${text}`)
  const token = body.access_token
  return {
    accountId: account.id,
    email: account.email,
    person,
    token,
    refreshToken: body.refresh_token,
    call: (method, path, call = {}) => callApi(deployment.issuer, method, path, { token, ...call }),
  }
}

export interface MadeKey {
  readonly id: string
  readonly key: string
}

/** A key made by the domain, as a page would make it. */
export async function makeKey(
  { core }: Deployment,
  accountId: string,
  { kind = 'api_key', ...wanted }: Partial<NewKey> & { kind?: KeyKind } = {},
): Promise<MadeKey> {
  const { key, credential } = await core.keys.create(
    { kind: 'account', id: accountId },
    { ownerId: accountId, kind },
    { name: 'Deploy', scopes: ['data:read'], ...wanted },
  )
  return { id: key.id, key: credential }
}
