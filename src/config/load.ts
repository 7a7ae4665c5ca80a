/**
 * From file and environment to one frozen `Config`, or to every problem there is at once. The only file that reads `process.env`.
 * Where values stand belongs to `sources.ts`, what they may be to the option tables, rules between them to `together.ts`.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import { completeConfig } from './complete.ts'
import { isSecretPath, showSettings } from './reference.ts'
import type { Config, Settings } from './schema.ts'
import { keepSecret } from './secret-file.ts'
import { type Gathered, gatherSettings, type Place } from './sources.ts'
import { type Issue, parseSettings } from './together.ts'
import { isLoopbackHost } from './values.ts'

/** One thing that keeps the server from starting. `found` never shows a secret. */
export interface Problem {
  /** The option in the file (`apps[0].name`) or the variable that set it. */
  readonly path: string
  readonly found: string
  readonly expected: string
}

export interface Loaded {
  readonly config: Config
  /** What is in force under the file's names, secrets masked. */
  readonly shown: Readonly<Record<string, unknown>>
  /** Sentences an operator should read. */
  readonly warnings: readonly string[]
}

export interface LoadOptions extends Partial<Place> {
  readonly cores?: number
  /** Where development takes its secret from; the default makes and keeps one in the data directory. */
  readonly keepSecret?: (dataDir: string) => string
}

/** The configuration, or all problems together. Touches the disk to read files and, in development, to keep the generated secret. */
export function loadConfig(options: LoadOptions = {}): Loaded | { readonly problems: readonly Problem[] } {
  const place: Place = {
    env: options.env ?? process.env,
    cwd: options.cwd ?? process.cwd(),
    readFile: options.readFile ?? ((path) => readFileSync(path, 'utf8')),
  }
  const gathered = gatherSettings(place)
  const parsed = parseSettings(gathered.raw)
  const issues = [...gathered.issues, ...('issues' in parsed ? parsed.issues : []), ...checkMode(gathered, parsed)]
  if ('issues' in parsed || issues.length > 0) return { problems: issues.map((issue) => problem(issue, gathered)) }

  const outcome = completeConfig(parsed.settings, place, {
    cores: options.cores ?? availableParallelism(),
    keepSecret: options.keepSecret ?? keepSecret,
  })
  if ('issues' in outcome) return { problems: outcome.issues.map((issue) => problem(issue, gathered)) }
  return { config: freeze(outcome.config), shown: show(gathered, outcome.config), warnings: warn(outcome.config) }
}

/** What production refuses. Judged on what was written, so that it is told together with everything else. */
function checkMode({ raw }: Gathered, parsed: ReturnType<typeof parseSettings>): Issue[] {
  if (raw['mode'] !== 'production') return []
  const settings: Partial<Settings> = 'settings' in parsed ? parsed.settings : parsed.understood
  const broken = (name: keyof Settings) => !(name in settings)
  const issues: Issue[] = []
  const refuse = (name: keyof Settings, expected: string, found: unknown) =>
    issues.push({ path: [name], expected, found })
  const issuer = settings.issuer
  if (issuer?.startsWith('http:') && !isLoopbackHost(new URL(issuer).hostname))
    refuse('issuer', 'https in production', issuer)
  if (!broken('secret') && !settings.secret)
    refuse('secret', 'a root secret in production (LICET_SECRET or LICET_SECRET_FILE)', undefined)
  if (settings.mailbox) refuse('mailbox', 'off in production', 'on')
  if (!broken('mailbox') && !broken('smtp_url') && settings.mailbox === undefined && !settings.smtp_url) {
    refuse(
      'smtp_url',
      'outgoing mail in production, or mailbox: off to send none (else the development mailbox is on)',
      undefined,
    )
  }
  if (settings.playground) refuse('playground', 'off in production', 'on')
  if (settings.debug === 'on') refuse('debug', 'off in production, or unsafe', 'on')
  return issues
}

function show({ raw }: Gathered, config: Config): Readonly<Record<string, unknown>> {
  const { issuer, storeUrl: store_url, dataDir: data_dir, workers, mailFrom: mail_from, mailbox, playground } = config
  const shown = showSettings({
    ...raw,
    issuer,
    store_url,
    data_dir,
    workers,
    mail_from,
    mailbox,
    playground,
    secret: 'set',
  })
  return shown as Readonly<Record<string, unknown>>
}

function warn(config: Config): string[] {
  const warnings: string[] = []
  const production = config.mode === 'production'
  if (production && config.debug) warnings.push('debug is unsafe: error answers carry reasons that help an attacker')
  if (production && !config.smtpUrl) warnings.push('no mail is sent: smtp_url is not set')
  const issuer = new URL(config.issuer)
  if (issuer.protocol === 'http:' && !isLoopbackHost(issuer.hostname))
    warnings.push(`the issuer ${config.issuer} is not https: browsers will drop its cookies`)
  return warnings
}

function problem({ path, expected, found }: Issue, { origins }: Gathered): Problem {
  const [top, ...rest] = path
  const variable = origins.get(String(top))
  const name =
    variable ?? path.map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`)).join('')
  const hidden = found !== undefined && isSecretPath(rest.length > 0 || !variable ? path : [String(top)])
  return { path: name, expected, found: hidden ? '(hidden)' : describeFound(found) }
}

function describeFound(found: unknown): string {
  if (found === undefined) return 'nothing'
  const text = typeof found === 'string' ? found : JSON.stringify(found)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) freeze(inner)
  }
  return value
}

/** Where the settings of the person at this machine stand: XDG Base Directory Specification, `%APPDATA%` on Windows. */
export function personDirectory(env: NodeJS.ProcessEnv = process.env): string {
  if (process.platform === 'win32') return env['APPDATA'] || join(homedir(), 'AppData', 'Roaming')
  const named = env['XDG_CONFIG_HOME'] ?? ''
  // A relative path counts as none (§3).
  return named.startsWith('/') ? named : join(env['HOME'] || homedir(), '.config')
}
