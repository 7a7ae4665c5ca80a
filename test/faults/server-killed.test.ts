/**
 * F12 of threats.md: server processes are killed in the middle of requests, again and again, while people go on through the other one. What was
 * acknowledged stands, what was half done is no access, and honest retries get through. Run by itself with
 * `--kills=200` it is as long as threats.md asks.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startLoad } from '../support/faults.ts'
import { eventually } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'
import { deploy } from './deployment.ts'

const { values } = parseArgs({ options: { kills: { type: 'string', default: '40' } }, strict: false })
const KILLS = Number(values.kills)

describe('servers that are killed', { skip: skipWithout('redis-server') }, () => {
  test(`F12: server processes killed ${KILLS} times in mid-request`, async (t) => {
    const redis = await startRedis()
    t.after(() => redis.stop())
    const deployment = await deploy({ store: redis.url, processes: 2 })
    t.after(() => deployment.stop())
    const load = await startLoad(t, deployment, 5)
    let hit = 0
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = load.done()
      await eventually('people get on', () => load.done() > before + 8, { everyMs: 5 })
      const victim = kill % 2
      const killedAt = performance.now()
      await deployment.kill(victim)
      await deployment.revive(victim)
      hit += load.history.operations.filter(
        ({ startedAt, endedAt, status }) => status === 0 && startedAt < killedAt && endedAt > killedAt,
      ).length
    }
    const recoveredAt = performance.now()
    await pause(5500)
    await load.settle({ recoveredAt })
    assert.ok(hit > KILLS / 2, `only ${hit} requests were under way when a server died`)
    t.diagnostic(`${hit} requests broken off, ${load.done()} acts acknowledged`)
  })
})
