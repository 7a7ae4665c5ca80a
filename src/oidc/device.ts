/**
 * The device flow's own rules (RFC 8628): `slow_down` for devices that poll too fast (§3.5), a limit on guessing user codes (§5.1), and our pages in
 * place of the library's. The code is shown again and must be confirmed against the device, with where the request came from (§5.4).
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import type { Store } from '../storage/store.ts'
import type { Clients } from './clients.ts'
import type { DeviceProblem, Pages } from './pages.ts'

const POLL_SECONDS = 5
const LONGEST_INTERVAL_SECONDS = 60
const CODE_LIFE_SECONDS = 600

/**
 * Refuses a poll that comes sooner after the last one than the interval, which grows by five seconds with every such poll (RFC 8628 §3.5).
 * One second is forgiven, for a poll may have been quicker on its way than the one before.
 */
export function createPollGate(store: Store) {
  const note = (deviceCodeId: string, times: number) =>
    store.increment(
      `device-poll:${deviceCodeId}:${times}`,
      Math.min(POLL_SECONDS * (1 + times), LONGEST_INTERVAL_SECONDS) - 1,
    )

  return async (deviceCodeId: string): Promise<void> => {
    const slowed = await store.count(`device-slowed:${deviceCodeId}`)
    const { count } = await note(deviceCodeId, slowed.count)
    if (count === 1) return
    const { count: times } = await store.increment(`device-slowed:${deviceCodeId}`, CODE_LIFE_SECONDS)
    // The longer interval counts from this poll.
    await note(deviceCodeId, times)
    throw Object.assign(new errors.SlowDown(), { error_description: 'you are polling too quickly' })
  }
}

const prefilled = new WeakMap<object, string>()

/**
 * A code that came in the address is only filled into the form, which the person sends: nobody approves a device by following a link
 * (RFC 8628 §5.4, threats.md DV3).
 */
export function onlyPrefill(ctx: object, params: Record<string, unknown>): void {
  const { user_code: userCode } = params
  params['user_code'] = undefined
  if (typeof userCode === 'string' && /^[A-Za-z -]{1,20}$/.test(userCode)) prefilled.set(ctx, userCode)
}

/** The library's sources for the device pages. */
export function createDevicePages(pages: Pages, clients: Clients) {
  const appOf = async (clientId: string | undefined): Promise<App | undefined> =>
    clientId ? clients.app(clientId) : undefined

  return {
    async userCodeInputSource(
      ctx: KoaContextWithOIDC,
      _form: string,
      _out: unknown,
      error?: { name?: string; userCode?: string },
    ): Promise<void> {
      if (error?.name === 'AbortedError')
        return pages.deviceDone(ctx, 'denied', await appOf(ctx.oidc.entities.DeviceCode?.clientId))
      const problem = error && PROBLEMS[error.name ?? '']
      if (error && !problem && ctx.oidc.entities.DeviceCode)
        return pages.deviceDone(ctx, 'denied', await appOf(ctx.oidc.entities.DeviceCode.clientId))
      const userCode = error?.userCode ?? prefilled.get(ctx)
      pages.deviceCode(ctx, {
        action: '/device',
        xsrf: secretOf(ctx),
        ...(userCode ? { userCode } : {}),
        ...(error ? { problem: problem ?? 'unknown' } : {}),
      })
    },
    async userCodeConfirmSource(
      ctx: KoaContextWithOIDC,
      _form: string,
      client: { clientId: string },
      deviceInfo: { ip?: unknown; ua?: unknown },
      userCode: string,
    ): Promise<void> {
      const app = await appOf(client.clientId)
      if (!app) throw new errors.InvalidClient('client is invalid')
      const from = { ip: String(deviceInfo['ip'] ?? ''), userAgent: String(deviceInfo['ua'] ?? '').slice(0, 256) }
      pages.deviceConfirm(ctx, { action: '/device', xsrf: secretOf(ctx), userCode, app, ...from })
    },
    async successSource(ctx: KoaContextWithOIDC): Promise<void> {
      pages.deviceDone(ctx, 'approved', await appOf(ctx.oidc.client?.clientId))
    },
  }
}

const PROBLEMS: Readonly<Record<string, DeviceProblem>> = {
  NoCodeError: 'missing',
  NotFoundError: 'unknown',
  ExpiredError: 'expired',
  AlreadyUsedError: 'used',
}

export function secretOf(ctx: KoaContextWithOIDC): string {
  return String(ctx.oidc.session?.state?.['secret'] ?? '')
}
