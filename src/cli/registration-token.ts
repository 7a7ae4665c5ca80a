/**
 * `registration-token …`: initial access tokens for `dynamic_registration: { policy: token }`, from the command line, beside a running server.
 * A token is printed once, by the command that made it.
 */
import type { Command } from 'commander'
import type { InitialToken, InitialTokens } from '../apps/initial-tokens.ts'
import { parseDuration } from '../config/values.ts'
import { cleanName } from '../display-name.ts'
import { badUsage, say, terminal } from './program.ts'
import { type Desk, type OpenCore, operator, withCore } from './with-core.ts'

interface TokenCore {
  readonly initialTokens: InitialTokens
}

/** Adds `registration-token create|list|revoke`. */
export function addRegistrationTokenCommands(program: Command, openCore: OpenCore<TokenCore>, desk: Desk = {}): void {
  const { output = terminal } = desk
  const group = program.command('registration-token').description('initial access tokens: who may register apps')

  group
    .command('create')
    .description('make a token')
    .requiredOption('--name <name>', 'who gets it', name)
    .option('--expires-in <duration>', 'how long it works, such as 30d; until revoked if not given', duration)
    .action(async (options: { name: string; expiresIn?: number }, command: Command) => {
      const expires = options.expiresIn === undefined ? {} : { expiresInSeconds: options.expiresIn }
      const { token, ...made } = await withCore(openCore, ({ initialTokens }) =>
        initialTokens.create(operator(), { name: options.name, ...expires }),
      )
      say(command, { ...describe(made), token }, [`Created ${made.name} (${made.id}). Shown this once:`, token], output)
    })

  group
    .command('list')
    .description('show every token')
    .action(async (_options: unknown, command: Command) => {
      const items = await withCore(openCore, ({ initialTokens }) => initialTokens.list())
      say(command, { items: items.map(describe) }, items.map(line), output)
    })

  group
    .command('revoke')
    .description('end a token; apps it registered stay')
    .argument('<id>')
    .action(async (id: string, _options: unknown, command: Command) => {
      const ended = await withCore(openCore, ({ initialTokens }) => initialTokens.revoke(operator(), id))
      say(command, describe(ended), [`Revoked ${ended.name} (${id}).`], output)
    })
}

function describe({ id, name: said, createdAt, expiresAt }: InitialToken) {
  const at = (milliseconds: number) => new Date(milliseconds).toISOString()
  const expires = expiresAt === undefined ? null : at(expiresAt)
  return { id, name: said, created_at: at(createdAt), expires_at: expires }
}

function line(token: InitialToken): string {
  const { id, name: said, expires_at: expires } = describe(token)
  return [id, said, expires === null ? 'until revoked' : `until ${expires}`].join('  ')
}

function name(text: string): string {
  return cleanName(text) ?? refuse('It is not a name of 1 to 64 visible characters.')
}

function duration(text: string): number {
  const milliseconds = parseDuration(text)
  return milliseconds !== undefined && milliseconds % 1000 === 0 && milliseconds > 0
    ? milliseconds / 1000
    : refuse('It is not a duration such as 30d or 3600.')
}

function refuse(message: string): never {
  throw badUsage(message)
}
