/**
 * Apps that are a document at their own address (OAuth Client ID Metadata Document, as MCP 2026-07-28 asks): the client id is an https URL and the
 * document says the rest. Fetched through the guarded way out, shared by every process through the store, kept over the host's bad hours; only what
 * is shown and where people are sent back to is taken from it, never scopes, grants or secrets.
 */
import { digest } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import type { AppRecord } from './app.ts'
import type { ClientMetadata } from './registration.ts'

/** Answers with status, headers and a body of at most `maxBytes`; rejects for an address that must not be reached. */
export type FetchDocument = (
  url: string,
  init: { maxBytes: number; headers: Record<string, string> },
) => Promise<Response>

export interface ClientDocuments {
  /** Whether an id of this form is a document's address. */
  isAddress(clientId: string): boolean
  /** What the document says; undefined when it cannot be had, is refused, or says something else than its address. */
  find(clientId: string): Promise<AppRecord | undefined>
}

interface Dependencies {
  readonly store: Store
  readonly now: () => number
  readonly fetch: FetchDocument
  readonly policy: 'open' | 'listed'
  /** Host names in lower case, or `*.example.com`. */
  readonly allowHosts: readonly string[]
  readonly denyHosts: readonly string[]
  /** The record that such metadata makes; throws what is wrong with it. */
  readonly read: (metadata: ClientMetadata) => AppRecord
}

/** A document as it is shared; a failed fetch is remembered too, for a while. */
interface Kept {
  readonly record?: AppRecord
  /** Milliseconds since 1970. */
  readonly freshUntil: number
}

const MAX_BYTES = 5120
const LEAST_FRESH_MS = 60_000
const USUAL_FRESH_MS = 3_600_000
const MOST_FRESH_MS = 86_400_000
/** How long the last good copy serves while the host does not. */
const STALE_MS = 7 * 86_400_000

export function createClientDocuments(dependencies: Dependencies): ClientDocuments {
  const { store, now } = dependencies
  const underWay = new Map<string, Promise<AppRecord | undefined>>()

  const refresh = async (
    clientId: string,
    id: string,
    before: Stored<Kept> | undefined,
  ): Promise<AppRecord | undefined> => {
    const fetched = await fetchDocument(dependencies, clientId)
    const record = fetched?.record ?? before?.value.record
    const freshUntil = now() + (fetched?.freshMs ?? LEAST_FRESH_MS)
    const value: Kept = { freshUntil, ...(record ? { record } : {}) }
    // A failure keeps the old copy's end: a host that is gone for good is forgotten in the end.
    const expiresAt = fetched ? now() + STALE_MS : Math.max(before?.expiresAt ?? 0, freshUntil)
    await store.put('client_document', { id, value, expiresAt }, 'replace')
    return record
  }

  return {
    isAddress: (clientId) => addressOf(clientId) !== undefined,
    async find(clientId) {
      const address = addressOf(clientId)
      if (!address || !isAllowed(dependencies, address.hostname)) return undefined
      const id = digest('client document', clientId)
      const kept = await store.find<Kept>('client_document', id)
      if (kept && kept.value.freshUntil > now()) return kept.value.record
      const running = underWay.get(id) ?? refresh(clientId, id, kept).finally(() => underWay.delete(id))
      underWay.set(id, running)
      return running
    },
  }
}

/** An https URL with a path, without fragment, user or dot segments, exactly as a parser writes it (draft §2). */
function addressOf(clientId: string): URL | undefined {
  if (!clientId.startsWith('https://') || clientId.length > 500) return undefined
  const url = URL.parse(clientId)
  if (!url || url.href !== clientId || url.pathname === '/' || url.hash || url.username || url.password)
    return undefined
  return url
}

function isAllowed({ policy, allowHosts, denyHosts }: Dependencies, host: string): boolean {
  const fits = (pattern: string) => (pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern)
  if (denyHosts.some(fits)) return false
  return policy === 'open' || allowHosts.some(fits)
}

/** The document's record and how long it is fresh; undefined for every failure, which all look alike. */
async function fetchDocument(
  { fetch, read }: Dependencies,
  clientId: string,
): Promise<{ record: AppRecord; freshMs: number } | undefined> {
  try {
    const answer = await fetch(clientId, { maxBytes: MAX_BYTES, headers: { accept: 'application/json' } })
    if (answer.status !== 200 || !/^application\/([\w.-]+\+)?json\b/i.test(answer.headers.get('content-type') ?? ''))
      return undefined
    const metadata = (await answer.json()) as ClientMetadata & { client_id?: unknown; client_secret?: unknown }
    const isItself =
      metadata.client_id === clientId && typeof metadata.client_name === 'string' && !('client_secret' in metadata)
    return isItself
      ? { record: read(publicOnly(metadata)), freshMs: freshness(answer.headers.get('cache-control')) }
      : undefined
  } catch {
    return undefined
  }
}

/** A document is public, so nothing in it can be a secret: `private_key_jwt` with its keys, or no authentication. */
function publicOnly(metadata: ClientMetadata): ClientMetadata {
  const isKeyed = metadata.token_endpoint_auth_method === 'private_key_jwt'
  return { ...metadata, token_endpoint_auth_method: isKeyed ? 'private_key_jwt' : 'none' }
}

function freshness(cacheControl: string | null): number {
  if (/\bno-(store|cache)\b/i.test(cacheControl ?? '')) return LEAST_FRESH_MS
  const seconds = /\bmax-age=(\d{1,8})\b/i.exec(cacheControl ?? '')?.[1]
  return seconds === undefined
    ? USUAL_FRESH_MS
    : Math.min(MOST_FRESH_MS, Math.max(LEAST_FRESH_MS, Number(seconds) * 1000))
}
