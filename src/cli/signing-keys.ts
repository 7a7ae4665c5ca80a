/**
 * `signing-keys …`: looking at the keys that sign tokens, and replacing them without a restart and without a token that fails:
 * a new key is published first, signs once every cache can know it, and the old one stays published until its last token has expired.
 */
import type { Command } from 'commander'
import type { Config } from '../config/schema.ts'
import type { Audit } from '../observability/audit.ts'
import type { SigningKey, SigningKeys } from '../oidc/signing-keys.ts'
import { badUsage, say, terminal } from './program.ts'
import { type Desk, type OpenCore, operator, withCore } from './with-core.ts'

interface KeysCore {
  readonly config: Config
  readonly signingKeys: SigningKeys
  readonly audit: Audit
  readonly now: () => number
}

/** Verifiers are told to keep the key set for five minutes; some keep it for longer. */
const PUBLISH_SECONDS = 3600

/** Adds `signing-keys list` and `signing-keys rotate`. */
export function addSigningKeysCommands(program: Command, openCore: OpenCore<KeysCore>, desk: Desk = {}): void {
  const output = desk.output ?? terminal
  const group = program.command('signing-keys').description('the keys that sign tokens')
  group
    .command('list')
    .description('show every published key')
    .action((_options: object, command: Command) =>
      withCore(openCore, async ({ signingKeys, now }) => {
        const keys = await signingKeys.list()
        say(
          command,
          { keys: keys.map(shown) },
          keys.map((key) => line(key, now())),
          output,
        )
      }),
    )
  group
    .command('rotate')
    .description('replace them: published now, signing later, the old ones leave last')
    .option('--publish-for <seconds>', 'how long new keys are published before they sign', String(PUBLISH_SECONDS))
    .action((options: { publishFor: string }, command: Command) =>
      withCore(openCore, async ({ config, signingKeys, audit, now }) => {
        const publishSeconds = Number(options.publishFor)
        if (!Number.isInteger(publishSeconds) || publishSeconds < 0) throw badUsage('--publish-for takes whole seconds')
        const retireSeconds = Math.max(config.lifetimes.accessTokenSeconds, config.lifetimes.idTokenSeconds) + 3600
        const entry = { event: 'signing_keys.rotated', accountId: 'system' }
        const keys = await audit.record(operator(), entry, () => signingKeys.rotate({ publishSeconds, retireSeconds }))
        say(
          command,
          { keys: keys.map(shown) },
          keys.map((key) => line(key, now())),
          output,
        )
      }),
    )
}

const at = (milliseconds: number) => new Date(milliseconds).toISOString()

function shown({ kid, algorithm, createdAt, signsFrom, publishedUntil }: SigningKey) {
  const until = publishedUntil === undefined ? null : at(publishedUntil)
  return { kid, alg: algorithm, created_at: at(createdAt), signs_from: at(signsFrom), published_until: until }
}

function line({ kid, algorithm, signsFrom, publishedUntil }: SigningKey, now: number): string {
  const state = signsFrom > now ? `signs from ${at(signsFrom)}` : 'may sign'
  const end = publishedUntil === undefined ? '' : `, published until ${at(publishedUntil)}`
  return `${algorithm.padEnd(6)} ${kid}  ${state}${end}`
}
