/**
 * Several processes of the server behind one port. The first is started alone and must come up; then come the others.
 * One that dies is started again, after a pause that doubles while they keep dying. It holds no requests and no state, and adds up what
 * the processes counted.
 */
import cluster, { type Worker } from 'node:cluster'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** A process that lived this long was healthy: its successor starts without a pause. */
const HEALTHY_MS = 60_000
/** Longer than any drain; what still runs then is ended. */
const DRAIN_MS = 20_000

/** True in a process started by `runWorkers`. */
export const isWorker = cluster.isWorker

/** What the next pause is, after a process that lived `livedMs`. */
export function nextPause(lastPauseMs: number, livedMs: number): number {
  if (livedMs >= HEALTHY_MS) return 0
  return lastPauseMs === 0 ? FIRST_PAUSE_MS : Math.min(lastPauseMs * 2, LONGEST_PAUSE_MS)
}

/**
 * Runs `count` processes until SIGTERM or SIGINT; resolves to 0 after a stop in order, else to the exit code of a first process
 * that never came up. `words` are the arguments of the first, `quietWords` of all others.
 */
export async function runWorkers(
  count: number,
  words: readonly string[],
  quietWords: readonly string[],
): Promise<number> {
  // Loaded here: other commands count nothing.
  const { gatherMetrics } = await import('./observability/metrics.ts')
  gatherMetrics()
  const crew = createCrew(quietWords)
  const stopped = crew.stopOnSignals()
  const failed = await crew.startFirst(words)
  if (failed !== undefined) return failed
  for (let started = 1; started < count; started += 1) crew.start(0)
  await stopped
  return 0
}

function createCrew(quietWords: readonly string[]) {
  const alive = new Set<Worker>()
  let stopping = false

  const fork = (args: readonly string[]): Worker => {
    cluster.setupPrimary({ args: [...args] })
    const worker = cluster.fork()
    alive.add(worker)
    worker.once('exit', () => alive.delete(worker))
    return worker
  }

  const keep = (worker: Worker, pauseMs: number): void => {
    const born = performance.now()
    worker.once('exit', () => {
      if (stopping) return
      const pause = nextPause(pauseMs, performance.now() - born)
      setTimeout(() => start(pause), pause)
    })
  }

  const start = (pauseMs: number): void => {
    if (!stopping) keep(fork(quietWords), pauseMs)
  }

  const startFirst = (words: readonly string[]): Promise<number | undefined> => {
    const first = fork(words)
    return new Promise((resolve) => {
      const refused = (code: number | null) => resolve(stopping ? 0 : (code ?? 1) || 1)
      first.once('exit', refused)
      first.once('listening', () => {
        first.removeListener('exit', refused)
        keep(first, 0)
        resolve(undefined)
      })
    })
  }

  return { start, startFirst, stopOnSignals: () => stopOnSignals(alive, () => (stopping = true)) }
}

/** Resolves when, after a signal, every process has ended. */
function stopOnSignals(alive: ReadonlySet<Worker>, onStop: () => void): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      onStop()
      const all = [...alive].map((worker) => new Promise((ended) => worker.once('exit', ended)))
      for (const worker of alive) worker.process.kill('SIGTERM')
      const impatient = setTimeout(() => {
        for (const worker of alive) worker.process.kill('SIGKILL')
      }, DRAIN_MS)
      Promise.all(all).then(() => {
        clearTimeout(impatient)
        resolve()
      })
    }
    process.once('SIGTERM', stop)
    process.once('SIGINT', stop)
  })
}
