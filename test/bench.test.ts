/**
 * The benchmark runs: its smallest form, from end to end, with every measurement in it. How fast anything is, is not judged here.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './support/licet.ts'
import { skipWithout } from './support/tools.ts'

const main = join(root, 'bench/main.ts')
const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 400_000,
  })

test('every measurement of the benchmark runs and prints its figures', { skip: skipWithout('redis-server') }, () => {
  const { status, stdout, stderr } = bench('--quick')
  assert.equal(status, 0, `${stdout}\n${stderr}`)
  for (const heading of [
    'Start and memory',
    'Client credentials\n',
    'Refresh with rotation',
    'Exchange of an access token, Redis',
    'Exchange of an access token, SQLite',
    '/.well-known/openid-configuration',
    '/.well-known/jwks.json',
    'with and without the limit per app',
    'Two processes on Redis',
    'First sign-in with consent',
    'Sign-ins from the password',
    'Pages, median',
    'An account with 100 sessions',
    'by how many grants are stored',
    'Authorize, by how the app is known',
    'anonymous registrations',
    '/api/v1/verify with a key, Licet on Redis',
    'Introspection of a key against the token endpoint, Licet on SQLite',
    'by how many keys are stored',
  ])
    assert.ok(stdout.includes(heading), `${heading} is missing in:\n${stdout}`)
  assert.match(stdout, /Licet on SQLite +\d+\/s ±\d+ % +\d+ µs CPU .*ratio \d+\.\d\d \(by CPU \d+\.\d\d\), aim 0\.85/)
  assert.doesNotMatch(stdout, /NaN|undefined|Infinity/)
})

test('a measurement that does not exist is named and nothing is measured', () => {
  const { status, stderr } = bench('--only=refersh')
  assert.equal(status, 1)
  assert.match(stderr, /no measurement refersh: start, client-credentials, refresh,/)
})
