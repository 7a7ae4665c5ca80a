/**
 * A server of this kind somewhere else, as its command line sees it: signing in by the device flow (RFC 8628), signing out, and calls of its API in
 * the person's name, with the access token renewed when it is over. Only https is spoken, or http to the machine itself. Secrets go into headers and
 * bodies, never into addresses.
 */
import { z } from 'zod'
import { isLoopbackHost } from '../config/values.ts'
import { AppError, type ErrorCode, errorCodes } from '../errors.ts'
import { badUsage } from './program.ts'
import type { SignIn, SignIns } from './sign-ins.ts'

/** The app of every server that people sign in to from a command line. */
const CLIENT_ID = 'cli'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const TIMEOUT_MS = 15_000
/** Renewed a little before it is over: the request that follows takes time too. */
const MARGIN_MS = 10_000

export interface RemoteParts {
  readonly signIns: SignIns
  readonly fetch: typeof fetch
  readonly now: () => number
  readonly pause: (milliseconds: number) => Promise<void>
}

/** What the person must do, elsewhere. */
export interface DeviceAsk {
  readonly url: string
  readonly completeUrl: string
  readonly userCode: string
}

export interface SigningIn {
  /** Without any: everything that a person may hold, but for administration. */
  readonly scope?: string
  /** Seconds that the sign-in may be old; the server asks again for one that is older. */
  readonly maxAgeSeconds?: number
  readonly ask: (ask: DeviceAsk) => void
}

export interface Remote {
  readonly server: string
  signIn(wish: SigningIn): Promise<SignIn>
  /** Ends the sign-in at the server as well; false when there was none. */
  signOut(): Promise<boolean>
  /** The answer of the API. @throws AppError with the server's code and words; unauthenticated before a sign-in */
  call<T>(method: string, path: string, body?: object): Promise<T>
}

const Metadata = z.object({
  issuer: z.string(),
  token_endpoint: z.url(),
  device_authorization_endpoint: z.url(),
  revocation_endpoint: z.url(),
})
const Device = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.string(),
  verification_uri_complete: z.string().optional(),
  expires_in: z.number(),
  interval: z.number().default(5),
})
const Tokens = z.object({
  access_token: z.string(),
  expires_in: z.number(),
  refresh_token: z.string().optional(),
  scope: z.string().default(''),
})

interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
}

export function createRemote(server: string, parts: RemoteParts): Remote {
  const { signIns, now, pause } = parts
  const ask = createAsk(parts)

  const discover = async () => {
    const { body } = await ask('GET', `${server}/.well-known/oauth-authorization-server`)
    const found = Metadata.safeParse(body)
    // Another issuer's endpoints would get what this one's people type in (RFC 8414 §3.3).
    if (!found.success || found.data.issuer !== server)
      throw new AppError('unavailable', `${server} is not the address of a Licet server.`)
    return found.data
  }

  const keep = async (tokens: z.infer<typeof Tokens>, before?: SignIn): Promise<SignIn> => {
    const { access_token, expires_in, refresh_token = before?.refresh_token, scope } = tokens
    const kept = {
      client_id: CLIENT_ID,
      access_token,
      expires_at: now() + expires_in * 1000,
      ...(refresh_token === undefined ? {} : { refresh_token }),
      scope,
    }
    await signIns.keep(server, kept)
    return kept
  }

  const wait = async (tokenEndpoint: string, device: z.infer<typeof Device>): Promise<SignIn> => {
    const until = now() + device.expires_in * 1000
    let seconds = device.interval
    while (now() < until) {
      await pause(seconds * 1000)
      const form = { grant_type: DEVICE_GRANT, device_code: device.device_code, client_id: CLIENT_ID }
      const reply = await ask('POST', tokenEndpoint, { form })
      if (reply.status === 200) return keep(Tokens.parse(reply.body))
      const { error } = reply.body
      if (error === 'slow_down') seconds += 5
      else if (error !== 'authorization_pending') throw refused(reply, 'The sign-in was not allowed.')
    }
    throw new AppError('gone', 'Nobody has allowed the sign-in in time. Start it again.')
  }

  const renewed = async (known: SignIn): Promise<SignIn> => {
    if (known.expires_at - now() > MARGIN_MS) return known
    if (known.refresh_token === undefined) throw signInFirst(server)
    const { token_endpoint: endpoint } = await discover()
    const form = { grant_type: 'refresh_token', refresh_token: known.refresh_token, client_id: known.client_id }
    const reply = await ask('POST', endpoint, { form })
    if (reply.status === 200) return keep(Tokens.parse(reply.body), known)
    if (reply.body['error'] === 'invalid_grant') throw signInFirst(server)
    throw refused(reply, 'The sign-in could not be renewed.')
  }

  return {
    server,
    async signIn({ scope, maxAgeSeconds, ask: show }) {
      const metadata = await discover()
      const form = {
        client_id: CLIENT_ID,
        scope: scope ?? (await everyScope(ask, server)),
        ...(maxAgeSeconds === undefined ? {} : { max_age: String(maxAgeSeconds) }),
      }
      const reply = await ask('POST', metadata.device_authorization_endpoint, { form })
      if (reply.status !== 200) throw refused(reply, 'The sign-in could not be started.')
      const device = Device.parse(reply.body)
      show({
        url: device.verification_uri,
        completeUrl: device.verification_uri_complete ?? device.verification_uri,
        userCode: device.user_code,
      })
      return wait(metadata.token_endpoint, device)
    },
    async signOut() {
      const known = await signIns.find(server)
      if (!known) return false
      await signIns.forget(server)
      const { revocation_endpoint: endpoint } = await discover()
      const form = { token: known.refresh_token ?? known.access_token, client_id: known.client_id }
      const reply = await ask('POST', endpoint, { form })
      if (reply.status !== 200) throw refused(reply, 'Signed out here, but not at the server.')
      return true
    },
    async call<T>(method: string, path: string, body?: object) {
      const known = await signIns.find(server)
      if (!known) throw signInFirst(server)
      const { access_token: token } = await renewed(known)
      const reply = await ask(method, `${server}${path}`, { token, ...(body ? { json: body } : {}) })
      if (reply.status >= 200 && reply.status < 300) return reply.body as T
      throw refused(reply, `The server answered ${reply.status}.`)
    },
  }
}

/** The address of a server as it names itself: an origin, and the path below which it stands. @throws InvalidArgumentError */
export function serverOf(text: string): string {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`)
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (!url || !isSafe || url.username || url.password || url.search || url.hash)
    throw badUsage('a server is an https address, or http on this machine')
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

type Ask = ReturnType<typeof createAsk>

function createAsk({ fetch }: RemoteParts) {
  return async (
    method: string,
    url: string,
    sent: { form?: Record<string, string>; json?: object; token?: string } = {},
  ): Promise<Reply> => {
    const { form, json, token } = sent
    const headers = {
      accept: 'application/json',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(json ? { 'content-type': 'application/json' } : {}),
    }
    const body = form ? new URLSearchParams(form) : json && JSON.stringify(json)
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      // A redirect would carry tokens to wherever it points.
      const response = await fetch(url, { method, headers, redirect: 'error', signal, ...(body ? { body } : {}) })
      const text = await response.text()
      return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Reply['body']) }
    } catch (cause) {
      throw new AppError('unavailable', `${new URL(url).origin} cannot be reached, or is no Licet server.`, { cause })
    }
  }
}

/** What the server's own resource has to give, but for administration. */
async function everyScope(ask: Ask, server: string): Promise<string> {
  const { body } = await ask('GET', `${server}/.well-known/oauth-protected-resource/api/v1`)
  const found = z.object({ scopes_supported: z.array(z.string()) }).safeParse(body)
  const scopes = found.success ? found.data.scopes_supported : ['api:read', 'api:write']
  return ['openid', ...scopes.filter((scope) => scope !== 'api:admin')].join(' ')
}

const signInFirst = (server: string) => new AppError('unauthenticated', `Sign in first: licet login ${server}`)

/** The server's own words: a problem document's, or those of an OAuth error. */
function refused({ body }: Reply, fallback: string): AppError {
  const text = (name: string): string | undefined => {
    const value = body[name]
    return typeof value === 'string' && value !== '' ? printable(value) : undefined
  }
  const code = text('code') ?? ''
  const ref = text('error_ref')
  const fields = (Array.isArray(body['errors']) ? body['errors'] : []) as { pointer?: string; detail?: string }[]
  const wrong = fields.map(({ pointer, detail }) => printable(` ${pointer ?? ''}: ${detail ?? ''}`)).join('')
  const said = text('detail') ?? text('error_description') ?? text('error') ?? fallback
  return new AppError(
    Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'forbidden',
    `${said}${wrong}${ref ? ` (reference ${ref})` : ''}`,
  )
}

/** What another machine says, without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '')
}
