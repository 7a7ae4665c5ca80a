/**
 * F1 of threats.md: Redis is killed under load and started again with its files. With `appendfsync always` nothing acknowledged is lost; with
 * `everysec` at most what the last two seconds before the kill acknowledged, which is the configured risk and is shown.
 */
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { startLoad } from '../support/faults.ts'
import type { Operation } from '../support/history.ts'
import { eventually } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'
import { deploy } from './deployment.ts'

const KILLS = 3
/** `everysec` promises a second, and Redis itself lets two pass when the disk is slow. */
const LOSS_MS = 2000

describe('a Redis that is killed', { skip: skipWithout('redis-server') }, () => {
  for (const appendfsync of ['always', 'everysec'] as const) {
    test(`F1: Redis killed and restarted ${KILLS} times under load, appendfsync ${appendfsync}`, async (t) => {
      const redis = await startRedis({ appendfsync })
      t.after(() => redis.stop())
      const deployment = await deploy({ store: redis.url })
      t.after(() => deployment.stop())
      const load = await startLoad(t, deployment, 6)
      const kills: number[] = []
      for (let round = 0; round < KILLS; round += 1) {
        const before = load.done()
        await eventually('people get on', () => load.done() > before + 150, { withinMs: 20_000 })
        kills.push(performance.now())
        await redis.server.kill()
        await pause(400)
        await redis.server.restart()
      }
      const recoveredAt = performance.now()
      await pause(7000)
      const isRisk = ({ endedAt }: Operation) => kills.some((kill) => endedAt > kill - LOSS_MS && endedAt <= kill + 100)
      const found = await load.settle({ recoveredAt, ...(appendfsync === 'everysec' ? { excuses: isRisk } : {}) })
      t.diagnostic(`${load.done()} acts acknowledged, ${found.length} lost within the configured risk`)
    })
  }
})
