/**
 * `token …`: a person's own access tokens on the server they are signed in to. Making and rotating one needs a sign-in that is recent: where the
 * server says so (RFC 9470), the person signs in again at once when they sit there, else they are told how.
 */
import type { Command } from 'commander'
import { AppError, hasCode } from '../errors.ts'
import type { describeIssued, describeKey } from '../keys/describe.ts'
import { type RemoteDesk, remoteOf, showAsk } from './login.ts'
import { collect, duration, words } from './option-values.ts'
import { say, terminal } from './program.ts'
import { printable, type Remote, serverOf } from './remote.ts'
import { listFields } from './with-core.ts'

type Shown = ReturnType<typeof describeKey>
type Issued = ReturnType<typeof describeIssued>

export interface TokenDesk extends RemoteDesk {
  /** Whether a person sits there who could sign in again now. */
  readonly isAttended: boolean
}

interface CreateOptions {
  readonly server?: string
  readonly name: string
  readonly scope: readonly string[]
  readonly expiresIn?: number
  readonly allowIp: readonly string[]
  readonly resource?: string
}

const PATH = '/api/v1/tokens'

/** Adds `token create|list|show|rotate|revoke`. */
export function addTokenCommands(program: Command, desk: TokenDesk): void {
  const token = program.command('token').description('your personal access tokens on the server you are signed in to')
  addMaking(token, desk)
  addLooking(token, desk)
}

function addMaking(token: Command, desk: TokenDesk): void {
  const { output = terminal } = desk
  const issued = (command: Command, verb: string, made: Issued) =>
    say(command, made, [`${verb} ${printable(made.name)} (${made.id}). Shown this once:`, made.key], output)

  onServer(token.command('create'))
    .description('make a personal access token; it is printed once')
    .requiredOption('--name <name>', 'what you read later')
    .requiredOption('--scope <scopes>', 'what it may do, separated by spaces', words)
    .option('--expires-in <duration>', 'how long it works, such as 30d or a number of seconds', duration)
    .option('--allow-ip <network>', 'from where it works; may be given several times', collect, [])
    .option('--resource <identifier>', 'the one resource it works at')
    .action(async (options: CreateOptions, command: Command) => {
      const made = await recently<Issued>(desk, options.server, (remote) =>
        remote.call('POST', PATH, wantedOf(options)),
      )
      issued(command, 'Created', made)
    })

  onServer(token.command('rotate'))
    .description('make a new secret; the old one works until the overlap ends')
    .argument('<id>')
    .option('--overlap <duration>', 'how long the old secret still works (default 24h)', duration)
    .action(async (id: string, { server, overlap }: { server?: string; overlap?: number }, command: Command) => {
      const body = overlap === undefined ? {} : { overlap_seconds: overlap }
      const made = await recently<Issued>(desk, server, (remote) =>
        remote.call('POST', `${PATH}/${encodeURIComponent(id)}/rotate`, body),
      )
      issued(command, 'Rotated', made)
    })
}

function addLooking(token: Command, desk: TokenDesk): void {
  const { output = terminal } = desk
  onServer(token.command('list'))
    .description('show your tokens')
    .action(async ({ server }: { server?: string }, command: Command) => {
      const items = await everyToken(await remoteOf(desk, server))
      say(command, { items }, items.map(summary), output)
    })

  onServer(token.command('show'))
    .description('show one token')
    .argument('<id>')
    .action(async (id: string, { server }: { server?: string }, command: Command) => {
      const remote = await remoteOf(desk, server)
      const found = await remote.call<Shown>('GET', `${PATH}/${encodeURIComponent(id)}`)
      say(command, found, listFields(found).map(printable), output)
    })

  onServer(token.command('revoke'))
    .description('end a token and everything below it, at once')
    .argument('<id>')
    .action(async (id: string, { server }: { server?: string }, command: Command) => {
      const remote = await remoteOf(desk, server)
      await remote.call('DELETE', `${PATH}/${encodeURIComponent(id)}`)
      say(command, { id, state: 'revoked' }, [`Revoked ${id}.`], output)
    })
}

const onServer = (command: Command): Command =>
  command.option('--server <address>', 'which server (default: the one used last)', serverOf)

/** Runs `act`; when the server wants a more recent sign-in, signs in again and runs it once more. */
async function recently<T>(
  desk: TokenDesk,
  server: string | undefined,
  act: (remote: Remote) => Promise<T>,
): Promise<T> {
  const { output = terminal } = desk
  const remote = await remoteOf(desk, server)
  try {
    return await act(remote)
  } catch (error) {
    if (!hasCode(error, 'insufficient_user_authentication')) throw error
    if (!desk.isAttended)
      throw new AppError(error.code, `${error.message} Run: licet login --again ${remote.server}`, { cause: error })
    output.err('Your sign-in is too old for this. Sign in again:\n')
    await remote.signIn({ maxAgeSeconds: 0, ask: (ask) => showAsk(output, ask) })
    return act(remote)
  }
}

function wantedOf({ name, scope, expiresIn, allowIp, resource }: CreateOptions): object {
  return {
    name,
    scopes: scope,
    ...(expiresIn === undefined ? {} : { expires_in: expiresIn }),
    ...(allowIp.length > 0 ? { allowed_ips: allowIp } : {}),
    ...(resource === undefined ? {} : { resource }),
  }
}

async function everyToken(remote: Remote): Promise<Shown[]> {
  const all: Shown[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: { items: Shown[]; next_cursor: string | null } = await remote.call('GET', `${PATH}?limit=200${query}`)
    all.push(...page.items)
    cursor = page.next_cursor
  } while (cursor !== null)
  return all
}

const summary = ({ id, state, hint, name }: Shown): string => printable([id, state.padEnd(8), hint, name].join('  '))
