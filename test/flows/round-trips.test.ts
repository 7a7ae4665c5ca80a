/**
 * How often the protocol asks the store, for each is a journey to Redis and back: the first sign-in with consent through to the token within fourteen,
 * and the short ways within a few. Counted are the protocol's own kinds; accounts, apps, consents, limits (of sessions too, which runs beside the
 * rest) and the audit stand aside.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Kind } from '../../src/storage/kinds.ts'
import type { Store, Stored } from '../../src/storage/store.ts'
import { type Licet, newAccount, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'
import { CALLBACK, register } from '../support/registered.ts'
import { strictClients } from '../support/strict-client.ts'

const protocolKinds: ReadonlySet<Kind> = new Set([
  'authorization_code',
  'denied_token',
  'device_code',
  'grant',
  'interaction',
  'pushed_request',
  'refresh_token',
  'replay',
  'session',
])

const calls: string[] = []

/** Notes every call about a protocol kind. An update without the entry it starts from reads first: two journeys. */
function counting(store: Store): Store {
  const note = (verb: string, kind: Kind, times = 1): void => {
    if (protocolKinds.has(kind) && `${verb} ${kind}` !== 'list session')
      for (let time = 0; time < times; time++) calls.push(`${verb} ${kind}`)
  }
  const counted = (verb: 'find' | 'findBy' | 'list' | 'put' | 'take' | 'remove' | 'removeGroup') => ({
    [verb]: (kind: Kind, ...rest: unknown[]) => {
      note(verb, kind)
      return (store[verb] as (...all: unknown[]) => unknown)(kind, ...rest)
    },
  })
  const update: Store['update'] = (kind, id, change, known?: Stored<never>) => {
    note('update', kind, known ? 1 : 2)
    return store.update(kind, id, change, known)
  }
  const verbs = (['find', 'findBy', 'list', 'put', 'take', 'remove', 'removeGroup'] as const).map(counted)
  return Object.assign(Object.create(store) as Store, ...verbs, { update })
}

let licet: Licet
before(async () => {
  licet = await startLicet({ around: counting })
})
after(() => licet.close())

/** What `act` asked of the store. */
async function asked<T>(act: () => Promise<T>): Promise<{ result: T; calls: string[] }> {
  calls.length = 0
  const result = await act()
  return { result, calls: [...calls] }
}

async function scene() {
  const { credentials } = await register(licet, { scopes: ['data:read'] })
  const account = await newAccount(licet.core)
  const client = await strictClients[0].connect(licet.issuer, credentials)
  const person = new Person(licet.issuer)
  const flow = async () => {
    const authorization = await client.authorize(CALLBACK, { scope: 'openid data:read' })
    return authorization.finish(await person.authorize(authorization.url.href, account))
  }
  return { client, flow, account }
}

test('a first sign-in with consent asks the store at most fourteen times until the token', async () => {
  const { flow } = await scene()
  const { calls: made } = await asked(flow)
  assert.ok(made.length <= 14, made.join('\n'))
  // If the store were not watched there would be nothing to count.
  for (const call of ['put interaction', 'take interaction', 'put session', 'put grant', 'put authorization_code'])
    assert.ok(made.includes(call), `${call} is missing in\n${made.join('\n')}`)
})

test('a person who is signed in and has consented gets the app its token in at most ten', async () => {
  const { flow } = await scene()
  await flow()
  const { calls: made } = await asked(flow)
  assert.ok(made.length <= 10, made.join('\n'))
})

test('a refresh asks the store at most four times', async () => {
  const { flow, client } = await scene()
  const { refresh_token = '' } = await flow()
  const { calls: made } = await asked(() => client.refresh(refresh_token))
  assert.ok(made.length <= 4, made.join('\n'))
})

test('userinfo and introspection ask the store at most twice', async () => {
  const { flow, client, account } = await scene()
  const { access_token } = await flow()
  const userinfo = await asked(() => client.userinfo(access_token, account.id))
  const introspection = await asked(() => client.introspect(access_token))
  assert.ok(introspection.calls.length <= 2, introspection.calls.join('\n'))
  assert.ok(userinfo.calls.length <= 3, userinfo.calls.join('\n'))
})

test('a token by client credentials asks the store nothing', async () => {
  const { credentials } = await register(licet, { type: 'service', scopes: ['data:read'] })
  const client = await strictClients[0].connect(licet.issuer, credentials)
  assert.deepEqual((await asked(() => client.clientCredentials())).calls, [])
})
