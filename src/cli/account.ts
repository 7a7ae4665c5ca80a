/**
 * `account …`: making and managing accounts from the command line, beside a running server. Each command is a few words over
 * `accounts/`; who did it stands in the audit. Importing many stands in `account-import.ts`.
 */
import type { Command } from 'commander'
import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../accounts/accounts.ts'
import { describeAccount } from '../accounts/describe.ts'
import { createDirectory, type Sought } from '../accounts/directory.ts'
import type { OperatorActs, OperatorChange } from '../accounts/operator-acts.ts'
import type { SignUp } from '../accounts/sign-up.ts'
import type { Caller } from '../observability/audit.ts'
import { addImport, type ImportCore } from './account-import.ts'
import { badUsage, say, terminal } from './program.ts'
import { readSecret } from './read-secret.ts'
import { type Desk, listFields, type OpenCore, operator, withCore } from './with-core.ts'

interface AccountCore extends ImportCore {
  readonly operatorActs: OperatorActs
  readonly signUp: Pick<SignUp, 'invite'>
  readonly issuer: string
}

interface CreateOptions {
  readonly email: string
  readonly name?: string
  readonly admin?: boolean
  readonly passwordStdin?: boolean
  readonly verified?: boolean
  readonly attributes?: unknown
  readonly reason?: string
}

interface InviteOptions extends Pick<CreateOptions, 'email' | 'name' | 'admin' | 'reason'> {
  readonly locale?: string
}

interface Act {
  readonly describe: string
  readonly done: string
  /** A reason must be given. */
  readonly needsReason?: true
  apply(acts: OperatorActs, caller: Caller, id: string): Promise<Account>
}

/** Commands that change one account. */
const acts: Readonly<Record<string, Act>> = {
  disable: {
    describe: 'end its sessions and grants and let nobody sign in to it',
    done: 'Disabled',
    apply: (all, caller, id) => all.disable(caller, id),
  },
  enable: {
    describe: 'let the person sign in again',
    done: 'Enabled',
    apply: (all, caller, id) => all.enable(caller, id),
  },
  'sign-out': {
    describe: 'end its sessions and grants everywhere',
    done: 'Signed out everywhere:',
    apply: (all, caller, id) => all.signOut(caller, id),
  },
  'reset-mfa': {
    describe: 'remove every second factor and sign out everywhere, once you know who asks',
    done: 'Second factors removed:',
    needsReason: true,
    apply: (all, caller, id) => all.resetFactors(caller, id),
  },
}

interface Changing {
  readonly name: string
  readonly describe: string
  readonly value: string
  read(text: string): OperatorChange
}

const changes: readonly Changing[] = [
  {
    name: 'set-attributes',
    describe: 'replace the values for custom claims',
    value: '<JSON object>',
    read: (text) => ({ attributes: parseJson(text) }),
  },
  {
    name: 'set-role',
    describe: 'make a member an administrator, or the other way round',
    value: '<member|administrator>',
    read(text) {
      if (text !== 'member' && text !== 'administrator') throw badUsage('A role is member or administrator.')
      return { role: text }
    },
  },
]

/** Adds `account create|invite|import|list|show|set-attributes|set-role|disable|enable|sign-out|reset-mfa`. */
export function addAccountCommands(program: Command, openCore: OpenCore<AccountCore>, desk: Desk = {}): void {
  const { output = terminal } = desk
  const account = program.command('account').description('people who sign in')
  addCreate(account, openCore, desk)
  addInvite(account, openCore, desk)
  for (const changing of changes) addChange(account, openCore, desk, changing)
  addImport(account, openCore, desk)

  account
    .command('list')
    .description('show accounts, administrators first')
    .argument('[search]', 'an id, an address, or a piece of address or name')
    .addOption(account.createOption('--role <role>', 'only these').choices(['member', 'administrator']))
    .addOption(account.createOption('--status <status>', 'only these').choices(['active', 'disabled', 'leaving']))
    .action(async (query: string | undefined, filter: Pick<Sought, 'role' | 'status'>, command: Command) => {
      const { role, status } = filter
      const sought = { ...(query ? { query } : {}), ...(role ? { role } : {}), ...(status ? { status } : {}) }
      const all = await withCore(openCore, ({ accounts }) => listAll(accounts, sought))
      say(command, { items: all.map(describeAccount) }, all.map(summary), output)
    })

  account
    .command('show')
    .description('show one account')
    .argument('<email or id>')
    .action(async (named: string, _options: object, command: Command) => {
      const found = await withCore(openCore, ({ accounts }) => accounts.getByName(named))
      say(command, describeAccount(found), listFields(describeAccount(found)), output)
    })

  for (const [name, { describe, done, apply, needsReason }] of Object.entries(acts)) {
    const act = account.command(name).description(describe).argument('<email or id>')
    if (needsReason) act.requiredOption('--reason <text>', 'why; kept in the audit')
    else act.option('--reason <text>', 'why; kept with the account and in the audit')
    act.action(async (named: string, { reason }: { reason?: string }, command: Command) => {
      const changed = await withCore(openCore, async (core) => {
        const { id } = await core.accounts.getByName(named)
        return apply(core.operatorActs, operator(reason), id)
      })
      say(command, describeAccount(changed), [`${done} ${changed.email} (${changed.id}).`], output)
    })
  }
}

function addCreate(account: Command, openCore: OpenCore<AccountCore>, { output = terminal, input }: Desk): void {
  account
    .command('create')
    .description('make an account')
    .requiredOption('--email <address>', 'its e-mail address')
    .option('--name <name>', 'what the person is called (default: what stands before the @)')
    .option('--admin', 'an administrator')
    .option('--password-stdin', 'read its password from standard input; without one nobody signs in with a password')
    .option('--verified', 'the address is known to be the person’s')
    .option('--attributes <JSON>', 'values for custom claims', parseJson)
    .option('--reason <text>', 'why; kept in the audit')
    .action(async (options: CreateOptions, command: Command) => {
      const password = options.passwordStdin ? { password: await readSecret('Password: ', input) } : {}
      const made = await withCore(openCore, ({ accounts }) =>
        accounts.create(operator(options.reason), {
          email: options.email,
          role: options.admin ? 'administrator' : 'member',
          emailVerified: options.verified ?? false,
          ...(options.name === undefined ? {} : { name: options.name }),
          ...(options.attributes === undefined ? {} : { attributes: options.attributes }),
          ...password,
        }),
      )
      say(command, describeAccount(made), [`Created ${made.email} (${made.id}).`], output)
    })
}

function addInvite(account: Command, openCore: OpenCore<AccountCore>, { output = terminal }: Desk): void {
  account
    .command('invite')
    .description('invite an address: a mail with a link that makes the account')
    .requiredOption('--email <address>', 'whom')
    .option('--name <name>', 'what the person is called')
    .option('--locale <tag>', 'the language of the mail')
    .option('--admin', 'an administrator')
    .option('--reason <text>', 'why; kept in the audit')
    .action(async (options: InviteOptions, command: Command) => {
      const { link, expiresAt } = await withCore(openCore, async ({ signUp, issuer }) => {
        const { admin, reason, ...invited } = options
        const made = await signUp.invite(operator(reason), { ...invited, role: admin ? 'administrator' : 'member' })
        return { link: `${issuer}${made.path}`, expiresAt: new Date(made.expiresAt).toISOString() }
      })
      const lines = [`Invited ${options.email}. The link, once, until ${expiresAt}:`, link]
      say(command, { email: options.email, link, expires_at: expiresAt }, lines, output)
    })
}

/** `set-attributes` and `set-role`: commands that change one thing of one account to what is given. */
function addChange(
  account: Command,
  openCore: OpenCore<AccountCore>,
  { output = terminal }: Desk,
  { name, describe, value, read }: Changing,
): void {
  account
    .command(name)
    .description(describe)
    .argument('<email or id>')
    .argument(value, undefined, read)
    .option('--reason <text>', 'why; kept in the audit')
    .action(async (named: string, wanted: OperatorChange, { reason }: { reason?: string }, command: Command) => {
      const changed = await withCore(openCore, async ({ accounts, operatorActs }) => {
        const { id } = await accounts.getByName(named)
        return operatorActs.change(operator(reason), id, wanted)
      })
      say(command, describeAccount(changed), [`Changed ${changed.email} (${changed.id}).`], output)
    })
}

async function listAll(accounts: Accounts, sought: Omit<Sought, 'limit'>): Promise<Account[]> {
  const directory = createDirectory(accounts)
  const all: Account[] = []
  let cursor: string | undefined
  do {
    const page = await directory.find({ ...sought, limit: 1000, ...(cursor ? { cursor } : {}) })
    all.push(...page.items)
    cursor = page.nextCursor
  } while (cursor)
  return all
}

function summary({ id, email, role, status, name }: Account): string {
  return [id, status.padEnd(8), role.padEnd(13), email, name].join('  ')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw badUsage('It is not JSON.')
  }
}
