/**
 * Where an app is looked for, in this order: the configuration, the store, its own document, its own id. The first that knows it counts; what an operator
 * has decided about an app stands in the store and holds whatever the app says of itself since.
 */
import type { Store } from '../storage/store.ts'
import type { App, AppRecord } from './app.ts'
import type { ClientDocuments } from './client-documents.ts'
import { toApp, withStanding } from './records.ts'
import type { Registration } from './registration.ts'

interface Places {
  readonly configured: ReadonlyMap<string, App>
  readonly store: Pick<Store, 'find'>
  readonly documents?: ClientDocuments
  readonly registration?: Pick<Registration, 'open'>
}

const SHUT_OUT = 'The configuration takes no documents from its host.'

/** Finds suspended apps too: look at `suspended`. Costs no store call for configured ones. */
export function createFind({ configured, store, documents, registration }: Places) {
  /** A document that cannot be had any more does not take away what people have consented to: the copy of then serves. */
  const documented = async (clientId: string, copy: AppRecord | undefined): Promise<App | undefined> => {
    // Nor does it outlive the operator's word about its host.
    if (copy && documents?.isShutOut(clientId))
      return toApp({
        id: clientId,
        value: { ...copy, suspended: { at: copy.updatedAt, reason: SHUT_OUT } },
        version: '',
      })
    const fresh = await documents?.find(clientId)
    const value = fresh && copy ? withStanding(fresh, copy) : (fresh ?? copy)
    const isKept = copy !== undefined
    return value && { ...toApp({ id: clientId, value, version: '' }), source: isKept ? 'stored' : 'document' }
  }
  return async (clientId: string): Promise<App | undefined> => {
    const known = configured.get(clientId)
    if (known) return known
    const entry = await store.find<AppRecord>('app', clientId)
    if (documents?.isAddress(clientId) && !entry?.value.suspended) return documented(clientId, entry?.value)
    if (entry) return entry.value.removedAt === undefined ? toApp(entry) : undefined
    const value = registration?.open(clientId)
    return value && { ...toApp({ id: clientId, value, version: '' }), source: 'self_registered' }
  }
}
