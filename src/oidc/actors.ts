/**
 * Who acts for whom: the `act` claim (RFC 8693 §4.1) of our access tokens. The outermost actor acts now, the ones inside acted before it.
 * An actor is an app, by its client id, or a key, by its name (`api_key:<id>`).
 */

export interface Actor {
  readonly sub: string
  readonly act?: Actor
}

/** Actors a token may name: every further one is one more program that a person has never seen. */
export const MOST_ACTORS = 4

/** The names of a chain, the one who acts now first. */
export function actorsOf(act: Actor | undefined): string[] {
  const names: string[] = []
  for (let at = act; at !== undefined; at = at.act) names.push(at.sub)
  return names
}

/** The id of the key that an actor is, undefined for an app. */
export function keyOf(actor: string): string | undefined {
  return /^(?:api_key|personal_access_token):(.+)$/.exec(actor)?.[1]
}
