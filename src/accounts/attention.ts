/**
 * What the owner of an account should look at, most pressing first. What other parts of the server know (keys that end, apps that are new) is told by
 * them; where each thing is mended is the surface's to say.
 */
import type { Account } from './account.ts'
import type { Factors } from './factors.ts'
import type { RememberedDevices } from './remembered-devices.ts'
import { hasSecondFactor } from './sign-in-state.ts'

/** Times are milliseconds since 1970. */
export type Attention =
  | { readonly kind: 'unverified_email' | 'no_second_factor' }
  | { readonly kind: 'few_recovery_codes'; readonly count: number }
  | { readonly kind: 'keys_expiring' | 'tokens_expiring'; readonly count: number; readonly at: number }
  | { readonly kind: 'new_device'; readonly at: number }
  | { readonly kind: 'new_app'; readonly at: number; readonly id: string; readonly name: string }

interface Dependencies {
  readonly factors: Pick<Factors, 'list'>
  readonly devices: Pick<RememberedDevices, 'newSince'>
  /** Live keys of that account that end within that time, by kind. */
  readonly expiring: (
    accountId: string,
    withinMs: number,
  ) => Promise<readonly { kind: 'api_key' | 'personal_access_token'; count: number; at: number }[]>
  /** Apps let in after that time, newest first. */
  readonly newApps: (accountId: string, since: number) => Promise<readonly { id: string; name: string; at: number }[]>
  readonly now: () => number
}

const DAY_MS = 86_400_000
const EXPIRING_MS = 14 * DAY_MS
/** How long something counts as new. */
const NEW_MS = 7 * DAY_MS

export function createAttention({ factors, devices, expiring, newApps, now }: Dependencies) {
  return async (account: Account): Promise<readonly Attention[]> => {
    const since = now() - NEW_MS
    const [{ held, fewRecoveryCodes }, ending, device, apps] = await Promise.all([
      factors.list(account),
      expiring(account.id, EXPIRING_MS),
      devices.newSince(account, since),
      newApps(account.id, since),
    ])
    const found: (Attention | false)[] = [
      !account.emailVerified && { kind: 'unverified_email' },
      !hasSecondFactor(held) && { kind: 'no_second_factor' },
      fewRecoveryCodes && { kind: 'few_recovery_codes', count: held.recoveryCodes },
      ...ending.map(({ kind, count, at }): Attention => {
        return { kind: kind === 'api_key' ? 'keys_expiring' : 'tokens_expiring', count, at }
      }),
      device !== undefined && { kind: 'new_device', at: device },
      ...apps.slice(0, 3).map((app): Attention => ({ kind: 'new_app', ...app })),
    ]
    return found.filter((one) => one !== false)
  }
}
