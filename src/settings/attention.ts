/**
 * What the first page of the settings asks a person to look at, most pressing first. Each card leads to where it is mended.
 */
import type { Factors } from '../accounts/factors.ts'
import { hasSecondFactor } from '../accounts/sign-in-state.ts'
import type { SettingsCard } from '../http/settings-views.ts'
import type { Person } from './shell.ts'

export function createAttention(factors: Pick<Factors, 'list'>): (person: Person) => Promise<readonly SettingsCard[]> {
  return async ({ account }) => {
    const { held, fewRecoveryCodes } = await factors.list(account)
    const cards: (SettingsCard | false)[] = [
      !account.emailVerified && { kind: 'unverified_email', url: '/settings/verify' },
      !hasSecondFactor(held) && { kind: 'no_second_factor', url: '/settings/security' },
      fewRecoveryCodes && { kind: 'few_recovery_codes', url: '/settings/security', count: held.recoveryCodes },
    ]
    return cards.filter((card) => card !== false)
  }
}
