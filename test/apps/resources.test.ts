/** Resources of developers: an identifier is nobody's until its host is proven, and then one owner's. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createDomainProofs } from '../../src/apps/domain-proof.ts'
import { findIdentifierProblem } from '../../src/apps/resource-identifiers.ts'
import { resourceMetadata } from '../../src/apps/resource-metadata.ts'
import { createDeveloperResources } from '../../src/apps/resources.ts'
import { createAudit } from '../../src/observability/audit.ts'
import { openTestStore, operator } from '../support/open-store.ts'

const wanted = {
  name: 'Search',
  identifier: 'https://mcp.victim.example/mcp',
  scopes: ['mcp:read', 'mcp:write'],
  defaultScopes: ['mcp:read'],
}
const by = (id: string) => ({ kind: 'account', id }) as const

function setUp(t: TestContext, policy: 'proven' | 'reviewed' | 'off' = 'proven') {
  const desk = openTestStore(t)
  const published = new Map<string, string[]>()
  const proofs = createDomainProofs({
    fetch: async () => new Response('', { status: 404 }),
    resolveTxt: async (name) => published.get(name) ?? [],
  })
  const rules = {
    proofs,
    policy,
    scopes: ['mcp:read', 'mcp:write'],
    configured: ['https://mcp.ours.example/mcp'],
    issuer: 'https://auth.example.com',
    allowLoopback: false,
    now: desk.now,
  }
  const on = (store: typeof desk.store) =>
    createDeveloperResources({ ...rules, store, audit: createAudit({ store, now: desk.now }) })
  const resources = on(desk.store)
  return {
    ...desk,
    resources,
    others: on(desk.openAnother()),
    publish(resource: Awaited<ReturnType<typeof resources.create>>) {
      const { txt } = resources.challenge(resource)
      published.set(txt.name, [...(published.get(txt.name) ?? []), txt.value])
    },
  }
}

async function refused(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => assert.fail('it was not refused'),
    (reason: { code: string; details?: { fields?: { pointer: string; code: string }[] } }) => reason,
  )
  const field = error.details?.fields?.[0]
  return field ? `${field.pointer} ${field.code}` : error.code
}

test('attack: squatting on the identifier of somebody else neither keeps its owner out nor gets tokens', async (t) => {
  const { resources, publish } = setUp(t)
  const squatted = await resources.create(by('mallory'), 'mallory', wanted)
  assert.equal(squatted.state, 'unproven')
  assert.equal(await resources.findLive(wanted.identifier), undefined)
  const own = await resources.create(by('victim'), 'victim', wanted)
  publish(own)
  assert.equal(await refused(resources.prove(by('mallory'), squatted)), '/identifier not_proven')
  assert.equal((await resources.prove(by('victim'), own)).state, 'live')
  assert.equal((await resources.findLive(wanted.identifier))?.ownerId, 'victim')
  assert.equal(await refused(resources.create(by('mallory'), 'mallory', wanted)), 'conflict')
})

test('of two owners of one host who prove one identifier at once, in two processes, one gets it', async (t) => {
  const { resources, others, publish } = setUp(t)
  const made = await Promise.all(
    Array.from({ length: 20 }, (_each, at) => resources.create(by(`owner${at}`), `owner${at}`, wanted)),
  )
  for (const resource of made) publish(resource)
  const proven = await Promise.allSettled(
    made.map((resource, at) => (at % 2 ? others : resources).prove(by(resource.ownerId), resource)),
  )
  assert.equal(proven.filter(({ status }) => status === 'fulfilled').length, 1)
  const winner = await resources.findLive(wanted.identifier)
  assert.equal((await resources.list({ state: 'live' })).items.length, 1)
  assert.equal(winner?.claim, wanted.identifier)
})

test('where an administrator agrees too, a proven resource waits; one that was refused stays refused', async (t) => {
  const { resources, publish } = setUp(t, 'reviewed')
  const own = await resources.create(by('dev'), 'dev', wanted)
  assert.equal(await refused(resources.decide(operator, own.id, { allow: true })), 'invalid_request')
  publish(own)
  const waiting = await resources.prove(by('dev'), own)
  assert.equal(waiting.state, 'waiting')
  assert.equal(await resources.findLive(wanted.identifier), undefined)
  assert.equal((await resources.decide(operator, own.id, { allow: true })).state, 'live')
  assert.equal((await resources.findLive(wanted.identifier))?.id, own.id)
  const gone = await resources.decide(operator, own.id, { allow: false, reason: 'Collects passwords' })
  assert.deepEqual([gone.state, gone.refusedBecause], ['refused', 'Collects passwords'])
  assert.equal(await resources.findLive(wanted.identifier), undefined)
  assert.equal((await resources.prove(by('dev'), gone)).state, 'refused')
  assert.equal(await refused(resources.remove(by('dev'), gone)), 'forbidden')
  assert.equal(await refused(resources.create(by('dev'), 'dev', wanted)), 'conflict')
})

test('a resource owns only scopes that are offered to developers, and its identifier never changes', async (t) => {
  const { resources } = setUp(t)
  for (const [change, fault] of [
    [{ scopes: ['mcp:read', 'data:read'] }, '/scopes unknown'],
    [{ scopes: [] }, '/scopes missing'],
    [{ defaultScopes: ['data:read'] }, '/default_scopes unknown'],
    [{ name: '\u202e' }, '/name malformed'],
  ] as const)
    assert.equal(await refused(resources.create(by('dev'), 'dev', { ...wanted, ...change })), fault)
  const made = await resources.create(by('dev'), 'dev', wanted)
  assert.equal(await refused(resources.change(by('dev'), made, { scopes: ['api:admin'] })), '/scopes unknown')
  const changed = await resources.change(by('dev'), made, { scopes: ['mcp:read'], defaultScopes: [] })
  assert.deepEqual([changed.scopes, changed.defaultScopes, changed.identifier], [['mcp:read'], [], wanted.identifier])
  assert.equal(await refused(setUp(t, 'off').resources.create(by('dev'), 'dev', wanted)), 'forbidden')
})

test('attack: identifiers of this server, of the configuration, of private networks or in odd spellings are not taken', () => {
  const rules = {
    issuer: 'https://auth.example.com',
    configured: ['https://mcp.ours.example/mcp', 'https://reports.ours.example'],
    allowLoopback: true,
  }
  for (const [typed, code] of [
    ['https://auth.example.com/api/v1', 'own'],
    ['https://AUTH.example.com:443/other', 'own'],
    ['https://mcp.ours.example/mcp/', 'taken'],
    ['https://MCP.ours.example:443/mcp', 'taken'],
    ['https://reports.ours.example/', 'taken'],
    ['http://mcp.dev.example/mcp', 'not_https'],
    ['http://10.0.0.1/mcp', 'not_https'],
    ['ftp://mcp.dev.example', 'not_https'],
    ['urn:dev:mcp', 'not_https'],
    ['https://10.0.0.1/mcp', 'not_public'],
    ['https://[::1]/mcp', 'not_public'],
    ['https://2130706433/mcp', 'not_public'],
    ['https://localhost/mcp', 'not_public'],
    ['https://intranet/mcp', 'not_public'],
    ['https://user@mcp.dev.example/mcp', 'malformed'],
    ['https://mcp.dev.example/mcp#f', 'malformed'],
    ['https://mcp.dev.example/mcp?x=1', 'malformed'],
    ['https://mcp.dev.example\\@evil.example', 'malformed'],
    ['https://*.dev.example/mcp', 'malformed'],
    ['https://mcp.dev.example/m cp', 'malformed'],
    ['https://mcp.dev.ехample/mcp', 'malformed'],
    [`https://mcp.dev.example/${'x'.repeat(300)}`, 'malformed'],
    ['', 'malformed'],
  ] as const)
    assert.equal(findIdentifierProblem(typed, rules)?.code, code, typed)
  for (const typed of ['https://mcp.dev.example', 'https://mcp.dev.example:8443/mcp', 'http://127.0.0.1:8931/mcp'])
    assert.equal(findIdentifierProblem(typed, rules), undefined, typed)
  assert.equal(findIdentifierProblem('http://127.0.0.1/mcp', { ...rules, allowLoopback: false })?.code, 'not_https')
})

test('the metadata to serve stands where RFC 9728 looks for it', () => {
  const at = (identifier: string) => resourceMetadata({ ...wanted, identifier }, 'https://auth.example.com').url
  assert.equal(at('https://a.example/mcp'), 'https://a.example/.well-known/oauth-protected-resource/mcp')
  assert.equal(at('https://a.example'), 'https://a.example/.well-known/oauth-protected-resource')
  assert.deepEqual(resourceMetadata(wanted, 'https://auth.example.com').document, {
    resource: wanted.identifier,
    resource_name: 'Search',
    authorization_servers: ['https://auth.example.com'],
    scopes_supported: ['mcp:read', 'mcp:write'],
    bearer_methods_supported: ['header'],
  })
})
