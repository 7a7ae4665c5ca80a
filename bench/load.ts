/**
 * Load from this process on one measured process: a bounded number of requests over kept connections, each sent when the one before was
 * answered. What comes back is throughput, latency, and the processor time the server spent per request.
 */
import autocannon from 'autocannon'
import type { Measured } from './processes.ts'

export const CONNECTIONS = 16

export interface Request {
  readonly path: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Target {
  readonly name: string
  readonly origin: string
  /** What goes into `Host`: the issuer's. */
  readonly host: string
  readonly process: Measured
}

export interface Sample {
  readonly requestsPerSecond: number
  readonly cpuMicroseconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Load {
  readonly amount: number
  readonly connections?: number
  /** Requests per second at most; as many as come when absent. */
  readonly perSecond?: number
  /** What a good answer is; `2xx` if not given. */
  readonly expects?: '2xx' | '3xx' | '4xx'
  /** Called for each connection, to change its body from answer to answer. */
  readonly each?: (client: autocannon.Client, index: number) => void
}

/** @throws Error when any answer is another than expected: a server that refuses is fast, and no measurement. */
export async function measure(
  target: Target,
  request: Request,
  { amount, connections = CONNECTIONS, expects = '2xx', each, perSecond }: Load,
): Promise<Sample> {
  let index = 0
  let lastAnswerAt = 0
  const setupClient = (client: autocannon.Client) => {
    client.on('response', () => {
      lastAnswerAt = performance.now()
    })
    each?.(client, index++)
  }
  const before = await target.process.usage()
  const began = performance.now()
  const result = await autocannon({
    url: target.origin + request.path,
    method: request.method ?? 'GET',
    headers: { host: target.host, ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
    connections,
    amount,
    ...(perSecond === undefined ? {} : { overallRate: perSecond }),
    timeout: 20,
    // It notices the end at its next sample only: the end is taken from the last answer.
    sampleInt: 100,
    setupClient,
  })
  const seconds = (lastAnswerAt - began) / 1000
  const after = await target.process.usage()
  const { errors, timeouts } = result
  const refused = amount - errors - timeouts - result[expects]
  if (refused + errors + timeouts > 0)
    throw new Error(`${target.name} ${request.path}: ${refused} refused, ${errors} failed\n${target.process.output()}`)
  return {
    requestsPerSecond: amount / seconds,
    cpuMicroseconds: (after.cpuMicroseconds - before.cpuMicroseconds) / amount,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
  }
}

/** One refresh token per connection, each replaced by the one its answer brings. They outlive a measurement. */
export interface Chains {
  readonly tokens: string[]
  readonly authorization: string
}

/** Refreshes along the chains: `amount` requests in all. */
export function measureRefresh(target: Target, chains: Chains, amount: number): Promise<Sample> {
  const bodyOf = (index: number) => `grant_type=refresh_token&refresh_token=${chains.tokens[index]}`
  const connections = Math.min(CONNECTIONS, chains.tokens.length)
  const each = (client: autocannon.Client, index: number) => {
    let text = ''
    client.setBody(bodyOf(index))
    client.on('body', (part: Buffer) => (text += part))
    client.on('response', () => {
      const { refresh_token: next } = JSON.parse(text) as { refresh_token?: string }
      text = ''
      if (next === undefined) return
      chains.tokens[index] = next
      client.setBody(bodyOf(index))
    })
  }
  return measure(target, tokenRequest(chains.authorization, bodyOf(0)), { amount, connections, each })
}

export function tokenRequest(authorization: string, body = 'grant_type=client_credentials'): Request {
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  return { path: '/token', method: 'POST', headers, body }
}
