/** Resources of developers on pages: brought, helped with their proof, changed, removed, and decided on by an administrator. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet({ file: { developer_resources: { policy: 'reviewed' } } })
})
after(() => licet.close())

async function enter(at = '/developer/resources', more: object = {}) {
  const account = await newAccount(licet.core, undefined, more)
  const person = new Person(licet.issuer)
  await person.submit(await person.open(at), { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person }
}

const bring = async (person: Person, fields: Record<string, string | string[]> = {}) =>
  person.submit(
    await person.open('/developer/resources/new'),
    { name: 'Search', identifier: 'https://mcp.notes.example/mcp', default_scope: ['mcp:read'], ...fields },
    '/developer/resources',
  )

test('a resource is brought, its page says what to publish and what to serve, and it is changed and removed', async () => {
  const { person, account } = await enter()
  const wrong = await bring(person, { identifier: 'http://mcp.notes.example/mcp', default_scope: ['data:read'] })
  assert.match(textOf(wrong.body), /Use https/)
  assert.match(textOf(wrong.body), /at least one of the rights/)
  const made = await bring(person)
  const text = textOf(made.body)
  for (const told of [
    '_licet-challenge.mcp.notes.example',
    'https://mcp.notes.example/.well-known/licet-challenge.txt',
    'https://mcp.notes.example/.well-known/oauth-protected-resource/mcp',
    `"authorization_servers": [ "${licet.issuer}" ]`,
  ])
    assert.ok(text.includes(told), told)
  const [kept] = (await licet.core.resources.list({ ownerId: account.id })).items
  assert.deepEqual([kept?.scopes, kept?.defaultScopes, kept?.state], [['mcp:read'], ['mcp:read'], 'unproven'])
  const looked = await person.submit(made, {}, '/prove')
  assert.match(textOf(looked.body), /Neither the record nor the file was found/)
  const changed = await person.submit(looked, { name: 'Find', scope: ['mcp:read', 'mcp:write'] }, '/change')
  assert.match(textOf(changed.body), /Saved/)
  assert.match(textOf((await person.submit(changed, {}, '/remove')).body), /The resource is gone/)
  assert.deepEqual((await licet.core.resources.list({ ownerId: account.id })).items, [])
})

test('an administrator allows what was proven and refuses it again; its developer reads why', async () => {
  const { person, account } = await enter()
  await bring(person)
  const [made] = (await licet.core.resources.list({ ownerId: account.id })).items
  const id = made?.id ?? ''
  const claim = { state: 'waiting', claim: made?.identifier, proven: { by: 'dns', at: 0 } } as const
  await licet.core.store.update('resource', id, (value) => ({ value: { ...(value as object), ...claim } }))
  const admin = await enter('/admin/resources', { role: 'administrator' })
  const queue = await admin.person.open('/admin/resources')
  assert.ok(textOf(queue.body).includes(account.email))
  await admin.person.submit(queue, {}, `/${id}/allow`)
  assert.equal((await licet.core.resources.findLive('https://mcp.notes.example/mcp'))?.id, id)
  const live = await admin.person.open('/admin/resources?state=live')
  assert.match(textOf((await admin.person.submit(live, { reason: ' ' }, `/${id}/refuse`)).body), /give a reason/)
  await admin.person.submit(live, { reason: 'Collects passwords' }, `/${id}/refuse`)
  assert.equal(await licet.core.resources.findLive('https://mcp.notes.example/mcp'), undefined)
  assert.match(textOf((await person.open(`/developer/resources/${id}`)).body), /refused it: Collects passwords/)
})

test('attack: a resource of somebody else is not there; a member and an unproven address decide and bring nothing', async () => {
  const [owner, mallory] = [await enter(), await enter()]
  await bring(owner.person, { identifier: 'https://mcp.owner.example' })
  const [made] = (await licet.core.resources.list({ ownerId: owner.account.id })).items
  const page = await owner.person.open(`/developer/resources/${made?.id}`)
  assert.equal((await mallory.person.open(`/developer/resources/${made?.id}`)).status, 404)
  for (const act of ['/change', '/prove', '/remove'])
    assert.equal((await mallory.person.press(page, { name: 'Mine' }, act)).status, 403, act)
  assert.equal((await mallory.person.open('/admin/resources')).status, 403)
  assert.equal((await mallory.person.send('POST', `/admin/resources/${made?.id}/allow`, [])).status, 403)
  assert.equal((await licet.core.resources.list({ ownerId: owner.account.id })).items[0]?.name, 'Search')
  const unverified = await enter('/developer/resources', { emailVerified: false })
  await bring(unverified.person).catch(() => {})
  assert.deepEqual((await licet.core.resources.list({ ownerId: unverified.account.id })).items, [])
})
