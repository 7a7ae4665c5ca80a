/**
 * `subject-link …`: who somebody at a trusted issuer is here, from the command line, beside a running server.
 */
import type { Command } from 'commander'
import type { SubjectLink, SubjectLinks } from '../federation/subject-links.ts'
import { say, terminal } from './program.ts'
import { type Desk, type OpenCore, operator, withCore } from './with-core.ts'

interface LinkCore {
  readonly accounts: { getByName(emailOrId: string): Promise<{ readonly id: string; readonly email: string }> }
  readonly federation: { readonly links: SubjectLinks }
}

interface LinkOptions {
  readonly account: string
  readonly issuer: string
  readonly subject: string
}

/** Adds `subject-link create|list|remove`. */
export function addSubjectLinkCommands(program: Command, openCore: OpenCore<LinkCore>, desk: Desk = {}): void {
  const { output = terminal } = desk
  const group = program.command('subject-link').description('who people of a trusted issuer are here')

  group
    .command('create')
    .description('say whose account it is')
    .requiredOption('--account <email or id>', 'the account here')
    .requiredOption('--issuer <issuer>', '`iss`, as in trusted_issuers')
    .requiredOption('--subject <subject>', '`sub` there')
    .action(async ({ account, issuer, subject }: LinkOptions, command: Command) => {
      const link = await withCore(openCore, async ({ accounts, federation }) => {
        const { id } = await accounts.getByName(account)
        return federation.links.link(operator(), { issuer, subject, accountId: id })
      })
      say(command, describe(link), [`Linked ${subject} of ${issuer} to ${account}.`], output)
    })

  group
    .command('list')
    .description('show the links of an account')
    .requiredOption('--account <email or id>', 'the account here')
    .action(async ({ account }: Pick<LinkOptions, 'account'>, command: Command) => {
      const links = await withCore(openCore, async ({ accounts, federation }) =>
        federation.links.list((await accounts.getByName(account)).id),
      )
      const line = ({ issuer, subject, by }: SubjectLink) => [issuer, subject, `by ${by}`].join('  ')
      say(command, { items: links.map(describe) }, links.map(line), output)
    })

  group
    .command('remove')
    .description('take the link away')
    .requiredOption('--issuer <issuer>', '`iss`, as in trusted_issuers')
    .requiredOption('--subject <subject>', '`sub` there')
    .action(async ({ issuer, subject }: Omit<LinkOptions, 'account'>, command: Command) => {
      const link = await withCore(openCore, ({ federation }) =>
        federation.links.unlink(operator(), { issuer, subject }),
      )
      say(command, { ...describe(link), removed: true }, [`Removed the link of ${subject} of ${issuer}.`], output)
    })
}

function describe({ issuer, subject, accountId, by, at }: SubjectLink) {
  return { issuer, subject, account: accountId, by, created_at: new Date(at).toISOString() }
}
