/** Where a person is sent inside this server: the addresses of interactions, in one place. */

/** The first page of an interaction; the library binds its cookie to this path. */
export function interactionUrl(uid: string): string {
  return `/interaction/${uid}`
}
