/**
 * Browser sessions for the pages of this server: who is signed in here, which sessions an account has, and how they end. There is one session
 * per browser, the provider's; signing out of it signs out of the pages too. Ending a session ends the token families begun in it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { Account } from '../accounts/account.ts'
import type { Vault } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import { type AccountSource, stands } from './accounts.ts'
import { artefactId, openArtefact, sealArtefact } from './artefacts.ts'
import type { Grants } from './grants.ts'
import { endSession } from './session-adapter.ts'
import type { Artefact } from './work.ts'

/** Somebody who is signed in in this browser. `authTime` is seconds since 1970; `sid` is the session's public id. */
export interface SignedIn {
  readonly account: Account
  readonly sid: string
  readonly authTime: number
  readonly acr: string
  readonly amr: readonly string[]
  /** Whether the sign-in counts for sensitive acts at all, however recent; one by recovery code does not. */
  readonly sudo: boolean
}

/** A session as its owner sees it. Times are milliseconds since 1970. */
export interface SessionLine {
  readonly id: string
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly signedInAt: number
  readonly ip: string
  readonly userAgent: string
  readonly expiresAt?: number
  /** Client ids of the apps that it is signed in to and that hold something from it. */
  readonly apps: readonly string[]
}

export interface SessionPage {
  readonly items: readonly SessionLine[]
  readonly nextCursor?: string
}

export interface ProvenSince {
  readonly at?: number
  readonly assurance?: { readonly acr: string; readonly amr: readonly string[] }
}

export interface Sessions {
  /** Whoever is signed in in the browser that sent this request; undefined for nobody. Writes nothing. */
  current(request: IncomingMessage, response: ServerResponse): Promise<SignedIn | undefined>
  list(accountId: string, options?: { cursor?: string; limit?: number }): Promise<SessionPage>
  /** Undefined when the account has no such session. */
  find(accountId: string, id: string): Promise<SessionLine | undefined>
  /** Ends one session of that account and the families begun in it; false when the account has no such session. */
  end(accountId: string, id: string): Promise<boolean>
  /** Ends every session of the account but the one named, with their families; the number ended. */
  endOthers(accountId: string, keepId?: string): Promise<number>
  /**
   * Notes in one session of that account what was proven in it since: it counts as a sign-in of `at` (seconds since 1970) after everything earlier
   * was signed out, or as one with a further factor. False when the account has no such session.
   */
  renew(accountId: string, id: string, proven: ProvenSince): Promise<boolean>
  /** False for a session that never counts as the recent sign-in that sensitive acts need, and for one that is gone. */
  countsAsRecent(id: string): Promise<boolean>
  /** Ends every session, family and waiting interaction of the account. */
  endAll(accountId: string): Promise<void>
  /** Takes back a code of our own pages that nobody will redeem, with the grant it would have opened. */
  discardCode(code: string): Promise<void>
}

interface SessionsParts {
  readonly provider: () => Provider
  readonly store: Store
  readonly vault: Vault
  readonly accounts: AccountSource
  readonly grants: Grants
}

interface LibrarySession {
  accountId?: string
  uid: string
  loginTs?: number
  acr?: string
  amr?: string[]
  sudo?: boolean
  authorizations?: Readonly<Record<string, { readonly grantId?: string }>>
}

export function createSessions({ provider, store, vault, accounts, grants }: SessionsParts): Sessions {
  const endEntry = async (entry: { id: string; value: Artefact }): Promise<void> => {
    const { uid } = entry.value
    if (!uid) return void (await store.remove('session', entry.id))
    await endSession(store, uid)
    await grants.endAll({ sessionUid: uid })
  }

  /** An app whose grant has ended is signed in to by nobody, whatever the session still says. */
  const appsOf = async (value: Artefact): Promise<string[]> => {
    const { authorizations = {} } = (openArtefact(vault, 'Session', value) ?? {}) as Partial<LibrarySession>
    const living = await Promise.all(
      Object.entries(authorizations).map(async ([clientId, { grantId }]) =>
        grantId && (await store.find('grant', artefactId('Grant', grantId))) ? [clientId] : [],
      ),
    )
    return living.flat()
  }
  const lineOf = async ({ value, expiresAt }: Stored<Artefact>): Promise<SessionLine> => ({
    ...sessionLine(value, expiresAt),
    apps: await appsOf(value),
  })

  return {
    async current(request, response) {
      const library = provider()
      const session = (await library.Session.get(library.createContext(request, response) as never)) as LibrarySession
      if (!session.accountId || session.loginTs === undefined) return undefined
      const account = await accounts.find(session.accountId)
      if (!stands(account, session.loginTs)) return undefined
      const { uid: sid, loginTs: authTime, acr = '', amr = [], sudo = true } = session
      return { account, sid, authTime, acr, amr, sudo }
    },
    async list(accountId, options = {}) {
      const { items, nextCursor } = await store.list<Artefact>('session', {
        group: 'accountId',
        value: accountId,
        ...options,
      })
      return {
        items: await Promise.all(items.map(lineOf)),
        ...(nextCursor === undefined ? {} : { nextCursor }),
      }
    },
    async find(accountId, id) {
      const entry = await store.findBy<Artefact>('session', 'uid', id)
      return entry?.value.accountId === accountId ? lineOf(entry) : undefined
    },
    async end(accountId, id) {
      const entry = await store.findBy<Artefact>('session', 'uid', id)
      if (entry?.value.accountId !== accountId) return false
      await endEntry(entry)
      return true
    },
    async endOthers(accountId, keepId) {
      let ended = 0
      let cursor: string | undefined
      do {
        const page = await store.list<Artefact>('session', {
          group: 'accountId',
          value: accountId,
          limit: 100,
          ...(cursor ? { cursor } : {}),
        })
        const others = page.items.filter(({ value }) => value.uid !== keepId)
        await Promise.all(others.map(endEntry))
        ended += others.length
        cursor = page.nextCursor
      } while (cursor)
      return ended
    },
    async renew(accountId, id, { at, assurance }) {
      const entry = await store.findBy<Artefact>('session', 'uid', id)
      if (entry?.value.accountId !== accountId) return false
      const { changed } = await store.update<Artefact>('session', entry.id, (value) => {
        const payload = openArtefact(vault, 'Session', value)
        if (!payload) return undefined
        const signedIn = at === undefined ? {} : { loginTs: at }
        const proven = assurance ? { acr: assurance.acr, amr: [...assurance.amr] } : {}
        const sealed = sealArtefact(vault, 'Session', { ...payload, ...signedIn, ...proven })
        return { value: { ...value, ...sealed, ...(at === undefined ? {} : { signedInAt: at * 1000 }) } }
      })
      return changed
    },
    async countsAsRecent(id) {
      const entry = await store.findBy<Artefact>('session', 'uid', id)
      const session = entry && (openArtefact(vault, 'Session', entry.value) as Partial<LibrarySession> | undefined)
      return session?.accountId !== undefined && session.sudo !== false
    },
    async endAll(accountId) {
      await this.endOthers(accountId)
      await grants.endAll({ accountId })
      await store.removeGroup('interaction', 'accountId', accountId)
    },
    async discardCode(code) {
      const entry = await store.take<Artefact>('authorization_code', artefactId('AuthorizationCode', code))
      const grantId = entry && openArtefact(vault, 'AuthorizationCode', entry.value)?.grantId
      if (grantId) await grants.end(grantId)
    },
  }
}

function sessionLine(value: Artefact, expiresAt: number | undefined): Omit<SessionLine, 'apps'> {
  return {
    id: value.uid ?? '',
    createdAt: Number(value['createdAt'] ?? 0),
    lastSeenAt: Number(value['lastSeenAt'] ?? 0),
    signedInAt: Number(value['signedInAt'] ?? 0),
    ip: String(value['ip'] ?? ''),
    userAgent: String(value['userAgent'] ?? ''),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}
