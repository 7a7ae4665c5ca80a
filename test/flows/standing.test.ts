/**
 * What an operator takes away is gone within a second, although the server was never told: the act is done from a store handle of its own, as the
 * command line does it. On every store.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Licet, newAccount, operator, PASSWORD } from '../support/licet.ts'
import { Person, textOf } from '../support/person.ts'
import { CALLBACK, register } from '../support/registered.ts'
import { onEveryStore } from '../support/stores.ts'
import { type StrictClient, strictClients } from '../support/strict-client.ts'

const SCOPE = 'openid email data:read'

async function scene(licet: Licet) {
  const { app, credentials } = await register(licet, { scopes: ['data:read'] })
  const account = await newAccount(licet.core)
  const client = await strictClients[0].connect(licet.issuer, credentials)
  const person = new Person(licet.issuer)
  const authorize = async () => {
    const authorization = await client.authorize(CALLBACK, { scope: SCOPE })
    return authorization.finish(await person.authorize(authorization.url.href, account))
  }
  const watcher = await register(licet, { type: 'service', resourceServer: `${licet.issuer}/api/v1` })
  const resourceServer = await strictClients[1].connect(licet.issuer, watcher.credentials)
  const tokens = await authorize()
  const works = async () => ({
    userinfo: await succeeds(client.userinfo(tokens.access_token, account.id)),
    introspection: (await resourceServer.introspect(tokens.access_token)).active,
  })
  assert.deepEqual(await works(), { userinfo: true, introspection: true })
  return { app, account, client, person, tokens, works, authorize }
}

const succeeds = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  )

/** Polls for a second; what is still answered after that is a failure. */
async function withinASecond(probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 1000
  while (performance.now() < deadline) if (await probe()) return
  assert.ok(await probe(), 'a second has passed')
}

const isOver = (works: () => Promise<{ userinfo: boolean; introspection: boolean }>) => async () => {
  const { userinfo, introspection } = await works()
  return !userinfo && !introspection
}

const refreshes = (client: StrictClient, token = '') => client.refresh(token)

onEveryStore((licet) => {
  test('a suspended app and its tokens are refused within a second, and again accepted once it is resumed', async () => {
    const { app, client, person, tokens, works } = await scene(licet())
    await licet().core.apps.suspend(operator, app.clientId, 'under review')
    await withinASecond(isOver(works))
    await assert.rejects(refreshes(client, tokens.refresh_token), { status: 401 })
    const authorization = await client.authorize(CALLBACK, { scope: SCOPE })
    const visit = await person.open(authorization.url.href)
    assert.equal(new URL(visit.url).origin, licet().issuer)
    assert.equal(visit.status, 400)
    assert.equal(textOf(visit.body).includes('under review'), false)
    await assert.rejects(client.introspect(tokens.access_token), { status: 401 })
    await licet().core.apps.resume(operator, app.clientId)
    await withinASecond(() => succeeds(client.introspect(tokens.access_token)))
    assert.ok((await refreshes(client, tokens.refresh_token)).access_token)
  })

  test('a suspended service gets no token within a second', async () => {
    const { app, credentials } = await register(licet(), { type: 'service', scopes: ['data:read'] })
    const client = await strictClients[1].connect(licet().issuer, credentials)
    await client.clientCredentials()
    await licet().core.apps.suspend(operator, app.clientId, 'under review')
    await withinASecond(async () => !(await succeeds(client.clientCredentials())))
    await assert.rejects(client.clientCredentials(), { status: 401 })
  })

  test('a removed app is as unknown as one that never was', async () => {
    const { app, credentials } = await register(licet(), { type: 'service', scopes: ['data:read'] })
    const client = await strictClients[1].connect(licet().issuer, credentials)
    await client.clientCredentials()
    await licet().core.apps.remove(operator, app.clientId)
    await withinASecond(async () => !(await succeeds(client.clientCredentials())))
    const stranger = await strictClients[1].connect(licet().issuer, { ...credentials, clientId: 'never-registered' })
    const [removed, unknown] = await Promise.all(
      [client, stranger].map((one) =>
        one.clientCredentials().then(
          () => undefined,
          (error: Error) => error.message,
        ),
      ),
    )
    assert.ok(removed)
    assert.equal(removed, unknown)
  })

  test('what a disabled account obtained is dead within a second, and stays dead when it is enabled again', async () => {
    const { account, client, person, tokens, works, authorize } = await scene(licet())
    await licet().core.accounts.disable(operator, account.id, 'left the company')
    await withinASecond(isOver(works))
    await assert.rejects(refreshes(client, tokens.refresh_token), { error: 'invalid_grant' })
    const authorization = await client.authorize(CALLBACK, { scope: SCOPE })
    const visit = await person.open(authorization.url.href)
    const refused = await person.submit(visit, { email: account.email, password: PASSWORD }, '/sign-in')
    assert.match(refused.body, /name="password"/)
    assert.equal(textOf(refused.body).includes('left the company'), false)
    await licet().core.accounts.enable(operator, account.id)
    assert.deepEqual(await works(), { userinfo: false, introspection: false })
    await assert.rejects(refreshes(client, tokens.refresh_token), { error: 'invalid_grant' })
    assert.ok((await authorize()).access_token)
  })

  for (const [title, act] of [
    ['signed out everywhere', (core: Licet['core'], id: string) => core.accounts.signOutEverywhere(operator, id)],
    [
      'given a new password',
      (core: Licet['core'], id: string) => core.accounts.setPassword(operator, id, 'another good one'),
    ],
  ] as const) {
    test(`RT10: what an account obtained before it was ${title} is dead within a second`, async () => {
      const { account, client, person, tokens, works } = await scene(licet())
      await act(licet().core, account.id)
      await withinASecond(isOver(works))
      await assert.rejects(refreshes(client, tokens.refresh_token), { error: 'invalid_grant' })
      const authorization = await client.authorize(CALLBACK, { scope: SCOPE })
      assert.match((await person.open(authorization.url.href)).body, /name="password"/)
    })
  }

  test('a removed account is gone from every token', async () => {
    const { account, client, tokens, works } = await scene(licet())
    await licet().core.accounts.remove(operator, account.id)
    await withinASecond(isOver(works))
    await assert.rejects(refreshes(client, tokens.refresh_token), { error: 'invalid_grant' })
  })
})
