/**
 * Apps that are a document at their own address (OAuth Client ID Metadata Document, as MCP 2026-07-28 asks): the client id is an https URL and the
 * document says the rest. Fetched through the guarded way out, by one process at a time, shared by all through the store, kept over the host's bad hours.
 * The cache is a fixed number of places, failures in places of their own: whoever asks for ten thousand addresses fills it, and no more.
 * What a document may say stands in `document-metadata.ts`, for how long it counts in `document-freshness.ts`.
 */
import { digest } from '../secrets.ts'
import type { Store } from '../storage/store.ts'
import type { AppRecord } from './app.ts'
import { freshnessOf } from './document-freshness.ts'

/** Answers with status, headers and a body of at most `maxBytes`; rejects for an address that must not be reached. */
export type FetchDocument = (
  url: string,
  init: { maxBytes: number; headers: Record<string, string> },
) => Promise<Response>

export interface ClientDocuments {
  /** Whether an id of this form is a document's address. */
  isAddress(clientId: string): boolean
  /** Whether the operator's lists leave out the host of that address. */
  isShutOut(clientId: string): boolean
  /** What the document says; undefined when it cannot be had, is refused, or says something else than its address. */
  find(clientId: string): Promise<AppRecord | undefined>
}

interface Dependencies {
  readonly store: Pick<Store, 'find' | 'put' | 'increment'>
  readonly now: () => number
  readonly fetch: FetchDocument
  readonly pause: (milliseconds: number) => Promise<void>
  readonly policy: 'open' | 'listed'
  /** Host names in lower case, or `*.example.com`. */
  readonly allowHosts: readonly string[]
  readonly denyHosts: readonly string[]
  /** The record that this document makes; throws what is wrong with it. */
  readonly read: (document: unknown, clientId: string) => AppRecord
}

/** What is shared of one address. Times are milliseconds since 1970. */
interface Kept {
  readonly clientId: string
  /** Absent for a failure, which is remembered too, for a while. */
  readonly record?: AppRecord
  readonly etag?: string
  readonly freshUntil: number
}

/** What one address came to. */
type Fetched = { readonly kept: Kept; readonly expiresAt: number } | undefined

const MAX_BYTES = 5120
const RETRY_MS = 60_000
const PLACES = 4096
/** Documents that one process waits for at once; the way out is needed for other things too. */
const AT_ONCE = 16
/** Longer than a fetch can take. */
const LEASE_SECONDS = 5
const POLL_MS = 100

export function createClientDocuments(dependencies: Dependencies): ClientDocuments {
  const { store, now, pause } = dependencies
  const underWay = new Map<string, Promise<AppRecord | undefined>>()

  const look = async (place: string, clientId: string): Promise<Kept | undefined> => {
    const value = (await store.find<Kept>('client_document', place))?.value
    return value?.clientId === clientId ? value : undefined
  }
  const known = async (clientId: string): Promise<Kept | undefined> => {
    const place = placeOf(clientId)
    return (await look(`d${place}`, clientId)) ?? (await look(`f${place}`, clientId))
  }

  /** One process fetches; the others serve what they have, or wait for what it finds. */
  const refresh = async (clientId: string, before: Kept | undefined): Promise<AppRecord | undefined> => {
    const place = placeOf(clientId)
    const { count } = await store.increment(`client document ${digest('client document', clientId)}`, LEASE_SECONDS)
    if (count > 1) return before?.record ?? (await awaited(clientId))
    const fetched = await fetchDocument(dependencies, clientId, before)
    const record = fetched?.kept.record ?? before?.record
    if (fetched)
      await store.put(
        'client_document',
        { id: `d${place}`, value: fetched.kept, expiresAt: fetched.expiresAt },
        'replace',
      )
    else await remember(clientId, before)
    return record
  }

  /** A failure leaves the copy where it is and its end as it was: a host that is gone for good is forgotten in the end. */
  const remember = async (clientId: string, before: Kept | undefined): Promise<void> => {
    const freshUntil = now() + RETRY_MS
    const value: Kept = { ...before, clientId, freshUntil }
    const id = `${before?.record ? 'd' : 'f'}${placeOf(clientId)}`
    const kept = before?.record && (await store.find<Kept>('client_document', id))
    await store.put('client_document', { id, value, expiresAt: kept?.expiresAt ?? freshUntil }, 'replace')
  }

  const awaited = async (clientId: string): Promise<AppRecord | undefined> => {
    for (let waited = 0; waited < LEASE_SECONDS * 1000; waited += POLL_MS) {
      await pause(POLL_MS)
      const found = await known(clientId)
      if (found && found.freshUntil > now()) return found.record
    }
    return undefined
  }

  const isShutOut: ClientDocuments['isShutOut'] = (clientId) => {
    const host = addressOf(clientId)?.hostname
    return host !== undefined && !isAllowed(dependencies, host)
  }

  return {
    isAddress: (clientId) => addressOf(clientId) !== undefined,
    isShutOut,
    async find(clientId) {
      if (!addressOf(clientId) || isShutOut(clientId)) return undefined
      const running = underWay.get(clientId)
      if (running) return running
      const kept = await known(clientId)
      if (kept && kept.freshUntil > now()) return kept.record
      if (!underWay.has(clientId) && underWay.size >= AT_ONCE) return kept?.record
      const going = underWay.get(clientId) ?? refresh(clientId, kept).finally(() => underWay.delete(clientId))
      underWay.set(clientId, going)
      return going
    },
  }
}

function placeOf(clientId: string): number {
  return Buffer.from(digest('client document', clientId), 'base64url').readUInt32BE() % PLACES
}

/**
 * An https URL with a path, without fragment, user or dot segments, exactly as a parser writes it (draft §3). A dot behind the host is the same host under
 * a name that no list holds.
 */
function addressOf(clientId: string): URL | undefined {
  if (!clientId.startsWith('https://') || clientId.length > 500) return undefined
  const url = URL.parse(clientId)
  if (!url || url.href !== clientId || url.pathname === '/' || url.hash || url.username || url.password)
    return undefined
  return url.hostname.endsWith('.') ? undefined : url
}

function isAllowed({ policy, allowHosts, denyHosts }: Dependencies, host: string): boolean {
  const fits = (pattern: string) => (pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern)
  if (denyHosts.some(fits)) return false
  return policy === 'open' || allowHosts.some(fits)
}

/** The document as it is kept; undefined for every failure, which all look alike. */
async function fetchDocument(
  { fetch, read, now }: Dependencies,
  clientId: string,
  before: Kept | undefined,
): Promise<Fetched> {
  try {
    const condition = before?.record && before.etag ? { 'if-none-match': before.etag } : {}
    const headers = { accept: 'application/json', ...condition }
    const answer = await fetch(clientId, { maxBytes: MAX_BYTES, headers })
    const isSame = answer.status === 304 && condition['if-none-match'] !== undefined
    if (!isSame && (answer.status !== 200 || !isJson(answer.headers))) return undefined
    const record = isSame && before?.record ? before.record : read(await answer.json(), clientId)
    const { freshMs, staleMs } = freshnessOf(answer.headers, now())
    const etag = answer.headers.get('etag') ?? (isSame ? before?.etag : undefined)
    const kept = { clientId, record, freshUntil: now() + freshMs, ...(etag && etag.length <= 200 ? { etag } : {}) }
    return { kept, expiresAt: kept.freshUntil + staleMs }
  } catch {
    return undefined
  }
}

function isJson(headers: Headers): boolean {
  return /^application\/([\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '')
}
