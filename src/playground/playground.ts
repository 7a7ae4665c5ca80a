/**
 * The newcomer's first two minutes, in development only: a page of a public app of this server that runs the code flow in the browser and shows
 * every exchange. Introspection needs a confidential caller, so the page sends its token through here, and learns only about its own tokens.
 */
import { z } from 'zod'
import { type AccessRule, get, post, type Route } from '../http/route.ts'
import { type Playground, page } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'

interface PlaygroundParts {
  readonly issuer: string
  readonly clientId: string
  readonly scopes: readonly { readonly name: string; readonly describe: string; readonly access: string }[]
  readonly resources: readonly {
    readonly identifier: string
    readonly name: string
    readonly scopes: readonly string[]
  }[]
  /** The claims of a token if it is good and was issued to that app. */
  readonly inspect: (token: string, clientId: string) => Promise<Record<string, unknown> | undefined>
  readonly anyone: AccessRule<Caller>
  readonly form: AccessRule<Caller>
}

const SELECTED = new Set(['openid', 'profile', 'email', 'offline_access', 'data:read', 'mcp:read'])
const IDENTITY = ['openid', 'profile', 'email', 'offline_access']

export function createPlayground(parts: PlaygroundParts): readonly Route[] {
  const show = () => page('playground/index', modelOf(parts))
  return [
    get('/playground').needs(parts.anyone).does(show),
    get('/playground/callback').needs(parts.anyone).does(show),
    post('/playground/introspect')
      .needs(parts.form)
      .takes(z.object({ token: z.string().max(8192) }))
      .does(async ({ input }) => {
        const claims = await parts.inspect(input.token, parts.clientId)
        return { kind: 'json', body: claims ? { active: true, ...claims } : { active: false } }
      }),
  ]
}

function modelOf({ issuer, clientId, scopes, resources }: PlaygroundParts): Playground {
  const offered = [
    ...IDENTITY.map((name) => ({ name, describe: '', access: 'read' })),
    ...scopes.filter(({ access }) => access !== 'admin'),
  ]
  return {
    clientId,
    redirectUri: `${issuer}/playground/callback`,
    endpoints: {
      authorize: `${issuer}/authorize`,
      token: `${issuer}/token`,
      userinfo: `${issuer}/userinfo`,
      revoke: `${issuer}/revoke`,
      jwks: `${issuer}/.well-known/jwks.json`,
      introspect: `${issuer}/introspect`,
      introspectThroughPage: '/playground/introspect',
    },
    scopes: offered.map(({ name, describe }) => ({ name, sentence: describe, selected: SELECTED.has(name) })),
    resources,
  }
}
