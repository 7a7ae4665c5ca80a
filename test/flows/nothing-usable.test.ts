/**
 * TSLK3: after a full run neither the engine's files, nor its keys and traffic, nor the log lines, the audit or the metrics hold anything that could be
 * used: every token, code, verifier, secret, password, cookie, user code, form token, private key and link that the run saw is looked for.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JWK } from 'jose'
import { dumpRedis, dumpSqlite, monitorRedis } from '../support/dump.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, type Visit } from '../support/person.ts'
import { startRedis } from '../support/redis.ts'
import { CALLBACK, register } from '../support/registered.ts'
import { type StrictClient, strictClients, type Tokens } from '../support/strict-client.ts'
import { skipWithout } from '../support/tools.ts'

const ROOT_SECRET = 'a root secret that must not stand anywhere'
const ADMINISTRATOR_PASSWORD = 'administrators choose longer ones'
const SCOPE = 'openid email offline_access data:read'

const options = {
  env: { LICET_LOG_LEVEL: 'debug', LICET_SECRET: ROOT_SECRET, LICET_DEBUG: 'true' },
  // Reuse is told at once, so that the run has a mail.
  file: { lifetimes: { refresh_retry_window: '0s' } },
}

/** What must not be found, each with what it is. */
type Secrets = Map<string, string>

test('TSLK3: files of SQLite, log, audit and metrics hold nothing usable after a full run', async (t) => {
  const licet = await startLicet(options)
  t.after(() => licet.close())
  const { secrets, control } = await fullRun(licet)
  await holdsNothing(licet, secrets, { 'the files': dumpSqlite(licet.directory) }, control)
})

test('TSLK3: keys, files and traffic of Redis, log, audit and metrics hold nothing usable after a full run', {
  skip: skipWithout('redis-server'),
}, async (t) => {
  const redis = await startRedis({ appendfsync: 'everysec' })
  t.after(() => redis.stop())
  const monitor = await monitorRedis(redis.server)
  const licet = await startLicet({ ...options, store: redis.url })
  t.after(() => licet.close())
  const { secrets, control } = await fullRun(licet)
  const places = { 'the keys and files': await dumpRedis(redis.server), 'the traffic': monitor.stop() }
  await holdsNothing(licet, secrets, places, control)
})

/** Does everything once and again wrongly. `control` is no secret and must be found where data is, else the search sees nothing. */
async function fullRun(licet: Licet): Promise<{ secrets: Secrets; control: string }> {
  const secrets: Secrets = new Map([
    [ROOT_SECRET, 'root secret'],
    [PASSWORD, 'password'],
    [ADMINISTRATOR_PASSWORD, 'password of the administrator'],
  ])
  const note = (what: string, ...values: (string | undefined)[]): void => {
    for (const value of values) if (value) secrets.set(value, what)
  }
  const person = new Person(licet.issuer)
  await makeAdministrator(licet, note)
  const { app, credentials } = await register(licet, { scopes: ['data:read'] })
  note('client secret', credentials.clientSecret)
  const account = await newAccount(licet.core)
  const client = await strictClients[0].connect(licet.issuer, credentials)

  for (const pushed of [false, true]) {
    const authorization = await client.authorize(CALLBACK, { scope: SCOPE }, { pushed })
    note('verifier', authorization.verifier)
    note('request_uri', authorization.url.searchParams.get('request_uri')?.split(':').at(-1))
    const back = await signIn(person, authorization.url.href, account.email, note)
    note('code', back.searchParams.get('code') ?? undefined)
    const tokens = await authorization.finish(back)
    noteTokens(note, tokens)
    await client.userinfo(tokens.access_token, account.id)
    await client.introspect(tokens.refresh_token ?? '')
    const refreshed = await client.refresh(tokens.refresh_token ?? '')
    noteTokens(note, refreshed)
    await misuse(licet, client, { tokens, refreshed, back })
    await assert.rejects(authorization.finish(back))
  }
  await device(licet, person, note)
  await machine(licet, note)
  const rotated = await licet.core.apps.rotateSecret(operator, app.clientId)
  note('rotated client secret', rotated.clientSecret)
  for (const [key, { value }] of person.cookies) note(`cookie ${key.split('\n')[0]}`, value, decodeURIComponent(value))
  const { jwks } = await licet.core.signingKeys.load()
  for (const key of jwks as JWK[]) note(`private part of ${key.alg}`, key.d, key.p, key.q, key.dp, key.dq, key.qi)
  await noteMails(licet, note)
  return { secrets, control: app.clientId }
}

type Note = (what: string, ...values: (string | undefined)[]) => void

function noteTokens(note: Note, { access_token, id_token, refresh_token }: Tokens): void {
  for (const jwt of [access_token, id_token]) note('JWT', jwt, jwt?.split('.').at(-1))
  note('refresh token', refresh_token)
}

function noteForms(note: Note, { body }: Visit): void {
  for (const { fields } of formsOf(body))
    for (const [name, value] of fields) if (name === 'csrf') note('form token', value)
}

async function makeAdministrator(licet: Licet, note: Note): Promise<void> {
  const link = licet.announcements.join('\n').match(/\/setup\/(\S+)/)
  note('setup token', link?.[1])
  const person = new Person(licet.issuer)
  const page = await person.open(link?.[0] ?? '')
  noteForms(note, page)
  const values = { name: 'Root', email: 'root@example.test', password: ADMINISTRATOR_PASSWORD }
  const done = await person.submit(page, values, '/setup/')
  assert.equal(done.status, 200)
  assert.equal((await person.open(link?.[0] ?? '')).status, 410)
}

/** Signs in, wrongly first, and allows; a second time neither is asked. */
async function signIn(person: Person, url: string, email: string, note: Note): Promise<URL> {
  let page = await person.open(url)
  if (page.body.includes('name="password"')) {
    noteForms(note, page)
    page = await person.submit(page, { email, password: `${PASSWORD} and wrong` }, '/sign-in')
    page = await person.submit(page, { email, password: PASSWORD }, '/sign-in')
    noteForms(note, page)
    for (const [key, { value }] of person.cookies) note(`cookie ${key.split('\n')[0]}`, value)
    page = await person.submit(page, { decision: 'allow' }, '/consent')
  }
  return new URL(page.url)
}

/** Secrets where they do not belong: what a careless client, a proxy or an attacker sends. */
async function misuse(
  { issuer }: Licet,
  client: StrictClient,
  { tokens, refreshed, back }: { tokens: Tokens; refreshed: Tokens; back: URL },
): Promise<void> {
  const bearer = { authorization: `Bearer ${tokens.access_token}x` }
  const code = back.searchParams.get('code') ?? ''
  await Promise.all([
    fetch(`${issuer}/userinfo?access_token=${tokens.access_token}`),
    fetch(`${issuer}/userinfo`, { headers: bearer }),
    fetch(`${issuer}/token?refresh_token=${tokens.refresh_token}`, { method: 'POST' }),
    fetch(`${issuer}/authorize?client_id=nobody&state=${code}&request_uri=${tokens.refresh_token}`),
    fetch(`${issuer}/nowhere/${tokens.refresh_token}`, { headers: { referer: back.href, 'user-agent': code } }),
    fetch(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: code, client_id: 'nobody', code }),
    }),
    fetch(
      `${issuer}/logout?id_token_hint=${tokens.id_token}x&post_logout_redirect_uri=${encodeURIComponent(back.href)}`,
    ),
  ])
  // Reuse after the window: the family dies and its owner gets a mail.
  await assert.rejects(client.refresh(tokens.refresh_token ?? ''))
  await assert.rejects(client.refresh(refreshed.refresh_token ?? ''))
}

async function device(licet: Licet, person: Person, note: Note): Promise<void> {
  const { credentials } = await register(licet, { type: 'device', scopes: ['data:read'] })
  const client = await strictClients[1].connect(licet.issuer, credentials)
  const asked = await client.device({ scope: SCOPE })
  note('device code', asked.deviceCode)
  note('user code', asked.userCode, asked.userCode.replace('-', ''))
  await person.open(asked.verificationUriComplete)
  let page = await person.submit(await person.open(asked.verificationUri), { user_code: asked.userCode }, '/device')
  page = await person.submit(page, { decision: 'allow' }, '/device')
  await person.submit(page, { decision: 'allow' }, '/consent')
  const tokens = await client.device({ scope: SCOPE }).then(() => asked.redeem())
  noteTokens(note, tokens)
}

async function machine(licet: Licet, note: Note): Promise<void> {
  const { credentials } = await register(licet, { type: 'service', auth: 'private_key_jwt', scopes: ['data:read'] })
  const assertions: string[] = []
  const listening: typeof fetch = (input, init) => {
    const assertion = init?.body instanceof URLSearchParams ? init.body.get('client_assertion') : undefined
    if (assertion) assertions.push(assertion)
    return fetch(input, init)
  }
  const client = await strictClients[1].connect(licet.issuer, credentials, { dpop: true, fetch: listening })
  noteTokens(note, await client.clientCredentials())
  assert.ok(assertions.length > 0)
  note('client assertion', ...assertions.flatMap((assertion) => [assertion, assertion.split('.').at(-1)]))
}

async function noteMails(licet: Licet, note: Note): Promise<void> {
  const answer = await fetch(`${licet.issuer}/dev/mailbox.json`)
  const mails = (await answer.json()) as { subject: string; text: string }[]
  assert.ok(mails.length > 0, 'the run has no mail')
  for (const { subject, text } of mails)
    note('mail', subject, text, ...text.split('\n').filter((line) => line.length > 30))
}

/** Looks for every secret everywhere, and for the control where data must be. */
async function holdsNothing(
  licet: Licet,
  secrets: Secrets,
  dumps: Readonly<Record<string, string>>,
  control: string,
): Promise<void> {
  const audit = await Promise.all(Array.from({ length: 16 }, (_, log) => licet.core.store.readLog(log, 0, 1000)))
  const metrics = await fetch(`${licet.issuer}/metrics`)
  const places: Record<string, string> = {
    ...dumps,
    'the log': licet.log.join('\n'),
    'the audit': JSON.stringify(audit),
    'the metrics': await metrics.text(),
  }
  for (const place of [...Object.keys(dumps), 'the audit'])
    assert.ok(places[place]?.includes(control), `${place} is empty`)
  assert.match(places['the log'] ?? '', /"route":"\/token"/)
  assert.match(places['the metrics'] ?? '', /licet_/)
  assert.ok(secrets.size > 40, `only ${secrets.size} secrets were noted`)
  const hits = [...secrets].flatMap(([secret, what]) => {
    assert.ok(secret.length >= 8, `${what} is too short to be looked for`)
    return Object.entries(places)
      .filter(([, text]) => text.includes(secret) || text.includes(encodeURIComponent(secret)))
      .map(([place]) => `${place}: ${what}`)
  })
  assert.deepEqual(hits, [])
}
