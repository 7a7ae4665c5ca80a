/**
 * The server under fuzzing: one process on SQLite with an app of each kind, a person in the middle of a sign-in and one in the middle of a consent,
 * and the valid requests that are bent. What it stores is measured in its files, row by row.
 */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openCore } from '../../src/core.ts'
import { residentMegabytes } from '../faults/deployment.ts'
import { newPerson, registerApp } from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import { type LicetProcess, prepare, startProcess } from '../support/licet.ts'
import { formsOf, Person, type Visit } from '../support/person.ts'
import { ASSERTION_TYPE, assertion, dpop, newKey } from '../support/proofs.ts'
import type { Answer } from './connection.ts'
import type { Template } from './requests.ts'

export interface Target {
  readonly server: LicetProcess
  readonly port: number
  readonly host: string
  readonly templates: readonly Template[]
  /** How many apps there are. */
  readonly apps: number
  footprint(): Footprint
  memory(): number
  stop(): Promise<void>
}

export interface Footprint {
  /** Rows and bytes that stay until somebody removes them, by table and kind. */
  readonly lasting: Readonly<Record<string, { rows: number; bytes: number }>>
  /** The same of what expires. */
  readonly expiring: Readonly<Record<string, { rows: number; bytes: number }>>
  /** Audit records by event. */
  readonly noted: Readonly<Record<string, number>>
  /** What strangers left behind that stays for longer than a sign-in and a consent may take. */
  readonly strangers: number
}

export async function startTarget(): Promise<Target> {
  const { env, directory, config } = await prepare({
    // A heap of the size that a small machine gives it: what is never let go ends the server, and with it the test.
    env: { LICET_TRUSTED_PROXIES: '127.0.0.1/32', NODE_OPTIONS: '--max-old-space-size=256' },
  })
  const server = await startProcess(env)
  const core = await openCore(config)
  const templates = await createTemplates({ issuer: config.issuer, core }).catch(async (error: unknown) => {
    await core.close()
    await server.stop()
    throw error
  })
  const url = new URL(config.issuer)
  const apps = (await core.apps.list({ limit: 200 })).items.length
  return {
    server,
    apps,
    port: Number(url.port),
    host: url.host,
    templates,
    footprint: () => measure(directory),
    memory: () => residentMegabytes(server.child.pid ?? 0),
    async stop() {
      await core.close()
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function createTemplates(licet: {
  issuer: string
  core: Awaited<ReturnType<typeof openCore>>
}): Promise<Template[]> {
  const left = 'https://app.example.test/left'
  const app = await registerApp(licet, { postLogoutRedirectUris: [left] })
  const service = await registerApp(licet, { type: 'service' })
  const device = await registerApp(licet, { type: 'device' })
  const spa = await registerApp(licet, { type: 'spa' })
  const key = await newKey()
  const machine = await registerApp(licet, {
    type: 'service',
    auth: 'private_key_jwt',
    jwks: { keys: [key.publicJwk as never] },
  })
  const proof = await dpop(key, `${licet.issuer}/token`)
  const who = await newPerson(licet)
  const { body: tokens } = await app.redeem(await app.obtainCode(who.person, who.email))
  const signingIn = new Person(licet.issuer)
  const signInPage = await signingIn.open(authorizeUrl(app))
  const consentPage = await who.person.open(authorizeUrl(spa))
  const devicePage = await who.person.open(`${licet.issuer}/device`)
  // Nobody's: a sign-out that works would take the others' session with it.
  const leaving = new Person(licet.issuer)
  const signOutPage = await leaving.open(
    `${licet.issuer}/logout?${new URLSearchParams({ client_id: app.clientId, post_logout_redirect_uri: left })}`,
  )

  const basic = ({ clientId, secret = '' }: { clientId: string; secret: string | undefined }) =>
    ['authorization', `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`] as const
  const bearer = ['authorization', `Bearer ${tokens.access_token}`] as const
  const asked = [...new URL(authorizeUrl(app)).searchParams] as [string, string][]
  const post = (path: string, fields: Record<string, string>, ...headers: (readonly [string, string])[]): Template => ({
    method: 'POST',
    path,
    form: Object.entries(fields),
    headers,
  })
  const get = (
    path: string,
    query: readonly [string, string][] = [],
    ...headers: (readonly [string, string])[]
  ): Template => ({
    method: 'GET',
    path,
    query,
    headers,
  })
  const sent = ({ cookies }: Person, visit: Visit, action: string, values: Record<string, string>): Template => {
    const found = formsOf(visit.body).find((one) => one.action.includes(action))
    assert.ok(found, `${visit.url} has a form towards ${action}`)
    return {
      method: 'POST',
      path: new URL(found.action, licet.issuer).pathname,
      form: [...found.fields.filter(([name]) => !(name in values)), ...Object.entries(values)],
      headers: [cookieOf(cookies)],
    }
  }
  const redirect = 'https://app.example.test/callback'
  const wrong = 'not the password of anybody'

  return [
    get('/authorize', asked),
    get('/authorize', asked, cookieOf(who.person.cookies)),
    get('/authorize', [...asked, ['prompt', 'none']], cookieOf(who.person.cookies)),
    { method: 'POST', path: '/authorize', form: asked },
    post('/par', Object.fromEntries(asked), basic(app)),
    post('/token', { grant_type: 'client_credentials', scope: 'data:read' }, basic(service)),
    post('/token', { grant_type: 'refresh_token', refresh_token: 'not-a-token' }, basic(app)),
    post(
      '/token',
      { grant_type: 'authorization_code', code: 'no-code', code_verifier: VERIFIER, redirect_uri: redirect },
      basic(app),
    ),
    post('/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: 'no-code',
      client_id: device.clientId,
    }),
    post('/token', {
      grant_type: 'client_credentials',
      client_id: service.clientId,
      client_secret: service.secret ?? '',
    }),
    post('/token', {
      grant_type: 'client_credentials',
      client_id: machine.clientId,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await assertion(key, machine),
    }),
    post('/token', { grant_type: 'client_credentials', scope: 'data:read' }, basic(service), ['dpop', proof]),
    post('/introspect', { token: tokens.access_token, token_type_hint: 'access_token' }, basic(app)),
    post('/introspect', { token: tokens.refresh_token }, basic(app)),
    post('/revoke', { token: 'not-a-token', token_type_hint: 'refresh_token' }, basic(app)),
    get('/userinfo', [], bearer),
    post('/userinfo', { access_token: tokens.access_token }),
    post('/device_authorization', { client_id: device.clientId, scope: 'data:read' }),
    get('/device', [['user_code', 'BCDF-GHJK']], cookieOf(who.person.cookies)),
    sent(who.person, devicePage, '/device', { user_code: 'BCDF-GHJK' }),
    get('/logout', [
      ['id_token_hint', tokens.id_token],
      ['state', 'x'],
    ]),
    { method: 'POST', path: '/logout', form: [['client_id', app.clientId]] },
    sent(leaving, signOutPage, '/logout', { logout: 'yes' }),
    get(new URL(signInPage.url).pathname, [], cookieOf(signingIn.cookies)),
    sent(signingIn, signInPage, '/sign-in', { email: who.email, password: wrong }),
    sent(signingIn, signInPage, '/deny', {}),
    sent(who.person, consentPage, '/consent', { decision: 'allow_read_only', duration: '1d' }),
    sent(who.person, consentPage, '/switch', {}),
    sent(signingIn, signInPage, '/language', { locale: 'de', return_to: '/' }),
    get('/setup/no-such-link'),
    {
      ...sent(signingIn, signInPage, '/language', { name: 'Ada', email: 'first@example.test', password: wrong }),
      path: '/setup/no-such-link',
    },
    get('/'),
    get('/.well-known/openid-configuration'),
    get('/.well-known/jwks.json'),
    get('/docs/errors/not_found'),
    get('/assets/licet.css'),
  ]
}

function cookieOf(cookies: Person['cookies']): readonly [string, string] {
  return ['cookie', [...cookies].map(([key, { value }]) => `${key.split('\n')[0]}=${value}`).join('; ')]
}

const COUNTS = `SELECT kind, count(*) AS rows, sum(length(id) + length(value)) AS bytes FROM entry
  WHERE (expires_at IS NULL) = ? GROUP BY kind`

const STRANGERS = `SELECT count(*) AS n FROM entry WHERE kind IN ('session', 'interaction', 'pushed_request', 'device_code', 'replay')
  AND json_extract(value, '$.accountId') IS NULL AND expires_at > ?`

function measure(directory: string): Footprint {
  const files = ['licet.db', 'licet-volatile.db'].map(
    (name) => new DatabaseSync(join(directory, name), { readOnly: true }),
  )
  const count = (lasting: number) =>
    Object.fromEntries(
      files.flatMap((file) =>
        file
          .prepare(COUNTS)
          .all(lasting)
          .map(({ kind, rows, bytes }) => [String(kind), { rows: Number(rows), bytes: Number(bytes) }]),
      ),
    )
  const counters = files.map((file) =>
    file.prepare('SELECT count(*) AS rows, coalesce(sum(length(name)), 0) AS bytes FROM counter').get(),
  )
  const total = (field: string) => counters.reduce((sum, row) => sum + Number(row?.[field] ?? 0), 0)
  const records = files[0]
    ?.prepare("SELECT json_extract(record, '$.event') AS event, count(*) AS n FROM log_record GROUP BY event")
    .all()
  const soon = Date.now() + 45 * 60_000
  const strangers = files.map((file) => Number(file.prepare(STRANGERS).get(soon)?.['n'] ?? 0))
  const found = {
    strangers: strangers.reduce((sum, n) => sum + n, 0),
    lasting: count(1),
    expiring: { ...count(0), counter: { rows: total('rows'), bytes: total('bytes') } },
    noted: Object.fromEntries((records ?? []).map(({ event, n }) => [String(event), Number(n)])),
  }
  for (const file of files) file.close()
  return found
}

/** What is wrong with an answer, if anything: a failure of the server, a hang, or words of its inside. */
export function faultOf({ status, body, head }: Answer): string | undefined {
  if (status === -1) return 'no answer in 5 s'
  if (status >= 500) return `status ${status}: ${body.slice(0, 300)}`
  const leak = /\n\s+at \S+ \(|node:internal|node_modules|[\w/-]+\/src\/[\w/-]+\.ts|TypeError|SQLITE_|\.ts:\d+/.exec(
    body + head,
  )
  return leak ? `it says ${leak[0]}` : undefined
}
