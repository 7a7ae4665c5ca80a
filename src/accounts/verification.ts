/**
 * Proving that somebody reads the mail of an account's address: a code for the browser that asked, and a link. The code and the link prove it
 * where they were asked for; a link opened anywhere else proves only the mailbox, so the person chooses a password there and whoever knew the
 * old one is out (pre-hijacking). Sign-ups come here too, known addresses included, so that both look alike (threats.md LG2).
 */
import type { Caller } from '../observability/audit.ts'
import type { Account } from './account.ts'
import { readEmail } from './email.ts'
import type { MailWithinLimit } from './mail-limit.ts'
import { type Detail, gone, type Issued, type OneTime, type OneTimes, resendAt } from './one-time.ts'
import type { Passwords } from './password.ts'
import type { Prove } from './proof.ts'

/** What the browser that asked keeps and shows. `handle` is a secret of that browser: a cookie or a hidden field. */
export interface MailChallenge {
  readonly handle: string
  readonly email: string
  /** Milliseconds since 1970. */
  readonly resendAt: number
  readonly expiresAt: number
}

interface Proven {
  readonly kind: 'proven'
  readonly account: Account
  /** The path that whoever asked wants to go on at. */
  readonly returnTo?: string
  /** Nobody is signed in by it: it was asked for by a sign-up. */
  readonly isSignUp: boolean
}

export type CodeTried =
  | Proven
  /** `limited`: five wrong codes; a fresh one must be asked for. */
  | { readonly kind: 'wrong' | 'limited' }

export type LinkTried =
  | Proven
  /** Another browser than the one that asked: `proveWithPassword`. The link is still good. */
  | { readonly kind: 'password_needed'; readonly email: string }

export interface Receiver {
  readonly email: string
  readonly locale?: string | undefined
}

/** A link is a path of this server. */
export interface CodeMail {
  readonly code: string
  readonly path: string
  readonly expiresAt: number
}

interface Mails {
  verifyEmail(to: Receiver, mail: CodeMail): Promise<void>
  /** Somebody signed up with an address that has an account. */
  signUpKnown(to: Receiver): Promise<void>
}

export interface Verification {
  /** For somebody who is signed in as the account. Sends a mail; `returnTo` comes back at the proof. */
  begin(account: Account, returnTo: string): Promise<MailChallenge>
  /** For a sign-up: `detail` comes back at the proof. Without an account nothing can be proven, and the mail says so. */
  beginSignUp(to: Receiver, about: { accountId?: string; detail: Detail }): Promise<MailChallenge>
  /** @throws gone, rate_limited before `resendAt` and after five mails */
  resend(handle: string): Promise<MailChallenge>
  /** What the page shows. @throws gone */
  look(handle: string): Promise<MailChallenge>
  /** @throws gone */
  proveByCode(caller: Caller, handle: string, code: string): Promise<CodeTried>
  /** Consumes nothing: scanners open links. @throws gone */
  openLink(token: string): Promise<{ readonly email: string }>
  /** `handle` says that this is the browser that asked. @throws gone */
  proveByLink(caller: Caller, token: string, handle?: string): Promise<LinkTried>
  /** In any browser: the mailbox is proven, the password is the account's from now on. @throws gone, invalid_request as `Passwords.hash` */
  proveWithPassword(caller: Caller, token: string, password: string): Promise<Account>
}

const TTL_SECONDS = 3600

interface Dependencies {
  readonly oneTimes: OneTimes
  readonly mails: Mails
  readonly mailWithinLimit: MailWithinLimit
  readonly passwords: Passwords
  readonly prove: Prove
}

export function createVerification({ oneTimes, mails, mailWithinLimit, passwords, prove }: Dependencies): Verification {
  const emailOf = ({ detail }: OneTime) => String(detail['email'])

  const send = (to: Receiver, known: boolean, issued: Issued) =>
    mailWithinLimit('verify', readEmail(to.email)?.key ?? '', () =>
      known ? mails.verifyEmail(to, issued) : mails.signUpKnown(to),
    )
  const begin = async (to: Receiver, about: { accountId?: string; detail: Detail }): Promise<MailChallenge> => {
    const locale = to.locale === undefined ? {} : { locale: to.locale }
    const detail = { ...about.detail, ...locale, email: to.email }
    const issued = await oneTimes.issue('verify_email', { ...about, detail, ttlSeconds: TTL_SECONDS })
    await send(to, about.accountId !== undefined, issued)
    return challenge(issued.handle, await oneTimes.look('verify_email', issued.handle))
  }
  const challenge = (handle: string, about: OneTime): MailChallenge => ({
    handle,
    email: emailOf(about),
    resendAt: resendAt(about),
    expiresAt: about.expiresAt,
  })
  /** With the sign-up's own password and name, if it was one. */
  const proofOf = (caller: Caller, about: OneTime) => {
    const { passwordDigest, name } = about.detail
    if (about.accountId === undefined) throw gone()
    return prove({
      caller,
      accountId: about.accountId,
      email: emailOf(about),
      ...(passwordDigest === undefined ? {} : { passwordDigest: String(passwordDigest) }),
      ...(name === undefined ? {} : { name: String(name) }),
    })
  }

  return {
    begin: (account, returnTo) => begin(account, { accountId: account.id, detail: { returnTo } }),
    beginSignUp: begin,
    async resend(handle) {
      const { about, ...issued } = await oneTimes.renew('verify_email', handle)
      const { locale } = about.detail
      const to = { email: emailOf(about), ...(locale === undefined ? {} : { locale: String(locale) }) }
      await send(to, about.accountId !== undefined, issued)
      return challenge(handle, about)
    },
    look: async (handle) => challenge(handle, await oneTimes.look('verify_email', handle)),
    async proveByCode(caller, handle, code) {
      const about = await oneTimes.takeByCode('verify_email', handle, code)
      if (typeof about === 'string') return { kind: about }
      return proven(about, await proofOf(caller, about))
    },
    async openLink(token) {
      return { email: emailOf(await oneTimes.open('verify_email', token)) }
    },
    async proveByLink(caller, token, handle) {
      const about = await oneTimes.open('verify_email', token)
      // Being signed in vouches for nothing: the account may be the stranger's who signed up with this address.
      const isAsker = handle !== undefined && (await oneTimes.belongs('verify_email', handle, token))
      if (!isAsker) return { kind: 'password_needed', email: emailOf(about) }
      return proven(about, await proofOf(caller, await oneTimes.takeByToken('verify_email', token)))
    },
    async proveWithPassword(caller, token, password) {
      const about = await oneTimes.open('verify_email', token)
      const email = emailOf(about)
      // Hashed first: a password that is refused leaves the link alive.
      const passwordDigest = await passwords.hash(password, [email])
      const { accountId } = await oneTimes.takeByToken('verify_email', token)
      if (accountId === undefined) throw gone()
      return prove({ caller, accountId, email, passwordDigest })
    },
  }
}

function proven({ detail: { returnTo, passwordDigest } }: OneTime, account: Account): Proven {
  const back = returnTo === undefined ? {} : { returnTo: String(returnTo) }
  return { kind: 'proven', account, ...back, isSignUp: passwordDigest !== undefined }
}
