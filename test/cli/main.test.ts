/**
 * The real program, run as an operator runs it: the configuration commands, refusals at the start, and what the launcher does.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'licet-main-'))
test.after(() => rmSync(scratch, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Only what the program needs: a developer's own settings stay out. */
const environment = (env: Record<string, string>) => ({ PATH: process.env['PATH'] ?? '', HOME: scratch, ...env })

function ended(child: ChildProcess): Promise<Ended> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((resolve) =>
    child.on('close', (code) => resolve({ code, out: String(Buffer.concat(out)), err: String(Buffer.concat(err)) })),
  )
}

function licet(words: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return ended(spawn(process.execPath, [join(root, 'src/main.ts'), ...words], { cwd: scratch, env: environment(env) }))
}

test('config check says that the defaults are fine and makes nothing', async () => {
  const { code, out } = await licet(['config', 'check', '--json'])
  assert.deepEqual([code, JSON.parse(out)], [0, { ok: true, problems: [], warnings: [] }])
  assert.equal(existsSync(join(scratch, 'data')), false)
})

test('config check tells every problem at once, on stderr, and exits 1', async () => {
  const env = { LICET_PORT: 'x', LICET_ISSUERS: 'https://a.example' }
  const { code, out, err } = await licet(['config', 'check'], env)
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /2 problems/)
  assert.match(err, /LICET_PORT: found x, expected a whole number from 0 to 65535/)
  assert.match(err, /LICET_ISSUERS/)
  const json = await licet(['config', 'check', '--json'], env)
  assert.equal((JSON.parse(json.out) as { problems: unknown[] }).problems.length, 2)
})

test('config check knows the rules of apps that only the start applies otherwise', async () => {
  const file = join(scratch, 'apps.yaml')
  const app = '{client_id: x, name: X, type: spa, redirect_uris: ["http://x.test/"], scopes: [data:read]}'
  writeFileSync(file, `apps:\n  - ${app}\n`)
  const { code, out, err } = await licet(['config', 'check', '--json'], { LICET_CONFIG: file })
  assert.equal(code, 1)
  const [problem, ...others] = (JSON.parse(out) as { problems: { path: string; found: string }[] }).problems
  assert.deepEqual([problem?.path, problem?.found, others], ['apps[0].redirect_uris[0]', 'http://x.test/', []])
  assert.match(err, /Use https/)
  assert.equal(existsSync(join(scratch, 'data')), false)
})

test('config print shows numbers as numbers, wherever they came from', async () => {
  const { out } = await licet(['config', 'print'], { LICET_PORT: '4711' })
  assert.match(out, /^port: 4711$/m)
})

test('config print masks secrets', async () => {
  const secret = 'correct-horse-battery-staple-correct-horse'
  const { code, out } = await licet(['config', 'print'], {
    LICET_SECRET: secret,
    LICET_STORE_URL: `redis://:${secret}@h:1`,
  })
  assert.equal(code, 0)
  assert.ok(!out.includes(secret))
  assert.match(out, /store_url: redis:\/\/\(hidden\)@h:1/)
})

test('the server refuses to start on a configuration with problems, without a stack', async () => {
  const { code, out, err } = await licet(['serve'], {
    LICET_MODE: 'production',
    LICET_ISSUER: 'http://auth.example.com',
  })
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /LICET_ISSUER: found http:\/\/auth\.example\.com, expected https in production/)
  assert.match(err, /secret: found nothing/)
  assert.doesNotMatch(err, /\n\s+at /)
})

test('npx licet goes through the launcher with words and exit code', async () => {
  const run = (...words: string[]) =>
    ended(spawn(process.execPath, [join(root, 'scripts/licet.mjs'), ...words], { cwd: scratch, env: environment({}) }))
  assert.equal((await run('config', 'check')).code, 0)
  assert.equal((await run('nope')).code, 2)
})

test('the launcher passes SIGTERM on and ends with its program', async () => {
  const script = join(scratch, 'waits.mjs')
  const launcher = join(root, 'scripts/node.mjs')
  writeFileSync(
    script,
    "process.on('SIGTERM', () => { console.log('asked'); process.exit(7) }); setInterval(() => {}, 1000); console.log('up')",
  )
  const code = `import { runForeground } from ${JSON.stringify(launcher)}; process.exitCode = await runForeground(process.execPath, [${JSON.stringify(script)}], {})`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { env: environment({}) })
  child.stdout.once('data', () => child.kill('SIGTERM'))
  const { code: exit, out } = await ended(child)
  assert.deepEqual([exit, out], [7, 'up\nasked\n'])
})
