/**
 * An account whose address nobody has proven lets no app in: in place of the consent page it is told what to do, and comes back here once the address
 * is proven. An app that is still being tried is for those its developer named. That nothing else leads past it is the protocol's (`oidc/policy.ts`).
 *
 *   POST /interaction/:uid/verify   sends the mail and goes to the page of its code
 */
import type { Account } from '../accounts/account.ts'
import { shownAccount } from '../accounts/describe.ts'
import type { Answer, Cookie, Handler } from '../http/route.ts'
import { type PageAnswer, page } from '../http/views.ts'
import type { OpenInteraction } from '../oidc/interaction.ts'
import { shownApp } from './shown.ts'

/** Sends the mail that proves the address; the cookie that the page of its code needs. */
export type BeginVerification = (account: Account, returnTo: string) => Promise<Cookie>

export function heldBackPage({ app, account, redirectUri, uid }: OpenInteraction): PageAnswer {
  if (!account) throw new TypeError('only somebody who has signed in can be held back')
  if (account.emailVerified) {
    const model = {
      app: shownApp(app, redirectUri),
      account: shownAccount(account),
      switchAction: `/interaction/${uid}/switch`,
      cancelAction: `/interaction/${uid}/deny`,
    }
    return { ...page('interactions/trial', model), csrfScope: uid }
  }
  const model = {
    app: shownApp(app, redirectUri),
    account: shownAccount(account),
    action: `/interaction/${uid}/verify`,
    switchAction: `/interaction/${uid}/switch`,
    cancelAction: `/interaction/${uid}/deny`,
  }
  return { ...page('interactions/unverified', model), csrfScope: uid }
}

/** `stage` shows whatever comes next when nobody is held back (any more). */
export function verifyFirst<V extends OpenInteraction>(
  begin: BeginVerification,
  stage: (interaction: V) => Promise<Answer>,
): Handler<unknown, V, unknown> {
  return async ({ caller: interaction }) => {
    const { account, isHeldBack, uid } = interaction
    if (!account || !isHeldBack || account.emailVerified) return stage(interaction)
    return { kind: 'redirect', location: '/verify', cookies: [await begin(account, `/interaction/${uid}`)] }
  }
}
