/**
 * The settings of a signed-in person, put together: the access rules of their pages and the sections this server has.
 */
import type { Route } from '../http/route.ts'
import { createActivity } from './activity.ts'
import { createConnectedApps } from './connected-apps.ts'
import { createEmailPages } from './email.ts'
import { createKeyPages } from './keys.ts'
import { createLeaving } from './leaving.ts'
import { createProfile } from './profile.ts'
import { createRecovered, type RecoveredParts } from './recovered.ts'
import { createRefused } from './refused.ts'
import { createSecurity } from './security.ts'
import { createSessionsPage } from './sessions.ts'
import type { Draw, SettingsAccess } from './shell.ts'
import { createUnverified, type UnverifiedParts, withProvenAddress } from './unverified.ts'

type Without<P> = Omit<P, 'access' | 'draw'>

interface SettingsParts {
  readonly access: SettingsAccess
  readonly draw: Draw
  readonly unverified: Omit<UnverifiedParts, 'access'>
  readonly recovered: Omit<RecoveredParts, 'access'>
  readonly email: Without<Parameters<typeof createEmailPages>[0]>
  readonly profile: Without<Parameters<typeof createProfile>[0]>
  readonly security: Without<Parameters<typeof createSecurity>[0]>
  readonly sessions: Without<Parameters<typeof createSessionsPage>[0]>
  readonly activity: Without<Parameters<typeof createActivity>[0]>
  readonly connected: Without<Parameters<typeof createConnectedApps>[0]>
  readonly keys: Without<Parameters<typeof createKeyPages>[0]>
  readonly leaving: Without<Parameters<typeof createLeaving>[0]>
}

export function createSettings({ access, draw, ...parts }: SettingsParts): readonly Route[] {
  return [
    ...createUnverified({ access, ...parts.unverified }),
    ...createRecovered({ access, ...parts.recovered }),
    ...createProfile({ access, draw, ...parts.profile }),
    ...createEmailPages({ access, draw, ...parts.email }),
    ...createSecurity({ access, draw, ...parts.security }),
    ...createSessionsPage({ access, draw, ...parts.sessions }),
    ...createActivity({ access, draw, ...parts.activity }),
    ...createRefused({ access, draw, denials: parts.keys.keys.denials }),
    ...createConnectedApps({ access, draw, ...parts.connected }),
    ...createKeyPages({ access: withProvenAddress(access), draw, ...parts.keys }),
    ...createLeaving({ access, draw, ...parts.leaving }),
  ]
}
