/**
 * What is counted and timed, for Prometheus (the only importer of prom-client). Labels come from closed sets: route patterns,
 * methods, statuses, grant types; never from a request's text, so their number is bounded and they hold no secret.
 */
import cluster, { type Worker } from 'node:cluster'
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { AppError } from '../errors.ts'

export interface Metrics {
  /** One answered request. `route` is a pattern of the URL table. */
  request(method: string, route: string, status: number, seconds: number): void
  tokenIssued(grantType: string): void
  signIn(result: SignInResult): void
  /** One call of the store; `outcome` is `ok` or the error's code. */
  storeCall(operation: string, outcome: string, seconds: number): void
  rateLimited(policy: string): void
  /** Registers a queue whose length is read when somebody asks. */
  watchQueue(name: string, length: () => number): void
  /** The text exposition format. */
  text(): Promise<string>
  readonly contentType: string
}

export type SignInResult = 'ok' | 'wrong' | 'limited' | 'busy' | 'failed'

const httpBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const storeBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.5]
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const grantTypes = new Set([
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
])

interface MetricsOptions {
  /** Adds node's own numbers (memory, event loop, garbage collection). */
  readonly withProcess: boolean
  /** A worker of several: the text then tells of all of them, by way of the process that runs `gatherMetrics`. */
  readonly isWorker?: boolean
}

export function createMetrics({ withProcess, isWorker = false }: MetricsOptions): Metrics {
  const registry = new Registry()
  const registers = [registry]
  if (withProcess) collectDefaultMetrics({ register: registry })
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, buckets, registers })

  const requests = counter('licet_http_requests_total', 'Answered requests.', ['route', 'method', 'status'])
  const latency = histogram('licet_http_request_seconds', 'Time to the answer.', ['route', 'method'], httpBuckets)
  const tokens = counter('licet_tokens_issued_total', 'Token responses.', ['grant_type'])
  const signIns = counter('licet_sign_ins_total', 'Sign-in attempts.', ['result'])
  const refusals = counter('licet_rate_limited_total', 'Requests refused by a rate limit.', ['policy'])
  const calls = histogram('licet_store_seconds', 'Time of store calls.', ['operation', 'outcome'], storeBuckets)
  const queues = new Map<string, () => number>()
  new Gauge({
    name: 'licet_queue_length',
    help: 'What waits in a queue.',
    labelNames: ['queue'],
    registers,
    collect() {
      for (const [queue, length] of queues) this.set({ queue }, length())
    },
  })

  // Looking up labels costs more than counting: each combination is bound once.
  const requestLine = remember((method: string, route: string, status: number) => {
    const labels = { route, method: methods.has(method) ? method : 'OTHER' }
    return { count: requests.labels({ ...labels, status }), time: latency.labels(labels) }
  })
  const storeLine = remember((operation: string, outcome: string) => calls.labels({ operation, outcome }))

  return {
    request(method, route, status, seconds) {
      const line = requestLine(method, route, status)
      line.count.inc()
      line.time.observe(seconds)
    },
    tokenIssued: (grantType) => tokens.inc({ grant_type: grantTypes.has(grantType) ? grantType : 'other' }),
    signIn: (result) => signIns.inc({ result }),
    storeCall: (operation, outcome, seconds) => storeLine(operation, outcome).observe(seconds),
    rateLimited: (policy) => refusals.inc({ policy }),
    watchQueue: (name, length) => void queues.set(name, length),
    text: isWorker ? askForAll(registry) : () => registry.metrics(),
    contentType: registry.contentType,
  }
}

/** Keeps one value per combination. Arguments come from closed sets, apart from methods, which node's parser bounds. */
function remember<A extends readonly (string | number)[], T>(make: (...key: A) => T): (...key: A) => T {
  const known = new Map<string, T>()
  return (...key) => {
    const name = key.join(' ')
    const found = known.get(name)
    if (found !== undefined) return found
    const made = make(...key)
    known.set(name, made)
    return made
  }
}

const GATHER = 'licet:metrics'
/** Longer than prom-client waits for a process that does not tell its numbers. */
const GATHER_MS = 6000

interface Gathered {
  readonly type: typeof GATHER
  readonly id: number
  readonly text?: string
}

/** Answers workers, in the process that started them, with the numbers of all: sums, but for what prom-client averages or leaves out. */
export function gatherMetrics(): void {
  const all = new AggregatorRegistry()
  cluster.on('message', (worker: Worker, message: Gathered) => {
    if (message?.type !== GATHER) return
    const answer = (text?: string) => worker.isConnected() && worker.send({ ...message, text })
    all.clusterMetrics().then(answer, () => answer())
  })
}

function askForAll(registry: Registry): () => Promise<string> {
  // Made for its listener, which tells this process's numbers to the one that gathers.
  new AggregatorRegistry()
  AggregatorRegistry.setRegistries(registry)
  const waiting = new Map<number, (text?: string) => void>()
  let asked = 0
  process.on('message', (message: Gathered) => {
    if (message?.type === GATHER) waiting.get(message.id)?.(message.text)
  })
  return () =>
    new Promise((resolve, reject) => {
      const id = asked++
      const settle = (text?: string) => {
        clearTimeout(impatient)
        waiting.delete(id)
        if (text === undefined) reject(new AppError('overloaded', 'A process did not tell its numbers in time.'))
        else resolve(text)
      }
      const impatient = setTimeout(settle, GATHER_MS)
      waiting.set(id, settle)
      process.send?.({ type: GATHER, id } satisfies Gathered)
    })
}
