/**
 * Protects an API with Licet's access tokens, offline: signature, issuer, audience, type and times from the published keys; then scopes, strength and age
 * of the sign-in, and possession of a DPoP key. Refuses with the challenges of RFC 6750, RFC 9449, RFC 9728 and RFC 9470. Only `jose` beneath; works with
 * fetch handlers, node:http, Koa and Express. What happened to a token after it was issued (revocation) is known at introspection, not here: tokens are short-lived.
 */
import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, createLocalJWKSet, createRemoteJWKSet, EmbeddedJWK, errors, jwtVerify } from 'jose'

const ALGORITHMS = ['ES256', 'RS256', 'EdDSA', 'Ed25519']
/** RFC 9068 §2.2 */
const REQUIRED = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti']
const PROOF_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519']
const PROOF_WINDOW_SECONDS = 60
const TOLERANCE_SECONDS = 15
/** Weakest first. */
const ACR = ['urn:licet:acr:1fa', 'urn:licet:acr:2fa', 'phr']
/** What `jose` throws for a key set, not for a token. */
const WITHOUT_KEYS = ['ERR_JOSE_GENERIC', 'ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID']

/**
 * @typedef {object} Demand What a request must show besides a good token.
 * @property {readonly string[]} [scopes] All of them.
 * @property {string} [acr] At least this strength of sign-in.
 * @property {number} [maxAgeSeconds] The sign-in is not older.
 * @property {boolean} [dpop] The token is bound to a key; without it bound tokens are held to their proof, and plain ones are let in.
 *
 * @typedef {{method: string, url: string, headers: {authorization?: string, dpop?: string}}} Shown The request: `url` as the client called it.
 *
 * @typedef {{ok: true, claims: import('jose').JWTPayload & {scope?: string, acr?: string, auth_time?: number}} | {ok: false, status: 401|403|503, headers: Record<string, string>, body: object, cause?: unknown}} Verdict
 */

/**
 * @param {object} options
 * @param {string} options.issuer Licet's issuer.
 * @param {string} options.audience This API's resource identifier, byte for byte.
 * @param {string} [options.metadataUrl] Where this API's RFC 9728 document is; by default the well-known address of the audience.
 * @param {{keys: object[]}} [options.jwks] The keys, instead of fetching them (at most once a minute for unknown ones).
 * @param {{isNew(proof: string, milliseconds: number): boolean | Promise<boolean>}} [options.proofs] Remembers DPoP proofs; an API of several
 *   processes gives one that they share. By default this process remembers its own.
 * @param {() => number} [options.now] Milliseconds since 1970.
 */
export function createResourceServer({
  issuer,
  audience,
  metadataUrl = metadataUrlOf(audience),
  jwks,
  now = Date.now,
  proofs = createMemory(now),
}) {
  const keys = jwks
    ? createLocalJWKSet(jwks)
    : createRemoteJWKSet(new URL(`${issuer.replace(/\/$/, '')}/.well-known/jwks.json`), { cooldownDuration: 60_000 })

  const challenge = (status, scheme, error, description, more = {}) => {
    const fields = {
      ...(error ? { error, error_description: description } : {}),
      ...more,
      ...(scheme === 'DPoP' ? { algs: PROOF_ALGORITHMS.join(' ') } : {}),
      ...(metadataUrl === undefined ? {} : { resource_metadata: metadataUrl }),
    }
    const told = Object.entries(fields).map(([name, value]) => `${name}="${value}"`)
    const headers = { 'WWW-Authenticate': `${scheme} ${told.join(', ')}`.trim() }
    return refusal(status, error ?? 'unauthenticated', description ?? 'Send an access token', headers)
  }

  /** @returns {Promise<import('jose').JWTPayload | string>} the claims, or why the token is not good */
  const verifyToken = async (token) => {
    try {
      const options = {
        issuer,
        audience,
        typ: 'at+jwt',
        algorithms: ALGORITHMS,
        requiredClaims: REQUIRED,
        clockTolerance: TOLERANCE_SECONDS,
        currentDate: new Date(now()),
      }
      const { payload } = await jwtVerify(token, keys, options)
      return typeof payload.aud === 'string' ? payload : 'The access token is not valid'
    } catch (error) {
      if (error instanceof errors.JWTExpired) return 'The access token has expired'
      if (error instanceof errors.JOSEError && !WITHOUT_KEYS.includes(error.code))
        return 'The access token is not valid'
      throw error
    }
  }

  /** RFC 9449 §4.3 */
  const provenId = async (token, thumbprint, { method, url, headers }) => {
    try {
      const { payload, protectedHeader } = await jwtVerify(headers.dpop ?? '', EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: PROOF_ALGORITHMS,
        currentDate: new Date(now()),
      })
      const [claimed, here] = [new URL(String(payload.htu)), new URL(url)]
      const isProven =
        payload.htm === method &&
        claimed.origin + claimed.pathname === here.origin + here.pathname &&
        payload.ath === createHash('sha256').update(token).digest('base64url') &&
        Math.abs(now() / 1000 - Number(payload.iat)) <= PROOF_WINDOW_SECONDS &&
        typeof payload.jti === 'string' &&
        (await calculateJwkThumbprint(protectedHeader.jwk)) === thumbprint
      return isProven ? `${thumbprint} ${payload.jti}` : undefined
    } catch {
      return undefined
    }
  }

  const isProven = async (token, thumbprint, shown) => {
    const id = await provenId(token, thumbprint, shown)
    return id !== undefined && proofs.isNew(id, PROOF_WINDOW_SECONDS * 2000)
  }

  const judge = async (shown, { scopes = [], acr, maxAgeSeconds, dpop = false } = {}) => {
    const [, word = '', token] = /^(Bearer|DPoP) ([\w.~+/=-]{1,8192})$/i.exec(shown.headers.authorization ?? '') ?? []
    const isDpop = word.toLowerCase() === 'dpop'
    const scheme = isDpop || dpop ? 'DPoP' : 'Bearer'
    if (!token)
      return challenge(401, scheme, undefined, undefined, scopes.length > 0 ? { scope: scopes.join(' ') } : {})
    const claims = await verifyToken(token)
    if (typeof claims === 'string') return challenge(401, scheme, 'invalid_token', claims)
    const bound = claims.cnf?.jkt
    if ((bound !== undefined) !== isDpop || (isDpop && !(await isProven(token, bound, shown))))
      return challenge(401, 'DPoP', 'invalid_token', 'The proof of possession is missing or not valid')
    if (dpop && !isDpop) return challenge(401, 'DPoP', 'invalid_token', 'The access token must be bound to a key')
    const held = String(claims.scope ?? '').split(' ')
    if (!scopes.every((scope) => held.includes(scope)))
      return challenge(403, scheme, 'insufficient_scope', 'Another scope is needed', { scope: scopes.join(' ') })
    const isOld = maxAgeSeconds !== undefined && !(now() / 1000 - Number(claims.auth_time) <= maxAgeSeconds)
    if ((acr === undefined || isStrong(claims.acr, acr)) && !isOld) return { ok: true, claims }
    const description = 'A stronger or more recent sign-in is needed'
    return challenge(401, scheme, 'insufficient_user_authentication', description, {
      ...(acr === undefined ? {} : { acr_values: acr }),
      ...(maxAgeSeconds === undefined ? {} : { max_age: maxAgeSeconds }),
    })
  }

  return {
    /**
     * Judges a request, and never throws: while the keys cannot be fetched, or proofs not be remembered, it is 503, with the `cause` for your log.
     * @param {Shown} shown
     * @param {Demand} [demand]
     * @returns {Promise<Verdict>}
     */
    async check(shown, demand) {
      try {
        return await judge(shown, demand)
      } catch (cause) {
        const title = 'Access tokens cannot be checked at the moment'
        return { ...refusal(503, 'unavailable', title, { 'Retry-After': '5' }), cause }
      }
    },

    /** The document to serve at `metadataUrl` (RFC 9728 §2). */
    metadata: (scopes = []) => ({
      resource: audience,
      authorization_servers: [issuer],
      bearer_methods_supported: ['header'],
      scopes_supported: scopes,
    }),
  }
}

/**
 * Wraps a fetch handler: `protectFetch(server, demand, (request, claims) => new Response(…))`. `origin` is how clients reach this API; needed for DPoP
 * where a proxy stands before it.
 */
export function protectFetch(server, demand, handler, origin) {
  return async (request) => {
    const { pathname, search } = new URL(request.url)
    const verdict = await server.check(
      {
        method: request.method,
        url: origin === undefined ? request.url : origin + pathname + search,
        headers: {
          authorization: request.headers.get('authorization') ?? undefined,
          dpop: request.headers.get('dpop') ?? undefined,
        },
      },
      demand,
    )
    return verdict.ok
      ? handler(request, verdict.claims)
      : Response.json(verdict.body, { status: verdict.status, headers: verdict.headers })
  }
}

/** For node:http and Express: `origin` is how clients reach this API. Sets `request.auth` to the claims and calls `next`, or answers. */
export function protectNode(server, origin, demand) {
  return async (request, response, next) => {
    const { method, headers, originalUrl = request.url } = request
    const verdict = await server.check({ method, url: origin + originalUrl, headers }, demand)
    if (verdict.ok) {
      request.auth = verdict.claims
      return next()
    }
    response.writeHead(verdict.status, verdict.headers).end(JSON.stringify(verdict.body))
  }
}

/** For Koa: sets `ctx.state.auth` to the claims. */
export function protectKoa(server, origin, demand) {
  return async (ctx, next) => {
    const shown = { method: ctx.method, url: origin + ctx.originalUrl, headers: ctx.headers }
    const verdict = await server.check(shown, demand)
    if (!verdict.ok) {
      ctx.set(verdict.headers)
      ctx.status = verdict.status
      ctx.body = verdict.body
      return
    }
    ctx.state.auth = verdict.claims
    await next()
  }
}

/** The levels rise; one that is none of them is met by itself only. */
const isStrong = (held, wanted) =>
  ACR.includes(wanted) ? ACR.indexOf(String(held)) >= ACR.indexOf(wanted) : held === wanted

function refusal(status, code, title, headers) {
  const body = { type: 'about:blank', title, status, code }
  return { ok: false, status, headers: { ...headers, 'Content-Type': 'application/problem+json' }, body }
}

/** RFC 9728 §3.1; undefined for an audience that is no web address. */
function metadataUrlOf(audience) {
  const { protocol, origin, pathname, search } = URL.parse(audience) ?? {}
  if (protocol !== 'https:' && protocol !== 'http:') return undefined
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`
}

/** Proofs seen by this process, at most 100,000 at a time; beyond that none is new. */
function createMemory(now) {
  const until = new Map()
  return {
    isNew(key, milliseconds) {
      for (const [old, end] of until) {
        if (end > now()) break
        until.delete(old)
      }
      if (until.has(key) || until.size >= 100_000) return false
      until.set(key, now() + milliseconds)
      return true
    },
  }
}
