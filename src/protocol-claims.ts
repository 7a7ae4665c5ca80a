/**
 * The claims that only the protocol sets: RFC 7519 §4.1, RFC 9068 §2.2, RFC 8693 §4, RFC 7800 §3, RFC 7662 §2.2, OpenID Connect Core §2 and §5.6.
 * Configuration that names one does not start; the claims hook cannot set one.
 */
export const protocolClaims: ReadonlySet<string> = new Set(
  `iss sub aud exp nbf iat jti client_id scope auth_time acr amr sid act may_act exchanged_from cnf azp nonce authorization_details
   at_hash c_hash s_hash rt_hash events sub_jwk sub_id typ email email_verified active token_type username
   grant_id _claim_names _claim_sources __proto__ constructor prototype`.split(/\s+/),
)
