/**
 * What a client ID metadata document may say: how the app is shown and where people are sent back to, as `client-metadata.ts` reads it. It is public, so
 * it holds no secret and no way of proving oneself with one (draft §4.1); what would change tokens or make this server call somewhere is refused whole,
 * for there is no answer in which the app could be told that it was ignored.
 */
import type { ShimName, Shims } from '../shims.ts'
import type { AppRecord } from './app.ts'
import { type ClientMetadata, refusal } from './client-metadata.ts'

/** Registered members (IANA, OAuth Dynamic Client Registration Metadata) that a document must not have. */
export const REFUSED_IN_DOCUMENTS: readonly string[] = `
  client_secret client_secret_expires_at registration_access_token registration_client_uri software_statement
  sector_identifier_uri subject_type request_uris initiate_login_uri backchannel_logout_uri frontchannel_logout_uri
  request_object_signing_alg request_object_encryption_alg request_object_encryption_enc require_signed_request_object
  id_token_signed_response_alg id_token_encrypted_response_alg id_token_encrypted_response_enc
  userinfo_signed_response_alg userinfo_encrypted_response_alg userinfo_encrypted_response_enc
  authorization_signed_response_alg introspection_signed_response_alg default_acr_values default_max_age require_auth_time
  tls_client_auth_subject_dn tls_client_auth_san_dns tls_client_auth_san_uri tls_client_auth_san_ip tls_client_auth_san_email
  tls_client_certificate_bound_access_tokens authorization_details_types`
  .trim()
  .split(/\s+/)

interface DocumentRules {
  readonly shims: Shims
  /** The record that metadata makes, with what was mended in it so far. */
  readonly read: (metadata: ClientMetadata, mended: readonly ShimName[]) => AppRecord
}

/** Reads the document found at `clientId`. @throws invalid_request saying what is wrong with it. */
export function readDocument(document: unknown, clientId: string, { shims, read }: DocumentRules): AppRecord {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw refusal('', 'malformed', 'The document is no JSON object.')
  const metadata = document as ClientMetadata & { client_id?: unknown }
  if (metadata.client_id !== clientId) throw refusal('/client_id', 'mismatch', 'It is about another address.')
  if (typeof metadata.client_name !== 'string') throw refusal('/client_name', 'missing', 'It has no name.')
  const refused = REFUSED_IN_DOCUMENTS.find((name) => name in metadata)
  if (refused) throw refusal(`/${refused}`, 'not_in_documents', 'A document cannot say this.')
  const { token_endpoint_auth_method: method } = metadata
  if (method === undefined || method === null || method === '') {
    if (!shims.on('document_auth_method')) throw refusal('/token_endpoint_auth_method', 'missing', 'Not mended here.')
    return read({ ...metadata, token_endpoint_auth_method: 'none' }, ['document_auth_method'])
  }
  if (typeof method === 'string' && method.startsWith('client_secret'))
    throw refusal('/token_endpoint_auth_method', 'not_in_documents', 'A public document cannot hold a secret.')
  return read(metadata, [])
}
