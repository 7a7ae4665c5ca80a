/**
 * The discovery document (RFC 8414, OpenID Connect Discovery 1.0) and the published keys, made once per provider and served from memory.
 * A test compares the document with what the library would say of itself, so that the two cannot drift apart.
 */
import { createHash } from 'node:crypto'
import type { JWK } from 'jose'
import { acrValues } from '../accounts/assurance.ts'
import { claimNamesByScope } from '../accounts/claims.ts'
import { GRANT_DEVICE } from './clients.ts'
import { CONNECTION } from './details.ts'
import { GRANT_EXCHANGE } from './key-tokens.ts'
import { IDENTITY_SCOPES } from './resources.ts'
import type { OidcSettings } from './settings.ts'
import { publicKeys } from './signing-keys.ts'
import { GRANT_JWT_BEARER } from './workloads.ts'

/** A body served as is, with its entity tag. */
export interface PublishedDocument {
  readonly body: Buffer
  readonly etag: string
  readonly contentType: string
}

export interface Published {
  readonly discovery: PublishedDocument
  readonly jwks: PublishedDocument
}

const ID_JAG_PROFILE = 'urn:ietf:params:oauth:grant-profile:id-jag'

export const ACR_VALUES = acrValues
export const CLIENT_AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const
export const CLIENT_ASSERTION_ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const
export const DPOP_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519'] as const
export const ID_TOKEN_ALGORITHMS = ['ES256', 'RS256', 'EdDSA'] as const

interface PublishParts {
  readonly settings: Pick<
    OidcSettings,
    'issuer' | 'claims' | 'connections' | 'selfRegistration' | 'clientDocuments' | 'assertions'
  >
  readonly jwks: readonly JWK[]
  readonly uiLocales: readonly string[]
}

/** Both documents as they are served. */
export function publish(parts: PublishParts): Published {
  return {
    discovery: document(discovery(parts), 'application/json; charset=utf-8'),
    jwks: document({ keys: publicKeys(parts.jwks) }, 'application/jwk-set+json; charset=utf-8'),
  }
}

function document(content: object, contentType: string): PublishedDocument {
  const body = Buffer.from(JSON.stringify(content))
  return { body, contentType, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"` }
}

function discovery({
  settings: { issuer, claims, connections, selfRegistration, clientDocuments, assertions },
  uiLocales,
}: PublishParts): Record<string, unknown> {
  const at = (path: string) => `${issuer}${path}`
  return {
    issuer,
    authorization_endpoint: at('/authorize'),
    token_endpoint: at('/token'),
    userinfo_endpoint: at('/userinfo'),
    jwks_uri: at('/.well-known/jwks.json'),
    revocation_endpoint: at('/revoke'),
    introspection_endpoint: at('/introspect'),
    pushed_authorization_request_endpoint: at('/par'),
    device_authorization_endpoint: at('/device_authorization'),
    end_session_endpoint: at('/logout'),
    client_id_metadata_document_supported: clientDocuments,
    ...(connections ? { authorization_details_types_supported: [CONNECTION] } : {}),
    ...(selfRegistration ? { registration_endpoint: at('/register') } : {}),
    scopes_supported: IDENTITY_SCOPES,
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    grant_types_supported: [
      'authorization_code',
      'refresh_token',
      'client_credentials',
      GRANT_DEVICE,
      GRANT_EXCHANGE,
      ...(assertions === 'none' ? [] : [GRANT_JWT_BEARER]),
    ],
    ...(assertions === 'identity' ? { authorization_grant_profiles_supported: [ID_JAG_PROFILE] } : {}),
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: CLIENT_ASSERTION_ALGORITHMS,
    revocation_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
    introspection_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    id_token_signing_alg_values_supported: ID_TOKEN_ALGORITHMS,
    subject_types_supported: ['public'],
    acr_values_supported: ACR_VALUES,
    claim_types_supported: ['normal'],
    claims_supported: claimNames(claims),
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    authorization_response_iss_parameter_supported: true,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    ui_locales_supported: uiLocales,
    protected_resources: [at('/api/v1')],
    service_documentation: at('/api/docs'),
  }
}

/** What an ID token or a userinfo answer may hold: the standard claims, how the person signed in, and the configured ones. */
function claimNames({ idToken, userinfo }: OidcSettings['claims']): string[] {
  const standard = Object.values(claimNamesByScope).flat()
  const custom = [...Object.keys(idToken), ...Object.keys(userinfo)]
  return [...new Set([...standard, 'acr', 'amr', 'auth_time', 'sid', 'iss', ...custom])]
}
