/**
 * `serve`: starts the server, alone or as several processes, says where it is, and ends it in order on SIGTERM and SIGINT.
 * What a server consists of is `app.ts`; how several share a port is `workers.ts`; both are handed in.
 */
import type { Command } from 'commander'
import type { Config } from '../config/schema.ts'
import { type Load, loadOrRefuse } from './config.ts'
import { type Output, say, terminal } from './program.ts'

/** A server that runs. `announcements` are lines for the operator: the mailbox, the first administrator's link. */
export interface Running {
  readonly url: string
  readonly announcements?: readonly string[]
  /** Stops accepting, lets requests in flight end, closes everything. */
  close(): Promise<void>
}

export interface ServeParts {
  readonly load: Load
  /** `announce` is false in every process but the first, so that one-time links are made once. */
  readonly start: (config: Config, options: { announce: boolean }) => Promise<Running>
  /** Runs `count` processes of this program until told to stop; resolves to the exit code. */
  readonly runWorkers: (count: number) => Promise<number>
  /** True in a process that `runWorkers` started. */
  readonly isWorker: boolean
  readonly output?: Output
}

/** Adds `serve`. */
export function addServeCommand(program: Command, parts: ServeParts): void {
  program
    .command('serve')
    .description('run the server')
    .option('--quiet', 'do not say where it runs')
    .action(async (options: { quiet?: boolean }, command: Command) => {
      const { config, warnings } = loadOrRefuse(parts.load)
      const quiet = options.quiet === true
      const output = parts.output ?? terminal
      if (!quiet) for (const warning of warnings) output.err(`licet: warning: ${warning}\n`)
      if (config.workers > 1 && !parts.isWorker) {
        // Whatever went wrong in there has been said there.
        process.exitCode = await parts.runWorkers(config.workers)
        return
      }
      const running = await parts.start(config, { announce: !quiet })
      if (!quiet)
        say(command, { url: running.url, announcements: running.announcements ?? [] }, banner(running), output)
      await untilStopped()
      await running.close()
    })
}

function banner({ url, announcements = [] }: Running): string[] {
  return [`Licet is running at ${url}`, ...announcements]
}

/** Resolves at the first SIGTERM or SIGINT; one that comes more than a second later ends the process at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked: number | undefined
    const stop = () => {
      // A terminal's Ctrl-C arrives twice, once by the launcher: only a later signal means impatience.
      if (asked !== undefined && performance.now() - asked > 1000) process.exit(1)
      asked ??= performance.now()
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}
