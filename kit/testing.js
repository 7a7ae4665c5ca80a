/**
 * A whole Licet inside a test process, for suites of what is built on it: store in memory, free loopback port, no limits, mail kept for reading. It mints
 * access tokens as the server would sign them, and tokens that an API must refuse. Everything else is the real server: sign in, exchange,
 * introspect over HTTP as in production. Nothing is written to disk, and `close` leaves nothing behind.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { importJWK, SignJWT, UnsecuredJWT } from 'jose'

const OPERATOR = { kind: 'operator' }
const ONE_FACTOR = 'urn:licet:acr:1fa'
const NO_LIMITS = {
  sign_in_address: 'off',
  token_client: 'off',
  authorize_address: 'off',
  registration_address: 'off',
  api_credential: 'off',
}

/**
 * Starts a server; `settings` are options of the configuration file (resources, scopes, apps, claims …), `port` 0 takes a free one.
 * @param {{settings?: object, port?: number, now?: () => number}} [options]
 * @throws {Error} with every problem of the settings
 */
export async function startLicet({ settings = {}, port = 0, now = Date.now } = {}) {
  const { startServer, loadConfig } = await openServer()
  const loaded = loadConfig({
    env: {
      LICET_CONFIG: 'licet.json',
      LICET_PORT: String(port || (await freePort())),
      LICET_STORE_URL: 'sqlite::memory:',
      LICET_SECRET: randomUUID() + randomUUID(),
      LICET_LOG_LEVEL: 'silent',
    },
    readFile: () => JSON.stringify({ rate_limits: NO_LIMITS, playground: false, ...settings }),
  })
  if ('problems' in loaded) throw new Error(loaded.problems.map((one) => `${one.path}: ${one.expected}`).join('\n'))
  const { issuer } = loaded.config
  const { core, close } = await startServer(loaded.config, { now, announce: false, writeLog: () => {} })
  const minter = await createMinter(core, now)
  return {
    issuer,
    /** The resource that a token is for when none is named. */
    audience: `${issuer}/api/v1`,
    ...minter,

    /** An account with a verified address: `{id, email, name}`. Without a password nobody signs in to it. */
    async createAccount({ email = `${randomUUID()}@example.test`, ...fields } = {}) {
      const account = await core.accounts.create(OPERATOR, {
        email,
        name: 'Test Person',
        emailVerified: true,
        ...fields,
      })
      return { id: account.id, email: account.email, name: account.name }
    },

    /** An app of any type: `{clientId, clientSecret?}`. */
    async createApp({ name = 'Test app', type = 'service', ...fields } = {}) {
      const { app, clientSecret } = await core.apps.create(OPERATOR, { name, type, ...fields })
      return { clientId: app.clientId, ...(clientSecret === undefined ? {} : { clientSecret }) }
    },

    /** Mails so far, newest first: `[{to, subject, text, html, links, at}]`. */
    async mails() {
      const answer = await fetch(`${issuer}/dev/mailbox.json`)
      return answer.json()
    },

    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Signs with the server's own keys, so that its JWKS verifies. */
async function createMinter({ signingKeys, config }, now) {
  const { jwks } = await signingKeys.load()
  const published = jwks.find(({ alg }) => alg === 'ES256')
  const key = await importJWK(published, 'ES256')
  const { issuer } = config
  const lifetimeSeconds = config.lifetimes.accessTokenSeconds

  const claimsOf = ({ scope = '', expiresInSeconds = lifetimeSeconds, acr, amr, authTime, jkt, ...fields } = {}) => {
    const iat = Math.floor(now() / 1000)
    return {
      iss: issuer,
      sub: fields.sub ?? fields.clientId ?? 'test-person',
      aud: fields.audience ?? `${issuer}/api/v1`,
      client_id: fields.clientId ?? 'test-app',
      scope: Array.isArray(scope) ? scope.join(' ') : scope,
      iat,
      exp: iat + expiresInSeconds,
      jti: randomUUID(),
      acr: acr ?? ONE_FACTOR,
      amr: amr ?? ['pwd'],
      auth_time: authTime ?? iat,
      ...(jkt === undefined ? {} : { cnf: { jkt } }),
      ...fields.claims,
    }
  }
  const sign = (claims, header = {}, signer = key) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: published.kid, ...header }).sign(signer)

  return {
    /** An access token (RFC 9068) as this server signs them. Negative `expiresInSeconds` gives an expired one. */
    mintAccessToken: (fields) => sign(claimsOf(fields)),

    /** By name, tokens that an API for this audience must refuse, whatever else it demands. */
    async mintBadTokens(fields) {
      const good = claimsOf(fields)
      const [head, body, signature] = (await sign(good)).split('.')
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      return {
        unsigned: new UnsecuredJWT(good).encode(),
        'signed by a stranger': await sign(good, {}, privateKey),
        'signature of zeros': `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
        'signature cut off': `${head}.${body}.`,
        'signature changed': `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
        'another audience': await sign({ ...good, aud: 'https://elsewhere.example.test' }),
        'several audiences': await sign({ ...good, aud: [good.aud, 'https://elsewhere.example.test'] }),
        'another issuer': await sign({ ...good, iss: 'https://elsewhere.example.test' }),
        'an ID token': await sign(good, { typ: 'JWT' }),
        expired: await sign({ ...good, iat: good.iat - 7200, exp: good.iat - 3600 }),
        'not valid yet': await sign({ ...good, nbf: good.iat + 3600 }),
        'without an end': await sign({ ...good, exp: undefined }),
      }
    },
  }
}

/** The compiled server of the package; in Licet's own checkout its sources, which are never older than they are. */
async function openServer() {
  const sources = existsSync(new URL('../src/app.ts', import.meta.url)) && !import.meta.url.includes('/node_modules/')
  const [home, ending] = sources ? ['../src/', 'ts'] : ['../dist/', 'js']
  const [{ startServer }, { loadConfig }] = await Promise.all([
    import(`${home}app.${ending}`),
    import(`${home}config/load.${ending}`),
  ])
  return { startServer, loadConfig }
}

/** Known before the server starts: the issuer holds it. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
