/**
 * The commands over the whole store: moving it, bringing it back, verifying its audit, replacing its keys. Beside a running server.
 */
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { addAuditCommands } from '../../src/cli/audit.ts'
import { addSigningKeysCommands } from '../../src/cli/signing-keys.ts'
import { addStoreCommands } from '../../src/cli/whole-store.ts'
import { openCore } from '../../src/core.ts'
import { createRunner } from '../support/commands.ts'
import { type Licet, newAccount, operator, prepare, startLicet } from '../support/licet.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

const runnerFor = (config: Licet['config']) =>
  createRunner((program, desk) => {
    const open = () => openCore(config)
    addStoreCommands(program, open, desk)
    addAuditCommands(program, open, desk)
    addSigningKeysCommands(program, open, desk)
  })

async function serviceToken(
  clientId: string,
  secret: string,
): Promise<{ status: number; body: { access_token: string } }> {
  const answer = await fetch(`${licet.issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  return { status: answer.status, body: (await answer.json()) as { access_token: string } }
}

test('an export carries accounts, apps, keys and the audit into another store, without a usable secret', async () => {
  const account = await newAccount(licet.core)
  const { app, clientSecret = '' } = await licet.core.apps.create(operator, {
    name: 'Nightly',
    type: 'service',
    scopes: ['data:read'],
  })
  const file = join(licet.directory, 'all.ndjson')
  const run = runnerFor(licet.config)
  const exported = await run(['export', '--file', file, '--json'])
  assert.equal(exported.code, 0, exported.err)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.ok(!readFileSync(file, 'utf8').includes(clientSecret))

  const other = await prepare()
  const imported = await runnerFor(other.config)(['import', '--file', file, '--json'])
  assert.equal(imported.code, 0, imported.err)
  const core = await openCore(other.config)
  assert.equal((await core.accounts.find(account.id))?.email, account.email)
  const there = await core.apps.find(app.clientId)
  assert.ok(there && core.apps.verifySecret(there, clientSecret))
  await core.close()
  assert.equal((await runnerFor(other.config)(['audit', 'verify'])).code, 0)
})

test('an export never overwrites a file', async () => {
  const file = join(licet.directory, 'once.ndjson')
  const run = runnerFor(licet.config)
  assert.equal((await run(['backup', file])).code, 0)
  assert.equal((await run(['backup', file])).code, 1)
})

test('a file that is no export is refused with the number of its line', async () => {
  const { code, err } = await runnerFor(licet.config)(['import', '--file', join(licet.directory, 'licet.yaml')])
  assert.equal(code, 1)
  assert.match(err, /Line 1 /)
})

test('ST13: after a restore, what was obtained before it is dead and people sign in again', async () => {
  const file = join(licet.directory, 'backup.ndjson')
  const run = runnerFor(licet.config)
  const account = await newAccount(licet.core)
  assert.equal((await run(['backup', file])).code, 0)
  assert.equal((await run(['restore', file])).code, 0)
  const { fencedAccounts } = await import('../../src/oidc/fence.ts')
  const fenced = await fencedAccounts(licet.core.accounts, licet.core).find(account.id)
  assert.ok((fenced?.signedOutAt ?? 0) > account.createdAt)
})

test('a changed audit record is found', async () => {
  const other = await prepare()
  const core = await openCore(other.config)
  await newAccount(core)
  await core.close()
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(join(other.directory, 'licet.db'))
  const table = database.prepare("select name from sqlite_master where type = 'table' and name like '%log%'").get() as {
    name: string
  }
  const columns = database.prepare(`select name from pragma_table_info('${table.name}')`).all() as { name: string }[]
  const column = columns.find(({ name }) => name === 'record')?.name
  assert.ok(column, 'the log keeps its records in a column')
  database.exec(`update ${table.name} set ${column} = replace(${column}, 'account.created', 'account.changed')`)
  database.close()
  const { code, err } = await runnerFor(other.config)(['audit', 'verify'])
  assert.equal(code, 1)
  assert.match(err, /tampered/)
})

test('JW5: keys are replaced without a restart: the new one is published first and signs later, old tokens keep verifying', async () => {
  const { app, clientSecret = '' } = await licet.core.apps.create(operator, {
    name: 'Signed',
    type: 'service',
    scopes: ['data:read'],
  })
  const before = await serviceToken(app.clientId, clientSecret)
  const run = runnerFor(licet.config)
  const rotated = await run(['signing-keys', 'rotate', '--publish-for', '0', '--json'])
  assert.equal(rotated.code, 0, rotated.err)
  const listed = (await run(['signing-keys', 'list', '--json'])).json<{ keys: { kid: string; alg: string }[] }>()
  assert.equal(listed.keys.filter(({ alg }) => alg === 'ES256').length, 2)
  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
  const deadline = Date.now() + 12_000
  let token = before.body.access_token
  while (kidOf(token) === kidOf(before.body.access_token) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 250))
    token = (await serviceToken(app.clientId, clientSecret)).body.access_token
  }
  assert.notEqual(kidOf(token), kidOf(before.body.access_token))
  const jwks = await (await fetch(`${licet.issuer}/.well-known/jwks.json`)).json()
  for (const one of [token, before.body.access_token])
    await jwtVerify(one, createLocalJWKSet(jwks as never), { typ: 'at+jwt' })
})
