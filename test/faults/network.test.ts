/**
 * F9 of threats.md: the network between the server and Redis is slow, resets connections, falls silent, or loses exactly the answer that
 * mattered. Nothing is won twice, and who tries again honestly gets through once.
 */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startLoad } from '../support/faults.ts'
import { slowerThan } from '../support/history.ts'
import { eventually } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { skipWithout } from '../support/tools.ts'
import { type Deployment, deploy } from './deployment.ts'
import { createLosses, type Loss, losses } from './losses.ts'

/** The same bad luck every time. */
function luck(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

describe('a bad network between the server and Redis', { skip: skipWithout('redis-server') }, () => {
  let redis: Awaited<ReturnType<typeof startRedis>>
  let proxy: TcpProxy
  let deployment: Deployment
  before(async () => {
    redis = await startRedis()
    proxy = await startTcpProxy({ host: '127.0.0.1', port: redis.server.port }, luck(9))
    deployment = await deploy({ store: `redis://127.0.0.1:${proxy.port}`, ownStore: redis.url })
  })
  after(async () => {
    await deployment?.stop()
    await proxy?.close()
    await redis?.stop()
  })
  beforeEach(() => proxy.spoil({}))

  test('F9: answers that come 200 ms late fail nothing', async (t) => {
    proxy.spoil({ delayMs: 200 })
    const load = await startLoad(t, deployment, 6)
    await eventually('people get on', () => load.done() > 50, { withinMs: 30_000 })
    proxy.spoil({})
    await load.settle({ recoveredAt: performance.now() })
    const failed = load.history.operations.filter(({ outcome }) => outcome === 'unknown')
    assert.deepEqual(
      failed.map(({ act, status, why }) => `${act} ${status} ${why}`),
      [],
    )
  })

  test('F9: five of a hundred packets are resets', async (t) => {
    const load = await startLoad(t, deployment, 6)
    await eventually('people get on', () => load.done() > 60)
    proxy.spoil({ resetChance: 0.05 })
    await pause(8000)
    proxy.spoil({})
    const recoveredAt = performance.now()
    await pause(6000)
    await load.settle({ recoveredAt })
    assert.ok(proxy.resets() > 10, `${proxy.resets()} resets`)
    t.diagnostic(`${proxy.resets()} resets, ${load.done()} acts acknowledged`)
  })

  test('F9: connections that fall silent are given up, and nobody waits longer than 1.5 s', async (t) => {
    const load = await startLoad(t, deployment, 4)
    await eventually('people get on', () => load.done() > 60)
    proxy.spoil({ isSilent: true })
    await pause(3000)
    proxy.spoil({})
    const recoveredAt = performance.now()
    await pause(6000)
    const slow = slowerThan(load.history, 1500)
    await load.settle({ recoveredAt })
    assert.deepEqual(
      slow.map(({ text }) => text),
      [],
    )
  })

  for (const [what, loss] of Object.entries<Loss>(losses)) {
    test(`F9: the answer is lost after Redis ${what}`, async () => {
      const lost = createLosses(deployment, proxy)
      for (let round = 0; round < 2; round += 1) await loss(await lost)
    })
  }
})
