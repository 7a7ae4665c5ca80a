/**
 * Metadata documents with two server processes over one Redis: one of them fetches, both serve what it found, and the same holds for what is not there.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Documents, startDocuments } from '../support/documents.ts'
import { MCP, mcpResource, WEB_CALLBACK } from '../support/mcp-client.ts'
import { Person } from '../support/person.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

const skip = skipWithout('redis-server')
let documents: Documents
let both: TwoProcesses
before(async () => {
  if (skip) return
  documents = await startDocuments()
  both = await startTwoProcesses({ file: { resources: [mcpResource], outbound: documents.outbound } })
})
after(async () => {
  await both?.stop()
  await documents?.close()
})

/** Twenty strangers at once, half of them at each process; the statuses they got. */
async function visits(clientId: string): Promise<number[]> {
  const query = new URLSearchParams({
    client_id: clientId,
    redirect_uri: WEB_CALLBACK,
    response_type: 'code',
    scope: 'mcp:read',
    resource: MCP,
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  })
  const people = Array.from({ length: 20 }, (_, index) => new Person(both.issuer, both.origins[index % 2]))
  return (await Promise.all(people.map((person) => person.send('GET', `/authorize?${query}`)))).map(
    ({ status }) => status,
  )
}

test('DC4: twenty requests at two processes fetch a document once', { skip }, async () => {
  const clientId = documents.publish('/popular.json')
  const before = documents.fetches()
  assert.deepEqual(new Set(await visits(clientId)), new Set([303]))
  assert.equal(documents.fetches() - before, 1)
})

test('DC4: twenty requests at two processes ask once for what is not there, and then not for a while', {
  skip,
}, async () => {
  const before = documents.fetches()
  assert.deepEqual(new Set(await visits(`${documents.origin}/nowhere.json`)), new Set([400]))
  assert.deepEqual(new Set(await visits(`${documents.origin}/nowhere.json`)), new Set([400]))
  assert.equal(documents.fetches() - before, 1)
})
