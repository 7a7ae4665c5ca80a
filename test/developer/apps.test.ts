/**
 * Developer pages over real HTTP: each type of app is registered and finishes its flow with the very lines its page shows; every redirect URI gets its
 * verdict; secrets overlap; and nobody reaches an app of somebody else.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, textOf, type Visit } from '../support/person.ts'

let licet: Licet
let time = Date.now()
/** Shells that are still open, when a test has failed. */
const open = new Set<ChildProcess>()
before(async () => {
  licet = await startLicet({ now: () => time })
})
after(async () => {
  for (const shell of open) shell.kill()
  await licet.close()
})

/** A person with a new account, signed in at the developer pages. */
async function enter(more: object = {}) {
  const account = await newAccount(licet.core, undefined, more)
  const person = new Person(licet.issuer)
  const signIn = await person.open('/developer/apps')
  const page = await person.submit(signIn, { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person, page }
}

const CALLBACK = 'https://app.example.test/callback'
const filled = { name: 'Notes', type: 'web', redirect_uris: CALLBACK, scope: ['data:read'], auth: 'secret' }

async function registerOn(person: Person, fields: Record<string, string | string[]>): Promise<Visit> {
  return person.submit(await person.open('/developer/apps/new'), { ...filled, ...fields }, '/developer/apps')
}

function unescaped(html: string): string {
  const marks: Record<string, string> = { lt: '<', gt: '>', amp: '&', '#34': '"', '#39': "'" }
  return html.replace(/&(lt|gt|amp|#34|#39);/g, (_all, mark: string) => marks[mark] ?? '')
}

/** The steps of the page's example. */
const stepsOn = ({ body }: Visit): string[] =>
  [...body.matchAll(/<code id="step-\d">([\s\S]*?)<\/code>/g)].map(([, code = '']) => unescaped(code))
const secretOn = ({ body }: Visit) => /licet_cs_[0-9A-Za-z]{38}/.exec(body)?.[0]
const idOn = ({ body }: Visit) => /id="client-id">([^<]+)</.exec(body)?.[1] ?? ''

/** A shell that keeps what was set, as a person's terminal does; curl is told to be quiet. */
function terminal(env: Record<string, string> = {}) {
  const shell: ChildProcess = spawn('sh', {
    env: { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  open.add(shell)
  assert.ok(shell.stdin && shell.stdout)
  const { stdin } = shell
  const output = createInterface({ input: shell.stdout })
  return {
    /** The last line that is printed until the lines have run. */
    async run(code: string): Promise<string> {
      const heard: string[] = []
      const done = new Promise<void>((resolve) => {
        const listen = (line: string) => {
          if (line.endsWith('the end')) {
            output.off('line', listen)
            heard.push(line.slice(0, -'the end'.length))
            resolve()
          } else heard.push(line)
        }
        output.on('line', listen)
      })
      stdin.write(`${code.replaceAll('curl ', 'curl -sS --max-time 10 ')}\nprintf 'the end\\n'\n`)
      await done
      return heard.filter((line) => line !== '').at(-1) ?? ''
    },
    async close() {
      stdin.end()
      await once(shell, 'exit')
      open.delete(shell)
    },
  }
}

/** Runs the page's example for an app with redirect URIs: prints, signs in, exchanges, uses. */
async function runCodeSteps(steps: readonly string[], email: string, env: Record<string, string> = {}) {
  const { run, close } = terminal(env)
  const [begin = '', exchange = '', use = ''] = steps
  const address = await run(begin)
  const back = await new Person(licet.issuer).authorize(address, { email })
  await run(`code='${back.searchParams.get('code')}'`)
  const tokens = JSON.parse(await run(exchange))
  await run(`access_token='${tokens.access_token}'`)
  const me = JSON.parse(await run(use))
  await close()
  return { tokens, me, back }
}

describe('each type finishes its flow with the lines that are shown', () => {
  for (const [type, redirectUri] of [
    ['web', CALLBACK],
    ['spa', "https://app.example.test/it's?a=$HOME&b=(1)"],
    ['native', 'http://127.0.0.1:8123/callback'],
    ['native', 'com.example.notes:/callback'],
  ] as const) {
    test(`${type} at ${redirectUri}`, async () => {
      const { person, account } = await enter()
      const made = await registerOn(person, { type, redirect_uris: redirectUri })
      assert.equal(made.status, 200, textOf(made.body))
      assert.equal(secretOn(made) !== undefined, type === 'web')
      const { tokens, me, back } = await runCodeSteps(stepsOn(made), account.email)
      assert.ok(back.href.startsWith(redirectUri.slice(0, 20)))
      assert.match(tokens.scope, /data:read/)
      assert.equal(me.account.id, account.id)
      assert.equal(me.credential.client_id, idOn(made) || me.credential.client_id)
    })
  }

  test('device: a code is asked for, allowed on another device, and polled', async () => {
    const { person, account } = await enter()
    const made = await registerOn(person, { type: 'device', redirect_uris: '' })
    const [ask = '', poll = '', use = ''] = stepsOn(made)
    const { run, close } = terminal()
    const asked = JSON.parse(await run(ask))
    const opened = await person.open(asked.verification_uri_complete)
    const confirmed = await person.submit(opened, {}, '/device')
    const allowed = await person.submit(confirmed, { decision: 'allow' }, '/device')
    if (allowed.body.includes('/consent"')) await person.submit(allowed, { decision: 'allow' }, '/consent')
    await run(`device_code='${asked.device_code}'`)
    const tokens = JSON.parse(await run(poll))
    assert.ok(tokens.access_token, JSON.stringify(tokens))
    await run(`access_token='${tokens.access_token}'`)
    assert.equal(JSON.parse(await run(use)).account.id, account.id)
    await close()
  })

  test('service: a token for itself', async () => {
    const { person } = await enter()
    const made = await registerOn(person, { type: 'service', redirect_uris: '' })
    assert.ok(secretOn(made))
    const { run, close } = terminal()
    const tokens = JSON.parse(await run(stepsOn(made)[0] ?? ''))
    assert.match(tokens.scope, /data:read/)
    await close()
  })

  for (const key of ['ec', 'rsa', 'ed25519'] as const)
    test(`web and service with a private key (${key}): the lines sign the proof too`, async () => {
      const { person, account } = await enter()
      const pair =
        key === 'ec'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : key === 'rsa'
            ? generateKeyPairSync('rsa', { modulusLength: 2048 })
            : generateKeyPairSync('ed25519')
      const directory = mkdtempSync(join(tmpdir(), 'licet-key-'))
      writeFileSync(join(directory, 'private-key.pem'), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
      const proof = {
        auth: 'private_key_jwt',
        jwks: JSON.stringify({ keys: [pair.publicKey.export({ format: 'jwk' })] }),
      }
      const web = stepsOn(await person.open(`/developer/apps/${idOn(await registerOn(person, proof))}`))
      const service = stepsOn(await registerOn(person, { ...proof, type: 'service', redirect_uris: '' }))
      const { run, close } = terminal()
      await run(`cd '${directory}'`)
      // The shell has no other clock than the machine's.
      time = Math.max(time, Date.now())
      const [begin = '', proving = '', exchange = ''] = web
      const back = await new Person(licet.issuer).authorize(await run(begin), { email: account.email })
      await run(`code='${back.searchParams.get('code')}'`)
      await run(proving)
      const exchanged = JSON.parse(await run(exchange))
      assert.match(exchanged.scope ?? '', /data:read/, exchanged.error_description)
      await run(service[0] ?? '')
      const own = JSON.parse(await run(service[1] ?? ''))
      assert.match(own.scope ?? '', /data:read/, own.error_description)
      await close()
    })

  test('the page of the app shows the same lines without the secret, which comes from the environment', async () => {
    const { person, account } = await enter()
    const made = await registerOn(person, {})
    const secret = secretOn(made) ?? ''
    const detail = await person.open(`/developer/apps/${idOn(made)}`)
    assert.ok(!detail.body.includes(secret), 'AK6')
    const { me } = await runCodeSteps(stepsOn(detail), account.email, { CLIENT_SECRET: secret })
    assert.equal(me.account.id, account.id)
  })
})

test('every redirect URI has its own verdict, and everything else that was typed is kept', async () => {
  const { person, account } = await enter()
  const uris = [
    'https://good.example/cb',
    'http://evil.example/cb',
    'https://a.example/#f',
    'javascript:alert(1)',
    'https://good.example/cb',
  ]
  const page = await registerOn(person, { redirect_uris: uris.join('\n'), name: 'Kept', optional_scope: ['llm:read'] })
  const verdicts = [...page.body.matchAll(/<li class="(yes|no)">[\s\S]*?<code>([^<]*)<\/code>([\s\S]*?)<\/li>/g)]
  assert.deepEqual(
    verdicts.map(([, verdict, uri]) => [verdict, uri]),
    uris.map((uri, at) => [at === 0 ? 'yes' : 'no', uri]),
  )
  const words = verdicts.map(([, , , more = '']) => textOf(more))
  assert.match(words[1] ?? '', /Use https/)
  assert.match(words[2] ?? '', /fragment/)
  assert.match(words[3] ?? '', /operating system/)
  assert.match(words[4] ?? '', /twice/)
  assert.match(page.body, /name="name"[^>]*value="Kept"/)
  assert.match(page.body, /name="optional_scope" value="llm:read" checked/)
  assert.equal((await licet.core.apps.list({ ownerId: account.id })).items.length, 0)
})

test('an attack: a form sent again makes nothing and shows no secret', async () => {
  const { person, account } = await enter()
  const blank = await person.open('/developer/apps/new')
  const made = await person.submit(blank, filled, '/developer/apps')
  const again = await person.submit(blank, filled, '/developer/apps')
  assert.equal(secretOn(again), undefined)
  assert.match(again.url, /done=repeated/)
  assert.equal((await licet.core.apps.list({ ownerId: account.id })).items.length, 1)
  const detail = await person.open(`/developer/apps/${idOn(made)}/secrets`)
  const rotated = await person.submit(detail, { overlap: '1h' }, '/secrets')
  assert.ok(secretOn(rotated))
  assert.equal(secretOn(await person.submit(detail, { overlap: '1h' }, '/secrets')), undefined)
})

test('two secrets live while one is rotated: no call fails; ended now, the old one is refused', async () => {
  const { person } = await enter()
  const made = await registerOn(person, { type: 'service', redirect_uris: '' })
  const clientId = idOn(made)
  const ask = async (secret: string | undefined) => {
    const authorization = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`
    const body = new URLSearchParams({ grant_type: 'client_credentials' })
    return (await fetch(`${licet.issuer}/token`, { method: 'POST', headers: { authorization }, body })).status
  }
  const first = secretOn(made)
  const path = `/developer/apps/${clientId}/secrets`
  const rotated = await person.submit(await person.open(path), { overlap: '1h' }, '/secrets')
  const second = secretOn(rotated)
  assert.deepEqual([await ask(first), await ask(second)], [200, 200])
  const detail = await person.open(path)
  assert.match(textOf(detail.body), /Old secret/)
  const third = secretOn(await person.submit(detail, { overlap: 'now' }, '/secrets'))
  assert.deepEqual([await ask(first), await ask(second), await ask(third)], [401, 401, 200])
})

test('the page of an app’s secrets tells who still uses the old one, ends it, and shows the calls as chart, table and CSV', async () => {
  const { person } = await enter()
  const made = await registerOn(person, { type: 'service', redirect_uris: '' })
  const clientId = idOn(made)
  const path = `/developer/apps/${clientId}/secrets`
  const ask = async (secret: string | undefined, agent: string) => {
    const authorization = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`
    const body = new URLSearchParams({ grant_type: 'client_credentials' })
    const headers = { authorization, 'user-agent': agent }
    return (await fetch(`${licet.issuer}/token`, { method: 'POST', headers, body })).status
  }
  const first = secretOn(made)
  await ask(first, 'weekly/1')
  time += 1000
  const wrong = await person.submit(await person.open(path), { overlap: 'quiet', quiet_hours: '0' }, '/secrets')
  assert.match(textOf(wrong.body), /Enter 1 to 168 hours/)
  const second = secretOn(await person.submit(wrong, { overlap: 'quiet', quiet_hours: '6' }, '/secrets'))
  await ask(first, 'late/1')
  await ask(second, 'fresh/1')
  const page = await person.open(`${path}?by=hour`)
  const text = textOf(page.body)
  assert.match(text, /nobody has used it for 6 hours/)
  assert.match(text, /1 caller still uses the old one.*late\/1.*1 caller was not seen since.*weekly\/1/)
  assert.match(text, /3 answered/)
  assert.match(page.body, /<svg class="chart"/)
  const csv = await person.open(`/developer/apps/${clientId}/usage.csv?by=hour`)
  assert.match(csv.headers.get('content-type') ?? '', /text\/csv/)
  const answered = csv.body.trim().split('\r\n').slice(1)
  assert.equal(
    answered.reduce((sum, line) => sum + Number(line.split(',')[1]), 0),
    3,
  )
  const ended = await person.submit(page, {}, '/end-old')
  assert.match(textOf(ended.body), /The old secret has ended/)
  time += 1100
  assert.deepEqual([await ask(first, 'late/1'), await ask(second, 'fresh/1')], [401, 200])
})

test('AK1, DC7: what the form does not offer is refused or ignored: scopes of the operator, trust, other owners', async () => {
  const { person, account } = await enter()
  const stranger = await newAccount(licet.core)
  const refused = await registerOn(person, { scope: ['api:admin'] })
  assert.match(textOf(refused.body), /Choose from the rights/)
  const made = await registerOn(person, {
    first_party: 'true',
    firstParty: 'true',
    verified: 'true',
    ownerId: stranger.id,
    client_id: 'console',
  })
  const app = await licet.core.apps.getById(idOn(made))
  assert.deepEqual([app.firstParty, app.verified, app.ownerId], [false, false, account.id])
  assert.notEqual(app.clientId, 'console')
})

test('AK7: an app of somebody else, or of the configuration, is not there', async () => {
  const { person } = await enter()
  const other = await enter()
  const clientId = idOn(await registerOn(other.person, {}))
  const own = idOn(await registerOn(person, {}))
  const csrf =
    formsOf((await person.open(`/developer/apps/${own}/secrets`)).body).find(({ action }) =>
      action.endsWith('/secrets'),
    )?.fields ?? []
  for (const id of [clientId, 'playground', 'settings', 'none']) {
    for (const page of ['', '/secrets', '/usage.csv'])
      assert.equal((await person.open(`/developer/apps/${id}${page}`)).status, 404, id)
    for (const act of ['/change', '/secrets', '/end-old', '/remove'])
      assert.equal(
        (await person.send('POST', `/developer/apps/${id}${act}`, [...csrf, ['name', 'Notes']])).status,
        404,
        act,
      )
  }
  assert.equal((await licet.core.apps.getById(clientId)).name, 'Notes')
  assert.ok(!textOf((await person.open('/developer/apps')).body).includes(clientId))
})

test('an app is changed, is shown as suspended with the reason, and is removed by typing its name', async () => {
  const { person } = await enter()
  const clientId = idOn(await registerOn(person, {}))
  const path = `/developer/apps/${clientId}`
  const wrong = await person.submit(
    await person.open(path),
    { name: 'Better', redirect_uris: 'http://evil.example', scope: ['data:read'] },
    '/change',
  )
  assert.match(wrong.body, /role="alert"/)
  const changed = await person.submit(
    wrong,
    {
      name: 'Better',
      redirect_uris: `${CALLBACK}\n${CALLBACK}2`,
      scope: ['data:read'],
      optional_scope: ['data:write'],
    },
    '/change',
  )
  assert.match(textOf(changed.body), /Saved/)
  const app = await licet.core.apps.getById(clientId)
  assert.deepEqual(
    [app.name, app.redirectUris.length, app.scopes, app.optionalScopes],
    ['Better', 2, ['data:read'], ['data:write']],
  )
  await licet.core.apps.suspend({ kind: 'operator' }, clientId, 'Reported <b>twice</b>')
  const suspended = await person.open(path)
  assert.match(textOf(suspended.body), /suspended this app.*Reported <b>twice<\/b>/)
  const kept = await person.submit(suspended, { name: 'better' }, '/remove')
  assert.match(textOf(kept.body), /Nothing was removed/)
  const removed = await person.submit(kept, { name: 'Better' }, '/remove')
  assert.match(textOf(removed.body), /The app is gone/)
  assert.equal(await licet.core.apps.find(clientId), undefined)
})

test('private_key_jwt: public keys are taken, private ones and nonsense are refused', async () => {
  const { person } = await enter()
  const { publicKey, privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])
  const [shared, secret] = await Promise.all([publicKey, privateKey].map((key) => crypto.subtle.exportKey('jwk', key)))
  const set = (key: object | undefined) =>
    JSON.stringify({ keys: [{ ...key, alg: 'ES256', use: 'sig', kid: 'one', ext: undefined, key_ops: undefined }] })
  for (const jwks of [set(secret), 'nonsense', '{"keys":"x"}', 'http://10.0.0.1/jwks'])
    assert.match(textOf((await registerOn(person, { auth: 'private_key_jwt', jwks })).body), /Paste public keys/, jwks)
  const made = await registerOn(person, { auth: 'private_key_jwt', jwks: set(shared) })
  assert.match(textOf(made.body), /private_key_jwt/)
  assert.equal(secretOn(made), undefined)
})

test('an account whose address is not verified registers nothing; a sign-in that is not recent neither registers nor rotates', async () => {
  const unverified = await enter({ emailVerified: false })
  assert.match(textOf(unverified.page.body), /Verify your email address first/)
  const held = await unverified.person.open('/developer/apps/new')
  const forged = { ...held, body: held.body.replaceAll('/settings/verify-email', '/developer/apps') }
  await unverified.person.submit(forged, filled, '/developer/apps')
  assert.equal((await licet.core.apps.list({ ownerId: unverified.account.id })).items.length, 0)
  const { person, account } = await enter()
  const blank = await person.open('/developer/apps/new')
  time += 16 * 60_000
  assert.match((await person.submit(blank, filled, '/developer/apps')).body, /name="password"/)
  assert.equal((await licet.core.apps.list({ ownerId: account.id })).items.length, 0)
})
