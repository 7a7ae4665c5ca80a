/**
 * The whole configuration: every option of the five topics, and the typed result `Config`.
 * In the file and the environment names are snake_case; in `Config` the same words in camelCase with the unit in the name
 * (`lifetimes.access_token` → `lifetimes.accessTokenSeconds`). A limit that is off is null; a value that is absent is undefined.
 * Rules between topics belong to `together.ts`, reading and merging to `load.ts`, the written reference to `reference.ts`.
 */
import { z } from 'zod'
import { appOptions } from './apps.ts'
import { connectionOptions } from './connections.ts'
import { type IssuerOptions, issuerOptions } from './issuers.ts'
import { policyOptions } from './policies.ts'
import { serverOptions } from './server.ts'
import { tokenOptions } from './tokens.ts'

/** What an operator writes: every option under its name in the file. */
export const configSchema = z.strictObject({
  ...serverOptions,
  ...policyOptions,
  ...tokenOptions,
  ...connectionOptions,
  ...appOptions,
  ...issuerOptions,
})

export type Settings = z.output<typeof configSchema>

type Deep<T> = T extends (infer E)[]
  ? readonly Deep<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Deep<T[K]> }
    : T

/** The configuration as the program knows it: complete, checked, frozen. */
export type Config = Deep<{
  mode: Settings['mode']
  /** Without trailing slash. */
  issuer: string
  host: string
  port: number
  storeUrl: string
  storeAssumeDurable: boolean
  /** Absolute. */
  dataDir: string
  /** Root secrets, current first. */
  secrets: string[]
  workers: number
  trustedProxies: string[]
  /** Undefined: nothing is sent; the mailbox keeps it, if it is on. */
  smtpUrl: string | undefined
  mailFrom: string
  mailbox: boolean
  playground: boolean
  metricsToken: string | undefined
  logLevel: Settings['log_level']
  /** Whether error answers carry reasons. */
  debug: boolean
  brand: Settings['brand']
  lifetimes: Settings['lifetimes']
  /** The built-in ten and the operator's, by name. */
  scopes: Settings['scopes']
  /** Those beside the default resource `<issuer>/api/v1`. */
  resources: Settings['resources']
  claims: Settings['claims']
  connections: Settings['connections']
  apps: Settings['apps']
  signUp: Settings['sign_up']
  mfa: Settings['mfa']
  /** `breachFile` is an absolute path. */
  passwords: { minLength: number; breachFile: string | undefined }
  profile: Settings['profile']
  consent: Settings['consent']
  keys: Settings['keys']
  rateLimits: Settings['rate_limits']
  outbound: { allowNetworks: string[] /** PEM text of additional authorities. */; ca: string | undefined }
  network: Settings['network']
  retention: Settings['retention']
  upstreams: Settings['upstreams']
  /** `jwks` is what `jwks_file` held. */
  trustedIssuers: (Omit<IssuerOptions, 'jwksFile'> & { jwks: { keys: object[] } | undefined })[]
  /** `initialTokens`: what `tokens_file` holds. */
  dynamicRegistration: {
    policy: Settings['dynamic_registration']['policy']
    forgetAfterSeconds: number
    initialTokens: string[]
  }
  clientDocuments: Settings['client_documents']
  mcp: Settings['mcp']
  unverifiedApps: Settings['unverified_apps']
  developerResources: Settings['developer_resources']
}>
