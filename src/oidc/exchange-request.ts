/**
 * What a request for a token exchange may say (RFC 8693 §2.1), whatever is exchanged.
 */
import { errors } from 'oidc-provider'
import type { Resources } from './resources.ts'
import type { Resource } from './settings.ts'

export const PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'scope',
  'resource',
  'audience',
] as const

export type Params = Readonly<Partial<Record<(typeof PARAMETERS)[number], unknown>>>

/** What comes out, and one of the things that may go in. */
export const ISSUED = 'urn:ietf:params:oauth:token-type:access_token'
const REQUESTABLE: readonly unknown[] = [undefined, ISSUED, 'urn:ietf:params:oauth:token-type:jwt']

/** The type of what is exchanged, one of `known`. @throws invalid_request */
export function subjectType(params: Params, known: readonly string[]): string {
  if (!params.subject_token) throw new errors.InvalidRequest("missing required parameter(s) 'subject_token'")
  if (!params.subject_token_type) throw new errors.InvalidRequest("missing required parameter(s) 'subject_token_type'")
  const type = known.find((one) => one === params.subject_token_type)
  if (!type) throw new errors.InvalidRequest(`subject_token_type must be one of ${known.join(', ')}`)
  if (!REQUESTABLE.includes(params.requested_token_type))
    throw new errors.InvalidRequest('requested_token_type can only be an access token')
  return type
}

/** The scopes asked for, each once. */
export const scopesOf = ({ scope }: Params): string[] => [
  ...new Set(
    String(scope ?? '')
      .split(' ')
      .filter(Boolean),
  ),
]

/** The one resource asked for (`audience` is another word for it here), undefined when none was. @throws invalid_target */
export async function requestedResource(
  resources: Resources,
  { resource, audience }: Params,
): Promise<Resource | undefined> {
  const named = [resource, audience].filter((one) => one !== undefined)
  if (named.length === 0) return undefined
  const found = await Promise.all(named.map(async (one) => (typeof one === 'string' ? resources.look(one) : undefined)))
  const [only] = found
  if (!only || found.some((one) => one?.identifier !== only.identifier)) throw new errors.InvalidTarget()
  return only
}
