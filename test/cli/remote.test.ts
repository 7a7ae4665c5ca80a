/**
 * A person's command line against a running server: signing in with a code that is confirmed in a browser, personal tokens, and what is kept at home.
 * The browser is played over HTTP while the command waits.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { addLoginCommands } from '../../src/cli/login.ts'
import type { Output } from '../../src/cli/program.ts'
import { serverOf } from '../../src/cli/remote.ts'
import { createSignIns } from '../../src/cli/sign-ins.ts'
import { addTokenCommands } from '../../src/cli/token.ts'
import { callApi } from '../support/api.ts'
import { newPerson, type SignedIn } from '../support/app-client.ts'
import { createRunner } from '../support/commands.ts'
import { type Licet, PASSWORD, root, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

let licet: Licet
let ada: SignedIn
let time = Date.now()
const home = mkdtempSync(join(tmpdir(), 'licet-home-'))
const kept = join(home, 'licet', 'sign-ins.json')

before(async () => {
  licet = await startLicet({ now: () => time, file: { lifetimes: { step_up: '2m' } } })
  ada = await newPerson(licet)
})
after(async () => {
  await licet.close()
  rmSync(home, { recursive: true, force: true })
})

/** Opens the address that the command printed, confirms its code and signs in: as a browser on another machine would. */
async function confirm(said: string, decision: 'allow' | 'deny' = 'allow', who = ada): Promise<void> {
  const url = /Open (\S+)/.exec(said)?.[1] ?? ''
  const person = new Person(licet.issuer)
  let visit = await person.submit(await person.open(url), {}, '/device')
  assert.match(visit.body, /Licet command line/)
  visit = await person.submit(visit, { decision }, '/device')
  if (visit.body.includes('name="password"'))
    await person.submit(visit, { email: who.email, password: PASSWORD }, '/sign-in')
}

/** What the person does meanwhile; and what every request of a run went to. */
let meanwhile: ((said: string) => Promise<void>) | undefined
let addresses: string[] = []

function run(words: readonly string[], { isAttended = false } = {}) {
  let said = ''
  addresses = []
  const hear = (text: string, output?: Output) => {
    said += text
    output?.err(text)
  }
  const runner = createRunner((program, { output }) => {
    const desk = {
      output: { out: (text: string) => output?.out(text), err: (text: string) => hear(text, output) },
      signIns: createSignIns(home, () => 'draft'),
      fetch: ((url, init) => {
        addresses.push(String(url))
        return fetch(url, init)
      }) as typeof fetch,
      now: () => time,
      async pause(milliseconds: number) {
        await meanwhile?.(said)
        meanwhile = undefined
        time += milliseconds
      },
      isAttended,
    }
    addLoginCommands(program, desk)
    addTokenCommands(program, desk)
  })
  return runner(words)
}

async function signIn(...more: string[]) {
  meanwhile = confirm
  return run(['login', licet.issuer, ...more])
}

test('before a sign-in every command says how to sign in, on standard error, with exit code 1', async () => {
  for (const words of [['whoami'], ['token', 'list'], ['token', 'create', '--name', 'x', '--scope', 'data:read']]) {
    const { code, out, err } = await run([...words, '--server', licet.issuer])
    assert.deepEqual([code, out], [1, ''])
    assert.equal(err, `licet: Sign in first: licet login ${licet.issuer}\n`)
  }
  assert.equal((await run(['logout'])).code, 1)
  assert.equal((await run(['token', 'create', '--name', 'x'])).code, 2)
  assert.equal((await run(['login', 'http://licet.example'])).code, 2)
})

test('login prints where to confirm, waits, and keeps the sign-in where nobody else reads it', async () => {
  const { code, out, err } = await signIn()
  assert.equal(code, 0, err)
  assert.match(err, /Open http\S+\/device\?user_code=\S+\nor http\S+\/device and type [A-Z]{4}-[A-Z]{4}\n/)
  assert.equal(out, `Signed in to ${licet.issuer} as ${(await whoIs()).name} <${ada.email}>.\n`)
  assert.equal(statSync(kept).mode & 0o777, 0o600)
  assert.equal(statSync(join(home, 'licet')).mode & 0o777, 0o700)
  assert.deepEqual(readdirSync(join(home, 'licet')), ['sign-ins.json'])
  const me = (await run(['whoami', '--json'])).json<{ account: { id: string }; scopes: string[] }>()
  assert.equal(me.account.id, ada.accountId)
  assert.ok(me.scopes.includes('api:write') && !me.scopes.includes('api:admin'), me.scopes.join(' '))
})

const whoIs = async () => (await run(['whoami', '--json'])).json<{ account: { name: string } }>().account

interface Issued {
  readonly id: string
  readonly key: string
  readonly state: string
  readonly scopes: string[]
}
const me = (token: string) => callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token })

test('tokens are made, listed, shown, rotated and revoked; a secret is printed once and goes nowhere else', async () => {
  const wish = ['--name', 'Laptop', '--scope', 'data:read api:read', '--expires-in', '2h', '--allow-ip', '127.0.0.1']
  const made = (await run(['token', 'create', ...wish, '--json'])).json<Issued>()
  assert.match(made.key, /^licet_pat_/)
  assert.equal((await me(made.key)).body.credential.id, made.id)
  const list = await run(['token', 'list'])
  assert.match(list.out, new RegExp(`^${made.id} {2}active {4}\\S+ {2}Laptop\n$`))
  const shown = await run(['token', 'show', made.id])
  assert.match(shown.out, /scopes: \["data:read","api:read"\]/)
  const rotated = await run(['token', 'rotate', made.id, '--overlap', '0'])
  const [, second = ''] = /Shown this once:\n(\S+)\n/.exec(rotated.out) ?? []
  assert.equal((await me(second)).status, 200, rotated.err)
  assert.equal((await run(['token', 'revoke', made.id])).out, `Revoked ${made.id}.\n`)
  assert.equal((await me(second)).status, 401)
  const listed = (await run(['token', 'list', '--json'])).json<{ items: Issued[] }>().items
  assert.deepEqual(
    listed.map(({ id, state }) => ({ id, state })),
    [{ id: made.id, state: 'revoked' }],
  )
  for (const secret of [made.key, second])
    assert.ok(![list.out, shown.out, JSON.stringify(listed)].join().includes(secret))
})

test('what the server refuses is one sentence with its reference, and exit code 1', async () => {
  const wide = await run(['token', 'create', '--name', 'x', '--scope', 'api:admin'])
  assert.equal(wide.code, 1)
  assert.match(wide.err, /^licet: .*\/scopes/)
  const gone = await run(['token', 'show', '../keys', '--json'])
  assert.deepEqual([gone.code, JSON.parse(gone.err).error], [1, 'not_found'])
  assert.ok(
    addresses.some((url) => url.endsWith('/api/v1/tokens/..%2Fkeys')),
    'an id stays one part of a path',
  )
})

test('an access token that is over is renewed by itself', async () => {
  const before = JSON.parse(readFileSync(kept, 'utf8')).servers[licet.issuer]
  await createSignIns(home, () => 'draft').keep(licet.issuer, { ...before, expires_at: time + 9_000 })
  assert.equal((await run(['whoami'])).code, 0)
  const { access_token, refresh_token } = JSON.parse(readFileSync(kept, 'utf8')).servers[licet.issuer]
  assert.notEqual(access_token, before.access_token)
  assert.notEqual(refresh_token, before.refresh_token)
})

test('making a token long after the sign-in asks for a new one, at once where a person sits there', async () => {
  time += 121_000
  const words = ['token', 'create', '--name', 'Later', '--scope', 'data:read', '--json']
  const script = await run(words)
  assert.deepEqual([script.code, script.out], [1, ''])
  assert.match(JSON.parse(script.err).message, new RegExp(` Run: licet login --again ${licet.issuer}$`))
  meanwhile = confirm
  const attended = await run(words, { isAttended: true })
  assert.equal(attended.code, 0, attended.err)
  assert.match(attended.json<Issued>().key, /^licet_pat_/)
})

test('a sign-in that is refused, and one that nobody answers, keeps nothing', async () => {
  const before = readFileSync(kept, 'utf8')
  meanwhile = (said) => confirm(said, 'deny')
  const denied = await run(['login', licet.issuer])
  assert.equal(denied.code, 1, denied.out)
  assert.equal(readFileSync(kept, 'utf8'), before)
})

test('nothing secret stands in an address, in words, or in what is printed while it works', async () => {
  const { out, err } = await signIn('--json')
  const { access_token, refresh_token } = JSON.parse(readFileSync(kept, 'utf8')).servers[licet.issuer]
  for (const secret of [access_token, refresh_token])
    for (const text of [out, err, ...addresses]) assert.ok(!text.includes(secret))
})

test('what was kept with rights for others is refused', async () => {
  chmodSync(kept, 0o644)
  const { code, err } = await run(['whoami'])
  assert.equal(code, 1)
  assert.match(err, /can be read by others/)
  chmodSync(kept, 0o600)
})

test('logout ends the sign-in here and at the server', async () => {
  const { access_token: token } = JSON.parse(readFileSync(kept, 'utf8')).servers[licet.issuer]
  assert.equal((await me(token)).status, 200)
  assert.equal((await run(['logout'])).code, 0)
  assert.equal((await me(token)).status, 401)
  assert.equal((await run(['whoami', '--server', licet.issuer])).code, 1)
  assert.equal(readFileSync(kept, 'utf8').includes(token), false)
})

test('the real program does it too, and finds its place by XDG_CONFIG_HOME', async () => {
  const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', XDG_CONFIG_HOME: join(home, 'other') }
  const licetCommand = (...words: string[]) => {
    const child = spawn(process.execPath, [join(root, 'src/main.ts'), ...words], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    const said = new Promise<void>((resolve) => child.stderr.on('data', () => err.includes('Waiting') && resolve()))
    const code = new Promise<number | null>((resolve) => child.on('close', resolve))
    return { said, code, out: () => out, err: () => err }
  }
  const login = licetCommand('login', licet.issuer)
  await login.said
  await confirm(login.err())
  assert.equal(await login.code, 0, login.err())
  const made = licetCommand('token', 'create', '--name', 'Real', '--scope', 'data:read', '--json')
  assert.equal(await made.code, 0, made.err())
  assert.equal((await me(JSON.parse(made.out()).key)).status, 200)
})

test('a server is named by https, or http on this machine, and by nothing that holds a secret', () => {
  assert.equal(serverOf('licet.example'), 'https://licet.example')
  assert.equal(serverOf('https://licet.example/id/'), 'https://licet.example/id')
  assert.equal(serverOf('http://localhost:4000'), 'http://localhost:4000')
  for (const bad of [
    'http://licet.example',
    'ftp://licet.example',
    'https://a:b@licet.example',
    'https://x.example/?t=1',
    'x y',
  ])
    assert.throws(() => serverOf(bad), bad)
})
