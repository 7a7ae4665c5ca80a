/**
 * Why what was issued for a person does not work any more, where its own life has not ended: the account, the sign-in, the consent or the grant behind
 * it has. For the owner's eyes; outside all of them are one answer.
 */
import type { AdapterPayload } from 'oidc-provider'
import type { Store } from '../storage/store.ts'
import { type AccountSource, stands } from './accounts.ts'
import type { AppSource } from './clients.ts'
import { type Consent, consentId } from './grants.ts'
import type { Artefact } from './work.ts'

interface Parts {
  readonly store: Pick<Store, 'find'>
  readonly accounts: AccountSource
  readonly apps: AppSource
}

/** Undefined when none of them has ended. */
export function createEndOf({ store, accounts, apps }: Parts) {
  return async (token: AdapterPayload): Promise<string | undefined> => {
    const { accountId = '', clientId = '', grantId = '' } = token
    const account = await accounts.find(accountId)
    if (!stands(account, undefined)) return 'account_disabled'
    if (!stands(account, token['authTime'] as number | undefined)) return 'grant_ended'
    const [grant, consent, app] = await Promise.all([
      store.find<Artefact>('grant', grantId),
      store.find<Consent>('consent', consentId(accountId, clientId)),
      apps.find(clientId),
    ])
    const isAnother = grant !== undefined && grant.value.generation !== consent?.value.generation
    if (app && !app.firstParty && (consent === undefined || isAnother)) return 'consent_ended'
    return grant ? undefined : 'grant_ended'
  }
}
