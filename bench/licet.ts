/**
 * Licet as it is shipped (compiled, `serve`), in processes of its own, over SQLite or a Redis that writes every command to disk, with the apps and
 * refresh tokens that the measurements use. Limits at the token endpoint are off unless asked for.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Core, openCore } from '../src/core.ts'
import { appClient, basic, newPerson, registerApp } from '../test/support/app-client.ts'
import { type LicetOptions, prepare, root } from '../test/support/licet.ts'
import { Person } from '../test/support/person.ts'
import { type Chains, CONNECTIONS, type Target } from './load.ts'
import { type Measured, start } from './processes.ts'

export interface LicetServer extends Target {
  readonly issuer: string
  readonly core: Core
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds from the start of the process until `/readyz` said yes. */
  readonly readyAfterMs: number
  stop(): Promise<void>
}

export interface LicetChoice extends Pick<LicetOptions, 'store' | 'file' | 'env'> {
  readonly name: string
  readonly nodeArgs?: readonly string[]
  /** The `main.js` of another build, to compare with. */
  readonly script?: string
}

/** What `npm start` runs: compiled when it has been built, else from source. `LICET_BENCH_MAIN` names another build. */
export function mainScript(): string {
  if (process.env['LICET_BENCH_MAIN']) return process.env['LICET_BENCH_MAIN']
  const compiled = join(root, 'dist/main.js')
  return existsSync(compiled) ? compiled : join(root, 'src/main.ts')
}

export async function startLicet({
  name,
  nodeArgs = [],
  script = mainScript(),
  ...options
}: LicetChoice): Promise<LicetServer> {
  const { env, directory, config } = await prepare(options)
  const began = performance.now()
  const process = start({ script, args: ['serve', '--quiet'], env, nodeArgs })
  const origin = `http://127.0.0.1:${env['LICET_PORT']}`
  const { host } = new URL(config.issuer)
  await untilReady(origin, host, process)
  const readyAfterMs = performance.now() - began
  const core = await openCore(config)
  return {
    name,
    origin,
    host,
    process,
    issuer: config.issuer,
    core,
    env,
    readyAfterMs,
    async stop() {
      await core.close()
      await process.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function untilReady(origin: string, host: string, process: Measured): Promise<void> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline) {
    if (process.child.exitCode !== null) throw new Error(`the server ended: ${process.output()}`)
    const ready = await fetch(`${origin}/readyz`, { headers: { host } }).then(
      (answer) => answer.ok,
      () => false,
    )
    if (ready) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`the server did not become ready: ${process.output()}`)
}

/** A service app; the answer is its `Authorization` header. */
export async function serviceApp(server: LicetServer): Promise<string> {
  const app = await registerApp(server, { name: 'Bench service', type: 'service', scopes: ['data:read'] })
  return authorizationOf(app.clientId, app.secret ?? '')
}

export function authorizationOf(clientId: string, secret: string): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`
}

/** One person who signs in once and then gets a family of tokens per connection, all by the real code flow. */
export async function newChains(server: LicetServer): Promise<Chains> {
  const app = await registerApp(server, { name: 'Bench web', firstParty: true })
  const { clientId, secret = '', issuer } = app
  const client = appClient({ issuer, clientId, secret, proof: basic(clientId, secret) })
  const { email } = await newPerson(server, server.origin)
  const person = new Person(server.issuer, server.origin)
  const tokens: string[] = []
  for (let chain = 0; chain < CONNECTIONS; chain += 1) {
    const pending = await client.obtainCode(person, email)
    const { body } = await client.redeem(pending, {}, { origin: server.origin })
    if (body.refresh_token === undefined) throw new Error(`no refresh token: ${JSON.stringify(body)}`)
    tokens.push(body.refresh_token)
  }
  return { tokens, authorization: authorizationOf(clientId, secret) }
}
