/**
 * Every mail and the model it takes. Each has a subject and words in every language; most share one layout (`views/mail/notice`), with what
 * their model names: a code, a link of this server, where something came from. When which is sent is decided in `mail/` and the domains.
 */

/** Times are milliseconds since 1970; `path` is a path of this server. */
export interface MailNotice {
  readonly code?: string
  readonly path?: string
  /** Until when code and link are good. */
  readonly expiresAt?: number
  /** When and where it happened. */
  readonly at?: number
  readonly ip?: string
  readonly userAgent?: string
  readonly factor?: 'totp' | 'passkey' | 'all'
  /** How many are left. */
  readonly left?: number
  readonly until?: number
  readonly keyName?: string
  readonly keyKind?: 'api_key' | 'personal_access_token'
}

/** The mails that are notices. */
export const noticeNames = [
  'verify-email',
  'sign-up-known',
  'change-email',
  'change-email-known',
  'email-changed',
  'recover',
  'recover-unknown',
  'password-changed',
  'new-device',
  'factor-added',
  'factor-removed',
  'recovery-codes-low',
  'invitation',
  'leaving',
  'key-created',
  'key-widened',
  'key-expiring',
  'key-new-network',
  'key-revoked',
  'key-leaked',
] as const
export type NoticeName = (typeof noticeNames)[number]

/** Mail name → model. */
export type Mails = {
  'mail/test': { readonly at: number }
  'mail/refresh-reuse': {
    readonly appName: string
    readonly at: number
    readonly ip?: string
    readonly userAgent?: string
  }
} & Readonly<Record<`mail/${NoticeName}`, MailNotice>>
export type MailName = keyof Mails
