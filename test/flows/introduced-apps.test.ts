/**
 * Apps that introduce themselves, on every store: one that registers and one that is a document sign in, refresh, step up and lose what is taken back.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { countStored } from '../support/authorize.ts'
import { startDocuments } from '../support/documents.ts'
import { newAccount } from '../support/licet.ts'
import { askTokens, mcpResource, registerItself, signInWith } from '../support/mcp-client.ts'
import { Person } from '../support/person.ts'
import { onEveryStore } from '../support/stores.ts'

const documents = await startDocuments()
after(() => documents.close())

onEveryStore(
  (licet) => {
    const ways = {
      'registers itself': async () => String((await registerItself(licet())).body['client_id']),
      'is a metadata document': async () => documents.publish('/app.json'),
    }
    for (const [way, introduce] of Object.entries(ways)) {
      test(`an app that ${way} is kept from the first consent on, refreshes, steps up, and is out when its consent ends`, async () => {
        const identity = { clientId: await introduce() }
        const { id, email } = await newAccount(licet().core)
        const person = new Person(licet().issuer)
        const before = await countStored(licet().core.store, 'app')
        const first = await signInWith(licet(), identity, { person, email })
        assert.deepEqual(first.scopes, ['mcp:read'])
        assert.equal(await countStored(licet().core.store, 'app'), before + 1)
        const refreshing = (token: unknown) => ({ grant_type: 'refresh_token', refresh_token: String(token) })
        const next = await askTokens(licet(), identity, refreshing(first.tokens?.['refresh_token']))
        assert.deepEqual(next.scopes, ['mcp:read'])
        const more = await signInWith(licet(), identity, { person, email, params: { scope: 'mcp:write' } })
        assert.deepEqual(more.scopes, ['mcp:read', 'mcp:write'])
        await person.submit(await person.open('/settings/apps'), {}, '/settings/apps/stop')
        const { items } = await licet().core.store.list('consent', { group: 'accountId', value: id })
        assert.deepEqual(items, [])
        for (const { tokens } of [next, more])
          assert.equal(
            (await askTokens(licet(), identity, refreshing(tokens?.['refresh_token']))).error,
            'invalid_grant',
          )
      })
    }
  },
  { file: { resources: [mcpResource], outbound: documents.outbound } },
)
