/**
 * The root secret that development makes for itself: once, for its owner only, however many processes start.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { keepSecret } from '../../src/config/secret-file.ts'

const scratch = mkdtempSync(join(tmpdir(), 'licet-secret-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

test('the secret is made once and kept for its owner only', () => {
  const dataDir = join(scratch, 'fresh', 'data')
  const secret = keepSecret(dataDir)
  assert.ok(secret.length >= 43)
  assert.equal(keepSecret(dataDir), secret)
  assert.equal(statSync(dataDir).mode & 0o777, 0o700)
  assert.equal(statSync(join(dataDir, 'secret')).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(dataDir), ['secret'])
})

test('processes that start at once on an empty directory all get the same secret', async () => {
  const dataDir = join(scratch, 'race')
  const script = `import { keepSecret } from ${JSON.stringify(import.meta.resolve('../../src/config/secret-file.ts'))}; process.stdout.write(keepSecret(${JSON.stringify(dataDir)}))`
  const run = () =>
    new Promise<string>((resolve) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const text: Buffer[] = []
      child.stdout.on('data', (chunk: Buffer) => text.push(chunk))
      child.on('close', () => resolve(String(Buffer.concat(text))))
    })
  const secrets = await Promise.all(Array.from({ length: 6 }, run))
  assert.equal(new Set(secrets).size, 1)
  assert.equal(readFileSync(join(dataDir, 'secret'), 'utf8').trim(), secrets[0])
})

test('a data directory that cannot be made is a problem with a name, not a crash', () => {
  const inTheWay = join(scratch, 'file')
  writeFileSync(inTheWay, '')
  const loaded = loadConfig({ env: { LICET_DATA_DIR: join(inTheWay, 'data') }, cwd: scratch })
  assert.deepEqual('problems' in loaded && loaded.problems.map(({ path }) => path), ['LICET_DATA_DIR'])
})

test('attack: an emptied or shortened secret file stops the start instead of sealing with a guessable key', () => {
  for (const [name, text] of Object.entries({ empty: '', short: 'hunter2\n' })) {
    const dataDir = join(scratch, name)
    mkdirSync(dataDir)
    writeFileSync(join(dataDir, 'secret'), text)
    const loaded = loadConfig({ env: { LICET_DATA_DIR: dataDir }, cwd: scratch })
    assert.deepEqual('problems' in loaded && loaded.problems.map(({ path }) => path), ['LICET_DATA_DIR'], name)
    assert.equal(readFileSync(join(dataDir, 'secret'), 'utf8'), text)
  }
})

test('attack: a secret planted by another account of the machine is refused', {
  skip: process.getuid?.() !== 0 && 'needs root to play two accounts',
}, () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'licet-planted-'))
  try {
    chmodSync(dataDir, 0o777)
    writeFileSync(join(dataDir, 'secret'), 'x'.repeat(40), { mode: 0o644 })
    chownSync(join(dataDir, 'secret'), 12_345, 12_345)
    // The module is loaded as root, from wherever the checkout lies, and acts as somebody ordinary.
    const script = `const { keepSecret } = await import(${JSON.stringify(import.meta.resolve('../../src/config/secret-file.ts'))}); process.setuid(23_456); keepSecret(${JSON.stringify(dataDir)})`
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    assert.notEqual(status, 0)
    assert.match(stderr, /belongs to somebody else/)
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})
