/**
 * Reads the store URLs that name a Redis. What is done with the answer is for `redis-connect.ts`.
 * No error made here repeats the URL: it may hold a password.
 */
import { AppError } from '../errors.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface RedisTarget {
  readonly mode: 'standalone' | 'sentinel' | 'cluster'
  /** The server; or the sentinels; or some nodes of the cluster. */
  readonly addresses: readonly Address[]
  readonly tls: boolean
  readonly username?: string
  readonly password?: string
  readonly sentinelPassword?: string
  readonly database: number
  /** The name of the master that the sentinels watch; empty otherwise. */
  readonly masterName: string
  /** How many replicas must have a durable write before it counts. */
  readonly replicas: number
}

const form = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/

/**
 * `redis[s]://[user:password@]host[:port][/database]`, `redis[s]+sentinel://[…@]host:port,…/name[/database]`,
 * `redis[s]+cluster://[…@]host:port,…`; each with `?replicas=N`, Sentinel also with `&sentinel_password=…`.
 * User, password and names are percent-encoded. @throws AppError `invalid_configuration` for anything else.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const [, scheme, kind, credentials = '', hosts = '', path = '', query = ''] = form.exec(url) ?? []
  if (scheme === undefined)
    throw wrong('it must begin with redis://, rediss://, redis+sentinel:// or redis+cluster:// and name a host')
  const mode = (kind ?? 'standalone') as RedisTarget['mode']
  const options = readOptions(query)
  return {
    mode,
    addresses: hosts.split(',').map((host) => readAddress(host, mode)),
    tls: scheme === 'rediss',
    ...readCredentials(credentials),
    ...readPath(mode, path),
    ...(options.sentinelPassword === undefined ? {} : { sentinelPassword: options.sentinelPassword }),
    replicas: options.replicas,
  }
}

function wrong(reason: string): AppError {
  return new AppError('invalid_configuration', `The store URL is not valid: ${reason}.`)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong('user, password and names must be percent-encoded')
  }
}

function readAddress(text: string, mode: RedisTarget['mode']): Address {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  const number = Number(port ?? (mode === 'sentinel' ? 26379 : 6379))
  if (host === undefined || number < 1 || number > 65535)
    throw wrong('hosts are written host:port, separated by commas')
  return { host, port: number }
}

function readCredentials(text: string): { username?: string; password?: string } {
  if (text === '') return {}
  const [username = '', ...rest] = text.split(':')
  const password = decode(rest.join(':'))
  return { ...(username === '' ? {} : { username: decode(username) }), ...(password === '' ? {} : { password }) }
}

function readPath(mode: RedisTarget['mode'], path: string): { database: number; masterName: string } {
  const parts = path.split('/').filter((part) => part !== '')
  const masterName = mode === 'sentinel' ? decode(parts.shift() ?? '') : ''
  if (mode === 'sentinel' && masterName === '')
    throw wrong('behind Sentinel the path names the master: redis+sentinel://host:port/name')
  const [database = '0', ...rest] = parts
  if (!/^\d{1,4}$/.test(database) || rest.length > 0) throw wrong('the database is a number')
  if (mode === 'cluster' && Number(database) !== 0) throw wrong('a cluster has database 0 only')
  return { database: Number(database), masterName }
}

function readOptions(query: string): { replicas: number; sentinelPassword?: string } {
  const options = new URLSearchParams(query)
  for (const name of options.keys()) {
    if (name !== 'replicas' && name !== 'sentinel_password')
      throw wrong(`it knows replicas and sentinel_password, not "${name}"`)
  }
  const replicas = options.get('replicas') ?? '0'
  if (!/^\d$/.test(replicas)) throw wrong('replicas is a number from 0 to 9')
  const sentinelPassword = options.get('sentinel_password')
  return { replicas: Number(replicas), ...(sentinelPassword === null ? {} : { sentinelPassword }) }
}
