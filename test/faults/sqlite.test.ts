/**
 * F13 of threats.md: the embedded store under servers that are killed, a full disk, other processes on the same files, readers that do not end
 * and writers that hold the lock.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type Load, startLoad } from '../support/faults.ts'
import { slowerThan } from '../support/history.ts'
import { eventually } from '../support/ports.ts'
import { type Deployment, type DeploymentOptions, deploy } from './deployment.ts'
import { createDisk } from './full-disk.ts'

const KILLS = 10

async function start(t: TestContext, options: DeploymentOptions = {}): Promise<Deployment> {
  const deployment = await deploy(options)
  t.after(() => deployment.stop())
  return deployment
}

const failures = ({ history }: Load) =>
  history.operations
    .filter(({ outcome }) => outcome === 'unknown')
    .map(({ act, status, why }) => `${act} ${status} ${why ?? ''}`)

const getOn = (load: Load, acts: number) => {
  const before = load.done()
  return eventually('people get on', () => load.done() > before + acts, { withinMs: 20_000, everyMs: 5 })
}

test(`F13: the server killed ${KILLS} times in bursts of requests has lost nothing acknowledged`, async (t) => {
  const deployment = await start(t)
  const load = await startLoad(t, deployment, 8)
  for (let kill = 0; kill < KILLS; kill += 1) {
    await getOn(load, 25)
    await deployment.kill(0)
    await deployment.revive(0)
  }
  const recoveredAt = performance.now()
  await pause(5500)
  await load.settle({ recoveredAt })
  t.diagnostic(`${load.done()} acts acknowledged`)
})

test('F13: two servers and a command line on the same files never answer that the database is locked', async (t) => {
  const deployment = await start(t, { processes: 2 })
  const load = await startLoad(t, deployment, 8)
  await getOn(load, 400)
  await load.settle({ recoveredAt: performance.now() })
  assert.deepEqual(failures(load), [])
  assert.doesNotMatch(deployment.output(), /locked|SQLITE_BUSY/i)
})

test('F13: a reader that stays for seconds delays nobody', async (t) => {
  const deployment = await start(t)
  const load = await startLoad(t, deployment, 4)
  await getOn(load, 50)
  const reader = new DatabaseSync(join(deployment.directory, 'licet.db'), { readOnly: true })
  reader.exec('BEGIN')
  const seen = reader.prepare('SELECT count(*) AS n FROM log_record').get()?.['n']
  await pause(4000)
  assert.equal(reader.prepare('SELECT count(*) AS n FROM log_record').get()?.['n'], seen, 'it reads what it began with')
  reader.exec('COMMIT')
  reader.close()
  await load.settle({ recoveredAt: performance.now() })
  assert.deepEqual(failures(load), [])
})

test('F13: a writer that holds the lock is waited for, and only a long one is a 503 with Retry-After', async (t) => {
  const deployment = await start(t)
  const load = await startLoad(t, deployment, 4)
  await getOn(load, 50)
  const writer = new DatabaseSync(join(deployment.directory, 'licet.db'), { timeout: 2000 })
  const hold = async (milliseconds: number, during: () => Promise<void> = async () => {}) => {
    writer.exec('BEGIN IMMEDIATE')
    await Promise.all([pause(milliseconds), during()])
    writer.exec('ROLLBACK')
  }
  await hold(500)
  await getOn(load, 20)
  assert.deepEqual(failures(load), [], 'half a second is waited for')
  await hold(4000, async () => {
    await pause(500)
    const [live, ready] = await Promise.all([deployment.ask('/healthz'), deployment.ask('/readyz')])
    assert.equal(live?.status, 200)
    assert.equal(ready?.status, 503)
    assert.ok(Number(ready?.headers['retry-after']) >= 1)
  })
  const recoveredAt = performance.now()
  await pause(5500)
  writer.close()
  const slow = slowerThan(load.history, 1500)
  await load.settle({ recoveredAt })
  assert.deepEqual(
    slow.map(({ text }) => text),
    [],
  )
})

test('F13: a full disk is a 503 for what must be written; once there is room everything goes on by itself', async (t) => {
  const disk = createDisk()
  t.after(() => disk.remove())
  t.diagnostic(`the disk is ${disk.kind}`)
  const deployment = await start(t, { store: `sqlite:${join(disk.directory, 'licet.db')}` })
  const pid = deployment.servers[0]?.child.pid ?? 0
  const load = await startLoad(t, deployment, 4)
  for (let round = 0; round < 2; round += 1) {
    await getOn(load, 60)
    disk.fill(pid)
    await eventually('people hear that nothing can be stored', () => failures(load).length > 5 * (round + 1))
    const [live, ready, keys] = await Promise.all(['/healthz', '/readyz', '/.well-known/jwks.json'].map(deployment.ask))
    assert.deepEqual([live?.status, ready?.status, keys?.status], [200, 503, 200])
    await pause(1000)
    disk.empty(pid)
  }
  const recoveredAt = performance.now()
  await pause(5500)
  await load.settle({ recoveredAt })
  const strange = load.history.operations.filter(({ status }) => status >= 500 && status !== 503)
  assert.deepEqual(
    strange.map(({ act, status }) => `${act} ${status}`),
    [],
  )
})
