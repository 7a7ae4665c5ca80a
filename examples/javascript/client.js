/**
 * A command-line program that signs a person in at Licet and calls its API, with openid-client: code flow with PKCE on a loopback address, refresh,
 * offline verification, an API key, and the exchange of that key for a short-lived token. Refusals are handled as they mean it.
 *
 *   npx licet app create --name "My program" --type native --redirect-uri http://127.0.0.1/callback --scope "api:read data:read"
 *   ISSUER=http://localhost:4000 CLIENT_ID=… node client.js       (optional: API_KEY, and SERVICE_ID with SERVICE_SECRET of a service app)
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oauth from 'openid-client'

const { ISSUER = 'http://localhost:4000', CLIENT_ID = '', API_KEY, SERVICE_ID, SERVICE_SECRET = '' } = process.env
const RESOURCE = `${ISSUER}/api/v1`
const say = (what, detail) => process.stdout.write(`${what}: ${detail}\n`)
// Plain http is for a server on this machine only.
const onlyLoopback = new URL(ISSUER).protocol === 'http:' ? { execute: [oauth.allowInsecureRequests] } : {}
const discover = (id, auth) => oauth.discovery(new URL(ISSUER), id, undefined, auth, onlyLoopback)

/** Sends the person to Licet and waits on a free port of this machine for the way back (RFC 8252 §7.3). */
async function signIn(config) {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const redirectUri = `http://127.0.0.1:${listener.address().port}/callback`
  const verifier = oauth.randomPKCECodeVerifier()
  const state = oauth.randomState()
  const address = oauth.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid email api:read data:read',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  })
  say('open', address.href)
  const [request, response] = await once(listener, 'request')
  response.end('You can close this page.')
  listener.close()
  listener.closeAllConnections()
  // Checks state and iss (RFC 9207), redeems the code, and verifies the ID token.
  const checks = { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true }
  return oauth.authorizationCodeGrant(config, new URL(request.url, redirectUri), checks)
}

/** Holds the tokens of one sign-in: gives an access token that is still good, and refreshes once for all who wait. */
function keepFresh(config, tokens) {
  let current = tokens
  let until = Date.now() + (tokens.expires_in - 30) * 1000
  let refreshing
  const refresh = async () => {
    // When the answer is lost, the same token gets the same answer again for a minute.
    current = { ...current, ...(await oauth.refreshTokenGrant(config, current.refresh_token)) }
    until = Date.now() + (current.expires_in - 30) * 1000
    refreshing = undefined
  }
  return {
    expire() {
      until = 0
    },
    async token() {
      if (Date.now() >= until) {
        refreshing ??= refresh()
        await refreshing
      }
      return current.access_token
    },
  }
}

/** Calls the API: waits when told to (429, 503), renews a token once (401), and says what a refusal asks for (403). */
async function call(path, credential) {
  for (let attempt = 1; ; attempt++) {
    const headers = { authorization: `Bearer ${await credential.token()}` }
    const answer = await fetch(`${RESOURCE}${path}`, { headers })
    if (answer.ok) return answer.json()
    const wait = Number(answer.headers.get('retry-after') ?? 1) * 1000
    if ((answer.status === 429 || answer.status === 503) && attempt < 6) await sleep(wait + Math.random() * 250)
    else if (answer.status === 401 && attempt === 1 && credential.expire) credential.expire()
    else {
      const { title, code, error_ref: ref } = await answer.json()
      const scope = /scope="([^"]*)"/.exec(answer.headers.get('www-authenticate') ?? '')?.[1]
      const needed = scope ? `, it needs ${scope}` : ''
      throw new Error(`${answer.status} ${code}${needed} (${title}; its owner looks up ${ref})`)
    }
  }
}

const config = await discover(CLIENT_ID, oauth.None())
const tokens = await signIn(config)
say('signed in', tokens.claims().email ?? tokens.claims().sub)

const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri))
const verified = await jwtVerify(tokens.access_token, keys, { issuer: ISSUER, audience: RESOURCE, typ: 'at+jwt' })
say('verified', `${verified.payload.sub} may ${verified.payload.scope}`)

const person = keepFresh(config, tokens)
person.expire()
say('refreshed', (await person.token()) !== tokens.access_token)
for (let calls = 0; calls < 8; calls++) await call('/accounts/me', person)
say('called', 'eight times, waiting where asked to')

if (API_KEY) {
  const key = { token: async () => API_KEY }
  say('key', (await call('/accounts/me', key)).credential.name)
  await call('/grants', key).catch((refusal) => say('refused', refusal.message))
}
if (API_KEY && SERVICE_ID) {
  const exchanged = await oauth.genericGrantRequest(
    await discover(SERVICE_ID, oauth.ClientSecretBasic(SERVICE_SECRET)),
    'urn:ietf:params:oauth:grant-type:token-exchange',
    { subject_token: API_KEY, subject_token_type: 'urn:licet:token-type:api_key', scope: 'data:read' },
  )
  const { payload } = await jwtVerify(exchanged.access_token, keys, {
    issuer: ISSUER,
    audience: RESOURCE,
    typ: 'at+jwt',
  })
  say('exchanged', `${payload.act.sub} for ${exchanged.expires_in} s`)
}
