/**
 * The part of the core that knows third parties: every app there is, wherever it is written, who publishes one, and the resources that developers
 * bring. Belongs to `core.ts`.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { createApps } from './apps/apps.ts'
import { createClientDocuments } from './apps/client-documents.ts'
import { type ConfiguredApp, takeConfigured } from './apps/configured.ts'
import { readDocument } from './apps/document-metadata.ts'
import { createDomainProofs } from './apps/domain-proof.ts'
import { createInitialTokens } from './apps/initial-tokens.ts'
import { createNameGuard } from './apps/lookalike.ts'
import { createPublishers } from './apps/publishers.ts'
import { createRegistration } from './apps/registration.ts'
import { createDeveloperResources } from './apps/resources.ts'
import type { Config } from './config/schema.ts'
import type { Audit } from './observability/audit.ts'
import type { Vault } from './secrets.ts'
import type { Outbound } from './security/outbound.ts'
import { createResolveTxt } from './security/resolve.ts'
import { createShims } from './shims.ts'
import type { Store } from './storage/store.ts'

/** The id under which this server's own pages sign people in. */
export const SETTINGS = 'settings'

/** The id under which people sign in from a command line. */
const COMMAND_LINE = 'cli'

/** The id of the development playground's app. */
export const PLAYGROUND = 'playground'

interface RegistryParts {
  readonly store: Store
  readonly vault: Vault
  readonly audit: Audit
  readonly now: () => number
  readonly outbound: Outbound
}

/** Apps of the configuration, stored ones, and the two kinds that introduce themselves; who publishes them; resources of developers. */
export function openRegistry(config: Config, { store, vault, audit, now, outbound }: RegistryParts) {
  const { brand, clientDocuments, dynamicRegistration } = config
  const shims = createShims(config.mcp.shimsOff)
  const introduction = createRegistration({
    vault,
    now,
    keyPrefix: brand.keyPrefix,
    shims,
    scopes: Object.keys(config.scopes),
    mayAsk: thirdPartyScopes(config),
  })
  const registration = dynamicRegistration.policy === 'off' ? undefined : introduction
  const { policy, ...hosts } = clientDocuments
  const read = (document: unknown, clientId: string) =>
    readDocument(document, clientId, { shims, read: introduction.read })
  const pausing = (milliseconds: number) => pause(milliseconds, undefined, { ref: false })
  const reading = { store, now, fetch: outbound.fetch, pause: pausing, read, ...hosts }
  const documents = policy === 'off' ? undefined : createClientDocuments({ ...reading, policy })
  const apps = createApps({
    store,
    audit,
    now,
    keyPrefix: brand.keyPrefix,
    scopes: config.scopes,
    configured: configuredApps(config),
    names: createNameGuard({
      store,
      ours: [brand.name, ...config.apps.filter(({ firstParty }) => firstParty).map(({ name }) => name)],
    }),
    forgetAfterSeconds: dynamicRegistration.forgetAfterSeconds,
    ...(registration ? { registration } : {}),
    ...(documents ? { documents } : {}),
  })
  const initialTokens = createInitialTokens({
    store,
    audit,
    now,
    keyPrefix: brand.keyPrefix,
    fromFile: dynamicRegistration.initialTokens,
  })
  const proofs = createDomainProofs({ fetch: outbound.fetch, resolveTxt: createResolveTxt() })
  const resources = createDeveloperResources({
    store,
    audit,
    now,
    proofs,
    ...config.developerResources,
    configured: config.resources.map(({ identifier }) => identifier),
    issuer: config.issuer,
    allowLoopback: config.mode === 'development',
  })
  return { apps, registration, initialTokens, shims, resources, publishers: createPublishers({ apps, proofs, now }) }
}

/** What self-registered apps may ask for. */
function thirdPartyScopes({ scopes }: Config): string[] {
  return Object.entries(scopes)
    .filter(([, { thirdParty }]) => thirdParty)
    .map(([name]) => name)
}

/** Holds the configured apps to every rule, as the start does, without a store. @throws invalid_configuration with `fields` */
export function judgeApps(config: Config): void {
  takeConfigured(configuredApps(config), config.scopes, 0)
}

function configuredApps(config: Config): ConfiguredApp[] {
  const own = [settingsApp(config), commandLineApp(config), ...(config.playground ? [playgroundApp(config)] : [])]
  return [...config.apps, ...own]
}

/** The pages of this server, which sign people in like any app. */
function settingsApp({ issuer, brand }: Config): ConfiguredApp {
  return {
    clientId: SETTINGS,
    name: brand.name,
    type: 'spa',
    auth: 'none',
    redirectUris: [`${issuer}/settings/callback`],
    postLogoutRedirectUris: [`${issuer}/`],
    firstParty: true,
  }
}

/** `licet login`: may do for people what they may do. It proves nothing itself, so each sign-in is confirmed in the browser, by its code. */
function commandLineApp({ brand, scopes }: Config): ConfiguredApp {
  return {
    clientId: COMMAND_LINE,
    name: `${brand.name} command line`,
    type: 'device',
    auth: 'none',
    scopes: Object.entries(scopes)
      .filter(([, { access }]) => access !== 'admin')
      .map(([name]) => name),
    firstParty: true,
  }
}

/** A public browser app of this server, so that the first tokens need no registration. */
function playgroundApp({ issuer, scopes }: Config): ConfiguredApp {
  return {
    clientId: PLAYGROUND,
    name: 'Playground',
    type: 'spa',
    auth: 'none',
    redirectUris: [`${issuer}/playground/callback`],
    postLogoutRedirectUris: [`${issuer}/playground`],
    scopes: [],
    optionalScopes: Object.entries(scopes)
      .filter(([, { access }]) => access !== 'admin')
      .map(([name]) => name),
    firstParty: false,
  }
}
