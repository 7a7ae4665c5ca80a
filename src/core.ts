/**
 * The inner half of the composition root: configuration → store → domains. The server builds on it (`app.ts`); commands open it and work on
 * the store directly, beside a running server.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Accounts, createAccounts } from './accounts/accounts.ts'
import { createGuessablePasswords, type GuessablePasswords } from './accounts/guessable-passwords.ts'
import { openLeakedPasswords } from './accounts/leaked-passwords.ts'
import { createPasswords, type Passwords } from './accounts/password.ts'
import type { Apps } from './apps/apps.ts'
import type { InitialTokens } from './apps/initial-tokens.ts'
import type { Publishers } from './apps/publishers.ts'
import type { Registration } from './apps/registration.ts'
import type { DeveloperResources } from './apps/resources.ts'
import type { Config } from './config/schema.ts'
import { AppError } from './errors.ts'
import { createFederation, type Federation } from './federation/federation.ts'
import { createKeys, type Keys } from './keys/keys.ts'
import { type Audit, createAudit } from './observability/audit.ts'
import { createSigningKeys, type SigningKeys } from './oidc/signing-keys.ts'
import { openRegistry } from './registry.ts'
import { createVault, type Vault } from './secrets.ts'
import { createOutbound, type Outbound } from './security/outbound.ts'
import { createResolve } from './security/resolve.ts'
import type { Shims } from './shims.ts'
import { openStore } from './storage/open.ts'
import type { Store } from './storage/store.ts'

/** Where views, locales and the package itself are, whether run from source or from `dist`. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url))

export interface Core {
  readonly config: Config
  readonly store: Store
  readonly vault: Vault
  readonly audit: Audit
  readonly passwords: Passwords
  /** 0: guessed at once … 4: out of reach. `words` are the account's own. */
  readonly passwordStrength: GuessablePasswords['strength']
  readonly accounts: Accounts
  readonly apps: Apps
  readonly publishers: Publishers
  /** Those that developers have brought, beside those of the configuration. */
  readonly resources: DeveloperResources
  readonly keys: Keys
  /** Issuers outside whose assertions are believed. */
  readonly federation: Federation
  /** The one way out. */
  readonly outbound: Outbound
  /** Undefined when nobody may register by themselves. */
  readonly registration: Registration | undefined
  readonly initialTokens: InitialTokens
  /** What is mended for clients that need it. */
  readonly shims: Shims
  readonly signingKeys: SigningKeys
  readonly now: () => number
  close(): Promise<void>
}

export interface CoreOptions {
  readonly now?: () => number
  /** Wraps the store before anybody uses it: measuring. */
  readonly around?: (store: Store) => Store
  /** Told of what failed in the background. */
  readonly onTrouble?: (error: unknown) => void
}

/** Opens the configured store and the domains over it. @throws store_unavailable, invalid_configuration */
export async function openCore(
  config: Config,
  { now = Date.now, around = (store) => store, onTrouble }: CoreOptions = {},
): Promise<Core> {
  const { passwords, passwordStrength, leaked } = await openPasswords(config)
  const opened = await openStore({ url: config.storeUrl, assumeDurable: config.storeAssumeDurable }, { now })
  const store = around(opened)
  const vault = createVault(config.secrets)
  const audit = createAudit({ store, now })
  const accounts = createAccounts({ store, audit, now, passwords, editable: config.profile.attributes })
  const outbound = createOutbound({
    resolve: createResolve(),
    allowNetworks: config.outbound.allowNetworks,
    allowLoopbackHttp: config.mode === 'development',
    elapsed: () => performance.now(),
    ...(config.outbound.ca === undefined ? {} : { ca: config.outbound.ca }),
  })
  const registry = openRegistry(config, { store, vault, audit, now, outbound })
  const keys = openKeys(config, { store, audit, now, accounts }, onTrouble)
  const signingKeys = createSigningKeys({ store, vault, now })
  const federation = createFederation({
    issuers: config.trustedIssuers,
    audience: config.issuer,
    store,
    audit,
    now,
    fetch: (url, init) => outbound.fetch(url, init),
    findByEmail: (email) => accounts.findByEmail(email),
  })
  return {
    config,
    store,
    vault,
    audit,
    passwords,
    passwordStrength,
    accounts,
    keys,
    outbound,
    federation,
    ...registry,
    signingKeys,
    now,
    async close() {
      await store.close()
      await leaked?.close()
    },
  }
}

/** Passwords under the operator's policy, with the file of leaked ones if there is one. @throws invalid_configuration */
async function openPasswords({ passwords: { minLength, breachFile }, brand }: Config) {
  const leaked =
    breachFile === undefined
      ? undefined
      : await openLeakedPasswords(breachFile).catch((cause: unknown) => {
          const found = cause instanceof Error ? cause.message : String(cause)
          throw new AppError('invalid_configuration', `passwords.breach_file cannot be used: ${found}`, { cause })
        })
  const isLeaked = leaked && ((password: string) => leaked.has(password))
  const { isGuessable, strength } = createGuessablePasswords({ words: [brand.name], isLeaked })
  return { passwords: createPasswords({ minimumLength: minLength, isGuessable }), passwordStrength: strength, leaked }
}

/** API keys and personal access tokens, under the operator's policy. */
function openKeys(
  config: Config,
  { store, audit, now, accounts }: Pick<Core, 'store' | 'audit' | 'now' | 'accounts'>,
  onTrouble: CoreOptions['onTrouble'],
): Keys {
  const { keys, scopes, issuer, resources, brand, retention } = config
  return createKeys({
    store,
    audit,
    now,
    keyPrefix: brand.keyPrefix,
    owners: accounts,
    policy: {
      scopes,
      allowedScopes: keys.allowedScopes,
      resources: [{ identifier: `${issuer}/api/v1`, scopes: Object.keys(scopes) }, ...resources],
      defaultLifetimeSeconds: keys.defaultLifetimeSeconds,
      maxLifetimeSeconds: keys.maxLifetimeSeconds,
    },
    denialSeconds: retention.denialsSeconds,
    ...(onTrouble ? { onTrouble } : {}),
  })
}

export const viewsDirectory = join(packageRoot, 'views')
export const localesDirectory = join(packageRoot, 'locales')
