/**
 * One client object per app and version of it, for any number of apps.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AdapterPayload, Provider } from 'oidc-provider'
import { keepClients } from '../../src/oidc/kept-clients.ts'

const metadataOf = (id: string, name = 'Notes'): AdapterPayload => ({
  client_id: id,
  client_name: name,
  token_endpoint_auth_method: 'none',
  redirect_uris: ['https://app.example.test/callback'],
})

function newProvider() {
  const apps = new Map<string, AdapterPayload>()
  const provider = new Provider('https://id.example.test', { cookies: { keys: ['a key'] } })
  keepClients(provider, async (id) => apps.get(id))
  return { provider, apps }
}

test('an app is one client object, also among more apps than the library keeps', async () => {
  const { provider, apps } = newProvider()
  for (let count = 0; count < 300; count += 1) apps.set(`app-${count}`, metadataOf(`app-${count}`))
  const first = await provider.Client.find('app-0')
  for (const id of apps.keys()) assert.equal((await provider.Client.find(id))?.clientId, id)
  assert.equal(await provider.Client.find('app-0'), first)
})

test('a changed app is another client at once, and a removed one none', async () => {
  const { provider, apps } = newProvider()
  apps.set('app', metadataOf('app'))
  assert.equal((await provider.Client.find('app'))?.clientName, 'Notes')
  apps.set('app', metadataOf('app', 'Letters'))
  assert.equal((await provider.Client.find('app'))?.clientName, 'Letters')
  apps.delete('app')
  assert.equal(await provider.Client.find('app'), undefined)
})

test('what is no id of an app finds none', async () => {
  const { provider, apps } = newProvider()
  apps.set('', metadataOf('app'))
  assert.equal(await provider.Client.find(''), undefined)
  assert.equal(await provider.Client.find(undefined as never), undefined)
})

test('metadata that the library refuses is refused every time', async () => {
  const { provider, apps } = newProvider()
  apps.set('app', { ...metadataOf('app'), redirect_uris: ['no address'] })
  await assert.rejects(provider.Client.find('app'))
  await assert.rejects(provider.Client.find('app'))
})
