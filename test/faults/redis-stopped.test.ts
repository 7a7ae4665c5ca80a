/**
 * F3 of threats.md: Redis stops answering without closing anything, for a moment and for long. Nobody waits, nothing piles up, liveness stays,
 * and everything goes on by itself.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Load, startLoad } from '../support/faults.ts'
import { slowerThan } from '../support/history.ts'
import { eventually } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'
import { type Deployment, deploy } from './deployment.ts'

const LONGEST_MS = 1500

describe('a Redis that stops answering', { skip: skipWithout('redis-server') }, () => {
  let redis: Awaited<ReturnType<typeof startRedis>>
  let deployment: Deployment
  before(async () => {
    redis = await startRedis()
    deployment = await deploy({ store: redis.url })
  })
  after(async () => {
    await deployment?.stop()
    await redis?.stop()
  })

  /** Stops Redis for so long under a load that has begun, and judges the load. */
  async function stall(load: Load, milliseconds: number, during: () => Promise<void> = async () => {}) {
    await eventually('people get on', () => load.done() > 100)
    redis.server.pause()
    const until = performance.now() + milliseconds
    try {
      await during()
      await pause(Math.max(0, until - performance.now()))
    } finally {
      redis.server.resume()
    }
    const recoveredAt = performance.now()
    const before = load.done()
    await eventually('people get on again', () => load.done() > before + 50, { withinMs: 5000 })
    await pause(5500)
    const slow = slowerThan(load.history, LONGEST_MS)
    await load.settle({ recoveredAt })
    assert.deepEqual(
      slow.map(({ text }) => text),
      [],
      `requests that took longer than ${LONGEST_MS} ms`,
    )
  }

  test('F3: a stall of 0.2 s costs nobody an answer', async (t) => {
    const load = await startLoad(t, deployment, 4)
    await stall(load, 200)
    const failed = load.history.operations.filter(({ outcome }) => outcome === 'unknown')
    assert.deepEqual(
      failed.map(({ act, status }) => `${act} ${status}`),
      [],
    )
  })

  test('F3: in a stall of 2 s every answer comes within 1.5 s, and what timed out has no second effect', async (t) => {
    await stall(await startLoad(t, deployment, 4), 2000)
  })

  test('F3: in a stall of 10 s the server says so, stays alive, stays small and recovers by itself', async (t) => {
    const load = await startLoad(t, deployment, 4)
    const memory: number[] = []
    await stall(load, 10_000, async () => {
      await pause(1000)
      memory.push(deployment.memory())
      for (const until = performance.now() + 8000; performance.now() < until; ) {
        const [live, ready, wrong] = await Promise.all(
          ['/healthz', '/readyz', '/authorize?client_id=nobody'].map(deployment.ask),
        )
        assert.equal(live?.status, 200)
        assert.ok((live?.took ?? 0) < 500, `liveness took ${live?.took} ms`)
        for (const answer of [ready, wrong]) {
          assert.equal(answer?.status, 503)
          assert.ok(Number(answer?.headers['retry-after']) >= 1)
        }
        // A crowd that does not wait for each other.
        await Promise.allSettled(Array.from({ length: 100 }, () => deployment.ask('/authorize?client_id=nobody')))
      }
      memory.push(deployment.memory())
    })
    const [early = 0, late = 0] = memory
    assert.ok(late - early < 120, `memory went from ${early} to ${late} MB while nothing could be stored`)
    assert.equal((await deployment.ask('/readyz')).status, 200)
  })
})
