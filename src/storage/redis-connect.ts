/**
 * Connections to Redis: standalone, behind Sentinel, or a cluster. This is the only file that imports ioredis, and it holds every
 * option that decides how fast a lost server is noticed. Who sends what is for `redis-lanes.ts`.
 */
import type { EventEmitter } from 'node:events'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { AppError } from '../errors.ts'
import { unavailable } from './entry.ts'
import type { RedisTarget } from './redis-url.ts'

/** One server: what a lane sends to. */
export type Node = Redis
export type Client = Redis | Cluster

/** No command waits longer; with the longest detour (a redirection) an answer stays below 1.5 s. */
export const commandTimeoutMs = 900

/** How long opening waits for the first connection. */
const openTimeoutMs = 3000

const options = {
  commandTimeout: commandTimeoutMs,
  connectTimeout: commandTimeoutMs,
  // A server that stopped answering loses its connection, and with it the queue of unanswered commands: memory stays bounded.
  socketTimeout: commandTimeoutMs + 100,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  // An unanswered command may have happened. Only its sender knows whether it can be sent twice.
  autoResendUnfulfilledCommands: false,
  retryStrategy: (attempt: number) => Math.min(attempt * 50, 500),
  // A demoted master answers READONLY: connect again, to the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  maxLoadingRetryTime: 500,
  disableClientInfo: true,
} satisfies RedisOptions

/**
 * Connects and waits until commands can be sent. @throws AppError `store_unavailable` when that takes
 * more than 3 s, `invalid_configuration` when the server does not accept the credentials.
 */
export async function connect(target: RedisTarget): Promise<Client> {
  const client = target.mode === 'cluster' ? connectCluster(target) : new Redis(serverOptions(target))
  let lastError: unknown
  const events: EventEmitter = client
  events.on('error', (error: unknown) => {
    lastError = error
  })
  try {
    await whenReady(events, () => lastError)
  } catch (error) {
    client.disconnect()
    throw wasRefused(error)
      ? new AppError('invalid_configuration', 'Redis refuses the user or the password of the store URL.', {
          cause: error,
        })
      : unavailable(error)
  }
  return client
}

const wasRefused = (error: unknown): boolean =>
  error instanceof Error && /^(WRONGPASS|NOAUTH|NOPERM)\b/.test(error.message)

/** True for a cluster's client: its keys lie on several servers. */
export function isCluster(client: Client): client is Cluster {
  return client instanceof Cluster
}

/** The servers that take writes. */
export function mastersOf(client: Client): readonly Node[] {
  return isCluster(client) ? client.nodes('master') : [client]
}

/** Runs work that fails as soon as the connection is lost. */
export type WhileConnected = <T>(work: Promise<T>) => Promise<T>

/**
 * What was sent on a connection that is lost is never answered; the client would say so only when the command times out, and a
 * request of several acts would wait as often.
 */
export function whileConnected(node: Node): WhileConnected {
  const open = new Set<(error: Error) => void>()
  node.on('close', () => {
    for (const fail of open) fail(new Error('the connection was lost'))
  })
  return (work) => {
    let fail: (error: Error) => void = () => undefined
    const loss = new Promise<never>((_, reject) => {
      fail = reject
    })
    open.add(fail)
    return Promise.race([work, loss]).finally(() => open.delete(fail))
  }
}

function serverOptions(target: RedisTarget) {
  const [first] = target.addresses
  const access = { ...credentials(target), db: target.database, ...(target.tls ? { tls: {} } : {}) }
  if (target.mode === 'standalone') return { ...options, ...access, ...first }
  return {
    ...options,
    ...access,
    sentinels: [...target.addresses],
    name: target.masterName,
    role: 'master' as const,
    ...(target.sentinelPassword === undefined ? {} : { sentinelPassword: target.sentinelPassword }),
    ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
    sentinelCommandTimeout: commandTimeoutMs,
    sentinelRetryStrategy: (attempt: number) => Math.min(attempt * 50, 500),
    sentinelReconnectStrategy: () => 1000,
    // Without it a graceful failover loses acknowledged writes: the old master goes on answering.
    failoverDetector: true,
  }
}

function connectCluster(target: RedisTarget): Cluster {
  const { retryStrategy: _, enableOfflineQueue: __, ...perNode } = options
  return new Cluster(
    target.addresses.map(({ host, port }) => ({ host, port })),
    {
      redisOptions: { ...perNode, ...credentials(target), ...(target.tls ? { tls: {} } : {}) },
      scaleReads: 'master',
      enableOfflineQueue: false,
      clusterRetryStrategy: (attempt) => Math.min(attempt * 50, 500),
      // A connection lost in the middle is not tried again: the command may have happened.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 100,
      maxRedirections: 5,
      slotsRefreshTimeout: commandTimeoutMs,
      slotsRefreshInterval: 2000,
      ...(target.tls ? { dnsLookup: (address, answer) => answer(null, address) } : {}),
    },
  )
}

function credentials({ username, password }: RedisTarget): { username?: string; password?: string } {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
}

function whenReady(events: EventEmitter, lastError: () => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void): void => {
      clearTimeout(timer)
      events.off('ready', ready).off('error', failed)
      act()
    }
    const timer = setTimeout(() => end(() => reject(lastError() ?? new Error('no answer'))), openTimeoutMs)
    const ready = (): void => end(resolve)
    const failed = (error: unknown): void => {
      if (wasRefused(error)) end(() => reject(error))
    }
    events.on('ready', ready).on('error', failed)
  })
}
