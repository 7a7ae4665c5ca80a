/**
 * An app as an attacker or a strict developer would drive it: raw HTTP towards any process of a server, nothing corrected on the way.
 * It registers itself, runs the code flow with PKCE through a `Person`, redeems, refreshes, introspects and revokes.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { NewApp } from '../../src/apps/records.ts'
import type { Core } from '../../src/core.ts'
import { newAccount, operator } from './licet.ts'
import { Person } from './person.ts'
import { type Reply, type Sending, sendOnWire } from './wire.ts'

export type { Sending } from './wire.ts'

/** A JSON answer; the fields that tests read most are named, and trusted to be there. */
export interface Body {
  readonly error?: string
  readonly error_description?: string
  readonly access_token: string
  readonly refresh_token: string
  readonly id_token: string
  readonly active?: boolean
  readonly [field: string]: unknown
}

export interface Answer extends Reply {
  readonly body: Body
}

export type Params = Readonly<Record<string, string | readonly string[] | undefined>>

async function send(
  issuer: string,
  method: string,
  path: string,
  sending: Parameters<typeof sendOnWire>[3],
): Promise<Answer> {
  const reply = await sendOnWire(issuer, method, path, {
    ...sending,
    headers: { accept: 'application/json', ...sending?.headers },
  })
  return { ...reply, body: parsed(reply.text) }
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text) as Body
  } catch {
    return {} as Body
  }
}

/** Form-encoded, repeated names and all; `undefined` is left out. */
export function form(params: Params): string {
  const pairs = Object.entries(params).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => [name, one] as [string, string]),
  )
  return new URLSearchParams(pairs).toString()
}

/** How the app proves itself: what it adds to a request. Called for every request, so that assertions are new each time. */
export type Proof = () => Promise<{ params?: Params; headers?: Record<string, string> }>

export const nobody: Proof = async () => ({})

export function basic(clientId: string, secret: string): Proof {
  const encoded = [clientId, secret].map(encodeURIComponent).join(':')
  return async () => ({ headers: { authorization: `Basic ${Buffer.from(encoded).toString('base64')}` } })
}

export interface PendingCode {
  readonly code: string
  readonly verifier: string
}

export interface AppClient {
  readonly clientId: string
  readonly secret: string | undefined
  readonly issuer: string
  readonly redirectUri: string
  /** A POST with the app's own proof. */
  post(path: string, params: Params, sending?: Sending): Promise<Answer>
  /** As `post`, proving itself in another way. */
  with(proof: Proof): AppClient
  /** Signs in and consents as needed; the code is not redeemed. */
  obtainCode(person: Person, email: string, params?: Params): Promise<PendingCode>
  redeem(pending: PendingCode, params?: Params, sending?: Sending): Promise<Answer>
  refresh(refreshToken: string, params?: Params, sending?: Sending): Promise<Answer>
  introspect(token: string, sending?: Sending): Promise<Answer>
  revoke(token: string, sending?: Sending): Promise<Answer>
  userinfo(accessToken: string, sending?: Sending): Promise<Answer>
}

const REDIRECT = 'https://app.example.test/callback'

export interface Deployment {
  readonly issuer: string
  readonly core: Core
}

/** Registers an app (`web` with a secret unless said otherwise) and returns it ready to use. */
export async function registerApp({ issuer, core }: Deployment, fields: Partial<NewApp> = {}): Promise<AppClient> {
  const type = fields.type ?? 'web'
  const { app, clientSecret } = await core.apps.create(operator, {
    name: 'Notes',
    type,
    ...(type === 'service' || type === 'device' ? {} : { redirectUris: [REDIRECT] }),
    scopes: ['data:read'],
    optionalScopes: type === 'service' ? [] : ['data:write'],
    ...fields,
  })
  const proof = clientSecret === undefined ? nobody : basic(app.clientId, clientSecret)
  return appClient({ issuer, clientId: app.clientId, secret: clientSecret, proof })
}

interface ClientParts {
  readonly issuer: string
  readonly clientId: string
  readonly secret: string | undefined
  readonly proof: Proof
}

export function appClient(parts: ClientParts): AppClient {
  const { issuer, clientId, secret, proof } = parts
  const post: AppClient['post'] = async (path, params, { headers = {}, ...sending } = {}) => {
    const proven = await proof()
    const named = proven.headers?.['authorization'] ? {} : { client_id: clientId }
    return send(issuer, 'POST', path, {
      ...sending,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...proven.headers, ...headers },
      body: form({ ...named, ...proven.params, ...params }),
    })
  }
  return {
    clientId,
    secret,
    issuer,
    redirectUri: REDIRECT,
    post,
    with: (other) => appClient({ ...parts, proof: other }),
    async obtainCode(person, email, params = {}) {
      const verifier = randomBytes(32).toString('base64url')
      const query = form({
        client_id: clientId,
        response_type: 'code',
        redirect_uri: REDIRECT,
        scope: 'openid data:read',
        state: randomBytes(8).toString('hex'),
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...params,
      })
      const back = await person.authorize(`${issuer}/authorize?${query}`, { email })
      const code = back.searchParams.get('code')
      if (!code) throw new Error(`no code came back: ${back.href}`)
      return { code, verifier }
    },
    redeem: ({ code, verifier }, params, sending) =>
      post(
        '/token',
        { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT, ...params },
        sending,
      ),
    refresh: (refreshToken, params, sending) =>
      post('/token', { grant_type: 'refresh_token', refresh_token: refreshToken, ...params }, sending),
    introspect: (token, sending) => post('/introspect', { token }, sending),
    revoke: (token, sending) => post('/revoke', { token }, sending),
    userinfo: (token, { headers = {}, ...sending } = {}) =>
      send(issuer, 'GET', '/userinfo', { ...sending, headers: { authorization: `Bearer ${token}`, ...headers } }),
  }
}

export interface SignedIn {
  readonly person: Person
  readonly email: string
  readonly accountId: string
}

/** A new account and its browser. */
export async function newPerson({ issuer, core }: Deployment, origin = issuer): Promise<SignedIn> {
  const account = await newAccount(core)
  return { person: new Person(issuer, origin), email: account.email, accountId: account.id }
}

/** Answers by status and error, for counting: `200`, `400 invalid_grant`. */
export function outcome({ status, body }: Answer): string {
  return body.error ? `${status} ${body.error}` : String(status)
}

export function tally(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[outcome(answer)] = (counts[outcome(answer)] ?? 0) + 1
  return counts
}
