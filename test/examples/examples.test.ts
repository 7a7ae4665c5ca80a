/**
 * The example programs, run against a real server as they stand: sign-in, refresh, offline verification, an API key, its exchange, and each refusal.
 * Where a toolchain is missing its example is skipped, and with CI=true that is a failure.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Program, pythonWith, runExample, SMALL_LIMITS } from '../support/example.ts'
import { goFor } from '../support/go.ts'
import { type Licet, root, startLicet } from '../support/licet.ts'
import { skipWithout } from '../support/tools.ts'

let licet: Licet
before(async () => {
  licet = await startLicet({ file: { rate_limits: { ...SMALL_LIMITS, token_client: 'off' } } })
})
after(() => licet?.close())

async function doesItsJob(program: Program): Promise<void> {
  const said = await runExample(licet, program)
  const told = JSON.stringify([...said])
  assert.match(said.get('signed in') ?? '', /./, told)
  assert.match(said.get('verified') ?? '', /may .*data:read/, told)
  assert.match(said.get('refreshed') ?? '', /^true$/i, told)
  assert.match(said.get('called') ?? '', /eight times/, told)
  assert.equal(said.get('key'), 'Nightly', told)
  assert.match(said.get('refused') ?? '', /403 insufficient_scope.*api:read.*looks up \w+/, told)
  assert.match(said.get('exchanged') ?? '', /^api_key:\S+ for \d+ s$/, told)
}

test('JavaScript with openid-client', async () => {
  await doesItsJob({ command: process.execPath, args: ['client.js'], directory: 'examples/javascript' })
})

for (const name of ['licet_authlib', 'licet_requests_oauthlib']) {
  test(`Python: ${name}`, { skip: skipWithout('python3') }, async () => {
    await doesItsJob({
      command: 'python3',
      args: [`${name}.py`],
      directory: 'examples/python',
      env: { PYTHONPATH: pythonWith('examples/python/requirements.txt'), PYTHONDONTWRITEBYTECODE: '1' },
    })
  })
}

test('Go with x/oauth2 and go-oidc', { skip: skipWithout('go') }, async () => {
  await doesItsJob({ command: goFor('examples/go'), args: ['run', '.'], directory: 'examples/go' })
})

test('every program is short enough to be read as documentation', () => {
  const programs = ['javascript', 'python', 'go'].flatMap((language) =>
    readdirSync(join(root, 'examples', language))
      .filter((name) => /\.(js|py|go)$/.test(name))
      .map((name) => join('examples', language, name)),
  )
  assert.ok(programs.length >= 4)
  const long = programs.filter((path) => readFileSync(join(root, path), 'utf8').trimEnd().split('\n').length >= 120)
  assert.deepEqual(long, [])
})
