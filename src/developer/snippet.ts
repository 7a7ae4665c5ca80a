/**
 * An example that works for each type of app: a few lines for a shell that end with a token. Nothing in it can leave its quotes: what the app says
 * of itself is quoted for the shell, or encoded for the address.
 */
import type { App } from '../apps/app.ts'
import type { SnippetStep } from '../http/developer-views.ts'

interface SnippetParts {
  readonly issuer: string
  readonly app: Pick<App, 'clientId' | 'type' | 'auth' | 'redirectUris' | 'scopes' | 'optionalScopes'>
  /** Known in the answer that made it, and nowhere else: later lines read it from the environment. */
  readonly clientSecret?: string
}

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** The steps of one app, in order. */
export function snippetOf(parts: SnippetParts): SnippetStep[] {
  const { issuer, app } = parts
  const scope = [...(app.type === 'service' ? [] : ['openid']), ...app.scopes, ...app.optionalScopes].join(' ')
  const use: SnippetStep = {
    step: 'use',
    code: `curl -H "Authorization: Bearer $access_token" ${issuer}/api/v1/accounts/me`,
  }
  if (app.type === 'service') return [...assertSteps(parts), serviceStep(parts, scope)]
  if (app.type === 'device') return [...deviceSteps(parts, scope), use]
  return [...codeSteps(parts, scope), use]
}

function codeSteps(parts: SnippetParts, scope: string): SnippetStep[] {
  const { issuer, app } = parts
  const redirectUri = app.redirectUris[0] ?? ''
  const query = [
    `client_id=${encoded(app.clientId)}`,
    'response_type=code',
    `redirect_uri=${encoded(redirectUri)}`,
    `scope=${encoded(scope)}`,
    'code_challenge_method=S256',
  ].join('&')
  return [
    {
      step: 'open',
      code: [
        'verifier=$(openssl rand -hex 32)',
        `challenge=$(printf %s "$verifier" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d '=')`,
        `echo "${issuer}/authorize?${query}&code_challenge=$challenge"`,
      ].join('\n'),
    },
    ...assertSteps(parts),
    {
      step: 'exchange',
      code: lines(`curl ${issuer}/token`, [
        ...proof(parts),
        '-d grant_type=authorization_code',
        `--data-urlencode redirect_uri=${quoted(redirectUri)}`,
        '-d code_verifier="$verifier"',
        '-d code="$code"',
      ]),
    },
  ]
}

function deviceSteps(parts: SnippetParts, scope: string): SnippetStep[] {
  const { issuer } = parts
  return [
    {
      step: 'ask',
      code: lines(`curl ${issuer}/device_authorization`, [...proof(parts), `--data-urlencode scope=${quoted(scope)}`]),
    },
    {
      step: 'poll',
      code: lines(`curl ${issuer}/token`, [
        ...proof(parts),
        `-d grant_type=${DEVICE_GRANT}`,
        '-d device_code="$device_code"',
      ]),
    },
  ]
}

function serviceStep(parts: SnippetParts, scope: string): SnippetStep {
  const asked = scope === '' ? [] : [`--data-urlencode scope=${quoted(scope)}`]
  return {
    step: 'token',
    code: lines(`curl ${parts.issuer}/token`, [...proof(parts), '-d grant_type=client_credentials', ...asked]),
  }
}

/** The proof of an app with a private key (RFC 7523 §3), good for a minute. openssl alone cannot write the signature of an EC key as JOSE wants it. */
const SIGN = `
const { createPrivateKey, randomUUID, sign } = require("node:crypto")
const [file, iss, aud, now] = process.argv.slice(1)
const key = createPrivateKey(require("node:fs").readFileSync(file))
const alg = { ec: "ES256", rsa: "RS256", ed25519: "EdDSA" }[key.asymmetricKeyType]
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url")
const iat = Number(now)
const text = part({ alg }) + "." + part({ iss, sub: iss, aud, jti: randomUUID(), iat, exp: iat + 60 })
const hash = alg === "EdDSA" ? null : "sha256"
console.log(text + "." + sign(hash, Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url"))
`

function assertSteps({ issuer, app }: SnippetParts): SnippetStep[] {
  if (app.auth !== 'private_key_jwt') return []
  const given = `private-key.pem ${quoted(app.clientId)} ${quoted(issuer)} "$(date +%s)"`
  return [{ step: 'assert', code: `assertion=$(node -e '${SIGN}' ${given})` }]
}

/** How the app proves itself at the token endpoint. */
function proof({ app, clientSecret }: SnippetParts): string[] {
  if (app.auth === 'none') return [`-d client_id=${quoted(app.clientId)}`]
  if (app.auth === 'private_key_jwt')
    return [
      '-d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      '-d client_assertion="$assertion"',
    ]
  const secret = clientSecret ?? '$CLIENT_SECRET'
  if (app.auth === 'client_secret_post') return [`-d client_id=${quoted(app.clientId)}`, `-d client_secret="${secret}"`]
  return [`-u "${app.clientId}:${secret}"`]
}

const lines = (first: string, options: readonly string[]): string => [first, ...options].join(' \\\n  ')

/** For the shell, between single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** For a query inside double quotes of the shell. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
