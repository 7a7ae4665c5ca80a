/**
 * Refreshing, signing in and redeeming beside the end of what they stand on (threats.md RT5, RC5), on two processes over one Redis: whoever is
 * faster, once both have returned nothing is usable.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { createGrants } from '../../src/oidc/grants.ts'
import { endSession } from '../../src/oidc/session-adapter.ts'
import { type AppClient, newPerson, registerApp, type SignedIn } from '../support/app-client.ts'
import { newAccount, operator } from '../support/licet.ts'
import { Person } from '../support/person.ts'
import { skipWithout } from '../support/tools.ts'
import { startTwoProcesses, type TwoProcesses } from '../support/two-processes.ts'

describe('beside the end', { skip: skipWithout('redis-server') }, () => {
  let two: TwoProcesses
  let app: AppClient
  before(async () => {
    two = await startTwoProcesses()
    app = await registerApp(two)
  })
  after(() => two?.stop())

  interface Tokens {
    readonly access: Set<string>
    readonly refresh: Set<string>
  }

  /** Refreshes from child to child, changing processes, until it is refused. */
  async function refreshOn(client: AppClient, tokens: Tokens, first: string, times: number): Promise<void> {
    let token = first
    for (let round = 0; round < times; round++) {
      const { status, body, text } = await client.refresh(token, {}, { origin: two.origins[round % 2] ?? '' })
      if (status !== 200) return assert.ok(status === 400 || status === 401, text)
      tokens.access.add(body.access_token)
      tokens.refresh.add(body.refresh_token)
      token = body.refresh_token
    }
  }

  async function nothingIsUsable(client: AppClient, { access, refresh }: Tokens): Promise<void> {
    for (const origin of two.origins) {
      for (const token of refresh) assert.notEqual((await client.refresh(token, {}, { origin })).status, 200)
      for (const token of access) {
        assert.notEqual((await client.introspect(token, { origin })).body.active, true)
        assert.equal((await client.userinfo(token, { origin })).status, 401)
      }
    }
  }

  type End = (
    who: SignedIn,
    client: AppClient,
    first: { access_token: string; refresh_token: string },
  ) => Promise<unknown>

  const ends: Record<string, End> = {
    'its revocation': async (_who, client, { refresh_token: token }) =>
      assert.equal((await client.revoke(token, { origin: two.origins[1] })).status, 200),
    'the end of its session under Settings': async (_who, _client, { access_token: token }) => {
      const sessionUid = String(decodeJwt(token)['sid'])
      await endSession(two.core.store, sessionUid)
      assert.ok((await createGrants({ store: two.core.store, now: Date.now }).endAll({ sessionUid })) > 0)
    },
    'the disabling of its account': ({ accountId }) => two.core.accounts.disable(operator, accountId),
    'a sign-out everywhere': ({ accountId }) => two.core.accounts.signOutEverywhere(operator, accountId),
    'a password change': ({ accountId }) =>
      two.core.accounts.setPassword(operator, accountId, 'a quite different phrase'),
    'the removal of its account': ({ accountId }) => two.core.accounts.remove(operator, accountId),
  }

  for (const [what, end] of Object.entries(ends)) {
    test(`RT5: refreshes beside ${what} leave nothing usable`, async () => {
      for (const delay of [0, 4, 9, 15]) {
        const who = await newPerson(two)
        const { body } = await app.redeem(await app.obtainCode(who.person, who.email))
        const tokens = { access: new Set([body.access_token]), refresh: new Set([body.refresh_token]) }
        await Promise.all([
          refreshOn(app, tokens, body.refresh_token, 6),
          refreshOn(app, tokens, body.refresh_token, 6),
          pause(delay).then(() => end(who, app, body)),
        ])
        await nothingIsUsable(app, tokens)
      }
    })
  }

  test('RC5: a sign-in beside the disabling of its account leaves neither a session nor a token', async () => {
    for (const delay of [0, 20, 45, 70]) {
      const account = await newAccount(two.core)
      const person = new Person(two.issuer, two.origins[0])
      const [pending] = await Promise.all([
        app.obtainCode(person, account.email).catch(() => undefined),
        pause(delay).then(() => two.core.accounts.disable(operator, account.id)),
      ])
      if (pending) assert.equal((await app.redeem(pending, {}, { origin: two.origins[1] })).status, 400)
      await assert.rejects(app.obtainCode(person, account.email), /no code came back/)
    }
  })

  test('RC5: tokens obtained beside the removal or suspension of their app are dead a second after it', async () => {
    const left: [AppClient, Tokens][] = []
    for (const act of ['remove', 'suspend'] as const) {
      const victim = await registerApp(two)
      const who = await newPerson(two)
      const { body } = await victim.redeem(await victim.obtainCode(who.person, who.email))
      const tokens = { access: new Set([body.access_token]), refresh: new Set([body.refresh_token]) }
      const end = async (): Promise<void> => {
        if (act === 'remove') await two.core.apps.remove(operator, victim.clientId)
        else await two.core.apps.suspend(operator, victim.clientId, 'abuse')
      }
      await Promise.all([refreshOn(victim, tokens, body.refresh_token, 5), pause(5).then(end)])
      left.push([victim, tokens])
    }
    const resourceServer = await registerApp(two, { type: 'service', resourceServer: `${two.issuer}/api/v1` })
    await pause(1_000)
    for (const [victim, { access, refresh }] of left) {
      for (const origin of two.origins) {
        for (const token of refresh) assert.equal((await victim.refresh(token, {}, { origin })).status, 401)
        for (const token of access)
          assert.equal((await resourceServer.introspect(token, { origin })).body.active, false)
      }
    }
  })

  test('RC5: what an administrator obtained is dead once the role is taken away', async () => {
    const admin = await registerApp(two, { firstParty: true, scopes: ['api:admin', 'data:read'] })
    await newAccount(two.core, undefined, { role: 'administrator' })
    const account = await newAccount(two.core, undefined, { role: 'administrator' })
    const who = { person: new Person(two.issuer), email: account.email, accountId: account.id }
    const scope = 'openid api:admin'
    const { body } = await admin.redeem(await admin.obtainCode(who.person, who.email, { scope }))
    assert.match(String(body['scope']), /api:admin/)
    const tokens = { access: new Set([body.access_token]), refresh: new Set([body.refresh_token]) }
    await Promise.all([
      refreshOn(admin, tokens, body.refresh_token, 5),
      pause(5).then(() => two.core.accounts.setRole(operator, account.id, 'member')),
    ])
    await nothingIsUsable(admin, tokens)
    const again = await admin.redeem(
      await admin.obtainCode(who.person, who.email, { scope: 'openid api:admin data:read' }),
    )
    assert.ok(!String(again.body['scope']).includes('api:admin'), String(again.body['scope']))
  })
})
