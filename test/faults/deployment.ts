/**
 * Server processes on a store, for the fault experiments: started, killed and started again on their ports. Limits are on but out of reach, so
 * that their round trips to the store are part of every experiment.
 */
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../src/config/schema.ts'
import { type Core, openCore } from '../../src/core.ts'
import type { Field } from '../support/faults.ts'
import { freePort, type LicetProcess, prepare, startProcess } from '../support/licet.ts'
import { type Reply, sendOnWire } from '../support/wire.ts'

export interface Deployment extends Field {
  readonly config: Config
  readonly directory: string
  readonly core: Core
  readonly servers: readonly LicetProcess[]
  /** SIGKILL for one process; resolves when it is gone and no request is sent there. */
  kill(index: number): Promise<void>
  /** Starts it again; resolves when it is ready. */
  revive(index: number): Promise<void>
  /** One request to the first process. */
  ask(path: string): Promise<Reply & { readonly took: number }>
  /** Resident memory of a process in MB. */
  memory(index?: number): number
  output(): string
  stop(): Promise<void>
}

const unreachable = '100000/1m'
const limits = {
  sign_in_address: unreachable,
  sign_in_account: unreachable,
  token_client: unreachable,
  authorize_address: unreachable,
  api_credential: unreachable,
  api_account: unreachable,
}

export interface DeploymentOptions {
  /** Store URL; SQLite in a directory of its own when absent. */
  readonly store?: string
  /** How the test itself reaches the store, when a proxy stands in front of the servers. */
  readonly ownStore?: string
  readonly processes?: number
  readonly env?: Record<string, string>
}

export async function deploy({ store, ownStore, processes = 1, env = {} }: DeploymentOptions): Promise<Deployment> {
  const port = await freePort()
  const ports = [port, ...(await Promise.all(Array.from({ length: processes - 1 }, freePort)))]
  const prepared = await prepare({
    ...(store ? { store } : {}),
    file: { rate_limits: limits },
    env: {
      LICET_PORT: String(port),
      LICET_ISSUER: `http://localhost:${port}`,
      LICET_TRUSTED_PROXIES: '127.0.0.1/32',
      ...env,
    },
  })
  const { config, directory } = prepared
  // Stripped types are kept between starts: a start takes half as long.
  const surroundings = { ...prepared.env, NODE_COMPILE_CACHE: join(tmpdir(), 'licet-compile-cache') }
  const earlier: string[] = []
  const servers = await Promise.all(ports.map((one) => startProcess(surroundings, String(one))))
  const serving = new Set(servers.keys())
  const core = await openCore({ ...config, storeUrl: ownStore ?? config.storeUrl })
  return {
    issuer: config.issuer,
    config,
    directory,
    core,
    servers,
    origins: () => [...(serving.size > 0 ? serving : servers.keys())].map((index) => servers[index]?.url ?? ''),
    async kill(index) {
      await servers[index]?.stop('SIGKILL')
      serving.delete(index)
      earlier.push(servers[index]?.output() ?? '')
    },
    async revive(index) {
      servers[index] = await startProcess(surroundings, String(ports[index]))
      serving.add(index)
    },
    async ask(path) {
      const began = performance.now()
      const reply = await sendOnWire(config.issuer, 'GET', path, { origin: servers[0]?.url ?? '' })
      return { ...reply, took: performance.now() - began }
    },
    memory: (index = 0) => residentMegabytes(servers[index]?.child.pid ?? 0),
    output: () => [...earlier, ...servers.map((one) => one.output())].join(''),
    async stop() {
      await core.close()
      await Promise.all(
        servers.map((one) => (one.child.exitCode === null && one.child.signalCode === null ? one.stop() : undefined)),
      )
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Linux only; elsewhere 0, and nothing is said about memory. */
export function residentMegabytes(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
