/**
 * `config print` and `config check`: what is in force, and whether it could be. They never touch the store and never make a secret.
 * What an option may be is decided in `src/config/`.
 */
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { type Loaded, loadConfig, type Problem } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { AppError } from '../errors.ts'
import { say } from './program.ts'

/** Reads the configuration; the argument replaces the place where development keeps its secret. */
export type Load = typeof loadConfig

/** All problems in one text, one per line: the option, what was found, what would be right. */
export function describeProblems(problems: readonly Problem[]): string {
  const lines = problems.map(({ path, found, expected }) => `  ${path}: found ${found}, expected ${expected}`)
  const count = problems.length === 1 ? 'There is 1 problem' : `There are ${problems.length} problems`
  return [`${count} in the configuration.`, ...lines].join('\n')
}

/** The configuration, or `AppError('invalid_configuration')` that names every problem. */
export function loadOrRefuse(load: Load = loadConfig): Loaded {
  const loaded = load()
  if ('problems' in loaded) throw new AppError('invalid_configuration', describeProblems(loaded.problems))
  return loaded
}

/** Reads without leaving a trace: development's secret is not made. */
export function loadWithoutTrace(load: Load = loadConfig): ReturnType<Load> {
  return load({ keepSecret: () => 'not made: nothing is sealed by this command' })
}

interface ConfigParts {
  readonly load?: Load
  /** What only the domains can tell. @throws invalid_configuration with `fields` */
  readonly judge: (config: Config) => Promise<void>
}

/** Adds `config print` and `config check`. */
export function addConfigCommands(program: Command, { load = loadConfig, judge }: ConfigParts): void {
  const config = program.command('config').description('the configuration')
  config
    .command('print')
    .description('show what is in force, secrets masked')
    .action((_options: object, command: Command) => {
      const { shown } = loadOrRefuse(() => loadWithoutTrace(load))
      say(command, shown, [stringify(shown).trimEnd()])
    })
  config
    .command('check')
    .description('say whether the server would start with it')
    .action(async (_options: object, command: Command) => {
      const loaded = loadWithoutTrace(load)
      const problems = 'problems' in loaded ? loaded.problems : await judged(loaded, judge)
      if ('problems' in loaded || problems.length > 0) refuse(command, problems)
      else tellFine(command, loaded)
    })
}

async function judged({ config, shown }: Loaded, judge: ConfigParts['judge']): Promise<readonly Problem[]> {
  try {
    await judge(config)
    return []
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return (error.details.fields ?? []).map(({ pointer, detail }) => {
      const steps = pointer.slice(1).split('/')
      const path = steps.map((step, at) => (/^\d+$/.test(step) ? `[${step}]` : `${at ? '.' : ''}${step}`)).join('')
      const found = steps.reduce(
        (value: unknown, step) => (value as Record<string, unknown> | undefined)?.[step],
        shown,
      )
      return { path, found: String(found ?? 'nothing'), expected: `something else: ${detail}` }
    })
  }
}

function refuse(command: Command, problems: readonly Problem[]): never {
  if (command.optsWithGlobals<{ json?: boolean }>().json) say(command, { ok: false, problems }, [])
  throw new AppError('invalid_configuration', describeProblems(problems))
}

function tellFine(command: Command, loaded: Loaded): void {
  const warnings = loaded.warnings.map((warning) => `warning: ${warning}`)
  say(command, { ok: true, problems: [], warnings: loaded.warnings }, ['The configuration is fine.', ...warnings])
}
