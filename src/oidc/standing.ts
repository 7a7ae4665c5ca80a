/**
 * What still stands of a grant: never more than its consent does now. Consent is read at every use and kept nowhere, so what a person takes back is
 * gone on every instance with that one write; a grant of a consent that has ended, or ended and was given again, is no grant.
 */
import type { Store, Stored } from '../storage/store.ts'
import type { Clients } from './clients.ts'
import { type Consent, consentId } from './grants.ts'
import type { ScopeMap } from './scope-map.ts'
import type { Artefact } from './work.ts'

/** Rights that are left and when they end (milliseconds since 1970); no limits for the operator's own apps. */
export interface Standing {
  readonly limits?: { readonly scopes: ScopeMap; readonly expiresAt: number }
}

export interface Standings {
  /** Begins to read the consent; done beside other reads. */
  read(accountId: string, clientId: string): Promise<Stored<Consent> | undefined>
  /** What is left of a grant; undefined when its consent has ended. */
  of(grant: Artefact, consent: Stored<Consent> | undefined): Promise<Standing | undefined>
}

interface Parts {
  readonly store: Store
  readonly clients: Clients
  readonly now: () => number
  /** A session that is not used lives at least so long. */
  readonly sessionIdleSeconds: number
}

/** A last use is noted at most once in this time: a token is used far more often than its owner looks. */
const USE_NOTED_MS = 3_600_000

export function createStandings({ store, clients, now, sessionIdleSeconds }: Parts): Standings {
  /** What was allowed for one sign-in ends with it. A session cannot have gone idle earlier than that, and ended by hand it took the consent along. */
  const isOver = async ({ value }: Stored<Consent>): Promise<boolean> =>
    value.sessionUid !== undefined &&
    now() - value.lastAt > sessionIdleSeconds * 1000 &&
    (await store.findBy('session', 'uid', value.sessionUid)) === undefined

  const noteUse = async ({ id, value }: Stored<Consent>): Promise<void> => {
    if (value.usedAt !== undefined && now() - value.usedAt < USE_NOTED_MS) return
    await store.update<Consent>('consent', id, (current) =>
      current.generation === value.generation ? { value: { ...current, usedAt: now() } } : undefined,
    )
  }

  return {
    read: (accountId, clientId) => store.find<Consent>('consent', consentId(accountId, clientId)),
    async of({ clientId, generation, assertedBy }, consent) {
      // An enterprise's identity provider stands for it in place of a consent; it lives for one token and ends with its family.
      if (assertedBy !== undefined) return {}
      if (clientId && (await clients.app(clientId))?.firstParty) return {}
      if (!consent || consent.value.generation !== generation || (await isOver(consent))) return undefined
      await noteUse(consent)
      return {
        limits: { scopes: consent.value.scopes, expiresAt: consent.expiresAt ?? Number.MAX_SAFE_INTEGER },
      }
    },
  }
}
