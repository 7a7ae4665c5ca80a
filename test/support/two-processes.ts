/**
 * Two server processes that answer for one issuer over one real Redis: where races between processes are fought out.
 * A request goes to either by its `origin`; the core is a third party on the same store, as the command line is.
 */
import { rmSync } from 'node:fs'
import { type Core, openCore } from '../../src/core.ts'
import { freePort, type LicetOptions, type LicetProcess, prepare, startProcess } from './licet.ts'
import { startRedis } from './redis.ts'
import type { RedisServer } from './redis-server.ts'

export interface TwoProcesses {
  readonly issuer: string
  /** `http://127.0.0.1:port` of each. */
  readonly origins: readonly [string, string]
  readonly core: Core
  readonly redis: RedisServer
  /** What both have printed so far. */
  output(): string
  /** Ends both servers, and Redis by SIGKILL, and starts them again on their ports. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function startTwoProcesses(options: Omit<LicetOptions, 'store' | 'now'> = {}): Promise<TwoProcesses> {
  const redis = await startRedis()
  const port = await freePort()
  const ports = [port, await freePort()] as const
  const env = { ...options.env, LICET_PORT: String(port), LICET_ISSUER: `http://localhost:${port}` }
  const prepared = await prepare({ ...options, store: redis.url, env })
  const start = (): Promise<LicetProcess[]> => Promise.all(ports.map((one) => startProcess(prepared.env, String(one))))
  let processes = await start()
  let core = await openCore(prepared.config)
  let earlier = ''
  const output = () => earlier + processes.map((one) => one.output()).join('')
  return {
    issuer: prepared.config.issuer,
    origins: [`http://127.0.0.1:${ports[0]}`, `http://127.0.0.1:${ports[1]}`],
    get core() {
      return core
    },
    redis: redis.server,
    output,
    async restart() {
      await core.close()
      await Promise.all(processes.map((one) => one.stop()))
      earlier = output()
      await redis.server.restart()
      processes = await start()
      core = await openCore(prepared.config)
    },
    async stop() {
      await core.close()
      await Promise.all(processes.map((one) => one.stop()))
      await redis.stop()
      rmSync(prepared.directory, { recursive: true, force: true })
    },
  }
}
