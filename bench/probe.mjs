/**
 * Loaded into a measured process before its program (`--import`): tells whoever started it, over IPC, what processor time and memory it has
 * used, its cluster workers included, and ends it when that process is gone. It opens nothing and changes nothing, and is plain JavaScript so
 * that the process need not load what strips types, which would count as its memory.
 */
import cluster from 'node:cluster'

/** @returns {import('./processes.ts').Usage} */
function own() {
  const { user, system } = process.cpuUsage()
  return { cpuMicroseconds: user + system, residentBytes: process.memoryUsage.rss(), processes: 1 }
}

/** A primary with workers holds no requests: what its workers use is what counts. */
async function whole() {
  const workers = Object.values(cluster.workers ?? {})
  if (!cluster.isPrimary || workers.length === 0) return own()
  const usages = await Promise.all(workers.map(usageOf))
  return {
    cpuMicroseconds: usages.reduce((sum, usage) => sum + usage.cpuMicroseconds, 0),
    residentBytes: Math.max(...usages.map((usage) => usage.residentBytes)),
    processes: usages.length,
  }
}

function usageOf(worker) {
  return new Promise((resolve) => {
    worker.once('message', resolve)
    worker.send('usage')
  })
}

if (process.send) {
  process.on('message', (asked) => {
    if (asked === 'usage') void whole().then((usage) => process.send?.(usage))
  })
  process.on('disconnect', () => process.exit(1))
  process.channel?.unref()
}
