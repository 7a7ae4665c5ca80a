/**
 * `login`, `logout` and `whoami`: a person signs in to a server from a command line. What must be done in the browser is said on standard error, so
 * that standard output holds the result and nothing else. How it is kept is `sign-ins.ts`, how it is used `remote.ts`.
 */
import type { Command } from 'commander'
import { AppError } from '../errors.ts'
import { type Output, say, terminal } from './program.ts'
import { createRemote, type DeviceAsk, printable, type Remote, type RemoteParts, serverOf } from './remote.ts'

export interface RemoteDesk extends RemoteParts {
  readonly output?: Output
}

interface Me {
  readonly account: { readonly id: string; readonly email: string; readonly name: string } | null
  readonly credential: { readonly type: string; readonly expires_at: string }
  readonly scopes: readonly string[]
}

/** Where one signs in when no server is named: the one `npm start` runs. */
const DEFAULT_SERVER = 'http://localhost:4000'

/** Adds `login`, `logout` and `whoami`. */
export function addLoginCommands(program: Command, desk: RemoteDesk): void {
  const { output = terminal } = desk
  program
    .command('login')
    .description('sign in to a server from here; you confirm it in a browser, on any machine')
    .argument('[server]', `its address (default: the one used last, else ${DEFAULT_SERVER})`, serverOf)
    .option('--scope <scopes>', 'ask for less than everything, separated by spaces')
    .option('--again', 'sign in anew even where the browser is signed in')
    .action(async (server: string | undefined, options: { scope?: string; again?: true }, command: Command) => {
      const remote = await remoteOf(desk, server)
      await remote.signIn({
        ...(options.scope === undefined ? {} : { scope: `openid ${options.scope}` }),
        ...(options.again ? { maxAgeSeconds: 0 } : {}),
        ask: (ask) => showAsk(output, ask),
      })
      const me = await remote.call<Me>('GET', '/api/v1/accounts/me')
      say(command, { server: remote.server, ...me }, [`Signed in to ${remote.server} as ${nameOf(me)}.`], output)
    })

  program
    .command('logout')
    .description('end the sign-in, here and at the server')
    .option('--server <address>', 'which server (default: the one used last)', serverOf)
    .action(async ({ server }: { server?: string }, command: Command) => {
      const remote = await remoteOf(desk, server)
      if (!(await remote.signOut())) throw new AppError('unauthenticated', `You are not signed in to ${remote.server}.`)
      say(command, { server: remote.server, signed_out: true }, [`Signed out of ${remote.server}.`], output)
    })

  program
    .command('whoami')
    .description('who is signed in, where, and what this sign-in may do')
    .option('--server <address>', 'which server (default: the one used last)', serverOf)
    .action(async ({ server }: { server?: string }, command: Command) => {
      const remote = await remoteOf(desk, server)
      const me = await remote.call<Me>('GET', '/api/v1/accounts/me')
      const lines = [`${nameOf(me)} at ${remote.server}`, `may: ${printable(me.scopes.join(' '))}`]
      say(command, { server: remote.server, ...me }, lines, output)
    })
}

/** The server that was named, else the one used last. */
export async function remoteOf(desk: RemoteDesk, server: string | undefined): Promise<Remote> {
  return createRemote(server ?? (await desk.signIns.current()) ?? DEFAULT_SERVER, desk)
}

/** What to do in the browser. */
export function showAsk({ err }: Output, { url, completeUrl, userCode }: DeviceAsk): void {
  err(`Open ${printable(completeUrl)}\n`)
  err(`or ${printable(url)} and type ${printable(userCode)}\n`)
  err('Allow it only if you started this. Waiting …\n')
}

const nameOf = ({ account }: Me): string => printable(account ? `${account.name} <${account.email}>` : 'an app')
