/**
 * `account …`: making and managing accounts from the command line, beside a running server. Each command is a few words over
 * `accounts/`; who did it stands in the audit. Second factors are not here yet, so neither is `reset-mfa`.
 */
import type { Command } from 'commander'
import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../accounts/accounts.ts'
import { describeAccount } from '../accounts/describe.ts'
import { badUsage, say, terminal } from './program.ts'
import { readSecret } from './read-secret.ts'
import { type Desk, listFields, type OpenCore, operator, withCore } from './with-core.ts'

interface AccountCore {
  readonly accounts: Accounts
}

interface CreateOptions {
  readonly email: string
  readonly name?: string
  readonly admin?: boolean
  readonly passwordStdin?: boolean
  readonly verified?: boolean
  readonly attributes?: unknown
}

interface Act {
  readonly describe: string
  readonly done: string
  apply(accounts: Accounts, id: string, reason?: string): Promise<Account>
}

/** Commands that change one account. */
const acts: Readonly<Record<string, Act>> = {
  disable: {
    describe: 'end its sessions and grants and let nobody sign in to it',
    done: 'Disabled',
    apply: (accounts, id, reason) => accounts.disable(operator(), id, reason),
  },
  enable: {
    describe: 'let the person sign in again',
    done: 'Enabled',
    apply: (accounts, id) => accounts.enable(operator(), id),
  },
  'sign-out': {
    describe: 'end its sessions and grants everywhere',
    done: 'Signed out everywhere:',
    apply: (accounts, id) => accounts.signOutEverywhere(operator(), id),
  },
}

/** Adds `account create|list|show|disable|enable|sign-out`. */
export function addAccountCommands(program: Command, openCore: OpenCore<AccountCore>, desk: Desk = {}): void {
  const { output = terminal } = desk
  const account = program.command('account').description('people who sign in')
  addCreate(account, openCore, desk)

  account
    .command('list')
    .description('show every account')
    .action(async (_options: object, command: Command) => {
      const all = await withCore(openCore, ({ accounts }) => listAll(accounts))
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

  for (const [name, { describe, done, apply }] of Object.entries(acts)) {
    account
      .command(name)
      .description(describe)
      .argument('<email or id>')
      .option('--reason <text>', 'why; kept with the account and in the audit')
      .action(async (named: string, { reason }: { reason?: string }, command: Command) => {
        const changed = await withCore(openCore, async ({ accounts }) => {
          const { id } = await accounts.getByName(named)
          return apply(accounts, id, reason)
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
    .action(async (options: CreateOptions, command: Command) => {
      const password = options.passwordStdin ? { password: await readSecret('Password: ', input) } : {}
      const made = await withCore(openCore, ({ accounts }) =>
        accounts.create(operator(), {
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

async function listAll(accounts: Accounts): Promise<Account[]> {
  const all: Account[] = []
  let cursor: string | undefined
  do {
    const page = await accounts.list({ limit: 1000, ...(cursor ? { cursor } : {}) })
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
