/**
 * Signing out: RP-initiated (OpenID Connect RP-Initiated Logout 1.0) with our page, and back-channel notices (Back-Channel Logout 1.0) that
 * never keep a person waiting: they are queued, sent a few at a time, retried twice, and given up after that.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Clients } from './clients.ts'
import { secretOf } from './device.ts'
import type { Pages } from './pages.ts'

type Notice = () => Promise<void>

/** Sends notices, at most `atOnce` together; each is tried three times. */
export interface NoticeQueue {
  add(notice: Notice): void
  readonly length: number
  /** Waits for what is under way and drops the rest; called once. */
  close(): Promise<void>
}

interface QueueParts {
  readonly atOnce: number
  readonly pause: (milliseconds: number) => Promise<void>
  readonly onGivenUp: (error: unknown) => void
}

const QUEUE_LIMIT = 10_000

export function createNoticeQueue({ atOnce, pause, onGivenUp }: QueueParts): NoticeQueue {
  const waiting: Notice[] = []
  const running = new Set<Promise<void>>()
  let closed = false

  const send = async (notice: Notice): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await notice()
      } catch (error) {
        if (attempt === 3 || closed) return onGivenUp(error)
        await pause(500 * attempt * attempt)
      }
    }
  }

  const next = (): void => {
    while (running.size < atOnce) {
      const notice = waiting.shift()
      if (!notice) return
      const sending = send(notice).finally(() => {
        running.delete(sending)
        next()
      })
      running.add(sending)
    }
  }

  return {
    add(notice) {
      if (closed || waiting.length >= QUEUE_LIMIT) return onGivenUp(new Error('the queue of sign-out notices is full'))
      waiting.push(notice)
      next()
    },
    get length() {
      return waiting.length + running.size
    },
    async close() {
      closed = true
      waiting.length = 0
      await Promise.all(running)
    },
  }
}

/** Makes the library queue its back-channel notices instead of waiting for every app. */
export function queueBackchannelLogout(provider: Provider, queue: NoticeQueue): void {
  const prototype = provider.Client.prototype as unknown as {
    backchannelLogout(sub: string, sid: string): Promise<void>
  }
  const send = prototype.backchannelLogout
  prototype.backchannelLogout = async function queued(sub, sid) {
    queue.add(() => send.call(this, sub, sid))
  }
}

interface LogoutParts {
  readonly pages: Pages
  readonly clients: Clients
  readonly onSignedOut: (ctx: KoaContextWithOIDC, accountId: string) => Promise<void>
}

/**
 * The library's sources for the sign-out pages. A valid `id_token_hint` of this very session needs no question; one of an earlier session
 * does, for ID tokens end up in logs (threats.md LO3).
 */
export function createLogoutPages({ pages, clients, onSignedOut }: LogoutParts) {
  return {
    async logoutSource(ctx: KoaContextWithOIDC): Promise<void> {
      const { session, entities, client } = ctx.oidc
      const hint = (entities.IdTokenHint as { payload?: { sub?: string; sid?: string } } | undefined)?.payload
      if (!session?.accountId || hint?.sub !== session.accountId || hint.sid !== session.uid) {
        const app = client ? await clients.app(client.clientId) : undefined
        return pages.signOut(ctx, { action: '/logout/confirm', xsrf: secretOf(ctx), ...(app ? { app } : {}) })
      }
      const { postLogoutRedirectUri, state } = (session.state ?? {}) as {
        postLogoutRedirectUri?: string
        state?: string
      }
      await session.destroy()
      await onSignedOut(ctx, session.accountId)
      await notifyApps(ctx)
      if (postLogoutRedirectUri) return pages.leave(ctx, withState(postLogoutRedirectUri, state))
      pages.signedOut(ctx, client ? await clients.app(client.clientId) : undefined)
    },
    async postLogoutSuccessSource(ctx: KoaContextWithOIDC): Promise<void> {
      pages.signedOut(ctx, ctx.oidc.client ? await clients.app(ctx.oidc.client.clientId) : undefined)
    },
  }
}

/**
 * Where nobody is signed in the library sends its own form by a script. Here an app that shows an ID token of its own gets the person back at
 * once, an app that only names itself once the person agrees, and nobody else gets anything but the page that says so.
 */
export function createNobodySignedIn({ pages, clients }: Pick<LogoutParts, 'pages' | 'clients'>) {
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { client, entities, params } = ctx.oidc
    const app = client ? await clients.app(client.clientId) : undefined
    const returnTo = params?.['post_logout_redirect_uri'] as string | undefined
    if (!returnTo) return pages.signedOut(ctx, app)
    if (entities.IdTokenHint) return pages.leave(ctx, withState(returnTo, params?.['state'] as string | undefined))
    pages.signOut(ctx, { action: '/logout/confirm', xsrf: secretOf(ctx), ...(app ? { app } : {}) })
  }
}

/** After the library's own sign-out form: the audit learns of it. */
export function createSignOutFollowUp({ onSignedOut }: Pick<LogoutParts, 'onSignedOut'>) {
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const { session, params, route } = ctx.oidc
    const signedOut = route === 'end_session_confirm' && params?.['logout'] && ctx.status === 303
    if (signedOut && session?.accountId) await onSignedOut(ctx, session.accountId)
  }
}

async function notifyApps(ctx: KoaContextWithOIDC): Promise<void> {
  const { session, provider } = ctx.oidc
  const accountId = session?.accountId
  if (!session || !accountId) return
  for (const clientId of Object.keys(session.authorizations ?? {})) {
    const client = await provider.Client.find(clientId)
    const notice = client as unknown as {
      backchannelLogoutUri?: string
      backchannelLogout(sub: string, sid?: string): Promise<void>
    }
    if (notice?.backchannelLogoutUri) await notice.backchannelLogout(accountId, session.sidFor(clientId))
  }
}

function withState(uri: string, state: string | undefined): string {
  if (state === undefined) return uri
  const url = new URL(uri)
  url.searchParams.set('state', state)
  return url.href
}
