/**
 * What the other parts of the server hold about an account: how each shows it to its owner, and how it is removed. One table, for `leaving` of
 * `people.ts`. Belongs to the composition root; a part that begins to hold something about people gets a line here.
 */
import type { ExportSource } from './accounts/account-export.ts'
import type { Remover } from './accounts/deletion.ts'
import type { Core } from './core.ts'
import type { ConsentNote } from './oidc/consent-history.ts'
import type { Delegates } from './oidc/delegates.ts'
import type { Consent } from './oidc/grants.ts'
import type { Sessions } from './oidc/sessions.ts'

/** Part → what it gives for the export (never a secret, not even a digest), and the removal of all of it. */
export type Holdings = Readonly<Record<string, { readonly list: ExportSource; readonly remove: Remover }>>

export function holdingsOf(
  { store, keys, apps, resources, federation }: Core,
  sessions: Sessions,
  delegates: Delegates,
): Holdings {
  const listApps = (ownerId: string) => everyPage((paging) => apps.list({ ownerId, ...paging }))
  const keysOf = (kind: 'api_key' | 'personal_access_token') => (ownerId: string) =>
    everyPage((paging) => keys.list({ ownerId, kind, ...paging }))
  return {
    // With the token families begun in them, and interactions that wait.
    sessions: {
      list: (accountId) => everyPage((paging) => sessions.list(accountId, paging)),
      remove: (accountId) => sessions.endAll(accountId),
    },
    connected_apps: {
      async list(accountId) {
        const group = { group: 'accountId', value: accountId }
        const consents = await everyPage((paging) => store.list<Consent>('consent', { ...group, ...paging }))
        return consents.map(({ value: { accountId: _id, clientId, scopes, duration, firstAt, lastAt, usedAt } }) => ({
          clientId,
          scopes,
          duration,
          firstAt,
          lastAt,
          usedAt,
        }))
      },
      async remove(accountId) {
        await store.removeGroup('consent', 'accountId', accountId)
        await store.removeGroup('vendor', 'accountId', accountId)
      },
    },
    consent_history: {
      async list(accountId) {
        const group = { group: 'accountId', value: accountId }
        const notes = await everyPage((paging) => store.list<ConsentNote>('consent_note', { ...group, ...paging }))
        return notes.map(({ value: { accountId: _id, consentId: _consent, ...note } }) => note)
      },
      remove: (accountId) => store.removeGroup('consent_note', 'accountId', accountId),
    },
    subject_links: {
      list: federation.links.list,
      remove: (accountId) => store.removeGroup('subject_link', 'accountId', accountId),
    },
    delegates: { list: delegates.list, remove: (accountId) => store.removeGroup('delegate', 'accountId', accountId) },
    api_keys: { list: keysOf('api_key'), remove: (accountId) => keys.removeAll(accountId) },
    personal_access_tokens: { list: keysOf('personal_access_token'), remove: (accountId) => keys.removeAll(accountId) },
    resources: {
      list: (ownerId) => everyPage((paging) => resources.list({ ownerId, ...paging })),
      remove: (ownerId) => store.removeGroup('resource', 'ownerId', ownerId),
    },
    apps: {
      list: async (ownerId) => (await listApps(ownerId)).map(({ secrets: _secrets, ...app }) => app),
      async remove(ownerId) {
        for (const { clientId } of await listApps(ownerId)) await apps.remove({ kind: 'system' }, clientId)
      },
    },
  }
}

interface Paging {
  readonly limit: number
  readonly cursor?: string
}

async function everyPage<T>(
  list: (paging: Paging) => Promise<{ items: readonly T[]; nextCursor?: string }>,
): Promise<T[]> {
  const all: T[] = []
  let cursor: string | undefined
  do {
    const page = await list({ limit: 200, ...(cursor ? { cursor } : {}) })
    all.push(...page.items)
    cursor = page.nextCursor
  } while (cursor)
  return all
}
