/**
 * The library's client object of an app, made once and kept as long as the app's metadata stays what it was. The library itself digests the whole
 * metadata at every request and keeps a hundred clients; with more apps than that it would check and build one per request.
 */
import type { AdapterPayload, Client, Provider } from 'oidc-provider'

const KEPT_AT_MOST = 1000

/** Metadata that has not changed must be the same object (`clients.ts`). `find` answers undefined for a client that is not there. */
export function keepClients(provider: Provider, find: (id: string) => Promise<AdapterPayload | undefined>): void {
  const kept = new Map<string, { metadata: AdapterPayload; client: Client }>()
  const make = provider.Client as unknown as new (metadata: AdapterPayload) => Client
  const lookUp = async (id: unknown): Promise<Client | undefined> => {
    if (typeof id !== 'string' || id === '') return undefined
    const metadata = await find(id)
    if (!metadata) return undefined
    const known = kept.get(id)
    if (known?.metadata === metadata) return known.client
    const client = new make(metadata)
    if (kept.size >= KEPT_AT_MOST) kept.clear()
    kept.set(id, { metadata, client })
    return client
  }
  Object.defineProperty(provider.Client, 'find', { value: lookUp })
}
