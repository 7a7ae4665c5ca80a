/**
 * What a mail is on its way: what is written, how it is kept (sealed: it holds links and codes), and what the outbox needs of a store
 * and of a transport. Who reads what is decided in `messages.ts` and the views.
 */

export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** A mail as kept. Times are milliseconds since 1970. */
export interface KeptMail {
  /** `mailbox`: kept for the development mailbox, never sent. `failed`: given up. */
  readonly state: 'mailbox' | 'waiting' | 'failed'
  readonly sealed: string
  readonly at: number
  readonly attempts: number
  readonly nextAttemptAt: number
  /** Until then the mail belongs to whoever set `claim`. */
  readonly leaseUntil: number
  readonly claim?: string
  readonly reason?: string
}

interface Entry {
  readonly id: string
  readonly value: KeptMail
  readonly expiresAt?: number
}

/** What the outbox needs of the store. */
export interface MailStore {
  put(kind: 'mail', entry: Entry, mode: 'create'): Promise<unknown>
  list(
    kind: 'mail',
    options: { group: 'state'; value: KeptMail['state']; limit: number; cursor?: string },
  ): Promise<MailPage>
  update(
    kind: 'mail',
    id: string,
    change: (value: KeptMail) => { value: KeptMail } | undefined,
  ): Promise<{ readonly changed: boolean; readonly entry?: Entry }>
  remove(kind: 'mail', id: string): Promise<boolean>
}

interface MailPage {
  readonly items: readonly Entry[]
  readonly nextCursor?: string
}

/** What it needs of the vault. */
export interface MailVault {
  seal(purpose: string, plain: string): string
  open(purpose: string, sealed: string): string | undefined
}

/** `later` is tried again, `never` is given up. `reason` holds codes, never an address or a text. */
export type Delivered = { readonly kind: 'sent' } | { readonly kind: 'later' | 'never'; readonly reason: string }

export interface Transport {
  /** Ends in at most a minute and never rejects. */
  deliver(mail: { readonly id: string; readonly mail: Mail }): Promise<Delivered>
  close(): Promise<void>
}

/** Told after every attempt; for the log and the metrics. */
export type Report = (attempt: {
  readonly mail: string
  readonly attempts: number
  readonly outcome: Delivered['kind']
  readonly reason?: string
}) => void

const PURPOSE = 'mail'

/** Sealed with the address: a dump of the store tells neither who gets mail nor what it says. */
export function sealMail(vault: MailVault, { to, subject, text, html }: Mail): string {
  return vault.seal(PURPOSE, JSON.stringify({ to, subject, text, html }))
}

/** Undefined when the root secret it was sealed with is gone. */
export function openMail(vault: MailVault, sealed: string): Mail | undefined {
  const plain = vault.open(PURPOSE, sealed)
  return plain === undefined ? undefined : (JSON.parse(plain) as Mail)
}
