/**
 * What is a path of this server, and so may be returned to. Browsers read `//host` and `/\host` as another site, and drop tabs and line breaks
 * (threats.md RU6). Whoever takes such a path from a request asks here.
 */

/** True for a path of this server, with or without a query. */
export function isOwnPath(path: string): boolean {
  return /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path)
}

/** The path, or another where it leads elsewhere. */
export function ownPathOr(path: string | undefined, other: string): string {
  return path !== undefined && isOwnPath(path) ? path : other
}
