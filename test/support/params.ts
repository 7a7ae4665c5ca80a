/**
 * Request parameters as tests write them, as the URL standard has them.
 */
import type { Params } from './strict-client.ts'

export function toSearchParams(params: Params): URLSearchParams {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) for (const one of [value].flat()) search.append(name, one)
  return search
}

/** Whether these parameters ask for an ID token. */
export function asksIdToken(params: Params): boolean {
  return String(params['scope'] ?? '')
    .split(' ')
    .includes('openid')
}
