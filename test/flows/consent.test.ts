/**
 * Consent as a person meets it and as tokens show it: what may be refused, for how long it holds, what a second visit asks, and who is never
 * asked. On every store; time is moved by the server's own clock.
 */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { decodeJwt } from 'jose'
import type { NewApp } from '../../src/apps/records.ts'
import { type Licet, newAccount, PASSWORD } from '../support/licet.ts'
import { Person, textOf, type Visit } from '../support/person.ts'
import { CALLBACK, LOOPBACK, type Registered, register } from '../support/registered.ts'
import { onEveryStore } from '../support/stores.ts'
import {
  type Authorization,
  type Params,
  type StrictClient,
  strictClients,
  type Tokens,
} from '../support/strict-client.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

let skew = 0
const now = () => Date.now() + skew
beforeEach(() => {
  skew = 0
})

interface Scene {
  readonly client: StrictClient
  readonly account: { readonly id: string; readonly email: string }
  readonly person: Person
  readonly app: Registered['app']
  readonly redirectUri: string
}

async function scene(licet: Licet, wanted: Partial<NewApp> = {}, role = 'member'): Promise<Scene> {
  const { app, credentials } = await register(licet, { scopes: ['data:read'], ...wanted })
  const account = await newAccount(licet.core, undefined, { role })
  const client = await strictClients[0].connect(licet.issuer, credentials)
  return { client, account, person: new Person(licet.issuer), app, redirectUri: app.redirectUris[0] ?? '' }
}

/** From an authorization request to the consent page, or past it when nobody is asked. */
async function visit({ client, person, account, redirectUri }: Scene, params: Params, who = person) {
  const authorization = await client.authorize(redirectUri, params)
  let page = await who.open(authorization.url.href)
  if (page.body.includes('name="password"'))
    page = await who.submit(page, { email: account.email, password: PASSWORD }, '/sign-in')
  return { authorization, page, isAsked: page.body.includes('name="decision"') }
}

/** Answers the consent page and redeems the code. */
async function answer(
  { person }: Scene,
  { authorization, page }: { authorization: Authorization; page: Visit },
  values: Record<string, string | string[]> = {},
): Promise<Tokens> {
  const back = await person.submit(page, { decision: 'allow', ...values }, '/consent')
  return authorization.finish(new URL(back.url))
}

const scopesOf = ({ access_token }: Tokens): string[] =>
  String(decodeJwt(access_token)['scope'] ?? '')
    .split(' ')
    .sort()
const offered = ({ body }: Visit): string[] =>
  [...body.matchAll(/type="checkbox" name="scope" value="([^"]+)"/g)].map(([, scope = '']) => scope)
const shown = ({ body }: Visit): string[] =>
  [...body.matchAll(/<code>([\w:]+)<\/code>/g)].map(([, scope = '']) => scope)

onEveryStore(
  (licet) => {
    test('a person may refuse what the app marked optional, and only that', async () => {
      const one = await scene(licet(), { scopes: ['data:read'], optionalScopes: ['data:write', 'llm:read'] })
      const asked = await visit(one, { scope: 'openid data:read data:write llm:read' })
      assert.deepEqual(offered(asked.page).sort(), ['data:write', 'llm:read'])
      const tokens = await answer(one, asked, { scope: ['llm:read'] })
      assert.deepEqual(scopesOf(tokens), ['data:read', 'llm:read', 'openid'])
      assert.deepEqual(tokens.scope?.split(' ').sort(), ['data:read', 'llm:read', 'openid'])
    })

    test('a person may refuse any scope of an app that asked for none in particular', async () => {
      const one = await scene(licet(), { scopes: ['data:read', 'llm:read'] })
      const asked = await visit(one, {})
      assert.deepEqual(offered(asked.page).sort(), ['data:read', 'llm:read'])
      assert.deepEqual(scopesOf(await answer(one, asked, { scope: ['llm:read'] })), ['llm:read'])
    })

    test('reading only is granted what reads', async () => {
      const one = await scene(licet(), { scopes: ['data:read', 'data:write', 'api:write', 'llm:read'] })
      const asked = await visit(one, { scope: 'openid email data:read data:write api:write llm:read' })
      const tokens = await answer(one, asked, { decision: 'allow_read_only' })
      assert.deepEqual(scopesOf(tokens), ['data:read', 'email', 'llm:read', 'openid'])
      const refreshed = await one.client.refresh(tokens.refresh_token ?? '')
      assert.deepEqual(scopesOf(refreshed), ['data:read', 'email', 'llm:read', 'openid'])
    })

    test('refusing goes back to the app with access_denied, and nothing is remembered', async () => {
      const one = await scene(licet())
      const asked = await visit(one, { scope: 'data:read' })
      const back = await one.person.submit(asked.page, { decision: 'deny' }, '/consent')
      await assert.rejects(asked.authorization.finish(new URL(back.url)), { error: 'access_denied' })
      assert.equal((await visit(one, { scope: 'data:read' })).isAsked, true)
    })

    test('a form that grants more than was asked grants what was asked', async () => {
      const one = await scene(licet(), { scopes: ['data:read', 'data:write'], optionalScopes: ['llm:read'] })
      const asked = await visit(one, { scope: 'openid data:read llm:read' })
      const tokens = await answer(one, asked, { scope: ['llm:read', 'data:write', 'api:admin', 'email'] })
      assert.deepEqual(scopesOf(tokens), ['data:read', 'llm:read', 'openid'])
    })

    test('an app that is an agent says so where the person decides, and no other does', async () => {
      const agent = await visit(await scene(licet(), { agent: true }), {})
      assert.match(agent.page.body, /Acts by itself, also while you are away\./)
      const program = await visit(await scene(licet()), {})
      assert.ok(program.isAsked && !program.page.body.includes('Acts by itself'))
    })

    test('a second visit asks nothing, or only for the difference', async () => {
      const one = await scene(licet(), { scopes: ['data:read', 'data:write'] })
      await answer(one, await visit(one, { scope: 'openid data:read' }))
      const again = await visit(one, { scope: 'openid data:read' })
      assert.equal(again.isAsked, false)
      assert.deepEqual(scopesOf(await again.authorization.finish(new URL(again.page.url))), ['data:read', 'openid'])
      const more = await visit(one, { scope: 'openid data:read data:write' })
      assert.equal(more.isAsked, true)
      assert.deepEqual(shown(more.page), ['data:write'])
      assert.deepEqual(scopesOf(await answer(one, more)), ['data:read', 'data:write', 'openid'])
      assert.equal((await visit(one, { scope: 'data:write' })).isAsked, false)
    })

    test('what is unticked or left to reading on a later visit is granted no longer', async () => {
      const one = await scene(licet(), { scopes: ['data:read'], optionalScopes: ['llm:read', 'data:write'] })
      const scope = 'openid data:read llm:read data:write'
      await answer(one, await visit(one, { scope }))
      const unticked = await visit(one, { scope, prompt: 'consent' })
      assert.deepEqual(scopesOf(await answer(one, unticked, { scope: ['data:write'] })), [
        'data:read',
        'data:write',
        'openid',
      ])
      const readOnly = await visit(one, { scope })
      assert.deepEqual(shown(readOnly.page), ['llm:read'], 'what was refused is asked for again, and nothing else')
      const tokens = await answer(one, readOnly, { decision: 'allow_read_only' })
      assert.deepEqual(scopesOf(tokens), ['data:read', 'llm:read', 'openid'])
      assert.deepEqual(shown((await visit(one, { scope })).page), ['data:write'])
    })

    test('the page has selected what the configuration says', async () => {
      const { page } = await visit(await scene(licet()), { scope: 'data:read' })
      assert.match(page.body, /value="30d" checked/)
      assert.equal(page.body.match(/type="radio"[^>]* checked/g)?.length, 1)
    })

    test('prompt=consent asks again, for everything', async () => {
      const one = await scene(licet())
      await answer(one, await visit(one, { scope: 'openid data:read' }))
      const again = await visit(one, { scope: 'openid data:read', prompt: 'consent' })
      assert.equal(again.isAsked, true)
      assert.deepEqual(shown(again.page).sort(), ['data:read', 'openid'])
      await answer(one, again)
    })

    for (const { duration, life } of [
      { duration: '1d', life: DAY },
      { duration: '30d', life: 30 * DAY },
    ]) {
      test(`what was allowed for ${duration} is asked for again afterwards, and its refresh token ends with it`, async () => {
        const one = await scene(licet())
        const tokens = await answer(one, await visit(one, { scope: 'openid data:read' }), { duration })
        assert.ok(Number(tokens['refresh_token_expires_in']) <= life / 1000)
        skew = life - HOUR
        const late = await visit(one, { scope: 'openid data:read' })
        assert.equal(late.isAsked, false)
        const lateTokens = await late.authorization.finish(new URL(late.page.url))
        assert.ok(Number(lateTokens['refresh_token_expires_in']) <= HOUR / 1000, 'it ends when the consent does')
        skew = life + HOUR
        assert.equal((await visit(one, { scope: 'openid data:read' })).isAsked, true)
        for (const { refresh_token = '' } of [tokens, lateTokens])
          await assert.rejects(one.client.refresh(refresh_token), { error: 'invalid_grant' })
      })
    }

    test('what was allowed for this sign-in ends with it', async () => {
      const one = await scene(licet())
      const tokens = await answer(one, await visit(one, { scope: 'openid data:read' }), { duration: 'session' })
      const refreshed = await one.client.refresh(tokens.refresh_token ?? '')
      assert.equal((await visit(one, { scope: 'openid data:read' })).isAsked, false)
      const elsewhere = await visit(one, { scope: 'openid data:read' }, new Person(licet().issuer))
      assert.equal(elsewhere.isAsked, true, 'another browser is another sign-in')
      await one.person.submit(await one.person.open('/logout'), { logout: 'yes' }, '/logout/confirm')
      await assert.rejects(one.client.refresh(refreshed.refresh_token ?? ''), { error: 'invalid_grant' })
      await assert.rejects(one.client.userinfo(refreshed.access_token, one.account.id))
      assert.equal((await visit(one, { scope: 'openid data:read' })).isAsked, true)
    })

    test('what was allowed until revoked outlives the browser session', async () => {
      const one = await scene(licet())
      const tokens = await answer(one, await visit(one, { scope: 'openid data:read' }), { duration: 'until_revoked' })
      await one.person.submit(await one.person.open('/logout'), { logout: 'yes' }, '/logout/confirm')
      assert.ok((await one.client.refresh(tokens.refresh_token ?? '')).access_token)
      assert.equal((await visit(one, { scope: 'openid data:read' })).isAsked, false)
    })

    test('an app whose redirect anyone on the device could receive asks every time', async () => {
      for (const redirectUri of [LOOPBACK, 'com.example.notes:/callback']) {
        const one = await scene(licet(), { type: 'native', redirectUris: [redirectUri] })
        for (const round of ['first', 'second']) {
          const asked = await visit(one, { scope: 'data:read' })
          assert.equal(asked.isAsked, true, `${redirectUri}, ${round} visit`)
          await answer(one, asked)
        }
      }
    })

    test('first-party apps never ask', async () => {
      for (const redirectUri of [CALLBACK, LOOPBACK]) {
        const type = redirectUri === CALLBACK ? 'web' : 'native'
        const one = await scene(licet(), { type, redirectUris: [redirectUri], firstParty: true })
        const { authorization, page, isAsked } = await visit(one, { scope: 'openid data:read' })
        assert.equal(isAsked, false, redirectUri)
        assert.deepEqual(scopesOf(await authorization.finish(new URL(page.url))), ['data:read', 'openid'])
      }
    })

    test('api:admin is for an administrator at a first-party app', async () => {
      const scopes = ['api:admin', 'api:read']
      const admin = await scene(licet(), { firstParty: true, scopes }, 'administrator')
      const ofAdmin = await visit(admin, { scope: 'api:admin api:read' })
      const tokens = await ofAdmin.authorization.finish(new URL(ofAdmin.page.url))
      assert.deepEqual(scopesOf(tokens), ['api:admin', 'api:read'])
      const member = await scene(licet(), { firstParty: true, scopes })
      const ofMember = await visit(member, { scope: 'api:admin api:read' })
      assert.deepEqual(scopesOf(await ofMember.authorization.finish(new URL(ofMember.page.url))), ['api:read'])
      const alone = await visit(member, { scope: 'api:admin' })
      await assert.rejects(alone.authorization.finish(new URL(alone.page.url)), { error: 'access_denied' })
    })

    test('api:admin is lost with the role, at the next refresh', async () => {
      const one = await scene(licet(), { firstParty: true, scopes: ['api:admin', 'api:read'] }, 'administrator')
      await newAccount(licet().core, undefined, { role: 'administrator' })
      const asked = await visit(one, { scope: 'openid api:admin api:read' })
      const tokens = await asked.authorization.finish(new URL(asked.page.url))
      await licet().core.accounts.setRole({ kind: 'operator' }, one.account.id, 'member')
      const left = await one.client.refresh(tokens.refresh_token ?? '').then(scopesOf, (): string[] => [])
      assert.equal(left.includes('api:admin'), false)
      await assert.rejects(one.client.userinfo(tokens.access_token, one.account.id))
    })

    test('third parties and services never get api:admin, whoever signs in', async () => {
      const one = await scene(licet(), { scopes: ['api:read'] }, 'administrator')
      const asked = await visit(one, { scope: 'api:admin api:read' })
      await assert.rejects(asked.authorization.finish(new URL(asked.page.url)), { error: 'invalid_scope' })
      for (const type of ['web', 'service'] as const)
        await assert.rejects(register(licet(), { type, scopes: ['api:admin'] }), /api:admin/)
      await assert.rejects(register(licet(), { type: 'service', firstParty: true, scopes: ['api:admin'] }))
      const { credentials } = await register(licet(), { type: 'service', firstParty: true, scopes: ['api:read'] })
      const machine = await strictClients[0].connect(licet().issuer, credentials)
      await assert.rejects(machine.clientCredentials({ scope: 'api:admin' }), { error: 'invalid_scope' })
    })

    test('a scope that two resources own is shown once', async () => {
      const one = await scene(licet(), { scopes: ['mcp:read', 'data:read'] })
      const resource = [`${licet().issuer}/api/v1`, 'https://mcp.example.test/mcp']
      const asked = await visit(one, { scope: 'mcp:read data:read', resource })
      assert.deepEqual(shown(asked.page).sort(), ['data:read', 'mcp:read'])
      assert.match(textOf(asked.page.body), /Example MCP/)
      await answer(one, asked)
    })
  },
  {
    now,
    file: {
      consent: { default_duration: '30d' },
      resources: [{ identifier: 'https://mcp.example.test/mcp', name: 'Example MCP', scopes: ['mcp:read'] }],
    },
  },
)
