/**
 * The API, put together: every route below `/api/v1` in one table, from which the reference is made too.
 */
import type { Apps } from '../apps/apps.ts'
import type { Publishers } from '../apps/publishers.ts'
import type { DeveloperResources } from '../apps/resources.ts'
import type { AccessRule, Route } from '../http/route.ts'
import type { Keys } from '../keys/keys.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import type { Store } from '../storage/store.ts'
import { createAccountRoutes } from './accounts.ts'
import { type AdminAccountParts, type AdminAccounts, createAdminAccountRoutes } from './admin-accounts.ts'
import { createAdminAppRoutes } from './admin-apps.ts'
import { createAdminAuditRoutes } from './admin-audit.ts'
import { type AppSecretParts, createAppSecretRoutes } from './app-secrets.ts'
import { createAppRoutes, type ProofParts } from './apps.ts'
import { createCredentials, stepUp } from './credentials.ts'
import { createGrantRoutes, type GrantParts } from './grants.ts'
import { type GuardParts, guarded } from './guarded.ts'
import { createKeyRoutes } from './keys.ts'
import { createLeakRoutes, type LeakParts } from './leaks.ts'
import { createOwnRoutes, ownerOf } from './own.ts'
import type { CredentialParts } from './presented.ts'
import { createProfileRoutes, type ProfileParts } from './profile.ts'
import { createProtectionRoutes, type ProtectionParts } from './protection.ts'
import { createAdminResourceRoutes, createResourceRoutes } from './resources.ts'
import { createSessionRoutes, type SessionParts } from './sessions.ts'
import { usingKey } from './using.ts'
import { createVerifyRoutes, type VerifyParts } from './verify.ts'

interface ApiParts
  extends Pick<
    CredentialParts,
    | 'issuer'
    | 'audience'
    | 'proofAlgorithms'
    | 'checkToken'
    | 'limiter'
    | 'now'
    | 'recentSeconds'
    | 'administration'
    | 'bearers'
    | 'countsAsRecent'
  > {
  readonly keys: Keys
  readonly anyone: AccessRule<Caller>
  readonly isKey: (credential: string) => boolean
  readonly limitLeaks: LeakParts['limitLeaks']
  readonly form: LeakParts['form']
  readonly accounts: SessionParts['accounts'] & AdminAccounts & ProfileParts['accounts']
  readonly own: Omit<ProfileParts, 'credentials' | 'accounts'> &
    Omit<ProtectionParts, 'guarded'> &
    Pick<GuardParts, 'missingAssurance'>
  readonly administer: Omit<AdminAccountParts, 'administrator' | 'issuer' | 'accounts'>
  readonly apps: Apps
  readonly publishers: Publishers
  readonly resources: DeveloperResources
  readonly limitProof: ProofParts['limitProof']
  readonly appUsage: { readonly report: AppSecretParts['usage']; readonly count: CredentialParts['countApp'] }
  readonly audit: Audit
  readonly store: Pick<Store, 'read' | 'readLog'>
  readonly makeKeyToken: VerifyParts['makeKeyToken']
  readonly sessions: SessionParts['sessions']
  readonly narrowToken: VerifyParts['narrowToken']
  readonly consents: GrantParts['consents'] & {
    end(accountId: string, id: string): Promise<{ clientId: string }>
    stop(accountId: string, vendor: { id: string }): Promise<{ clientIds: readonly string[] }>
  }
}

const ENDED = { event: 'consent.ended', outcome: 'done', reason: 'by_owner' } as const

export function createApi(parts: ApiParts): readonly Route[] {
  const { keys, accounts, apps, audit, store, consents } = parts
  const credentialParts: CredentialParts = {
    ...parts,
    checkKey: keys.check as CredentialParts['checkKey'],
    explainKey: keys.explain,
    spendKey: keys.spend,
    lookAtKey: keys.lookAtSpending,
    askLift: keys.elevations.ask,
    countApp: parts.appUsage.count,
    denials: keys.denials,
    findAccount: accounts.find,
    findApp: apps.find,
  }
  const credentials = createCredentials(credentialParts)
  const administrator = credentials.administrator()
  return [
    ...createKeyRoutes({ credentials, keys, parent: usingKey(credentialParts) }),
    ...createLeakRoutes(parts),
    ...createAccountRoutes(credentials),
    ...createProfileRoutes({ credentials, accounts, ...parts.own }),
    ...createProtectionRoutes({
      ...parts.own,
      guarded: guarded({
        recent: credentials.recent('api:write'),
        missingAssurance: parts.own.missingAssurance,
        isFirstParty: async (clientId) => (await apps.find(clientId))?.firstParty === true,
        stepUp: (ctx, caller, acrValues) => stepUp(credentialParts, ctx, caller, acrValues),
      }),
    }),
    ...createAppRoutes({ credentials, ...parts }),
    ...createAdminAppRoutes({ credentials, ...parts }),
    ...createAppSecretRoutes({ credentials, apps, usage: parts.appUsage.report, now: parts.now }),
    ...createAdminAccountRoutes({ administrator, issuer: parts.issuer, accounts, ...parts.administer }),
    ...createAdminAuditRoutes({ administrator, store }),
    ...createResourceRoutes({ credentials, ...parts }),
    ...createAdminResourceRoutes({ credentials, ...parts }),
    ...createVerifyRoutes({
      ...credentialParts,
      makeKeyToken: parts.makeKeyToken,
      narrowToken: parts.narrowToken,
    }),
    ...createSessionRoutes({ credentials, sessions: parts.sessions, accounts, audit }),
    ...createOwnRoutes({
      credentials,
      denials: keys.denials,
      store,
    }),
    ...createGrantRoutes({
      credentials,
      consents,
      async appName(clientId) {
        const app = await apps.find(clientId)
        return app && { name: app.name, verified: app.verified }
      },
      async disconnect(caller, id) {
        const accountId = ownerOf(caller)
        const { clientId } = await consents.end(accountId, id)
        await audit.note(caller.caller, { ...ENDED, accountId, subject: clientId })
      },
      async stop(caller, id) {
        const accountId = ownerOf(caller)
        const { clientIds: apps } = await consents.stop(accountId, { id })
        const details = { count: apps.length, apps: apps.slice(0, 50) }
        await audit.note(caller.caller, { ...ENDED, accountId, subject: id, details })
      },
      async noteShrunk(caller, clientId) {
        const accountId = ownerOf(caller)
        await audit.note(caller.caller, { event: 'consent.shrunk', outcome: 'done', accountId, subject: clientId })
      },
    }),
  ]
}
