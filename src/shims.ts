/**
 * What real clients get wrong and this server mends: one table, each row a switch of its own (`mcp.shims` in the configuration), each with a test that
 * fails without it. A shim reads a request as it was meant; none may widen an audience or a scope beyond what was asked and allowed.
 * Where each is applied: registration ones in `apps/registration.ts`, the others in `oidc/`. Which served whom is counted by `apps/shim-use.ts`.
 */

export interface Shim {
  /** Stands in sealed client ids: given once, never used for another row. */
  readonly code: number
  /** Where the quirk is seen. */
  readonly at: 'registration' | 'document' | 'authorization' | 'token' | 'introspection'
  /** What such clients send, and what is made of it. */
  readonly mends: string
  /** What they are told when it is off. */
  readonly off: string
}

export const shims = {
  resource_trailing_slash: {
    code: 1,
    at: 'authorization',
    mends:
      'A `resource` with a slash at the end that the registered identifier lacks, or without one that it has, means that resource.',
    off: 'invalid_target',
  },
  resource_upper_case: {
    code: 2,
    at: 'authorization',
    mends: 'A `resource` whose scheme or host is written in other letters than registered means that resource.',
    off: 'invalid_target',
  },
  resource_default_port: {
    code: 3,
    at: 'authorization',
    mends: 'A `resource` that names the usual port of its scheme means the one that does not.',
    off: 'invalid_target',
  },
  scope_missing: {
    code: 4,
    at: 'authorization',
    mends:
      'A request without a scope of the resource, by an app that has none registered there, gets the default scopes of the resource.',
    off: 'invalid_scope',
  },
  scope_unknown: {
    code: 5,
    at: 'authorization',
    mends: 'A scope that nobody here knows is left out of the request.',
    off: 'invalid_scope',
  },
  scope_accumulates: {
    code: 6,
    at: 'authorization',
    mends:
      'An app that registered itself and asks for one more scope keeps those the person had allowed it at that resource.',
    off: 'a token with the asked scopes only',
  },
  step_up_hint: {
    code: 7,
    at: 'introspection',
    mends:
      'When a resource server says that a token is not enough, the next refresh is refused once, so that clients that answer a 403 by refreshing ask the person.',
    off: 'the refresh succeeds with the same scopes',
  },
  localhost_port: {
    code: 8,
    at: 'authorization',
    mends:
      'The port of an `http://localhost` redirect of a native app may differ from the registered one, as it may for 127.0.0.1 and [::1].',
    off: 'a page: the redirect URI is not registered',
  },
  document_loopback_port: {
    code: 9,
    at: 'document',
    mends: 'A loopback redirect that a metadata document lists without a port is taken with any.',
    off: 'a page: the redirect URI is not registered',
  },
  private_scheme: {
    code: 10,
    at: 'registration',
    mends: 'A native app may use a scheme that is no reversed domain name, such as `cursor:`; the person is warned.',
    off: 'invalid_redirect_uri',
  },
  application_type_missing: {
    code: 11,
    at: 'registration',
    mends: 'Without `application_type`, an app with a loopback or private redirect is a native one.',
    off: 'invalid_redirect_uri',
  },
  application_type_wrong: {
    code: 12,
    at: 'registration',
    mends: 'An app that says `web` and has a loopback or private redirect is a native one.',
    off: 'invalid_redirect_uri',
  },
  auth_method_unknown: {
    code: 13,
    at: 'registration',
    mends: 'A `token_endpoint_auth_method` that cannot be had here means a public client.',
    off: 'invalid_client_metadata',
  },
  document_auth_method: {
    code: 14,
    at: 'document',
    mends:
      'A metadata document without `token_endpoint_auth_method` describes a public client: there is no secret it could share.',
    off: 'the document is refused',
  },
  metadata_empty_values: {
    code: 15,
    at: 'registration',
    mends: 'Members of metadata that are `null` or `""` are taken as not given.',
    off: 'invalid_client_metadata',
  },
  grant_types_unknown: {
    code: 16,
    at: 'registration',
    mends: 'Grant types that an app may not give itself are ignored; it gets the code flow and refresh.',
    off: 'invalid_client_metadata',
  },
  response_types_unknown: {
    code: 17,
    at: 'registration',
    mends: 'Response types other than `code` are ignored.',
    off: 'invalid_client_metadata',
  },
  metadata_scope: {
    code: 18,
    at: 'registration',
    mends: 'Unknown scopes in metadata are ignored.',
    off: 'invalid_client_metadata',
  },
  links_not_https: {
    code: 19,
    at: 'registration',
    mends: 'Links that are not https are left out: they would only be shown.',
    off: 'invalid_client_metadata',
  },
  secret_method: {
    code: 20,
    at: 'token',
    mends: 'A client secret is taken in the header and in the body, whichever of the two the app was registered with.',
    off: 'invalid_client',
  },
} as const satisfies Readonly<Record<string, Shim>>

export type ShimName = keyof typeof shims

export const shimNames = Object.keys(shims) as readonly ShimName[]

/** Which shims are on. */
export interface Shims {
  on(name: ShimName): boolean
}

/** All of them but those named. */
export function createShims(off: readonly ShimName[] = []): Shims {
  const refused = new Set(off)
  return { on: (name) => !refused.has(name) }
}

const byCode = new Map<number, ShimName>(shimNames.map((name) => [shims[name].code, name]))

/** The row with that code; undefined for one of a newer version. */
export function shimByCode(code: number): ShimName | undefined {
  return byCode.get(code)
}
