/**
 * Everything a store holds, as text: what somebody has who steals its files, its memory or its traffic. For tests that look for secrets in it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { RedisServer } from './redis-server.ts'

/** All files below that directory that are a database or belong to one, byte for byte. */
export function dumpSqlite(directory: string): string {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.db(-wal|-shm)?$/.test(name),
  )
  return files.map((name) => `${name}\n${readFileSync(join(directory, name), 'latin1')}`).join('\n')
}

/** Every key with its value, and the append-only files, in which also what was removed still stands. */
export async function dumpRedis(server: RedisServer): Promise<string> {
  const lines: string[] = []
  let cursor = '0'
  do {
    const [next, keys] = (await server.command('SCAN', cursor, 'COUNT', 1000)) as [string, string[]]
    for (const key of keys) lines.push(`${key} ${JSON.stringify(await readKey(server, key))}`)
    cursor = next
  } while (cursor !== '0')
  const [, directory = ''] = (await server.command('CONFIG', 'GET', 'dir')) as string[]
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(aof|rdb)$/.test(name),
  )
  return [...lines, ...files.map((name) => readFileSync(join(directory, name), 'latin1'))].join('\n')
}

const READ: Readonly<Record<string, (key: string) => string[]>> = {
  string: (key) => ['GET', key],
  hash: (key) => ['HGETALL', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  set: (key) => ['SMEMBERS', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  stream: (key) => ['XRANGE', key, '-', '+'],
}

async function readKey(server: RedisServer, key: string): Promise<unknown> {
  const type = String(await server.command('TYPE', key))
  const read = READ[type]
  if (type === 'none') return undefined
  if (!read) throw new Error(`${key} is of type ${type}, which nobody reads`)
  return server.command(...read(key))
}

/** Listens to every command the server gets, until `stop`, which returns them. */
export async function monitorRedis(server: RedisServer): Promise<{ stop(): string }> {
  const socket = connect(server.port, '127.0.0.1')
  let heard = ''
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.setEncoding('latin1').on('data', (chunk) => {
      heard += chunk
      resolve()
    })
    socket.write('MONITOR\r\n')
  })
  return {
    stop() {
      socket.destroy()
      return heard
    },
  }
}
