/**
 * `key …`: API keys and personal access tokens from the command line, beside a running server. Each command is a few words over `keys/`.
 * A credential is printed once, by the command that made it; a revocation counts on every running server within a second.
 */
import type { Command } from 'commander'
import type { Accounts } from '../accounts/accounts.ts'
import { AppError } from '../errors.ts'
import { describeIssued, describeKey, type UsedKey } from '../keys/describe.ts'
import type { KeyPage, Keys } from '../keys/keys.ts'
import { collect, duration, words } from './option-values.ts'
import { say, terminal } from './program.ts'
import { type Desk, type OpenCore, operator, withCore } from './with-core.ts'

interface KeyCore {
  readonly accounts: Accounts
  readonly keys: Keys
}

interface CreateOptions {
  readonly account: string
  readonly name: string
  readonly scope: readonly string[]
  readonly expiresIn?: number
  readonly allowIp: readonly string[]
  readonly resource?: string
  readonly personal?: boolean
}

/** Adds `key create|list|revoke`. */
export function addKeyCommands(program: Command, openCore: OpenCore<KeyCore>, desk: Desk = {}): void {
  const { output = terminal } = desk
  const key = program.command('key').description('API keys and personal access tokens')
  addCreate(key, openCore, desk)

  key
    .command('list')
    .description('show every key, or those of one account')
    .option('--account <email or id>', 'whose keys')
    .action(async ({ account }: { account?: string }, command: Command) => {
      const found = await withCore(openCore, (core) => (account === undefined ? listAll(core) : listOf(core, account)))
      say(command, { items: found.map(describeWithOwner) }, found.map(summary), output)
    })

  key
    .command('revoke')
    .description('end a key and every child of it, at once')
    .argument('<id>')
    .option('--reason <text>', 'why; kept with the key and in the audit', '')
    .action(async (id: string, { reason }: { reason: string }, command: Command) => {
      const revoked = await withCore(openCore, async ({ keys }) => {
        const found = await keys.find(id)
        if (!found) throw new AppError('not_found', 'There is no such key.')
        return keys.revoke(operator(), { ownerId: found.ownerId, id }, reason)
      })
      say(command, describeWithOwner(revoked), [`Revoked ${revoked.name} (${id}).`], output)
    })
}

function addCreate(key: Command, openCore: OpenCore<KeyCore>, { output = terminal }: Desk): void {
  key
    .command('create')
    .description('make a key for an account')
    .requiredOption('--account <email or id>', 'whose key it is')
    .requiredOption('--name <name>', 'what its owner reads')
    .requiredOption('--scope <scopes>', 'what it may do, separated by spaces', words)
    .option('--expires-in <duration>', 'how long it works, such as 30d or a number of seconds', duration)
    .option('--allow-ip <network>', 'from where it works; may be given several times', collect, [])
    .option('--resource <identifier>', 'the one resource it works at')
    .option('--personal', 'a personal access token instead of an API key')
    .action(async (options: CreateOptions, command: Command) => {
      const issued = await withCore(openCore, async ({ accounts, keys }) => {
        const { id: ownerId } = await accounts.getByName(options.account)
        const kind = options.personal ? 'personal_access_token' : 'api_key'
        return keys.create(operator(), { ownerId, kind }, wantedOf(options))
      })
      const lines = [`Created ${issued.key.name} (${issued.key.id}). Shown this once:`, issued.credential]
      say(command, { ...describeIssued(issued), account: issued.key.ownerId }, lines, output)
    })
}

function wantedOf({ name, scope, expiresIn, allowIp, resource }: CreateOptions) {
  return { name, scopes: scope, expiresInSeconds: expiresIn, allowedIps: allowIp, resource }
}

function describeWithOwner(key: UsedKey) {
  return { ...describeKey(key), account: key.ownerId }
}

async function listOf({ accounts, keys }: KeyCore, named: string): Promise<UsedKey[]> {
  const { id: ownerId } = await accounts.getByName(named)
  const kinds = ['api_key', 'personal_access_token'] as const
  const lists = kinds.map((kind) => every((paging) => keys.list({ ownerId, kind, ...paging })))
  return (await Promise.all(lists)).flat()
}

function listAll({ keys }: KeyCore): Promise<UsedKey[]> {
  return every((paging) => keys.listAll(paging))
}

async function every(list: (paging: { limit: number; cursor?: string }) => Promise<KeyPage>): Promise<UsedKey[]> {
  const all: UsedKey[] = []
  let cursor: string | undefined
  do {
    const page = await list({ limit: 1000, ...(cursor ? { cursor } : {}) })
    all.push(...page.items)
    cursor = page.nextCursor
  } while (cursor)
  return all
}

function summary({ id, state, kind, hint, name }: UsedKey): string {
  return [id, state.padEnd(8), (kind === 'api_key' ? 'key' : 'token').padEnd(5), hint, name].join('  ')
}
