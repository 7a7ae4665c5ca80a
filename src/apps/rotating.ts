/**
 * A new secret for an app, and the end of the old one. A rotation is one write of the app's entry; how long the old secret works beside the new one is
 * `overlap.ts`'s, noting and writing `apps.ts`'s.
 */
import type { Caller } from '../observability/audit.ts'
import { checkOverlap, waitsForUse } from '../overlap.ts'
import type { App, AppRecord } from './app.ts'
import type { Apps } from './apps.ts'
import { checkRotation } from './records.ts'
import { newSecret, withoutOldSecrets, withRotated } from './secrets.ts'

interface Writing {
  /** Notes the act, does it, and tells who listens. */
  readonly record: <T>(
    caller: Caller,
    event: string,
    clientId: string,
    act: () => Promise<T>,
    details?: object,
  ) => Promise<T>
  readonly rewrite: (clientId: string, next: (app: AppRecord) => AppRecord) => Promise<App>
  readonly keyPrefix: string
  readonly now: () => number
}

export function rotating({ record, rewrite, keyPrefix, now }: Writing): Pick<Apps, 'rotateSecret' | 'endOldSecret'> {
  return {
    async rotateSecret(caller, clientId, wish = {}) {
      checkOverlap(wish)
      const { clientSecret, secret } = newSecret(keyPrefix, now())
      const next = (app: AppRecord) => withRotated(checkRotation(app), secret, wish, now())
      const details = { overlap_seconds: wish.overlapSeconds ?? (waitsForUse(wish) ? 'as callers move' : 'default') }
      const app = await record(caller, 'app.secret_rotated', clientId, () => rewrite(clientId, next), details)
      return { app, clientSecret }
    },
    async endOldSecret(caller, clientId, secretId) {
      const next = (app: AppRecord) => (isReplaced(app, secretId) ? withoutOldSecrets(app) : app)
      return record(caller, 'app.old_secret_ended', clientId, () => rewrite(clientId, next))
    },
  }
}

/** Whether that secret, or any, is one that was replaced. */
function isReplaced({ secrets }: AppRecord, secretId: string | undefined): boolean {
  return secrets.some(({ id, expiresAt }) => expiresAt !== undefined && id === (secretId ?? id))
}
