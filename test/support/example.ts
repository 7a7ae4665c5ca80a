/**
 * Runs a program of `examples/` as its reader would, against a real server: the program prints the address to open, a person signs in and allows, and
 * the browser goes back to the program. Its toolchain must be there; the packages it names are installed once per list and kept.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Licet, newAccount, operator, root } from './licet.ts'
import { Person } from './person.ts'

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly directory: string
  readonly env?: Readonly<Record<string, string>>
}

/** Limits small enough that eight calls in a row meet one. */
export const SMALL_LIMITS = { api_credential: '5/2s' }

/** The lines that the program printed, by their first word; throws with everything it said when it fails. */
export async function runExample(licet: Licet, program: Program): Promise<ReadonlyMap<string, string>> {
  const { core, issuer } = licet
  const account = await newAccount(core)
  const { app } = await core.apps.create(operator, {
    name: 'Example',
    type: 'native',
    redirectUris: ['http://127.0.0.1/callback'],
    scopes: ['api:read', 'data:read'],
  })
  const service = await core.apps.create(operator, { name: 'Gateway', type: 'service', scopes: ['data:read'] })
  const { credential } = await core.keys.create(
    operator,
    { ownerId: account.id, kind: 'api_key' },
    { name: 'Nightly', scopes: ['data:read'] },
  )
  return talk(program, {
    env: {
      ISSUER: issuer,
      CLIENT_ID: app.clientId,
      API_KEY: credential,
      SERVICE_ID: service.app.clientId,
      SERVICE_SECRET: service.clientSecret ?? '',
    },
    async open(address) {
      const back = await new Person(issuer).authorize(address, { email: account.email })
      await (await fetch(back)).text()
    },
  })
}

interface Talk {
  readonly env: Readonly<Record<string, string>>
  readonly open: (address: string) => Promise<void>
}

async function talk({ command, args, directory, env }: Program, asked: Talk): Promise<ReadonlyMap<string, string>> {
  const child = spawn(command, args, {
    cwd: join(root, directory),
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...env, ...asked.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const deadline = setTimeout(() => child.kill('SIGKILL'), 120_000)
  let said = ''
  let opened: Promise<unknown> | undefined
  const giveUp = (error: unknown) => {
    said += String(error)
    child.kill()
  }
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  child.stdout.on('data', (chunk) => {
    said += chunk
    const address = /^open: (.*)\n/m.exec(said)?.[1]
    if (address) opened ??= asked.open(address).catch(giveUp)
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(deadline)
  await opened
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${said}`)
  return new Map([...said.matchAll(/^(\w[\w ]*): (.*)$/gm)].map(([, name = '', rest = '']) => [name, rest]))
}

/** Python with the packages that `requirements.txt` names. */
export function pythonWith(requirements: string): string {
  const list = readFileSync(join(root, requirements))
  const home = join(
    root,
    'node_modules',
    '.cache',
    `python-${createHash('sha256').update(list).digest('hex').slice(0, 12)}`,
  )
  if (!existsSync(home)) {
    const fresh = `${home}.${process.pid}`
    mkdirSync(fresh, { recursive: true })
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', fresh]
    const run = spawnSync('python3', [...install, '-r', join(root, requirements)], { encoding: 'utf8' })
    if (run.status !== 0) throw new Error(run.stderr)
    // Another run may have been faster; then its copy is as good.
    try {
      renameSync(fresh, home)
    } catch {
      rmSync(fresh, { recursive: true, force: true })
    }
  }
  return home
}
