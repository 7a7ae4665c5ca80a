/**
 * Several processes behind one port: they come up, one that dies is replaced, a stop ends them all.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { nextPause } from '../src/workers.ts'

const scratch = mkdtempSync(join(tmpdir(), 'licet-workers-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

/** A small program with the shape of ours: the first process starts workers, each worker listens and answers with its id. */
const program = `
import { createServer } from 'node:http'
import { createMetrics } from ${JSON.stringify(import.meta.resolve('../src/observability/metrics.ts'))}
import { isWorker, runWorkers } from ${JSON.stringify(import.meta.resolve('../src/workers.ts'))}
if (!isWorker) process.exit(await runWorkers(2, ['first'], ['later']))
if (process.env.REFUSE) process.exit(3)
const metrics = createMetrics({ withProcess: true, isWorker })
metrics.tokenIssued('refresh_token')
const server = createServer(async (_request, response) => response.end(await metrics.text()))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
server.listen(0, '127.0.0.1', () =>
  console.log(JSON.stringify({ pid: process.pid, port: server.address().port, words: process.argv.slice(2) })))
`

function start(env: Record<string, string> = {}) {
  const path = join(scratch, 'program.mjs')
  writeFileSync(path, program)
  const child = spawn(process.execPath, [path], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextWorker = async () =>
    JSON.parse((await lines.next()).value as string) as { pid: number; port: number; words: string[] }
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return { child, nextWorker, exit }
}

test('the first process announces, the others are quiet, a dead one is replaced and a stop ends all', async () => {
  const { child, nextWorker, exit } = start()
  const first = await nextWorker()
  const second = await nextWorker()
  assert.deepEqual([first.words, second.words], [['first'], ['later']])
  process.kill(first.pid, 'SIGKILL')
  const third = await nextWorker()
  assert.deepEqual(third.words, ['later'])
  child.kill('SIGTERM')
  assert.equal(await exit, 0)
  for (const { pid } of [second, third]) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('whichever process is asked, the numbers are those of all together', async () => {
  const { child, nextWorker, exit } = start()
  const { port } = await nextWorker()
  await nextWorker()
  const texts = await Promise.all(
    Array.from({ length: 6 }, async () => (await fetch(`http://127.0.0.1:${port}`)).text()),
  )
  for (const text of texts) {
    assert.match(text, /^licet_tokens_issued_total\{grant_type="refresh_token"\} 2$/m)
    assert.match(text, /^process_resident_memory_bytes \d+$/m)
  }
  child.kill('SIGTERM')
  assert.equal(await exit, 0)
})

test('a first process that never comes up ends the whole with its exit code', async () => {
  assert.equal(await start({ REFUSE: '1' }).exit, 3)
})

test('the pause doubles while processes keep dying and is forgotten after a healthy life', () => {
  assert.equal(nextPause(0, 10), 500)
  assert.equal(nextPause(500, 10), 1000)
  assert.equal(nextPause(20_000, 10), 30_000)
  assert.equal(nextPause(30_000, 60_000), 0)
})
