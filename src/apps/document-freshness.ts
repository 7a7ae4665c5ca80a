/**
 * How long a client's metadata document may be used, from the headers it came with (RFC 9111 §4.2.1 for a shared cache, RFC 5861 §4), within bounds of
 * our own, which the draft allows (OAuth Client ID Metadata Document §5.2): an hour when nothing is said, never less than a minute, never more than a day.
 */

export interface Freshness {
  readonly freshMs: number
  /** After that, for how long it still serves while its host fails. */
  readonly staleMs: number
}

const LEAST_MS = 60_000
const USUAL_MS = 3_600_000
const MOST_MS = 86_400_000
const STALE_MS = 7 * 86_400_000

/** @param now milliseconds since 1970, for answers without a `Date` of their own. */
export function freshnessOf(headers: Headers, now: number): Freshness {
  const directives = parseDirectives(headers.get('cache-control') ?? '')
  const seconds = (name: string): number | undefined => {
    const value = directives.get(name)
    return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined
  }
  const isUnwanted = directives.has('no-store') || directives.has('no-cache') || directives.has('private')
  const said = seconds('s-maxage') ?? seconds('max-age') ?? untilExpires(headers, now)
  const age = Math.min(Number(/^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? 0), MOST_MS)
  const freshMs = isUnwanted ? LEAST_MS : said === undefined ? USUAL_MS : (said - age) * 1000
  const stale = seconds('stale-if-error')
  return {
    freshMs: Math.min(MOST_MS, Math.max(LEAST_MS, freshMs)),
    staleMs: stale === undefined ? STALE_MS : Math.min(STALE_MS, stale * 1000),
  }
}

function parseDirectives(text: string): Map<string, string> {
  const pairs = text.slice(0, 1024).split(',')
  return new Map(
    pairs.map((pair) => {
      const [name = '', value = ''] = pair.split('=', 2)
      return [name.trim().toLowerCase(), value.trim().replaceAll('"', '')] as const
    }),
  )
}

function untilExpires(headers: Headers, now: number): number | undefined {
  const expires = Date.parse(headers.get('expires') ?? '')
  if (Number.isNaN(expires)) return undefined
  const date = Date.parse(headers.get('date') ?? '')
  return Math.floor((expires - (Number.isNaN(date) ? now : date)) / 1000)
}
