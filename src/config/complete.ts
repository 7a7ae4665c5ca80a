/**
 * From understood settings to the `Config` the program reads: defaults that depend on other options, absolute paths, the content of
 * files that options name, the secret that development keeps for itself. It judges nothing but whether those files can be read.
 */
import { join, resolve } from 'node:path'
import type { Config, Settings } from './schema.ts'
import type { Place } from './sources.ts'
import type { Issue } from './together.ts'

/** What the machine offers: its cores, and a place where development keeps its secret. */
export interface Machine {
  readonly cores: number
  readonly keepSecret: (dataDir: string) => string
}

type Completed = { config: Config } | { issues: Issue[] }

/** The typed result of settings that were understood, or what the disk had against it. */
export function completeConfig(settings: Settings, place: Place, machine: Machine): Completed {
  const dataDir = resolve(place.cwd, settings.data_dir)
  const issues: Issue[] = []
  const attempt = <T>(path: string[], expected: string, found: string, act: () => T): T | undefined => {
    try {
      return act()
    } catch {
      issues.push({ path, expected, found })
      return undefined
    }
  }
  const caFile = settings.outbound.caFile
  const ca =
    caFile === null
      ? undefined
      : attempt(['outbound', 'ca_file'], 'a file that can be read', caFile, () =>
          place.readFile(resolve(place.cwd, caFile)),
        )
  const { tokensFile } = settings.dynamic_registration
  const initialTokens =
    tokensFile === null
      ? []
      : attempt(
          ['dynamic_registration', 'tokens_file'],
          'a file of tokens, one a line, each of at least 32 characters',
          tokensFile,
          () => readTokens(place.readFile(resolve(place.cwd, tokensFile))),
        )
  const kept =
    settings.secret ??
    attempt(
      ['data_dir'],
      'a directory that can be written and, if it holds a secret, one of at least 32 characters of your own',
      dataDir,
      () => [machine.keepSecret(dataDir)],
    )
  const trustedIssuers = settings.trusted_issuers.map(({ jwksFile, ...issuer }, at) => ({
    ...issuer,
    jwks:
      jwksFile === undefined
        ? undefined
        : attempt(['trusted_issuers', String(at), 'jwks_file'], 'a file with a set of public keys', jwksFile, () =>
            readKeys(place.readFile(resolve(place.cwd, jwksFile))),
          ),
  }))
  if (!kept || !initialTokens || issues.length > 0) return { issues }
  const found = { dataDir, secrets: kept, ca, initialTokens, trustedIssuers, cwd: place.cwd, cores: machine.cores }
  return { config: assemble(settings, found) }
}

/** What could be guessed is no token: it stops the start. */
function readTokens(text: string): string[] {
  const tokens = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]))
  if (tokens.some((token) => !/^[\w.~+/=-]{32,512}$/.test(token))) throw new Error('a line is no token')
  return tokens
}

interface Found {
  readonly dataDir: string
  readonly secrets: readonly string[]
  readonly ca: string | undefined
  readonly initialTokens: readonly string[]
  readonly trustedIssuers: Config['trustedIssuers']
  readonly cwd: string
  readonly cores: number
}

function assemble(settings: Settings, found: Found): Config {
  const { dataDir, secrets, ca, initialTokens, trustedIssuers, cwd, cores } = found
  const issuer = settings.issuer ?? `http://localhost:${settings.port}`
  const storeUrl = settings.store_url ? absoluteStore(settings.store_url, cwd) : `sqlite:${join(dataDir, 'licet.db')}`
  const development = settings.mode === 'development'
  return {
    mode: settings.mode,
    issuer,
    host: settings.host,
    port: settings.port,
    storeUrl,
    storeAssumeDurable: settings.store_assume_durable,
    dataDir,
    secrets,
    workers: settings.workers ?? (storeUrl.startsWith('sqlite:') ? 1 : Math.min(cores, 64)),
    trustedProxies: settings.trusted_proxies,
    smtpUrl: settings.smtp_url,
    mailFrom: settings.mail_from ?? `no-reply@${new URL(issuer).hostname}`,
    mailbox: settings.mailbox ?? (development && settings.smtp_url === undefined),
    playground: settings.playground ?? development,
    metricsToken: settings.metrics_token,
    logLevel: settings.log_level,
    debug: settings.debug !== 'off',
    brand: { ...settings.brand, logo: settings.brand.logo && resolve(cwd, settings.brand.logo) },
    lifetimes: settings.lifetimes,
    scopes: settings.scopes,
    resources: settings.resources,
    claims: settings.claims,
    connections: settings.connections,
    apps: settings.apps,
    signUp: settings.sign_up,
    mfa: settings.mfa,
    passwords: {
      ...settings.passwords,
      breachFile: settings.passwords.breachFile === null ? undefined : resolve(cwd, settings.passwords.breachFile),
    },
    profile: settings.profile,
    consent: settings.consent,
    keys: settings.keys,
    rateLimits: settings.rate_limits,
    outbound: { allowNetworks: settings.outbound.allowNetworks, ca },
    network: settings.network,
    retention: settings.retention,
    upstreams: settings.upstreams,
    trustedIssuers,
    dynamicRegistration: {
      policy: settings.dynamic_registration.policy,
      forgetAfterSeconds: settings.dynamic_registration.forgetAfterSeconds,
      initialTokens,
    },
    clientDocuments: settings.client_documents,
    mcp: settings.mcp,
    unverifiedApps: settings.unverified_apps,
    developerResources: settings.developer_resources,
  }
}

/** A set of public keys (RFC 7517 §5). @throws on anything else */
function readKeys(text: string): { keys: object[] } {
  const { keys } = JSON.parse(text) as { keys?: unknown }
  const isPublic = (key: unknown) => typeof key === 'object' && key !== null && !('d' in key) && !('k' in key)
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every(isPublic)) throw new Error('no set of public keys')
  return { keys }
}

function absoluteStore(url: string, cwd: string): string {
  const file = /^sqlite:(?!:memory:)(?:\/\/)?(.+)$/.exec(url)?.[1]
  return file ? `sqlite:${resolve(cwd, file)}` : url
}
