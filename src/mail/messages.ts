/**
 * The mails this server writes: to whom, about what. Words and layout belong to the views (`views/mail/`), sending to the outbox.
 */
import type { Mail } from './mail.ts'
import type { Outbox } from './outbox.ts'

/** Who gets the mail: the account's stored address, never one that was typed at a form. */
export interface Receiver {
  readonly email: string
  readonly locale?: string | undefined
}

/** A replaced refresh token came back: the app's access was ended. `at` is milliseconds since 1970. */
export interface RefreshReuse {
  readonly appName: string
  readonly at: number
  readonly ip?: string
  readonly userAgent?: string
}

type Written = Omit<Mail, 'to'>

/** What this file needs of the renderer. */
interface RenderMail {
  (view: 'mail/test', model: { readonly at: number }, locale: string): Written
  (view: 'mail/refresh-reuse', model: RefreshReuse, locale: string): Written
}

export interface Messages {
  /** Tells the owner that a refresh token was used twice. */
  refreshReuse(receiver: Receiver, reuse: RefreshReuse): Promise<void>
  /** Proves that mail arrives. */
  test(receiver: Receiver): Promise<void>
}

/** Each message is durable in the outbox when it resolves. */
export function createMessages({
  outbox,
  renderMail,
  now,
}: {
  outbox: Pick<Outbox, 'send'>
  renderMail: RenderMail
  now: () => number
}): Messages {
  const localeOf = ({ locale }: Receiver) => locale ?? 'en'
  return {
    async refreshReuse(receiver, reuse) {
      await outbox.send({ to: receiver.email, ...renderMail('mail/refresh-reuse', reuse, localeOf(receiver)) })
    },
    async test(receiver) {
      await outbox.send({ to: receiver.email, ...renderMail('mail/test', { at: now() }, localeOf(receiver)) })
    },
  }
}
