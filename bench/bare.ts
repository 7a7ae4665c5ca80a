/**
 * The yardstick: a bare oidc-provider with the memory adapter it ships, set to give out the same kinds of tokens as Licet (JWT access tokens
 * and ID tokens by ES256, refresh with rotation), and nothing around it.
 */
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import { type Configuration, Provider } from 'oidc-provider'

const CHAINS = 64
const clientId = 'bench'
const clientSecret = 'a secret of the benchmark, forty-three chars'
const audience = 'https://api.example.test'
const issuer = 'http://localhost:9'

const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const configuration: Configuration = {
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'bare' } as never] },
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
      redirect_uris: ['https://app.example.test/callback'],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  scopes: ['openid', 'offline_access'],
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: 900, ClientCredentials: 900, IdToken: 900, RefreshToken: 86_400, Grant: 86_400 },
  cookies: { keys: ['a key of the benchmark'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'data:read',
        audience,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
} as Configuration

const provider = new Provider(issuer, configuration)

/** A refresh token as a code flow would have left it. */
async function newChain(): Promise<string> {
  const accountId = crypto.randomUUID()
  const grant = new provider.Grant({ accountId, clientId })
  grant.addOIDCScope('openid')
  grant.addResourceScope(audience, 'data:read')
  const grantId = await grant.save()
  const client = await provider.Client.find(clientId)
  const token = new provider.RefreshToken({
    client,
    accountId,
    grantId,
    scope: 'openid data:read',
    resource: audience,
    gty: 'authorization_code',
    authTime: Math.floor(Date.now() / 1000),
    claims: {},
    expiresWithSession: false,
  } as never)
  return token.save()
}

const refreshTokens: string[] = []
for (let chain = 0; chain < CHAINS; chain += 1) refreshTokens.push(await newChain())
const server = createServer(provider.callback())
server.listen(0, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as { port: number }).port, clientId, clientSecret, refreshTokens }),
)
