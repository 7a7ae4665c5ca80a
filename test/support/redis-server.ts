/**
 * One redis-server process for tests: started on a free loopback port in a directory of its own, killed by its pid, never by name.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, freePorts } from './ports.ts'
import { redisCommand } from './redis-command.ts'
import { requireTool } from './tools.ts'

/** One running redis-server, as a fault test wants it. */
export interface RedisServer {
  readonly port: number
  /** The port given to `portOption`, for the bus of a cluster. */
  readonly secondPort: number
  /** Changes with `restart`. */
  readonly pid: number
  /** Sends one command; an error answer is thrown. */
  command(...args: (string | number)[]): Promise<unknown>
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  resume(): void
  /** SIGKILL; resolves when the process is gone. Its files stay. */
  kill(): Promise<void>
  /** Starts it again on its port with its files; resolves when it has loaded them. */
  restart(): Promise<void>
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

export interface ServerOptions {
  readonly settings?: readonly string[]
  /** A second free port is passed with this option. */
  readonly portOption?: string
  /** The configuration of a sentinel, which rewrites its file; makes this server one. */
  readonly sentinel?: string
}

const running = new Set<ChildProcess>()
const directories = new Set<string>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
// A test process that is told to end must not leave servers behind.
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.once(signal, () => process.exit(1))

/** Starts a server and waits until it answers. Three attempts, should somebody take a port in between. */
export async function startServer(options: ServerOptions): Promise<RedisServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(options)
    } catch (error) {
      if (attempt === 3) throw error
    }
  }
}

async function startOn({ settings = [], portOption, sentinel }: ServerOptions): Promise<RedisServer> {
  const program = requireTool('redis-server')
  if (!program) throw new Error('redis-server is not installed')
  const [port = 0, secondPort = 0] = await freePorts(2)
  const directory = mkdtempSync(join(tmpdir(), 'licet-redis-'))
  directories.add(directory)
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, ...settings]
  if (portOption) args.push(portOption, String(secondPort))
  const file = join(directory, 'sentinel.conf')
  if (sentinel !== undefined) writeFileSync(file, sentinel)
  const start = () => run(program, sentinel === undefined ? args : [file, '--sentinel', ...args], port)
  let child = await start().catch((error: unknown) => {
    rmSync(directory, { recursive: true, force: true })
    throw error
  })

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  return {
    port,
    secondPort,
    get pid() {
      return child.pid ?? 0
    },
    command: (...command) => redisCommand(port, command),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill,
    async restart() {
      await kill()
      child = await start()
    },
    async stop() {
      await kill()
      rmSync(directory, { recursive: true, force: true })
      directories.delete(directory)
    },
  }
}

async function run(program: string, args: string[], port: number): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: 'ignore' })
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.once('error', () => running.delete(child))
  await eventually(`redis-server answers on port ${port}`, async () => {
    if (child.exitCode !== null) return true
    return (await redisCommand(port, ['PING'])) === 'PONG'
  })
  if (child.exitCode !== null) throw new Error(`redis-server ended at once with code ${child.exitCode}`)
  return child
}
