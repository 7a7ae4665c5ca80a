/**
 * Connected apps in words: consents and their history as the rows that pages show. Which pages there are stands in `connected-apps.ts`.
 */
import type { Apps } from '../apps/apps.ts'
import { standingOf } from '../apps/vendor.ts'
import type { ConnectedRow, ConsentNoteRow } from '../http/connected-views.ts'
import type { ConsentDuration } from '../http/consent-views.ts'

type ScopesByPlace = Readonly<Record<string, readonly string[]>>

/** A single connection, at the resource where it holds. */
export interface Connection {
  readonly type: 'connection'
  readonly identifier: string
  readonly actions: readonly ('read' | 'write')[]
  readonly locations?: readonly string[]
}

/** A consent with how much lives by it: scopes by resource, those about the person under `identity`. */
export interface Connected {
  readonly id: string
  readonly clientId: string
  readonly scopes: ScopesByPlace
  readonly connections: readonly Connection[]
  readonly duration: ConsentDuration
  readonly firstAt: number
  readonly lastAt: number
  readonly usedAt?: number
  readonly expiresAt?: number
  readonly families: number
}

export interface Vendor {
  readonly key: string
  readonly host?: string
}

export interface ConnectedVendor extends Vendor {
  readonly apps: readonly Connected[]
  readonly hasMore: boolean
  readonly families: number
}

export interface Note {
  readonly clientId: string
  readonly act: 'allowed' | 'narrowed' | 'ended'
  readonly at: number
  readonly scopes: ScopesByPlace
  readonly connections: readonly Connection[]
  readonly refused: readonly string[]
  readonly duration?: string
  readonly expiresAt?: number
}

/** What names things. */
export interface RowParts {
  readonly apps: Pick<Apps, 'find'>
  /** Who acts for an account through which consent. */
  readonly delegates: {
    list(accountId: string): Promise<readonly { readonly consentId: string; readonly actor: string }[]>
  }
  readonly scopes: Readonly<Record<string, { readonly describe: string }>>
  readonly resourceName: (identifier: string) => string
  /** What people read for a connection; the id where nobody knows a name. */
  readonly connectionName: (id: string) => string
}

const scopesShown = ({ scopes: rules }: RowParts, names: readonly string[]) =>
  names.map((name) => ({ name, sentence: rules[name]?.describe ?? '' }))

/** A line of the history. */
export async function noteRow(parts: RowParts, note: Note): Promise<ConsentNoteRow> {
  const { clientId, act, at, scopes, connections, refused, duration, expiresAt } = note
  const names = [...new Set(Object.values(scopes).flat())].filter((name) => name !== 'offline_access')
  return {
    name: (await parts.apps.find(clientId))?.name ?? clientId,
    act,
    at,
    scopes: scopesShown(parts, names),
    refused: scopesShown(parts, refused),
    connections: connections.map(({ identifier, actions }) => ({ name: parts.connectionName(identifier), actions })),
    ...(duration === undefined ? {} : { duration: duration as ConsentDuration }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

/** Makes the rows of one account's page: an app as its owner reads about it. */
export async function rowsOf(parts: RowParts, accountId: string): Promise<(one: Connected) => Promise<ConnectedRow>> {
  const acting = Map.groupBy(await parts.delegates.list(accountId), ({ consentId }) => consentId)
  const nameOf = async ({ actor }: { actor: string }) => (await parts.apps.find(actor))?.name ?? actor
  return async (one) => rowOf(parts, one, await Promise.all((acting.get(one.id) ?? []).map(nameOf)))
}

async function rowOf(parts: RowParts, one: Connected, delegates: readonly string[]): Promise<ConnectedRow> {
  const app = await parts.apps.find(one.clientId)
  const { identity = [], ...resources } = one.scopes
  const { id, clientId, duration, firstAt, lastAt, usedAt, expiresAt, families } = one
  return {
    id,
    clientId,
    // Undefined when the app is gone.
    name: app?.name ?? clientId,
    standing: app ? standingOf(app) : 'unverified',
    ...(app?.agent ? { agent: true } : {}),
    ...(delegates.length > 0 ? { delegates } : {}),
    identity: scopesShown(
      parts,
      identity.filter((name) => name !== 'offline_access'),
    ),
    allowed: Object.entries(resources).map(([resource, names]) => ({
      resource: parts.resourceName(resource),
      scopes: scopesShown(parts, names),
    })),
    connections: one.connections.flatMap(({ identifier, actions, locations = [] }) =>
      locations.map((place) => ({
        name: parts.connectionName(identifier),
        resource: parts.resourceName(place),
        ticks: actions.map((action) => ({ action, value: `${action} ${identifier} ${place}` })),
      })),
    ),
    duration,
    firstAt,
    lastAt,
    families,
    ...(usedAt === undefined ? {} : { usedAt }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}
