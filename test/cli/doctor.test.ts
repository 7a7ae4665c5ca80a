/**
 * What the doctor finds, on real directories and the real embedded store.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { examine } from '../../src/cli/doctor.ts'
import { loadConfig } from '../../src/config/load.ts'
import { openStore } from '../../src/storage/open.ts'

const scratch = mkdtempSync(join(tmpdir(), 'licet-doctor-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))
const now = () => Date.UTC(2026, 10, 22)

function look(env: Record<string, string>, parts: { now?: () => number; nodeVersion?: string } = {}) {
  return examine({
    load: (options) => loadConfig({ ...options, env, cwd: scratch }),
    now: parts.now ?? now,
    nodeVersion: parts.nodeVersion ?? '24.21.0',
  })
}

const stateOf = (findings: Awaited<ReturnType<typeof look>>, check: string) =>
  findings.find((finding) => finding.check === check)?.state

test('on an empty directory all is fine, and looking makes nothing', async () => {
  const dataDir = join(scratch, 'empty')
  const findings = await look({ LICET_DATA_DIR: dataDir })
  assert.ok(
    findings.every(({ state }) => state === 'fine'),
    JSON.stringify(findings),
  )
  assert.equal(existsSync(dataDir), false)
})

test('a data directory or a secret that others can read is wrong', async () => {
  const dataDir = join(scratch, 'open')
  mkdirSync(dataDir, { mode: 0o755 })
  writeFileSync(join(dataDir, 'secret'), 'x', { mode: 0o644 })
  const open = await look({ LICET_DATA_DIR: dataDir })
  assert.deepEqual([stateOf(open, 'data directory'), stateOf(open, 'secret')], ['wrong', 'wrong'])
  chmodSync(dataDir, 0o700)
  chmodSync(join(dataDir, 'secret'), 0o600)
  const closed = await look({ LICET_DATA_DIR: dataDir })
  assert.deepEqual([stateOf(closed, 'data directory'), stateOf(closed, 'secret')], ['fine', 'fine'])
})

test('a store that exists is opened and answers', async () => {
  const dataDir = join(scratch, 'store')
  mkdirSync(dataDir, { mode: 0o700 })
  const store = await openStore({ url: `sqlite:${join(dataDir, 'licet.db')}` }, { now })
  await store.close()
  const found = (await look({ LICET_DATA_DIR: dataDir })).find(({ check }) => check === 'store')
  assert.equal(found?.state, 'fine')
  assert.match(found.says, /answers/)
})

test('a store that cannot be opened is wrong and its password is not told', async () => {
  const findings = await look({ LICET_STORE_URL: 'redis://me:hunter2hunter2@127.0.0.1:1' })
  assert.equal(stateOf(findings, 'store'), 'wrong')
  assert.ok(!JSON.stringify(findings).includes('hunter2'))
})

test('configuration problems are findings, and nothing else is touched', async () => {
  const findings = await look({ LICET_PORT: 'x', LICET_NOPE: '1' })
  const found = findings.find(({ check }) => check === 'configuration')
  assert.equal(found?.state, 'wrong')
  assert.match(found.says, /LICET_PORT.*\n.*LICET_NOPE|LICET_NOPE.*\n.*LICET_PORT/)
  assert.equal(stateOf(findings, 'store'), undefined)
})

test('a clock that is years off and a Node that is too old are wrong', async () => {
  const findings = await look({}, { now: () => 0, nodeVersion: '20.20.2' })
  assert.deepEqual([stateOf(findings, 'clock'), stateOf(findings, 'node')], ['wrong', 'wrong'])
  assert.equal(stateOf(await look({}, { nodeVersion: '22.13.0' }), 'node'), 'warning')
})
