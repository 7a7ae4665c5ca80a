/**
 * `app …`: registering and managing apps from the command line, beside a running server. Each command is a few words over `apps/`.
 * A client secret is printed once, by the command that made it.
 */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { type App, describeApp, type JwkSet } from '../apps/app.ts'
import { type AppAuth, type AppType, appTypes } from '../apps/app-types.ts'
import type { Apps, IssuedApp } from '../apps/apps.ts'
import { judgeRedirectUris, type RedirectWarning } from '../apps/redirect-uris.ts'
import type { Store } from '../storage/store.ts'
import { addAppActivity } from './app-activity.ts'
import { badUsage, say, terminal } from './program.ts'
import { type Desk, listFields, type OpenCore, operator, withCore } from './with-core.ts'

interface AppCore {
  readonly apps: Apps
  readonly now: () => number
  readonly store: Pick<Store, 'read'>
}

interface CreateOptions {
  readonly name: string
  readonly type: AppType
  readonly redirectUri: readonly string[]
  readonly postLogoutRedirectUri: readonly string[]
  readonly scope: readonly string[]
  readonly optionalScope: readonly string[]
  readonly firstParty?: boolean
  readonly auth?: AppAuth
  readonly jwks?: JwkSet
  readonly resourceServer?: string
  readonly dpop?: boolean
  readonly agent?: boolean
  readonly mayAct?: string
  readonly actsFor: readonly string[]
}

interface Act {
  readonly describe: string
  readonly done: string
  apply(apps: Apps, clientId: string, reason: string): Promise<App>
}

/** Commands that change one app and show it. */
const acts: Readonly<Record<string, Act>> = {
  suspend: {
    describe: 'refuse it everywhere, at once',
    done: 'Suspended',
    apply: (apps, clientId, reason) => apps.suspend(operator(), clientId, reason),
  },
  resume: {
    describe: 'let a suspended app work again',
    done: 'Resumed',
    apply: (apps, clientId) => apps.resume(operator(), clientId),
  },
}

const authMethods: readonly AppAuth[] = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'workload_identity',
]

const warningSentences: Readonly<Record<RedirectWarning, string>> = {
  loopback: 'A loopback redirect URI: people are asked for consent every time.',
  private_scheme: 'A private scheme: any program on the device may claim it; people are asked for consent every time.',
  private_scheme_without_dot: 'The scheme holds no dot: use a reversed domain name of yours (RFC 8252 §7.1).',
}

/** Adds `app create|list|show|rotate-secret|suspend|resume|remove`. */
export function addAppCommands(program: Command, openCore: OpenCore<AppCore>, desk: Desk = {}): void {
  const { output = terminal } = desk
  const app = program.command('app').description('programs that ask for tokens')
  addCreate(app, openCore, desk)
  addAppActivity(app, openCore, desk)

  app
    .command('list')
    .description('show every app, those of the configuration first')
    .action(async (_options: object, command: Command) => {
      const [all, items] = await withCore(openCore, async ({ apps, now }) => {
        const found = await listAll(apps)
        return [found, found.map((one) => describeApp(one, now()))] as const
      })
      say(command, { items }, all.map(summary), output)
    })

  app
    .command('show')
    .description('show one app')
    .argument('<client_id>')
    .action(async (clientId: string, _options: object, command: Command) => {
      const shown = await withCore(openCore, async ({ apps, now }) => describeApp(await apps.getById(clientId), now()))
      say(command, shown, listFields(shown), output)
    })

  app
    .command('rotate-secret')
    .description('make a new client secret; the old one works until the overlap ends')
    .argument('<client_id>')
    .option('--overlap <seconds>', 'how long the old one works, 0 to 604800 (default: 86400)', wholeNumber)
    .action(async (clientId: string, { overlap }: { overlap?: number }, command: Command) => {
      const options = overlap === undefined ? {} : { overlapSeconds: overlap }
      const issued = await withCore(openCore, async ({ apps, now }) =>
        show(await apps.rotateSecret(operator(), clientId, options), now()),
      )
      say(
        command,
        issued,
        [`The new client secret of ${clientId}, shown this once:`, issued.client_secret ?? ''],
        output,
      )
    })

  app
    .command('remove')
    .description('remove it for good')
    .argument('<client_id>')
    .action(async (clientId: string, _options: object, command: Command) => {
      await withCore(openCore, ({ apps }) => apps.remove(operator(), clientId))
      say(command, { client_id: clientId, removed: true }, [`Removed ${clientId}.`], output)
    })

  for (const [name, { describe, done, apply }] of Object.entries(acts)) {
    app
      .command(name)
      .description(describe)
      .argument('<client_id>')
      .option('--reason <text>', 'why; kept with the app and in the audit', '')
      .action(async (clientId: string, { reason }: { reason: string }, command: Command) => {
        const shown = await withCore(openCore, async ({ apps, now }) =>
          describeApp(await apply(apps, clientId, reason), now()),
        )
        say(command, shown, [`${done} ${shown.name} (${clientId}).`], output)
      })
  }
}

function addCreate(app: Command, openCore: OpenCore<AppCore>, { output = terminal }: Desk): void {
  const types = Object.keys(appTypes)
  app
    .command('create')
    .description('register an app')
    .requiredOption('--name <name>', 'what people read')
    .addOption(app.createOption('--type <type>', 'what kind of program it is').choices(types).makeOptionMandatory())
    .option('--redirect-uri <uri>', 'where people are sent back to; may be given several times', collect, [])
    .option(
      '--post-logout-redirect-uri <uri>',
      'where people go after signing out; may be given several times',
      collect,
      [],
    )
    .option('--scope <scopes>', 'what it may ask for, separated by spaces', words, [])
    .option('--optional-scope <scopes>', 'scopes a person may refuse', words, [])
    .option('--first-party', 'your own: people are not asked for consent')
    .addOption(app.createOption('--auth <method>', 'how it proves itself (default: by type)').choices([...authMethods]))
    .option('--jwks <file>', 'its public keys, for private_key_jwt', readKeys)
    .option('--resource-server <identifier>', 'the resource whose tokens it may introspect')
    .option('--dpop', 'its access tokens are always bound to a DPoP key')
    .option('--agent', 'it acts by itself for the people who allow it; its tokens say so')
    .option('--may-act <client_id>', 'the service app that may act with its tokens')
    .option('--acts-for <client_id>', 'an app whose tokens it may exchange, * for all; several times', collect, [])
    .action(async (options: CreateOptions, command: Command) => {
      const issued = await withCore(openCore, async ({ apps, now }) =>
        show(await apps.create(operator(), { ...options, ...listsOf(options) }), now()),
      )
      const warnings = issued.warnings.map((warning) => `Warning: ${warning}`)
      const secret = issued.client_secret ? [`client_secret  ${issued.client_secret}   (shown this once)`] : []
      const lines = [`Created ${issued.name}.`, `client_id      ${issued.client_id}`, ...secret, ...warnings]
      say(command, issued, lines, output)
    })
}

/** Several options of one name, under the names of the domain. */
function listsOf({ redirectUri, postLogoutRedirectUri, scope, optionalScope }: CreateOptions) {
  return {
    redirectUris: redirectUri,
    postLogoutRedirectUris: postLogoutRedirectUri,
    scopes: scope,
    optionalScopes: optionalScope,
  }
}

/** An app with the secret just made, as printed. */
function show({ app, clientSecret }: IssuedApp, now: number) {
  const { client_id, ...rest } = describeApp(app, now)
  const warnings = judgeRedirectUris(app.redirectUris, app.type, '').warnings.map(
    (warning) => warningSentences[warning],
  )
  return { client_id, ...(clientSecret === undefined ? {} : { client_secret: clientSecret }), ...rest, warnings }
}

async function listAll(apps: Apps): Promise<App[]> {
  const all: App[] = []
  let cursor: string | undefined
  do {
    const page = await apps.list({ limit: 1000, ...(cursor ? { cursor } : {}) })
    all.push(...page.items)
    cursor = page.nextCursor
  } while (cursor)
  return all
}

function summary({ clientId, type, name, suspended, source }: App): string {
  return [
    clientId.padEnd(22),
    type.padEnd(7),
    (suspended ? 'suspended' : 'active').padEnd(9),
    source.padEnd(13),
    name,
  ].join('  ')
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value]
const words = (value: string, before: readonly string[]): string[] => [...before, ...value.split(/\s+/).filter(Boolean)]

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw badUsage('It is not a whole number.')
  return Number(text)
}

/** A JWK set, or one JWK, from a file. What the keys must be is judged by `apps/`. */
function readKeys(file: string): JwkSet {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    throw badUsage('It is not a readable JSON file.')
  }
  if (typeof content !== 'object' || content === null) throw badUsage('It holds no JWK set.')
  return ('keys' in content ? content : { keys: [content] }) as JwkSet
}
