/**
 * The commands of docs/agents.md, run as they stand there, with `curl`, against a real server: each prints a token response.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { RECORDS, resources, signIn, TOOLS } from '../support/agents.ts'
import { newPerson, registerApp } from '../support/app-client.ts'
import { startIssuer, type TestIssuer, trusting } from '../support/issuer.ts'
import { type Licet, operator, root, startLicet } from '../support/licet.ts'
import { skipWithout } from '../support/tools.ts'

const run = promisify(execFile)
const text = readFileSync(join(root, 'docs/agents.md'), 'utf8')
const commands = new Map(
  [...text.matchAll(/^```sh\n# (.+)\n([\s\S]*?)^```$/gm)].map(([, name = '', command = '']) => [name, command]),
)

let issuer: TestIssuer
let licet: Licet
let env: Record<string, string>
before(async () => {
  issuer = await startIssuer()
  const workloads = [{ app: 'deploy', subject: 'repo:acme/app:ref:refs/heads/main', scopes: ['data:write'] }]
  const deploy = {
    client_id: 'deploy',
    name: 'Deploy',
    type: 'service',
    auth: 'workload_identity',
    scopes: ['data:write'],
  }
  const file = { ...trusting(issuer, { workloads, id_jag: { apps: ['*'] } }), apps: [deploy], resources }
  licet = await startLicet({ file })
  const scout = await registerApp(licet, {
    agent: true,
    scopes: ['data:read', 'data:write', 'mcp:read'],
    optionalScopes: [],
  })
  const search = await registerApp(licet, {
    type: 'service',
    scopes: ['data:read'],
    resourceServer: TOOLS,
    actsFor: ['*'],
  })
  const ada = await newPerson(licet)
  const tokens = await signIn({ scout, ada })
  await licet.core.federation.links.link(operator, { issuer: issuer.issuer, subject: '00u1', accountId: ada.accountId })
  const jag = { sub: '00u1', aud: licet.issuer, client_id: scout.clientId, resource: TOOLS, scope: 'data:read' }
  env = {
    PATH: process.env['PATH'] ?? '',
    ISSUER: licet.issuer,
    SEARCH_ID: search.clientId,
    SEARCH_SECRET: search.secret ?? '',
    CLIENT_ID: scout.clientId,
    CLIENT_SECRET: scout.secret ?? '',
    ACCESS_TOKEN: tokens.access_token,
    RECORDS,
    ID_JAG: await issuer.sign(jag, { header: { typ: 'oauth-id-jag+jwt' } }),
  }
})
after(async () => {
  await licet.close()
  await issuer.close()
})

test('every kind of program has its command', () => {
  assert.deepEqual(
    [...commands.keys()],
    [
      'exchange',
      'client credentials',
      'workload as a grant',
      'workload as client authentication',
      'identity assertion',
    ],
  )
})

for (const [name, command] of commands) {
  test(`the command "${name}" works as it stands`, { skip: skipWithout('curl') }, async () => {
    const job = { sub: 'repo:acme/app:ref:refs/heads/main', aud: licet.issuer }
    const { stdout } = await run('sh', ['-c', command], { env: { ...env, CI_TOKEN: await issuer.sign(job) } })
    const answer = JSON.parse(stdout) as { access_token?: string; token_type?: string }
    assert.deepEqual([typeof answer.access_token, answer.token_type], ['string', 'Bearer'], stdout)
  })
}
