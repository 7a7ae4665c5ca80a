/**
 * Real Redis servers for tests: one, a cluster of three masters, or a master with a replica and three sentinels. They listen on free
 * loopback ports, live in temporary directories, write every command to disk before answering, and end with the test process.
 */
import { eventually } from './ports.ts'
import { type RedisServer, startServer } from './redis-server.ts'

/** What the start functions answer: a URL for `LICET_STORE_URL` and every process behind it. */
export interface RedisSetup {
  readonly url: string
  /** The servers that hold data. */
  readonly servers: readonly RedisServer[]
  readonly pids: readonly number[]
  stop(): Promise<void>
}

export interface RedisOptions {
  /** `always` unless said otherwise: what is acknowledged is on disk. */
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** More arguments for redis-server: `['--maxmemory', '6mb']`. */
  readonly settings?: readonly string[]
}

/** One server with an append-only file. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisSetup & { readonly server: RedisServer }> {
  const server = await startServer({ settings: settingsFor(options) })
  return { ...setupOf(`redis://127.0.0.1:${server.port}`, [server]), server }
}

/** Three masters that share the slots; no replicas. */
export async function startCluster(options: RedisOptions = {}): Promise<RedisSetup> {
  const settings = [...settingsFor(options), '--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']
  const servers = await Promise.all([0, 1, 2].map(() => startServer({ settings, portOption: '--cluster-port' })))
  await Promise.all(
    servers.map((server, index) => {
      const [from, to] = [Math.ceil((16384 / 3) * index), Math.ceil((16384 / 3) * (index + 1)) - 1]
      return server.command('CLUSTER', 'ADDSLOTSRANGE', from, to)
    }),
  )
  for (const [index, server] of servers.entries()) {
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    if (index > 0) await servers[0]?.command('CLUSTER', 'MEET', '127.0.0.1', server.port, server.secondPort)
  }
  await Promise.all(servers.map((server) => eventually('the cluster is complete', () => isComplete(server))))
  return setupOf(`redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, servers)
}

async function isComplete(server: RedisServer): Promise<boolean> {
  const facts = String(await server.command('CLUSTER', 'INFO'))
  return (
    facts.includes('cluster_state:ok') && facts.includes('cluster_size:3') && facts.includes('cluster_known_nodes:3')
  )
}

/** The name that the sentinels give to their master. */
const masterName = 'licet'

export interface SentinelSetup extends RedisSetup {
  /** The master and the replica as they were at the start. */
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinels: readonly RedisServer[]
  /** The port of the master that a majority of the sentinels names now. */
  masterPort(): Promise<number>
}

/** A master, a replica, three sentinels; the URL declares one replica. A dead master is replaced after about a second. */
export async function startSentinel(options: RedisOptions = {}): Promise<SentinelSetup> {
  const settings = [...settingsFor(options), '--min-replicas-to-write', '1', '--repl-diskless-sync-delay', '0']
  const master = await startServer({ settings })
  const replica = await startServer({ settings: [...settings, '--replicaof', '127.0.0.1', String(master.port)] })
  await eventually('the replica follows', async () =>
    String(await master.command('INFO', 'replication')).includes('state=online'),
  )
  const sentinels = await Promise.all([0, 1, 2].map(() => startServer({ sentinel: sentinelFile(master.port) })))
  await Promise.all(
    sentinels.map((sentinel) => eventually('the sentinels know each other', () => isWatching(sentinel))),
  )
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return {
    ...setupOf(`redis+sentinel://${hosts}/${masterName}?replicas=1`, [master, replica], sentinels),
    master,
    replica,
    sentinels,
    masterPort: () => agreedMaster(sentinels),
  }
}

function sentinelFile(masterPort: number): string {
  return [
    `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 4000`,
    '',
  ].join('\n')
}

async function isWatching(sentinel: RedisServer): Promise<boolean> {
  const replicas = (await sentinel.command('SENTINEL', 'REPLICAS', masterName)) as unknown[]
  const others = (await sentinel.command('SENTINEL', 'SENTINELS', masterName)) as unknown[]
  return replicas.length === 1 && others.length === 2
}

async function agreedMaster(sentinels: readonly RedisServer[]): Promise<number> {
  const answers = await Promise.all(
    sentinels.map((sentinel) => sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName)),
  )
  const ports = answers.map((answer) => Number((answer as string[])[1]))
  return ports.find((port, index) => ports.indexOf(port) !== index) ?? 0
}

function settingsFor({ appendfsync = 'always', settings = [] }: RedisOptions): string[] {
  return [
    '--save',
    '',
    '--appendonly',
    'yes',
    '--appendfsync',
    appendfsync,
    '--maxmemory-policy',
    'noeviction',
    ...settings,
  ]
}

function setupOf(url: string, servers: readonly RedisServer[], others: readonly RedisServer[] = []): RedisSetup {
  const all = [...servers, ...others]
  return {
    url,
    servers,
    get pids() {
      return all.map(({ pid }) => pid)
    },
    async stop() {
      await Promise.all(all.map((server) => server.stop()))
    },
  }
}
