/**
 * Apps that register themselves (RFC 7591) without anything being stored: the client id is the sealed metadata. What opens it is the root secret, so
 * it cannot be forged or altered, a hundred thousand registrations leave the store as it was, and a client that was forgotten comes back by itself.
 * The first consent of a person makes it a stored app like any other. Requests and answers of the endpoint are `api/registration.ts`'s.
 */
import { formatCredential } from '../credential-format.ts'
import { cleanName, NAME_LIMIT } from '../display-name.ts'
import { AppError, type FieldError } from '../errors.ts'
import { digest, equalSecrets, randomId, randomToken, type Vault } from '../secrets.ts'
import type { AppRecord, ClientId, JwkSet } from './app.ts'
import type { AppAuth } from './app-types.ts'
import { findKeyProblem } from './public-keys.ts'
import { judgeRedirectUris } from './redirect-uris.ts'
import { keptSecret } from './secrets.ts'

/** What a client sends; everything else in its request is ignored, as RFC 7591 §2 allows. */
export interface ClientMetadata {
  readonly redirect_uris?: unknown
  readonly token_endpoint_auth_method?: unknown
  readonly application_type?: unknown
  readonly client_name?: unknown
  readonly client_uri?: unknown
  readonly policy_uri?: unknown
  readonly tos_uri?: unknown
  readonly post_logout_redirect_uris?: unknown
  readonly jwks?: unknown
  readonly jwks_uri?: unknown
  /** Ours: the app says of itself that it is an agent. */
  readonly agent?: unknown
}

/** `clientSecret` and `registrationToken` are told once and kept as digests inside the id. */
export interface Registered {
  readonly clientId: ClientId
  readonly record: AppRecord
  readonly clientSecret?: string
  readonly registrationToken: string
}

export interface Registration {
  /** @throws invalid_request: one field whose pointer is `/redirect_uris…` or another member, for the error code of RFC 7591 §3.2.2. */
  register(metadata: ClientMetadata): Registered
  /** New metadata for an app that is stored already: what the client may change of its record (RFC 7592 §2.2). @throws invalid_request */
  change(before: AppRecord, metadata: ClientMetadata): AppRecord
  /** The record of metadata that is not sealed into an id: a client document's. @throws invalid_request */
  read(metadata: ClientMetadata): AppRecord
  /** What a client id of this kind says; undefined for any other id and for one that was altered. */
  open(clientId: string): AppRecord | undefined
  /** Whether this is the token that was issued with that id (RFC 7592 §1.2). */
  isRegistrationToken(clientId: string, token: string): boolean
}

const PREFIX = 'dyn.'
const ID_LIMIT = 2048
const AUTH: readonly AppAuth[] = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']

/** What is sealed; short names, for every character stands in every access token. */
interface Sealed {
  readonly n: string
  /** Index in `AUTH`. */
  readonly a: number
  readonly t: 'web' | 'spa' | 'native'
  readonly r: readonly string[]
  /** Seconds since 1970. */
  readonly i: number
  /** Digest of the registration access token, the first 128 bits. */
  readonly g: string
  /** Digest of the secret. */
  readonly s?: string
  readonly l?: readonly string[]
  readonly k?: JwkSet
  readonly u?: string
  readonly c?: string
  readonly p?: string
  readonly o?: string
  /** It is an agent. */
  readonly e?: true
}

interface Dependencies {
  readonly vault: Pick<Vault, 'seal' | 'open'>
  readonly now: () => number
  readonly keyPrefix: string
  /** Scopes that apps of third parties may ask for. */
  readonly scopes: readonly string[]
}

export function createRegistration({ vault, now, keyPrefix, scopes }: Dependencies): Registration {
  const unseal = (clientId: string): Sealed | undefined => {
    if (!clientId.startsWith(PREFIX) || clientId.length > ID_LIMIT) return undefined
    const plain = vault.open('client id', clientId.slice(PREFIX.length))
    return plain === undefined ? undefined : (JSON.parse(plain) as Sealed)
  }

  return {
    register(metadata) {
      const registrationToken = randomToken()
      const taken = take(metadata)
      const clientSecret = AUTH[taken.a]?.startsWith('client_secret')
        ? formatCredential(keyPrefix, 'cs', randomId(32))
        : undefined
      const sealed: Sealed = {
        ...taken,
        i: Math.floor(now() / 1000),
        g: tokenDigest(registrationToken),
        ...(clientSecret ? { s: digest('client secret', clientSecret) } : {}),
      }
      const clientId = `${PREFIX}${vault.seal('client id', JSON.stringify(sealed))}` as ClientId
      if (clientId.length > ID_LIMIT)
        throw refusal('', 'too_long', 'This metadata is too long to register; leave something out.')
      return {
        clientId,
        registrationToken,
        record: toRecord(sealed, scopes),
        ...(clientSecret ? { clientSecret } : {}),
      }
    },
    read: (metadata) => toRecord({ ...take(metadata), i: 0, g: '' }, scopes),
    change(before, metadata) {
      const { secrets, auth, createdAt } = before
      const taken = take({ ...metadata, token_endpoint_auth_method: auth })
      const record = toRecord({ ...taken, i: Math.floor(createdAt / 1000), g: '' }, scopes)
      return { ...record, secrets, updatedAt: now() }
    },
    open(clientId) {
      const sealed = unseal(clientId)
      return sealed && toRecord(sealed, scopes)
    },
    isRegistrationToken(clientId, token) {
      return equalSecrets(unseal(clientId)?.g ?? '', tokenDigest(token.slice(0, 200)))
    },
  }
}

const tokenDigest = (token: string): string => digest('registration token', token).slice(0, 22)

function toRecord(sealed: Sealed, scopes: readonly string[]): AppRecord {
  const createdAt = sealed.i * 1000
  const secrets = sealed.s === undefined ? [] : [{ ...keptSecret('', createdAt), digest: sealed.s }]
  return {
    name: sealed.n,
    type: sealed.t,
    auth: AUTH[sealed.a] ?? 'none',
    redirectUris: sealed.r,
    postLogoutRedirectUris: sealed.l ?? [],
    scopes: [],
    optionalScopes: [],
    mayAsk: scopes,
    metadata: {},
    dpop: false,
    agent: sealed.e === true,
    idTokenSignedResponseAlg: 'ES256',
    firstParty: false,
    verified: false,
    selfRegistered: true,
    secrets,
    createdAt,
    updatedAt: createdAt,
    ...(sealed.k ? { jwks: sealed.k } : {}),
    ...(sealed.u ? { jwksUri: sealed.u } : {}),
    ...(sealed.c ? { clientUri: sealed.c } : {}),
    ...(sealed.p ? { policyUri: sealed.p } : {}),
    ...(sealed.o ? { tosUri: sealed.o } : {}),
  }
}

type Taken = Omit<Sealed, 'i' | 'g' | 's'>

/** The metadata as it is kept: what clients get wrong is mended where the mending is safe, and refused where it is not. */
function take(metadata: ClientMetadata): Taken {
  const uris = strings(metadata.redirect_uris, '/redirect_uris')
  if (uris.length === 0) throw refusal('/redirect_uris', 'missing', 'Give at least one redirect URI.')
  const native = metadata.application_type === 'native' || uris.some((uri) => !/^https:/i.test(uri))
  const auth = authOf(metadata)
  const type: Taken['t'] = native ? 'native' : auth === 'none' ? 'spa' : 'web'
  const judged = judgeRedirectUris(uris, type, '/redirect_uris')
  const [problem] = judged.problems
  if (problem) throw refusal(problem.pointer, problem.code, problem.detail)
  const logouts = judgeRedirectUris(
    strings(metadata.post_logout_redirect_uris ?? [], '/post_logout_redirect_uris'),
    type,
    '/post_logout_redirect_uris',
  )
  return {
    n: nameOf(metadata.client_name, uris[0] ?? ''),
    a: AUTH.indexOf(auth),
    t: type,
    r: judged.uris,
    ...(logouts.uris.length > 0 ? { l: logouts.uris } : {}),
    ...(auth === 'private_key_jwt' ? keysOf(metadata) : {}),
    ...link('c', metadata.client_uri),
    ...link('p', metadata.policy_uri),
    ...link('o', metadata.tos_uri),
    ...(metadata.agent === true ? { e: true } : {}),
  }
}

/** RFC 7591 §2: `client_secret_basic` when nothing is said; methods that cannot be had become `none`. */
function authOf({ token_endpoint_auth_method: method }: ClientMetadata): AppAuth {
  if (method === undefined || method === null || method === '') return 'client_secret_basic'
  return AUTH.find((known) => known === method) ?? 'none'
}

function nameOf(name: unknown, firstUri: string): string {
  const clean = typeof name === 'string' ? cleanName([...name.slice(0, 1024)].slice(0, NAME_LIMIT).join('')) : undefined
  const url = URL.parse(firstUri)
  return clean ?? (url?.host || url?.protocol || 'An app').slice(0, NAME_LIMIT)
}

/** Only https addresses are kept; others are dropped rather than refused, for they are only shown. */
function link<K extends string>(name: K, value: unknown): { [name in K]?: string } {
  const url = typeof value === 'string' && value.length <= 500 ? URL.parse(value) : null
  return (url?.protocol === 'https:' && !url.username ? { [name]: value as string } : {}) as { [name in K]?: string }
}

function keysOf({ jwks, jwks_uri: uri }: ClientMetadata): { k?: JwkSet; u?: string } {
  if (typeof jwks === 'object' && jwks !== null) {
    const problem = findKeyProblem(jwks as JwkSet)
    if (problem) throw refusal('/jwks', 'malformed', problem)
    return { k: jwks as JwkSet }
  }
  const kept = link('u', uri)
  if (!kept.u) throw refusal('/jwks', 'missing', 'private_key_jwt needs jwks or an https jwks_uri.')
  return kept
}

function strings(value: unknown, pointer: string): string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw refusal(pointer, 'malformed', 'Give a list of strings.')
  return value
}

function refusal(pointer: string, code: string, detail: string): AppError {
  const fields: FieldError[] = [{ pointer, code, detail }]
  return new AppError('invalid_request', detail, { details: { fields } })
}
