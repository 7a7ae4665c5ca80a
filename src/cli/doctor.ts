/**
 * `doctor`: everything that can be found out without serving a request: the Node, the configuration, the data directory, the store,
 * the clock, the issuer's name. Each check says one sentence; any that fails makes the exit code 1.
 */
import { lookup } from 'node:dns/promises'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Config } from '../config/schema.ts'
import { isLoopbackHost } from '../config/values.ts'
import { AppError } from '../errors.ts'
import { openStore } from '../storage/open.ts'
import type { Store } from '../storage/store.ts'
import { describeProblems, type Load, loadWithoutTrace } from './config.ts'
import { say } from './program.ts'

export interface Finding {
  readonly check: string
  readonly state: 'fine' | 'warning' | 'wrong'
  readonly says: string
}

export interface DoctorParts {
  readonly load: Load
  readonly now: () => number
  readonly nodeVersion: string
}

/** Adds `doctor`. */
export function addDoctorCommand(program: Command, parts: DoctorParts): void {
  program
    .command('doctor')
    .description('look for what would go wrong')
    .action(async (_options: object, command: Command) => {
      const findings = await examine(parts)
      const mark = { fine: 'ok     ', warning: 'warning', wrong: 'WRONG  ' }
      const wrong = findings.filter(({ state }) => state === 'wrong')
      say(
        command,
        { ok: wrong.length === 0, findings },
        findings.map(({ check, state, says }) => `${mark[state]} ${check}: ${says}`),
      )
      if (wrong.length > 0)
        throw new AppError(
          'invalid_configuration',
          `The doctor found ${wrong.map(({ check }) => check).join(', ')} to be wrong.`,
        )
    })
}

/** Every finding; never rejects, never changes anything but opening the store. */
export async function examine({ load, now, nodeVersion }: DoctorParts): Promise<Finding[]> {
  const before = [checkNode(nodeVersion), checkClock(now())]
  const loaded = loadWithoutTrace(load)
  if ('problems' in loaded)
    return [...before, { check: 'configuration', state: 'wrong', says: describeProblems(loaded.problems) }]
  const { config, warnings } = loaded
  return [
    ...before,
    { check: 'configuration', state: 'fine', says: `understood, mode ${config.mode}` },
    ...warnings.map((says): Finding => ({ check: 'configuration', state: 'warning', says })),
    ...checkDataDirectory(config.dataDir),
    ...(await checkStore(config, now)),
    await checkIssuer(config.issuer),
  ]
}

function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major >= 24) return { check: 'node', state: 'fine', says: version }
  const enough = major > 22 || (major === 22 && minor >= 13)
  return {
    check: 'node',
    state: enough ? 'warning' : 'wrong',
    says: `${version}; 24 is what is tested, 22.13 the least`,
  }
}

/** Tokens carry times: a clock that is years off makes every one of them invalid elsewhere. */
function checkClock(nowMs: number): Finding {
  const shown = new Date(nowMs).toISOString()
  const plausible = shown >= '2026' && shown < '2100'
  return { check: 'clock', state: plausible ? 'fine' : 'wrong', says: shown }
}

function checkDataDirectory(dataDir: string): Finding[] {
  const check = 'data directory'
  if (!existsSync(dataDir)) return [{ check, state: 'fine', says: `${dataDir} will be made at the first start` }]
  return [
    expectMode(check, dataDir, 0o700),
    ...(existsSync(join(dataDir, 'secret')) ? [expectMode('secret', join(dataDir, 'secret'), 0o600)] : []),
  ]
}

function expectMode(check: string, path: string, wanted: number): Finding {
  const mode = statSync(path).mode & 0o777
  const readable = (mode & ~wanted) === 0
  const says = readable
    ? `${path} is for its owner only`
    : `${path} has mode ${mode.toString(8)}: others can read it, make it ${wanted.toString(8)}`
  return { check, state: readable ? 'fine' : 'wrong', says }
}

async function checkStore(config: Config, now: () => number): Promise<Finding[]> {
  // Looking must not make an empty store where none was.
  if (
    config.storeUrl.startsWith('sqlite:') &&
    !existsSync(config.storeUrl.slice('sqlite:'.length).replace(/\?.*$/, ''))
  ) {
    return [{ check: 'store', state: 'fine', says: 'the embedded store will be made at the first start' }]
  }
  let store: Store | undefined
  try {
    store = await openStore({ url: config.storeUrl, assumeDurable: config.storeAssumeDurable }, { now })
    await store.ping()
    const { engine, problems, warnings } = await store.inspect()
    const state = config.mode === 'production' ? 'wrong' : 'warning'
    return [
      { check: 'store', state: 'fine', says: `${engine} answers` },
      ...problems.map((says): Finding => ({ check: 'store', state, says })),
      ...warnings.map((says): Finding => ({ check: 'store', state: 'warning', says })),
    ]
  } catch (error) {
    return [
      { check: 'store', state: 'wrong', says: error instanceof AppError ? error.message : 'it could not be opened' },
    ]
  } finally {
    await store?.close()
  }
}

async function checkIssuer(issuer: string): Promise<Finding> {
  const { hostname } = new URL(issuer)
  if (isLoopbackHost(hostname)) return { check: 'issuer', state: 'fine', says: `${issuer} is this machine` }
  try {
    const { address } = await lookup(hostname.replace(/^\[(.*)\]$/, '$1'))
    return { check: 'issuer', state: 'fine', says: `${hostname} resolves to ${address}` }
  } catch {
    return { check: 'issuer', state: 'warning', says: `${hostname} does not resolve on this machine` }
  }
}
