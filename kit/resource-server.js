/**
 * Protects an API with Licet's access tokens, offline: signature, issuer, audience, type and times from the published keys; then scopes, strength and age
 * of the sign-in, and possession of a DPoP key. Refuses with the challenges of RFC 6750, RFC 9728 and RFC 9470. Only `jose` beneath; works with fetch
 * handlers, node:http, Koa and Express. What happened to a token after it was issued (revocation) is known at introspection, not here: tokens are short-lived.
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

/**
 * @typedef {object} Demand What a request must show besides a good token.
 * @property {readonly string[]} [scopes] All of them.
 * @property {string} [acr] At least this strength of sign-in.
 * @property {number} [maxAgeSeconds] The sign-in is not older.
 *
 * @typedef {object} Shown What the request is: the method, the URL as the client called it, and its headers in lower case.
 * @property {string} method
 * @property {string} url
 * @property {{authorization?: string, dpop?: string}} headers
 *
 * @typedef {{ok: true, claims: import('jose').JWTPayload & {scope?: string, acr?: string, auth_time?: number}} | {ok: false, status: 401|403, headers: Record<string, string>, body: object}} Verdict
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
    : createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), { cooldownDuration: 60_000 })

  const challenge = (status, scheme, error, description, more = {}) => {
    const fields = {
      ...(error ? { error, error_description: description } : {}),
      ...more,
      resource_metadata: metadataUrl,
    }
    const told = Object.entries(fields).map(([name, value]) => `${name}="${value}"`)
    const body = {
      type: 'about:blank',
      title: description ?? 'Send an access token',
      status,
      code: error ?? 'unauthenticated',
    }
    return { ok: false, status, headers: { 'WWW-Authenticate': `${scheme} ${told.join(', ')}` }, body }
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
      if (error instanceof errors.JOSEError) return 'The access token is not valid'
      throw error
    }
  }

  /** RFC 9449 §4.3 */
  const isProven = async (token, thumbprint, { method, url, headers }) => {
    try {
      const { payload, protectedHeader } = await jwtVerify(headers.dpop ?? '', EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: PROOF_ALGORITHMS,
        currentDate: new Date(now()),
      })
      const [claimed, here] = [new URL(String(payload.htu)), new URL(url)]
      return (
        payload.htm === method &&
        claimed.origin + claimed.pathname === here.origin + here.pathname &&
        payload.ath === createHash('sha256').update(token).digest('base64url') &&
        Math.abs(now() / 1000 - Number(payload.iat)) <= PROOF_WINDOW_SECONDS &&
        (await calculateJwkThumbprint(protectedHeader.jwk)) === thumbprint &&
        (await proofs.isNew(`${thumbprint} ${payload.jti}`, PROOF_WINDOW_SECONDS * 2000))
      )
    } catch {
      return false
    }
  }

  return {
    /**
     * Judges a request. Never throws for what a client sent; throws when the keys cannot be fetched.
     * @param {Shown} shown
     * @param {Demand} [demand]
     * @returns {Promise<Verdict>}
     */
    async check(shown, { scopes = [], acr, maxAgeSeconds } = {}) {
      const [, scheme = '', token] =
        /^(Bearer|DPoP) ([\w.~+/=-]{1,8192})$/i.exec(shown.headers.authorization ?? '') ?? []
      if (!token)
        return challenge(401, 'Bearer', undefined, undefined, scopes.length > 0 ? { scope: scopes.join(' ') } : {})
      const claims = await verifyToken(token)
      if (typeof claims === 'string') return challenge(401, 'Bearer', 'invalid_token', claims)
      const bound = claims.cnf?.jkt
      const isDpop = scheme.toLowerCase() === 'dpop'
      if ((bound !== undefined) !== isDpop || (isDpop && !(await isProven(token, bound, shown)))) {
        return challenge(401, 'DPoP', 'invalid_token', 'The proof of possession is missing or not valid', {
          algs: PROOF_ALGORITHMS.join(' '),
        })
      }
      const held = String(claims.scope ?? '').split(' ')
      if (!scopes.every((scope) => held.includes(scope))) {
        return challenge(403, 'Bearer', 'insufficient_scope', 'Another scope is needed', { scope: scopes.join(' ') })
      }
      const isWeak = acr !== undefined && ACR.indexOf(String(claims.acr)) < ACR.indexOf(acr)
      const isOld = maxAgeSeconds !== undefined && !(now() / 1000 - Number(claims.auth_time) <= maxAgeSeconds)
      if (!isWeak && !isOld) return { ok: true, claims }
      const wanted = {
        ...(acr === undefined ? {} : { acr_values: acr }),
        ...(maxAgeSeconds === undefined ? {} : { max_age: maxAgeSeconds }),
      }
      return challenge(
        401,
        'Bearer',
        'insufficient_user_authentication',
        'A stronger or more recent sign-in is needed',
        wanted,
      )
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

/** Wraps a fetch handler: `protect(server, demand, (request, claims) => new Response(…))`. */
export function protectFetch(server, demand, handler) {
  return async (request) => {
    const verdict = await server.check(
      {
        method: request.method,
        url: request.url,
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
    const verdict = await server.check(
      { method: request.method, url: origin + (request.originalUrl ?? request.url), headers: request.headers },
      demand,
    )
    if (verdict.ok) {
      request.auth = verdict.claims
      return next()
    }
    response
      .writeHead(verdict.status, { ...verdict.headers, 'content-type': 'application/problem+json' })
      .end(JSON.stringify(verdict.body))
  }
}

/** For Koa: sets `ctx.state.auth` to the claims. */
export function protectKoa(server, origin, demand) {
  return async (ctx, next) => {
    const verdict = await server.check(
      { method: ctx.method, url: origin + ctx.originalUrl, headers: ctx.headers },
      demand,
    )
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

function metadataUrlOf(audience) {
  const { origin, pathname } = new URL(audience)
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`
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
