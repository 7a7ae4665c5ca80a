/**
 * What is shipped: the lock file, the image, the compose file. No container engine is needed: the files are read, and every step's
 * command is run by other means (the build on exactly the files the image copies, Redis with exactly the flags of the compose file).
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { openStore } from '../src/storage/open.ts'
import { startServer } from './support/redis-server.ts'
import { skipWithout } from './support/tools.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The instructions of the Dockerfile, comments and line breaks taken out. */
const instructions = read('Dockerfile')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
const lastStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')))
const sourcesOf = (stage: readonly string[]) =>
  stage.filter((line) => /^COPY (?!--from)/.test(line)).flatMap((line) => line.split(/\s+/).slice(1, -1))

interface Service {
  readonly image: string
  readonly read_only: boolean
  readonly cap_drop: readonly string[]
  readonly ports?: readonly string[]
  readonly networks: readonly string[]
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}
const compose = parse(read('compose.yaml')) as {
  services: Record<string, Service>
  networks: Record<string, { internal?: boolean }>
}

test('the lock file names every optional package of every platform, or npm ci refuses it', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: object }>
  }
  const locked = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')))
  const missing = Object.values(packages).flatMap(({ optionalDependencies }) =>
    Object.keys(optionalDependencies ?? {}).filter((name) => !locked.has(name)),
  )
  assert.deepEqual(missing, [])
})

test('every dependency has an exact version', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {}))
      assert.match(version, /^(npm:[@\w./-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/, name)
  }
})

test('every image is pinned to a version, and to the Node the project pins', () => {
  const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: { node: string } }
  const images = instructions.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1])
  assert.deepEqual(new Set(images), new Set([`node:${optionalDependencies.node}-slim`]))
  for (const { image } of Object.values(compose.services)) assert.match(image, /:\d+\.\d+\.\d+$/)
})

test('the image runs as an ordinary account, checks its health without curl and starts the compiled server', () => {
  assert.ok(lastStage.includes('USER node'))
  const after = lastStage.slice(lastStage.indexOf('USER node'))
  assert.ok(!after.some((line) => /^(USER|RUN|COPY|ADD) /.test(line) && line !== 'USER node'))
  assert.equal(lastStage.at(-1), 'CMD ["node", "dist/main.js", "serve"]')
  assert.ok(lastStage.some((line) => line.startsWith('HEALTHCHECK ')))
  assert.ok(lastStage.includes('VOLUME /data'))
  assert.ok(!instructions.some((line) => /\b(curl|wget|sudo|chmod 777)\b|^ADD |:latest/.test(line)))
})

test('no secret and no setting of a person is baked in or copied', () => {
  assert.ok(!instructions.some((line) => /^(ENV|ARG) .*(SECRET|TOKEN|PASSWORD)/i.test(line)))
  const [first, ...kept] = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  assert.equal(first, '*')
  const copied = new Set(sourcesOf(instructions).map((path) => path.replace(/^\.\//, '')))
  assert.deepEqual(new Set(kept.map((line) => line.replace(/^!/, ''))), copied)
  for (const path of copied) assert.ok(existsSync(join(root, path)), path)
})

test('the health check of the image says no when nothing answers', () => {
  const [, list = '[]'] = /CMD (\[.*\])$/.exec(lastStage.find((line) => line.startsWith('HEALTHCHECK ')) ?? '') ?? []
  const [, ...args] = JSON.parse(list) as string[]
  // Port 1: nothing listens there.
  const { status, stderr } = spawnSync(process.execPath, args, { env: { LICET_PORT: '1' }, encoding: 'utf8' })
  assert.deepEqual([status, stderr], [1, ''])
})

test('the steps of the image build a server from exactly the files it copies', () => {
  const image = mkdtempSync(join(tmpdir(), 'licet-image-'))
  try {
    for (const path of new Set(sourcesOf(instructions)))
      cpSync(join(root, path), join(image, path), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(image, 'node_modules'))
    const run = (...args: string[]) =>
      spawnSync(process.execPath, args, { cwd: image, encoding: 'utf8', env: { LICET_DATA_DIR: join(image, 'data') } })
    assert.ok(instructions.includes('RUN node scripts/build.mjs'))
    assert.equal(run('scripts/build.mjs').status, 0)
    const sourceless = ['src', 'scripts', 'tsconfig.json', 'tsconfig.build.json']
    for (const path of sourceless) rmSync(join(image, path), { recursive: true })
    assert.equal(run('dist/main.js', 'config', 'check').stdout, 'The configuration is fine.\n')
    assert.match(run('dist/main.js', '--version').stdout, /^\d+\.\d+\.\d+\n$/)
  } finally {
    rmSync(image, { recursive: true, force: true })
  }
})

test('the services of the compose file can write nowhere but to their volumes, and Redis is reachable by Licet only', () => {
  const { licet, redis } = compose.services
  for (const service of Object.values(compose.services)) {
    assert.equal(service.read_only, true)
    assert.deepEqual(service.cap_drop, ['ALL'])
  }
  assert.equal(redis?.ports, undefined)
  assert.deepEqual(redis?.networks, ['store'])
  assert.equal(compose.networks['store']?.internal, true)
  for (const port of licet?.ports ?? []) assert.match(port, /^127\.0\.0\.1:/)
})

test('the compose file gives secrets as files, never as values', () => {
  for (const [name, value] of Object.entries(compose.services['licet']?.environment ?? {})) {
    if (/SECRET|SMTP|TOKEN/.test(name)) assert.match(`${name}=${value}`, /_FILE=\/run\/secrets\//)
  }
})

test('Licet accepts the Redis of the compose file for production', { skip: skipWithout('redis-server') }, async () => {
  const [program, ...settings] = compose.services['redis']?.command ?? []
  assert.equal(program, 'redis-server')
  const server = await startServer({ settings: settings.map(String) })
  try {
    const store = await openStore({ url: `redis://127.0.0.1:${server.port}` }, { now: Date.now })
    assert.deepEqual((await store.inspect()).problems, [])
    await store.close()
  } finally {
    await server.stop()
  }
})
