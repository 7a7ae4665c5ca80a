/**
 * What production refuses, and that everything is told together.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'

const GOOD = {
  LICET_MODE: 'production',
  LICET_ISSUER: 'https://auth.example.com',
  LICET_SECRET: 'correct-horse-battery-staple-correct-horse',
  LICET_SMTP_URL: 'smtp://mail:25',
}

function load(env: Record<string, string | undefined>) {
  const readFile = () => {
    throw Object.assign(new Error('none'), { code: 'ENOENT' })
  }
  const keepSecret = () => assert.fail('production must never make a secret of its own')
  return loadConfig({ env: { ...GOOD, ...env }, cwd: '/srv', readFile, keepSecret })
}

function refusals(env: Record<string, string | undefined>): string[] {
  const loaded = load(env)
  return 'problems' in loaded ? loaded.problems.map(({ path }) => path) : []
}

test('production starts with an https issuer, a secret and outgoing mail; mailbox and playground are off', () => {
  const loaded = load({})
  assert.ok('config' in loaded)
  assert.equal(loaded.config.mailbox, false)
  assert.equal(loaded.config.playground, false)
})

test('production refuses an http issuer, except on loopback', () => {
  assert.deepEqual(refusals({ LICET_ISSUER: 'http://auth.example.com' }), ['LICET_ISSUER'])
  assert.deepEqual(refusals({ LICET_ISSUER: 'http://127.0.0.1.example.com' }), ['LICET_ISSUER'])
  assert.deepEqual(refusals({ LICET_ISSUER: 'http://localhost.example.com' }), ['LICET_ISSUER'])
  for (const issuer of ['http://localhost:4000', 'http://127.0.0.1:4000', 'http://[::1]:4000']) {
    assert.deepEqual(refusals({ LICET_ISSUER: issuer }), [], issuer)
  }
})

test('production refuses to start without a root secret', () => {
  assert.deepEqual(refusals({ LICET_SECRET: undefined }), ['secret'])
})

test('production refuses the development mailbox, the playground and debug', () => {
  assert.deepEqual(refusals({ LICET_MAILBOX: 'on' }), ['LICET_MAILBOX'])
  assert.deepEqual(refusals({ LICET_SMTP_URL: undefined }), ['smtp_url'])
  assert.deepEqual(refusals({ LICET_PLAYGROUND: 'true' }), ['LICET_PLAYGROUND'])
  assert.deepEqual(refusals({ LICET_DEBUG: 'true' }), ['LICET_DEBUG'])
})

test('production sends no mail, or shows reasons, only when it is asked for in so many words', () => {
  const loaded = load({ LICET_SMTP_URL: undefined, LICET_MAILBOX: 'off', LICET_DEBUG: 'unsafe' })
  assert.ok('config' in loaded)
  assert.equal(loaded.config.mailbox, false)
  assert.equal(loaded.config.debug, true)
  assert.equal(loaded.warnings.length, 2)
})

test('production tells what it refuses together with every other problem', () => {
  const all = refusals({
    LICET_ISSUER: 'http://a.example',
    LICET_SECRET: undefined,
    LICET_PORT: 'x',
    LICET_PLAYGROUND: 'on',
    LICET_NOPE: '1',
  })
  assert.deepEqual(all.sort(), ['LICET_ISSUER', 'LICET_NOPE', 'LICET_PLAYGROUND', 'LICET_PORT', 'secret'])
})
