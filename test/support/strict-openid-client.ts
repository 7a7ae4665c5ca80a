/**
 * `openid-client` as one of the two strict clients. ID tokens are verified by their signature too, although they came over the back channel.
 */
import * as client from 'openid-client'
import { asksIdToken, toSearchParams } from './params.ts'
import type { ConnectOptions, Credentials, StrictClient, Tokens } from './strict-client.ts'

export async function connectOpenidClient(
  issuer: string,
  app: Credentials,
  options: ConnectOptions = {},
): Promise<StrictClient> {
  const config = await client.discovery(
    new URL(issuer),
    app.clientId,
    { id_token_signed_response_alg: app.idTokenAlg ?? 'ES256' },
    authenticationOf(app),
    {
      execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
      ...(options.fetch ? { [client.customFetch]: options.fetch as client.CustomFetch } : {}),
    },
  )
  const proof = options.dpop
    ? { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
    : ({} as const)

  return {
    async authorize(redirectUri, params = {}, { pushed = false } = {}) {
      const verifier = client.randomPKCECodeVerifier()
      const state = client.randomState()
      const withIdToken = asksIdToken(params)
      const nonce = client.randomNonce()
      const search = toSearchParams({
        redirect_uri: redirectUri,
        state,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(withIdToken ? { nonce } : {}),
        ...params,
      })
      const url = pushed
        ? await client.buildAuthorizationUrlWithPAR(config, search, proof)
        : client.buildAuthorizationUrl(config, search)
      const checks = {
        pkceCodeVerifier: verifier,
        expectedState: state,
        ...(withIdToken ? { expectedNonce: nonce, idTokenExpected: true } : {}),
      }
      return {
        url,
        verifier,
        finish: async (back, tokenParams = {}) =>
          (await client.authorizationCodeGrant(config, back, checks, toSearchParams(tokenParams), proof)) as Tokens,
      }
    },
    refresh: async (token, params = {}) =>
      (await client.refreshTokenGrant(config, token, toSearchParams(params), proof)) as Tokens,
    clientCredentials: async (params = {}) =>
      (await client.clientCredentialsGrant(config, toSearchParams(params), proof)) as Tokens,
    async device(params = {}) {
      const answer = await client.initiateDeviceAuthorization(config, toSearchParams(params))
      return {
        userCode: answer.user_code,
        deviceCode: answer.device_code,
        verificationUri: answer.verification_uri,
        verificationUriComplete: answer.verification_uri_complete ?? '',
        redeem: async () =>
          (await client.genericGrantRequest(
            config,
            'urn:ietf:params:oauth:grant-type:device_code',
            { device_code: answer.device_code },
            proof,
          )) as Tokens,
      }
    },
    userinfo: (token, subject) => client.fetchUserInfo(config, token, subject, proof),
    introspect: (token) => client.tokenIntrospection(config, token),
    revoke: (token) => client.tokenRevocation(config, token),
  }
}

function authenticationOf({ auth, clientSecret, privateKey }: Credentials): client.ClientAuth {
  if (auth === 'client_secret_basic') return client.ClientSecretBasic(clientSecret)
  if (auth === 'client_secret_post') return client.ClientSecretPost(clientSecret)
  if (auth === 'private_key_jwt' && privateKey) return client.PrivateKeyJwt(privateKey)
  return client.None()
}
