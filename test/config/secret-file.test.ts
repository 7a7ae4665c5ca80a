/**
 * The root secret that development makes for itself: once, for its owner only, however many processes start.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
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
