/**
 * How commands travel: those of one turn of the event loop share one write per server (a lane), and the durable ones among them one
 * `WAIT` for the declared replicas. Here every failure of a connection or a server becomes `store_unavailable`.
 * What the commands mean is for `redis.ts` and its siblings.
 */
import { unavailable } from './entry.ts'
import {
  type Client,
  commandTimeoutMs,
  connect,
  isCluster,
  mastersOf,
  type Node,
  type WhileConnected,
  whileConnected,
} from './redis-connect.ts'
import { type Script, scripts } from './redis-scripts.ts'
import { slotOf } from './redis-slot.ts'
import type { RedisTarget } from './redis-url.ts'

/** How long replicas may take to confirm. The rest of the time of a command is for the way there and back. */
const confirmTimeoutMs = 400
/** What waited longer than this for its turn on a connection that confirms is refused: its answer would come too late. */
const longestQueueMs = 300

export type Argument = string | number

/** One command about the keys of one slot. A durable one counts only when the declared replicas have it. */
export interface Call {
  readonly name: 'get' | 'set' | 'getdel' | 'zrevrangebylex' | 'zremrangebylex' | 'zrandmember' | 'xrange' | Script
  /** The first decides where the command goes. */
  readonly keys: readonly [string, ...string[]]
  readonly args?: readonly Argument[]
  readonly durable?: boolean
}

export interface Lanes {
  /** The server's answer. @throws AppError `store_unavailable`: the command failed, or nobody knows. */
  send(call: Call): Promise<unknown>
  /** The servers that take writes, in a stable order: for what concerns a server, not a key. */
  masters(): readonly Node[]
  close(): Promise<void>
}

interface Waiting {
  readonly call: Call
  readonly since: number
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

type Lane = (waiting: Waiting) => void

/** Connects; with declared replicas twice, because a connection that waits for replicas answers nothing else meanwhile. */
export async function openLanes(target: RedisTarget): Promise<Lanes> {
  const plain = await openRoad(target, 0)
  const confirmed = target.replicas === 0 ? plain : await openSecond(target, plain)
  let closed = false
  return {
    send: (call) => {
      if (closed) return Promise.reject(unavailable(new Error('the store is closed')))
      return (call.durable ? confirmed : plain).send(call)
    },
    masters: () => mastersOf(plain.client).toSorted((left, right) => (address(left) < address(right) ? -1 : 1)),
    async close() {
      closed = true
      await Promise.all([plain.close(), confirmed.close()])
    },
  }
}

async function openSecond(target: RedisTarget, first: Road): Promise<Road> {
  try {
    return await openRoad(target, target.replicas)
  } catch (error) {
    await first.close()
    throw error
  }
}

const address = (node: Node): string => `${node.options.host}:${node.options.port}`

interface Road {
  readonly client: Client
  send(call: Call): Promise<unknown>
  close(): Promise<void>
}

/** One client and its lanes, one per server. */
async function openRoad(target: RedisTarget, replicas: number): Promise<Road> {
  const client = await connect(target)
  const nodeFor = createMap(client)
  const lanes = new WeakMap<Node, Lane>()
  const open = new Set<Promise<unknown>>()

  function laneTo(node: Node): Lane {
    const known = lanes.get(node)
    if (known) return known
    const lane = createLane(node, replicas)
    lanes.set(node, lane)
    return lane
  }

  async function travel(call: Call): Promise<unknown> {
    const node = nodeFor(call.keys[0])
    try {
      if (!node) throw new Error('MOVED')
      return await new Promise((resolve, reject) => laneTo(node)({ call, since: performance.now(), resolve, reject }))
    } catch (error) {
      if (!wasNotExecuted(error)) throw unavailable(error)
      return await detour(client, call, replicas).catch((failure: unknown) => Promise.reject(unavailable(failure)))
    }
  }

  return {
    client,
    send(call: Call): Promise<unknown> {
      const journey = travel(call)
      open.add(journey)
      return journey.finally(() => open.delete(journey))
    },
    async close() {
      await Promise.allSettled(open)
      client.disconnect()
    },
  }
}

/** Tells the server that holds a key, as far as the client knows; undefined when it has to be asked. */
function createMap(client: Client): (key: string) => Node | undefined {
  if (!isCluster(client)) return () => client
  const nodes = new Map<string, Node>()
  for (const event of ['+node', '-node', 'refresh']) client.on(event, () => nodes.clear())
  return (key) => {
    const wanted = client.slots[slotOf(key)]?.[0]
    if (wanted === undefined) return undefined
    if (nodes.size === 0) for (const node of mastersOf(client)) nodes.set(address(node), node)
    return nodes.get(wanted)
  }
}

/** Answers by which a server says that it did nothing: the command may be sent again, elsewhere or with its text. */
function wasNotExecuted(error: unknown): boolean {
  return error instanceof Error && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|NOSCRIPT)\b/.test(error.message)
}

/**
 * Collects what is sent in one turn. A lane that confirms sends the next batch when the one before is answered, so that under load
 * one WAIT serves many writes; the others send at once.
 */
function createLane(node: Node, replicas: number): Lane {
  let queue: Waiting[] = []
  let scheduled = false
  const connected = whileConnected(node)
  teach(node)

  async function flush(): Promise<void> {
    const batch = replicas === 0 ? queue : withoutLate(queue)
    queue = []
    if (replicas === 0) scheduled = false
    await sendBatch(node, batch, replicas, connected)
    if (replicas === 0) return
    scheduled = queue.length > 0
    if (scheduled) void flush()
  }

  return (waiting) => {
    queue.push(waiting)
    if (scheduled) return
    scheduled = true
    setImmediate(() => void flush())
  }
}

/** Sends every script ahead on every new connection, so that none has to be sent twice. */
function teach(node: Node): void {
  const load = (): void => {
    const pipeline = node.pipeline()
    for (const { text } of scripts) pipeline.script('LOAD', text)
    // A server that did not learn them answers NOSCRIPT, and gets the text then.
    pipeline.exec().catch(() => undefined)
  }
  if (node.status === 'ready') load()
  node.on('ready', load)
}

function withoutLate(queue: readonly Waiting[]): Waiting[] {
  const earliest = performance.now() - longestQueueMs
  for (const { since, reject } of queue) if (since < earliest) reject(new Error('no turn in time'))
  return queue.filter(({ since }) => since >= earliest)
}

async function sendBatch(
  node: Node,
  batch: readonly Waiting[],
  replicas: number,
  connected: WhileConnected,
): Promise<void> {
  if (batch.length === 0) return
  const pipeline = node.pipeline()
  for (const { call } of batch) pipeline.call(...wire(call, 'evalsha'))
  if (replicas > 0) pipeline.wait(replicas, confirmTimeoutMs)
  try {
    const answers = await connected(within(commandTimeoutMs, pipeline.exec()))
    const missing = replicas > 0 && Number(answers?.[batch.length]?.[1] ?? 0) < replicas
    batch.forEach(({ resolve, reject }, index) => {
      const [error, answer] = answers?.[index] ?? [new Error('no answer')]
      if (error) reject(error)
      else if (missing) reject(new Error(`fewer than ${replicas} replicas have it`))
      else resolve(answer)
    })
  } catch (error) {
    for (const { reject } of batch) reject(error)
  }
}

/**
 * The long way round, for a key that has moved or a script that the server does not know: the client follows redirections itself.
 * The write may then lie on any server, so every one of them has to confirm.
 */
async function detour(client: Client, call: Call, replicas: number): Promise<unknown> {
  const [name, ...args] = wire(call, 'eval')
  const answer = await within(confirmTimeoutMs, client.call(name, ...args))
  if (replicas === 0) return answer
  const confirmations = mastersOf(client).map((node) =>
    within(confirmTimeoutMs, node.pipeline().ping().wait(replicas, confirmTimeoutMs).exec()),
  )
  for (const confirmed of await Promise.all(confirmations)) {
    if (Number(confirmed?.[1]?.[1] ?? 0) < replicas) throw new Error(`fewer than ${replicas} replicas have it`)
  }
  return answer
}

function wire({ name, keys, args = [] }: Call, form: 'eval' | 'evalsha'): [string, ...Argument[]] {
  if (typeof name === 'string') return [name, ...keys, ...args]
  return [form, form === 'eval' ? name.text : name.sha, keys.length, ...keys, ...args]
}

function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), milliseconds)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
