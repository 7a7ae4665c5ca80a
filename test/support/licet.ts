/**
 * A running server for tests: in this process for speed, or as processes of its own where a crash or a race between processes is the point.
 * Every server gets its own directory and a free loopback port, and is gone when its test ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { startServer } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { type Core, openCore } from '../../src/core.ts'
import type { Caller } from '../../src/observability/audit.ts'
import type { Store } from '../../src/storage/store.ts'

export const root = fileURLToPath(new URL('../../', import.meta.url))
export const operator: Caller = { kind: 'operator' }
export const PASSWORD = 'correct horse battery staple'

export interface Licet {
  readonly issuer: string
  readonly config: Config
  readonly directory: string
  /** A second set of domains on the same store, as the command line opens it. */
  readonly core: Core
  /** Log lines so far. */
  readonly log: string[]
  readonly announcements: readonly string[]
  close(): Promise<void>
}

export interface LicetOptions {
  /** Whole store URL; SQLite in the server's own directory when absent. */
  readonly store?: string
  /** Merged over a configuration with limits switched off. */
  readonly file?: Record<string, unknown>
  readonly env?: Record<string, string>
  readonly now?: () => number
  /** Wraps the store of the server in this process: counting what it is asked. */
  readonly around?: (store: Store) => Store
}

const noLimits = {
  sign_in_address: 'off',
  token_client: 'off',
  authorize_address: 'off',
  registration_address: 'off',
  api_credential: 'off',
  api_account: 'off',
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}

/** The environment a server of this test runs with; writes its file. */
export async function prepare(
  options: LicetOptions = {},
): Promise<{ env: Record<string, string>; directory: string; config: Config }> {
  const directory = mkdtempSync(join(tmpdir(), 'licet-'))
  const port = await freePort()
  const file = join(directory, 'licet.yaml')
  writeFileSync(file, stringify({ rate_limits: noLimits, ...options.file }))
  const env = {
    LICET_CONFIG: file,
    LICET_PORT: String(port),
    LICET_DATA_DIR: directory,
    LICET_STORE_URL: options.store ?? `sqlite:${join(directory, 'licet.db')}`,
    LICET_SECRET: 'a root secret of the tests that is long enough',
    LICET_WORKERS: '1',
    LICET_LOG_LEVEL: 'warn',
    ...options.env,
  }
  const loaded = loadConfig({ env, cwd: directory })
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems))
  return { env, directory, config: loaded.config }
}

/** Starts a server in this process. */
export async function startLicet(options: LicetOptions = {}): Promise<Licet> {
  const { directory, config } = await prepare(options)
  const log: string[] = []
  const clock = options.now ? { now: options.now } : {}
  const around = options.around ? { around: options.around } : {}
  const server = await startServer(config, { ...clock, ...around, writeLog: (line) => void log.push(line) })
  const core = await openCore(config, clock)
  return {
    issuer: config.issuer,
    config,
    directory,
    core,
    log,
    announcements: server.announcements,
    async close() {
      await core.close()
      await server.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export interface LicetProcess {
  readonly url: string
  readonly child: ChildProcess
  readonly output: () => string
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Starts a server as a process of its own with that environment; resolves when it is ready. Several may share a store and an issuer. */
export async function startProcess(env: Record<string, string>, port = env['LICET_PORT'] ?? ''): Promise<LicetProcess> {
  const child = spawn(process.execPath, [join(root, 'src/main.ts'), 'serve', '--quiet'], {
    cwd: root,
    env: { PATH: process.env['PATH'] ?? '', UV_THREADPOOL_SIZE: '8', ...env, LICET_PORT: port },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout?.on('data', (chunk) => (output += chunk))
  child.stderr?.on('data', (chunk) => (output += chunk))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = `http://127.0.0.1:${port}`
  await untilReady(url, env['LICET_ISSUER'] ?? `http://localhost:${env['LICET_PORT']}`, child, () => output)
  return {
    url,
    child,
    output: () => output,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      await ended
    },
  }
}

async function untilReady(url: string, issuer: string, child: ChildProcess, output: () => string): Promise<void> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${output()}`)
    const ready = await fetch(`${url}/readyz`, { headers: { host: new URL(issuer).host } }).then(
      (answer) => answer.ok,
      () => false,
    )
    if (ready) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`the server did not become ready: ${output()}`)
}

/** An account with `PASSWORD` and a verified address. */
export async function newAccount(
  core: Core,
  email = `person-${Math.random().toString(36).slice(2)}@example.test`,
  more: object = {},
) {
  const account = await core.accounts.create(operator, {
    email,
    name: 'Ada Lovelace',
    password: PASSWORD,
    emailVerified: true,
    ...more,
  } as never)
  return account
}
