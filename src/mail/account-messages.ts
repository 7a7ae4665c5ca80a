/**
 * The mails about a person's account: what each holds and where its link leads. Words and layout belong to the views (`views/mail/`) and
 * locales, sending to the outbox; when one is due is decided by the account domain, which declares what it needs beside each call.
 */
import type { Mail } from './mail.ts'
import type { Receiver } from './messages.ts'
import type { Outbox } from './outbox.ts'

/** Where an act came from. */
interface From {
  readonly ip?: string | undefined
  readonly userAgent?: string | undefined
}

/** A link is a path of this server. Times are milliseconds since 1970. */
interface Link {
  readonly path: string
  readonly expiresAt: number
}
type CodeAndLink = Link & { readonly code: string }

/** Each mail is durable in the outbox when its promise resolves. */
export interface AccountMessages {
  verifyEmail(to: Receiver, mail: CodeAndLink): Promise<void>
  signUpKnown(to: Receiver): Promise<void>
  changeEmail(to: Receiver, mail: CodeAndLink): Promise<void>
  changeEmailKnown(to: Receiver): Promise<void>
  /** To the old address. The new one is not named: this mailbox may belong to somebody else by now. */
  emailChanged(to: Receiver, change: object, from: From): Promise<void>
  recover(to: Receiver, mail: Link): Promise<void>
  recoverUnknown(to: Receiver): Promise<void>
  passwordChanged(to: Receiver, from: From): Promise<void>
  newDevice(to: Receiver, from: From): Promise<void>
  factorAdded(to: Receiver, factor: 'totp' | 'passkey', from: From): Promise<void>
  factorRemoved(to: Receiver, factor: 'totp' | 'passkey' | 'all', from: From): Promise<void>
  recoveryCodesLow(to: Receiver, left: number): Promise<void>
  invitation(to: Receiver, mail: Link): Promise<void>
  /** The account will be removed at `leavesAt`; the link keeps it. */
  leaving(to: Receiver, mail: { readonly path: string; readonly leavesAt: number }): Promise<void>
}

interface Notice {
  readonly code?: string
  readonly path?: string
  readonly expiresAt?: number
  readonly at?: number
  readonly ip?: string
  readonly userAgent?: string
  readonly factor?: 'totp' | 'passkey' | 'all'
  readonly left?: number
  readonly until?: number
}

type NoticeName =
  | 'verify-email'
  | 'sign-up-known'
  | 'change-email'
  | 'change-email-known'
  | 'email-changed'
  | 'recover'
  | 'recover-unknown'
  | 'password-changed'
  | 'new-device'
  | 'factor-added'
  | 'factor-removed'
  | 'recovery-codes-low'
  | 'invitation'
  | 'leaving'

interface Dependencies {
  readonly outbox: Pick<Outbox, 'send'>
  readonly renderMail: (mail: `mail/${NoticeName}`, model: Notice, locale: string) => Omit<Mail, 'to'>
  readonly now: () => number
}

export function createAccountMessages({ outbox, renderMail, now }: Dependencies): AccountMessages {
  const send = ({ email, locale }: Receiver, name: NoticeName, notice: Notice) =>
    outbox.send({ to: email, ...renderMail(`mail/${name}`, notice, locale ?? 'en') })
  const happened = ({ ip, userAgent }: From) => ({
    at: now(),
    ...(ip ? { ip } : {}),
    ...(userAgent ? { userAgent: userAgent.slice(0, 300) } : {}),
  })
  return {
    verifyEmail: (to, { code, path, expiresAt }) => send(to, 'verify-email', { code, path, expiresAt }),
    signUpKnown: (to) => send(to, 'sign-up-known', { path: '/recover' }),
    changeEmail: (to, { code, path, expiresAt }) => send(to, 'change-email', { code, path, expiresAt }),
    changeEmailKnown: (to) => send(to, 'change-email-known', {}),
    emailChanged: (to, _change, from) => send(to, 'email-changed', happened(from)),
    recover: (to, { path, expiresAt }) => send(to, 'recover', { path, expiresAt }),
    recoverUnknown: (to) => send(to, 'recover-unknown', {}),
    passwordChanged: (to, from) => send(to, 'password-changed', happened(from)),
    newDevice: (to, from) => send(to, 'new-device', happened(from)),
    factorAdded: (to, factor, from) => send(to, 'factor-added', { factor, ...happened(from) }),
    factorRemoved: (to, factor, from) => send(to, 'factor-removed', { factor, ...happened(from) }),
    recoveryCodesLow: (to, left) => send(to, 'recovery-codes-low', { left, path: '/settings/security' }),
    invitation: (to, { path, expiresAt }) => send(to, 'invitation', { path, expiresAt }),
    leaving: (to, { path, leavesAt }) => send(to, 'leaving', { path, until: leavesAt }),
  }
}
