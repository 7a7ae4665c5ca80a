/**
 * The way out for mail: SMTP through nodemailer, imported here only. It says whether a mail went, may go later, or never will;
 * when to try again is decided in `delivery.ts`.
 */
import { createTransport } from 'nodemailer'
import type { Delivered, Mail, Transport } from './mail.ts'

export interface SmtpOptions {
  /**
   * `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`. TLS is required unless the host is loopback: mails carry links that
   * are worth an account. `?tls=optional` lets a relay in the same network do without.
   */
  readonly url: string
  /** The sender's address. */
  readonly from: string
  /** The sender's name; usually the brand's. */
  readonly fromName?: string
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** A pool of at most two connections. @throws TypeError for a URL that is none. */
export function createSmtpTransport({ url, from, fromName = '' }: SmtpOptions): Transport {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url)
  const secure = protocol === 'smtps:'
  const mailer = createTransport({
    pool: true,
    maxConnections: 2,
    // When to try again is the outbox's to decide: a server that takes a mail and breaks off before it says so must not get it again at once.
    maxRequeues: 0,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port) || (secure ? 465 : 587),
    secure,
    requireTLS: !secure && !LOOPBACK.has(hostname) && searchParams.get('tls') !== 'optional',
    ...(username ? { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } } : {}),
    // Each for one step: a server that stalls is given up, and the mail tried again later.
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    deliver: ({ id, mail }) =>
      mailer.sendMail(envelope(id, mail, { from, fromName })).then(
        (): Delivered => ({ kind: 'sent' }),
        (error: unknown) => judge(error),
      ),
    async close() {
      mailer.close()
    },
  }
}

/** Multipart text and HTML. The message id comes from the outbox, so that a mail sent twice after a crash can be recognised as one. */
function envelope(
  id: string,
  { to, subject, text, html }: Mail,
  { from, fromName }: { from: string; fromName: string },
) {
  return {
    from: { name: fromName, address: from },
    to: { name: '', address: to },
    subject,
    text,
    html,
    messageId: `<${id}@${from.slice(from.lastIndexOf('@') + 1)}>`,
    // RFC 3834 §5: nobody's holiday answer comes back.
    headers: { 'Auto-Submitted': 'auto-generated' },
  }
}

/** Only a receiver or a text that is refused for good ends a mail; a wrong password of ours or a broken relay will be mended. */
function judge(error: unknown): Delivered {
  const {
    code = '',
    command = '',
    responseCode = 0,
  } = error as { code?: string; command?: string; responseCode?: number }
  const reason = `${code || 'unknown'}${responseCode ? ` ${responseCode}` : ''}`
  const isFinal = responseCode >= 500 && (command === 'RCPT TO' || command === 'DATA')
  return { kind: isFinal ? 'never' : 'later', reason }
}
