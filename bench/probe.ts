/**
 * Loaded into a measured process before its program (`--import`): tells whoever started it, over IPC, what processor time and memory it has
 * used, its cluster workers included, and ends it when that process is gone. It opens nothing and changes nothing.
 */
import cluster from 'node:cluster'

/** Microseconds of processor time since the start, user and system together; resident bytes. */
export interface Usage {
  readonly cpuMicroseconds: number
  readonly residentBytes: number
  readonly processes: number
}

const own = (): Usage => {
  const { user, system } = process.cpuUsage()
  return { cpuMicroseconds: user + system, residentBytes: process.memoryUsage.rss(), processes: 1 }
}

/** A primary with workers holds no requests: what its workers use is what counts. */
async function whole(): Promise<Usage> {
  const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
  if (!cluster.isPrimary || workers.length === 0) return own()
  const usages = await Promise.all(
    workers.map(
      (worker) =>
        new Promise<Usage>((resolve) => {
          worker.once('message', resolve)
          worker.send('usage')
        }),
    ),
  )
  return {
    cpuMicroseconds: usages.reduce((sum, usage) => sum + usage.cpuMicroseconds, 0),
    residentBytes: Math.max(...usages.map((usage) => usage.residentBytes)),
    processes: usages.length,
  }
}

if (process.send) {
  process.on('message', (asked) => {
    if (asked === 'usage') void whole().then((usage) => process.send?.(usage))
  })
  process.on('disconnect', () => process.exit(1))
  process.channel?.unref()
}
