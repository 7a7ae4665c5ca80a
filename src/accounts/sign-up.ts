/**
 * Making an own account. An address that has one already gets the same answer after the same work, and a different mail (threats.md LG2).
 * Whether strangers may come at all is the operator's policy; an invitation is let in under `invited`, and proves its address by itself.
 */
import { cleanName } from '../display-name.ts'
import { AppError, hasCode } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import { type Account, isAdministrator, type Role } from './account.ts'
import type { Accounts } from './accounts.ts'
import { readEmail } from './email.ts'
import { checkNew } from './fields.ts'
import { gone, type OneTime, type OneTimes } from './one-time.ts'
import type { Passwords } from './password.ts'
import type { Prove } from './proof.ts'
import type { CodeMail, MailChallenge, Receiver, Verification } from './verification.ts'

export type SignUpPolicy = 'open' | 'invited' | 'closed'

/** What the person chooses; nothing else is taken. */
export interface Wanted {
  readonly email: string
  readonly name?: string
  readonly password: string
  readonly locale?: string
  /** A path where the person goes on once the address is proven. */
  readonly returnTo?: string
}

export interface Invited {
  readonly email: string
  readonly role?: Role
  readonly name?: string
  readonly locale?: string
}

interface Mails {
  invitation(to: Receiver, mail: Pick<CodeMail, 'path' | 'expiresAt'>): Promise<void>
}

export interface SignUp {
  readonly policy: SignUpPolicy
  /**
   * Makes an unverified account, or looks as if. The challenge goes to `Verification`.
   * @throws forbidden under another policy than open, invalid_request with one entry per wrong field, overloaded
   */
  begin(caller: Caller, wanted: Wanted): Promise<MailChallenge>
  /**
   * Invites an address; the link, a path of this server, is good for seven days and once. For administrators.
   * An invitation to administer is good as long as the account that invited administers.
   * @throws conflict when the address has a verified account, forbidden when sign-up is closed, invalid_request
   */
  invite(caller: Caller, invited: Invited): Promise<{ readonly path: string; readonly expiresAt: number }>
  /** Consumes nothing. @throws gone */
  openInvitation(token: string): Promise<{ readonly email: string; readonly name?: string }>
  /** A verified account of the person behind the invited mailbox. @throws gone, invalid_request (the link stays alive then) */
  acceptInvitation(caller: Caller, token: string, wanted: Omit<Wanted, 'email'>): Promise<Account>
}

const INVITATION_SECONDS = 7 * 24 * 3600

interface Dependencies {
  readonly accounts: Accounts
  readonly audit: Audit
  readonly passwords: Passwords
  readonly oneTimes: OneTimes
  readonly verification: Pick<Verification, 'beginSignUp'>
  readonly prove: Prove
  readonly mails: Mails
  readonly policy: SignUpPolicy
}

export function createSignUp(dependencies: Dependencies): SignUp {
  const { accounts, audit, passwords, oneTimes, verification, mails, policy } = dependencies
  return {
    policy,
    async begin(caller, { email, name = '', password, locale, returnTo }) {
      if (policy !== 'open') throw new AppError('forbidden', 'New accounts need an invitation here.')
      const wanted = { email, name, password, ...(locale ? { locale } : {}) }
      const fields = checkNew(wanted, passwords)
      const digest = await passwords.hash(password, [fields.email.address, fields.name])
      const account = await findOrMake(dependencies, caller, { ...fields, digest })
      const language = account?.locale ?? fields.locale
      const to = { email: account?.email ?? fields.email.address, ...(language ? { locale: language } : {}) }
      // A verified account: nothing can be proven with the challenge, and its mail says that there is one already.
      if (!account || account.emailVerified) return verification.beginSignUp(to, { detail: {} })
      const detail = { passwordDigest: digest, name: fields.name, ...(returnTo ? { returnTo } : {}) }
      return verification.beginSignUp(to, { accountId: account.id, detail })
    },
    async invite(caller, { email, role = 'member', name = '', locale = '' }) {
      refuseClosed(policy)
      const to = readEmail(email)
      if (!to)
        throw new AppError('invalid_request', 'Give an e-mail address.', { details: { fields: [NOT_AN_ADDRESS] } })
      const known = await accounts.findByEmail(to.address)
      if (known?.emailVerified) throw new AppError('conflict', 'This e-mail address has an account already.')
      // Who may run commands on this machine administers it anyway; whoever came over the network is asked for again at the end.
      const inviter = caller.requestId !== undefined && caller.id ? { inviter: caller.id } : {}
      const detail = { email: to.address, role, name: cleanName(name) ?? '', locale, ...inviter }
      const entry = { event: 'account.invited', accountId: known?.id ?? 'system', details: { role } }
      const issued = await audit.record(caller, entry, () =>
        oneTimes.issue('invitation', { detail, ttlSeconds: INVITATION_SECONDS }),
      )
      await mails.invitation({ email: to.address, ...(locale ? { locale } : {}) }, issued)
      return { path: issued.path, expiresAt: issued.expiresAt }
    },
    async openInvitation(token) {
      refuseClosed(policy)
      const { detail } = await openStanding(dependencies, token)
      return { email: String(detail['email']), ...(detail['name'] ? { name: String(detail['name']) } : {}) }
    },
    acceptInvitation: (caller, token, wanted) => accept(dependencies, caller, token, wanted),
  }
}

/** Where sign-up is closed operators make accounts themselves, and an invitation of before is good for nothing. */
function refuseClosed(policy: SignUpPolicy): void {
  if (policy === 'closed') throw new AppError('forbidden', 'Sign-up is closed by configuration.')
}

const NOT_AN_ADDRESS = { pointer: '/email', code: 'malformed', detail: 'Give an e-mail address.' }

type Checked = ReturnType<typeof checkNew> & { readonly digest: string }

/** The account of the address, made if there was none; undefined when it may not be entered (disabled, leaving). */
async function findOrMake(
  { accounts, audit, oneTimes }: Dependencies,
  caller: Caller,
  { email, name, locale, digest }: Checked,
): Promise<Account | undefined> {
  const known = await accounts.findByEmail(email.address)
  if (known) {
    // Noted and written where a new account would be: the same work, and the same waiting for the disk.
    await oneTimes.issue('verify_email', { ttlSeconds: 60 })
    await audit.note(caller, { event: 'sign_up.known_address', outcome: 'refused', accountId: known.id })
    return known.status === 'active' ? known : undefined
  }
  try {
    const wanted = { email: email.address, name, passwordDigest: digest, ...(locale ? { locale } : {}) }
    return await accounts.create(caller, wanted)
  } catch (error) {
    // Somebody signed up with the same address at the same moment (RC4).
    if (!hasCode(error, 'conflict')) throw error
    return accounts.findByEmail(email.address)
  }
}

/** An invitation to administer counts as long as its inviter does: nobody leaves a way back in. @throws gone */
async function openStanding({ accounts, oneTimes }: Dependencies, token: string): Promise<OneTime> {
  const invitation = await oneTimes.open('invitation', token)
  const { role, inviter } = invitation.detail
  if (role !== 'administrator' || inviter === undefined) return invitation
  const account = await accounts.find(String(inviter))
  if (!account || !isAdministrator(account)) throw gone()
  return invitation
}

async function accept(
  dependencies: Dependencies,
  caller: Caller,
  token: string,
  { name, password, locale }: Omit<Wanted, 'email'>,
): Promise<Account> {
  const { accounts, passwords, oneTimes, prove, policy } = dependencies
  refuseClosed(policy)
  const invitation = await openStanding(dependencies, token)
  const email = String(invitation.detail['email'])
  const shown = name || String(invitation.detail['name'])
  const fields = checkNew({ email, name: shown, password, ...(locale ? { locale } : {}) }, passwords)
  const passwordDigest = await passwords.hash(password, [email, fields.name])
  await oneTimes.takeByToken('invitation', token)
  const known = await accounts.findByEmail(email)
  if (known?.emailVerified) throw gone()
  const role: Role = invitation.detail['role'] === 'administrator' ? 'administrator' : 'member'
  const about = { email, name: fields.name, passwordDigest, ...(locale ? { locale } : {}) }
  if (!known) return accounts.create(caller, { ...about, role, emailVerified: true })
  // Somebody else had signed up with the address meanwhile and is out with this.
  const account = await prove({ caller, accountId: known.id, email: known.email, passwordDigest, name: fields.name })
  return role === 'member' ? account : accounts.setRole(caller, account.id, role)
}
