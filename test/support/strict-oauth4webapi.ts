/**
 * `oauth4webapi` as one of the two strict clients. It discovers by RFC 8414, where the other discovers by OpenID Connect.
 */
import * as oauth from 'oauth4webapi'
import { asksIdToken, toSearchParams } from './params.ts'
import type { ConnectOptions, Credentials, Params, StrictClient, Tokens } from './strict-client.ts'

export async function connectOauth4webapi(
  issuer: string,
  app: Credentials,
  options: ConnectOptions = {},
): Promise<StrictClient> {
  const http = {
    [oauth.allowInsecureRequests]: true,
    ...(options.fetch ? { [oauth.customFetch]: options.fetch as never } : {}),
  }
  const server = await oauth.processDiscoveryResponse(
    new URL(issuer),
    await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...http }),
  )
  const client: oauth.Client = { client_id: app.clientId, id_token_signed_response_alg: app.idTokenAlg ?? 'ES256' }
  const auth = authenticationOf(app)
  const dpop = options.dpop ? oauth.DPoP(client, await oauth.generateKeyPair('ES256')) : undefined
  const sender = { ...http, ...(dpop ? { DPoP: dpop } : {}) }

  /** Again with the nonce when the server demands one (RFC 9449 §8). */
  const withNonce = async <T>(attempt: () => Promise<T>): Promise<T> => {
    try {
      return await attempt()
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error
      return attempt()
    }
  }
  const signed = async (response: Response, tokens: oauth.TokenEndpointResponse): Promise<Tokens> => {
    if (tokens.id_token) await oauth.validateApplicationLevelSignature(server, response, http)
    return tokens as unknown as Tokens
  }

  return {
    async authorize(redirectUri, params = {}, { pushed = false } = {}) {
      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const nonce = oauth.generateRandomNonce()
      const withIdToken = asksIdToken(params)
      const search = toSearchParams({
        client_id: app.clientId,
        response_type: 'code',
        redirect_uri: redirectUri,
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(withIdToken ? { nonce } : {}),
        ...params,
      })
      const push = async () => {
        const response = await oauth.pushedAuthorizationRequest(server, client, auth, search, sender)
        return oauth.processPushedAuthorizationResponse(server, client, response)
      }
      const query = pushed
        ? toSearchParams({ client_id: app.clientId, request_uri: (await withNonce(push)).request_uri })
        : search
      const finish = async (back: URL | Request, tokenParams: Params = {}): Promise<Tokens> => {
        const answered = oauth.validateAuthResponse(server, client, await parametersOf(back), state)
        return withNonce(async () => {
          const request = { ...sender, additionalParameters: toSearchParams(tokenParams) }
          const response = await oauth.authorizationCodeGrantRequest(
            server,
            client,
            auth,
            answered,
            redirectUri,
            verifier,
            request,
          )
          const expected = withIdToken ? { expectedNonce: nonce, requireIdToken: true } : {}
          return signed(response, await oauth.processAuthorizationCodeResponse(server, client, response, expected))
        })
      }
      return { url: new URL(`${server.authorization_endpoint}?${query}`), verifier, finish }
    },
    refresh: (token, params = {}) =>
      withNonce(async () => {
        const request = { ...sender, additionalParameters: toSearchParams(params) }
        const response = await oauth.refreshTokenGrantRequest(server, client, auth, token, request)
        return signed(response, await oauth.processRefreshTokenResponse(server, client, response))
      }),
    clientCredentials: (params = {}) =>
      withNonce(async () => {
        const response = await oauth.clientCredentialsGrantRequest(server, client, auth, toSearchParams(params), sender)
        return (await oauth.processClientCredentialsResponse(server, client, response)) as unknown as Tokens
      }),
    async device(params = {}) {
      const response = await oauth.deviceAuthorizationRequest(server, client, auth, toSearchParams(params), http)
      const answer = await oauth.processDeviceAuthorizationResponse(server, client, response)
      return {
        userCode: answer.user_code,
        deviceCode: answer.device_code,
        verificationUri: answer.verification_uri,
        verificationUriComplete: answer.verification_uri_complete ?? '',
        redeem: () =>
          withNonce(async () => {
            const redeemed = await oauth.deviceCodeGrantRequest(server, client, auth, answer.device_code, sender)
            return signed(redeemed, await oauth.processDeviceCodeResponse(server, client, redeemed))
          }),
      }
    },
    userinfo: (token, subject) =>
      withNonce(async () => {
        const response = await oauth.userInfoRequest(server, client, token, sender)
        return oauth.processUserInfoResponse(server, client, subject, response)
      }),
    async introspect(token) {
      const response = await oauth.introspectionRequest(server, client, auth, token, http)
      return { ...(await oauth.processIntrospectionResponse(server, client, response)) }
    },
    async revoke(token) {
      await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token, http))
    },
  }
}

async function parametersOf(back: URL | Request): Promise<URL | URLSearchParams> {
  return back instanceof Request ? new URLSearchParams(await back.text()) : back
}

function authenticationOf({ auth, clientSecret = '', privateKey }: Credentials): oauth.ClientAuth {
  if (auth === 'client_secret_basic') return oauth.ClientSecretBasic(clientSecret)
  if (auth === 'client_secret_post') return oauth.ClientSecretPost(clientSecret)
  if (auth === 'private_key_jwt' && privateKey) return oauth.PrivateKeyJwt(privateKey)
  return oauth.None()
}
