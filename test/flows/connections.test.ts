/**
 * Single connections (RFC 9396, type `connection`) through the whole server: what an app may ask, what a person chooses, where the choice stands
 * afterwards, and what a second visit asks. On every store, with a list of the configuration; the hook has a file of its own.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import type { NewApp } from '../../src/apps/records.ts'
import { callApi } from '../support/api.ts'
import { type AppClient, type Body, newPerson, type Params, registerApp, type SignedIn } from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import { type Licet, PASSWORD } from '../support/licet.ts'
import { textOf, type Visit } from '../support/person.ts'
import { onEveryStore } from '../support/stores.ts'

const RS = 'https://mcp.example.test/mcp'
const list = [
  { id: 'google', name: 'Google' },
  { id: 'slack', name: 'Slack' },
  { id: 'github', name: 'GitHub' },
]
const detail = (identifier: string, ...actions: string[]) => ({ type: 'connection', identifier, actions })
const choose = (...actions: string[]) => ({ type: 'connection', actions })
const details = (...asked: object[]) => JSON.stringify(asked)

interface Scene extends SignedIn {
  readonly app: AppClient
  /** Opens an authorization; the consent page, or where the browser was sent. */
  ask(params: Params): Promise<Visit>
  /** Answers it and redeems the code. */
  answer(page: Visit, values?: Record<string, string | string[]>): Promise<Body>
  redeem(back: string): Promise<Body>
}

async function scene(licet: Licet, wanted: Partial<NewApp> = {}): Promise<Scene> {
  const app = await registerApp(licet, wanted)
  const who = await newPerson(licet)
  const redeem = async (back: string) => {
    const code = new URL(back).searchParams.get('code') ?? ''
    const { status, body, text } = await app.redeem({ code, verifier: VERIFIER })
    assert.equal(status, 200, `${back}\n${text}`)
    return body
  }
  return {
    ...who,
    app,
    redeem,
    async ask(params) {
      const page = await who.person.open(authorizeUrl(app, params))
      if (!page.body.includes('name="password"')) return page
      return who.person.submit(page, { email: who.email, password: PASSWORD }, '/sign-in')
    },
    async answer(page, values = {}) {
      const back = await who.person.submit(page, { decision: 'allow', ...values }, '/consent')
      return redeem(back.url)
    },
  }
}

const ticks = ({ body }: Visit): Record<string, boolean> =>
  Object.fromEntries(
    [...body.matchAll(/name="connection" value="([^"]+)"( checked)?/g)].map(([, name = '', on]) => [
      name,
      on !== undefined,
    ]),
  )
const inToken = ({ access_token: token }: Body) => decodeJwt(token)['authorization_details']
const isAsked = ({ body }: Visit) => body.includes('name="decision"')

onEveryStore(
  (licet) => {
    test('what a person chose stands in the token, its answer and introspection, and nothing else does', async () => {
      const one = await scene(licet())
      const page = await one.ask({ authorization_details: details(choose('read', 'write')) })
      assert.deepEqual(ticks(page), {
        'read google': false,
        'write google': false,
        'read slack': false,
        'write slack': false,
        'read github': false,
        'write github': false,
      })
      const chosen = [detail('google', 'read', 'write'), detail('slack', 'read')]
      const body = await one.answer(page, { connection: ['read google', 'write google', 'read slack'] })
      assert.deepEqual(body['authorization_details'], chosen)
      assert.deepEqual(inToken(body), chosen)
      assert.deepEqual((await one.app.introspect(body.access_token)).body['authorization_details'], chosen)
      assert.deepEqual((await one.app.introspect(body.refresh_token)).body['authorization_details'], chosen)
      const next = (await one.app.refresh(body.refresh_token)).body
      assert.deepEqual([inToken(next), next['authorization_details']], [chosen, chosen])
    })

    test('what an app names is ticked beforehand and may be refused; without a tick it is not there', async () => {
      const one = await scene(licet())
      const asked = details(detail('google', 'read', 'write'), detail('slack', 'read'))
      const page = await one.ask({ authorization_details: asked })
      assert.deepEqual(ticks(page), { 'read google': true, 'write google': true, 'read slack': true })
      const body = await one.answer(page, { connection: ['read google'] })
      assert.deepEqual(body['authorization_details'], [detail('google', 'read')])
      const other = await scene(licet())
      const none = await other.answer(await other.ask({ authorization_details: asked }), { connection: [] })
      assert.equal(none['authorization_details'], undefined)
      assert.equal(inToken(none), undefined)
    })

    test('reading only gives reading in place of changing', async () => {
      const one = await scene(licet())
      const page = await one.ask({ authorization_details: details(detail('google', 'write'), choose('write')) })
      const body = await one.answer(page, { decision: 'allow_read_only', connection: ['write google', 'write slack'] })
      assert.deepEqual(body['authorization_details'], [detail('google', 'read'), detail('slack', 'read')])
    })

    test('a second visit asks for nothing, or for the difference only', async () => {
      const one = await scene(licet())
      const first = { authorization_details: details(detail('google', 'read')) }
      await one.answer(await one.ask(first), { connection: ['read google'] })
      const again = await one.ask(first)
      assert.equal(isAsked(again), false)
      assert.deepEqual(inToken(await one.redeem(again.url)), [detail('google', 'read')])
      const more = await one.ask({
        authorization_details: details(detail('google', 'read', 'write'), detail('slack', 'read')),
      })
      assert.deepEqual(ticks(more), { 'write google': true, 'read slack': true })
      const wider = await one.answer(more, { connection: ['read slack'] })
      assert.deepEqual(inToken(wider), [detail('google', 'read'), detail('slack', 'read')])
      const chosen = await one.ask({ authorization_details: details(choose('read')) })
      assert.deepEqual(ticks(chosen), { 'read google': true, 'read slack': true, 'read github': false })
      await one.answer(chosen, { connection: ['read github'] })
      const quiet = await one.ask({ authorization_details: details(choose('read')) })
      assert.equal(isAsked(quiet), false, 'a choice that was made holds')
      assert.deepEqual(inToken(await one.redeem(quiet.url)), [detail('github', 'read')])
    })

    test('pushed and device requests ask for connections too', async () => {
      const one = await scene(licet())
      const asked = { authorization_details: details(detail('google', 'read')) }
      const query = Object.fromEntries(new URL(authorizeUrl(one.app, asked)).searchParams)
      const pushed = await one.app.post('/par', query)
      assert.equal(pushed.status, 201, pushed.text)
      const page = await one.ask({ request_uri: String(pushed.body['request_uri']) })
      assert.deepEqual(ticks(page), { 'read google': true })
      assert.deepEqual(inToken(await one.answer(page)), [detail('google', 'read')])

      const tv = await registerApp(licet(), { type: 'device' })
      const codes = (await tv.post('/device_authorization', { scope: 'data:read', ...asked })).body
      const entry = await one.person.open('/device')
      const confirm = await one.person.submit(entry, { user_code: String(codes['user_code']) }, '/device')
      const consent = await one.person.submit(confirm, { decision: 'allow' }, '/device')
      assert.deepEqual(ticks(consent), { 'read google': true })
      await one.person.submit(consent, { decision: 'allow' }, '/consent')
      const poll = {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: String(codes['device_code']),
      }
      assert.deepEqual(inToken((await tv.post('/token', poll)).body), [detail('google', 'read')])
    })

    test('a refresh narrows, never widens, and narrowing one token takes nothing from the next', async () => {
      const one = await scene(licet())
      const both = [detail('google', 'read', 'write'), detail('slack', 'read')]
      const body = await one.answer(await one.ask({ authorization_details: details(...both) }))
      const narrow = await one.app.refresh(body.refresh_token, {
        authorization_details: details(detail('google', 'read')),
      })
      assert.deepEqual(inToken(narrow.body), [detail('google', 'read')])
      for (const wider of [
        detail('slack', 'read', 'write'),
        detail('github', 'read'),
        choose('write'),
        detail('google', 'read'),
      ]) {
        const { status, body: answer } = await one.app.refresh(narrow.body.refresh_token, {
          authorization_details: details(wider, detail('github', 'write')),
        })
        assert.deepEqual([status, answer.error], [400, 'invalid_authorization_details'], JSON.stringify(wider))
      }
      const whole = await one.app.refresh(narrow.body.refresh_token)
      assert.equal(whole.status, 200, 'a refused request has burned nothing')
      assert.deepEqual(inToken(whole.body), both)
    })

    test('RT8: a retry that asks for other connections does not get the kept answer', async () => {
      const one = await scene(licet())
      const body = await one.answer(
        await one.ask({ authorization_details: details(detail('google', 'read', 'write')) }),
      )
      const first = await one.app.refresh(body.refresh_token)
      const other = await one.app.refresh(body.refresh_token, {
        authorization_details: details(detail('google', 'read')),
      })
      assert.equal(other.body.error, 'invalid_grant')
      assert.equal((await one.app.refresh(body.refresh_token)).text, first.text)
    })

    test('a connection for one resource is not in the token for another', async () => {
      const one = await scene(licet(), { scopes: ['data:read', 'mcp:read'] })
      const asked = details({ ...detail('google', 'read'), locations: [RS] })
      const resource = [`${licet().issuer}/api/v1`, RS]
      const page = await one.ask({ scope: 'openid data:read mcp:read', resource, authorization_details: asked })
      const back = await one.person.submit(page, { decision: 'allow' }, '/consent')
      const code = new URL(back.url).searchParams.get('code') ?? ''
      const own = (await one.app.redeem({ code, verifier: VERIFIER }, { resource: resource[0] })).body
      assert.equal(inToken(own), undefined)
      const theirs = (await one.app.refresh(own.refresh_token, { resource: RS })).body
      assert.deepEqual(inToken(theirs), [{ ...detail('google', 'read'), locations: [RS] }])
    })

    test('what is taken back under Settings or at the API is gone from tokens that were issued before', async () => {
      const one = await scene(licet(), { scopes: ['data:read', 'api:read', 'api:write'] })
      const both = details(detail('google', 'read', 'write'), detail('slack', 'read'))
      const body = await one.answer(await one.ask({ scope: 'openid api:read api:write', authorization_details: both }))
      const call = (method: string, path: string, json?: object) =>
        callApi(licet().issuer, method, path, { token: body.access_token, ...(json ? { json } : {}) })
      const [grant] = (await call('GET', '/api/v1/grants')).body.items
      const at = [`${licet().issuer}/api/v1`]
      assert.deepEqual(grant.authorization_details, [
        { ...detail('google', 'read', 'write'), locations: at },
        { ...detail('slack', 'read'), locations: at },
      ])
      const path = `/api/v1/grants/${grant.id}`
      const left = [{ ...detail('google', 'read'), locations: at }]
      assert.equal((await call('PATCH', path, { authorization_details: left })).status, 200)
      const wide = await call('PATCH', path, {
        authorization_details: [{ ...detail('github', 'read'), locations: at }],
      })
      assert.equal(wide.status, 400)
      assert.deepEqual((await one.app.introspect(body.access_token)).body['authorization_details'], [
        detail('google', 'read'),
      ])
      assert.deepEqual(inToken((await one.app.refresh(body.refresh_token)).body), [detail('google', 'read')])
      const settings = await one.person.open(`/settings/apps/${grant.id}`)
      assert.match(textOf(settings.body), /Google/)
      await one.person.submit(settings, { connection: [] }, path.replace('/api/v1/grants', '/settings/apps'))
      assert.equal((await one.app.introspect(body.access_token)).body['authorization_details'], undefined)
    })

    test('the metadata names the type', async () => {
      const discovery = (await (await fetch(`${licet().issuer}/.well-known/openid-configuration`)).json()) as object
      assert.deepEqual(
        Object.entries(discovery).find(([name]) => name === 'authorization_details_types_supported')?.[1],
        ['connection'],
      )
    })

    for (const [what, asked] of Object.entries({
      'no JSON': '{',
      'no list': '{"type":"connection"}',
      'no type': '[{"identifier":"google"}]',
      'another type': '[{"type":"payment"}]',
      'an unknown field': '[{"type":"connection","identifier":"google","privileges":["admin"]}]',
      'a smuggled prototype': '[{"type":"connection","identifier":"google","__proto__":{"actions":["write"]}}]',
      'an unknown action': '[{"type":"connection","identifier":"google","actions":["delete"]}]',
      'no action at all': '[{"type":"connection","identifier":"google","actions":[]}]',
      'a connection that does not exist': '[{"type":"connection","identifier":"dropbox"}]',
      'a wildcard': '[{"type":"connection","identifier":"*"}]',
      'a space in the name': '[{"type":"connection","identifier":"google write"}]',
      'another resource': `[{"type":"connection","identifier":"google","locations":["${RS}"]}]`,
      'more than anybody reads': JSON.stringify(Array.from({ length: 21 }, () => detail('google', 'read'))),
    })) {
      test(`attack: authorization details with ${what} are refused before anybody is asked`, async () => {
        const one = await scene(licet())
        const query = Object.fromEntries(new URL(authorizeUrl(one.app, { authorization_details: asked })).searchParams)
        const { status, body } = await one.app.post('/par', query)
        assert.deepEqual([status, body.error], [400, 'invalid_authorization_details'])
      })
    }

    test('CS5: ticks that were not offered grant nothing', async () => {
      const one = await scene(licet())
      const page = await one.ask({ authorization_details: details(detail('google', 'read')) })
      const body = await one.answer(page, {
        connection: [
          'read google',
          'write google',
          'read slack',
          'read *',
          'write *',
          'connection read slack',
          '__proto__',
        ],
      })
      assert.deepEqual(inToken(body), [detail('google', 'read')])
      assert.equal(String(decodeJwt(body.access_token)['scope']).includes('connection'), false)
    })

    test('CS4: other connections after consent are asked for again, and nothing is joined in silence', async () => {
      const one = await scene(licet())
      await one.answer(await one.ask({ authorization_details: details(detail('google', 'read')) }))
      for (const asked of [detail('google', 'write'), detail('slack', 'read'), choose('read')])
        assert.equal(isAsked(await one.ask({ authorization_details: details(asked) })), true, JSON.stringify(asked))
      const silent = await one.person.send(
        'GET',
        authorizeUrl(one.app, { authorization_details: details(detail('slack', 'read')), prompt: 'none' }),
      )
      assert.match(silent.headers.get('location') ?? '', /error=consent_required/)
      const plain = await one.ask({})
      assert.equal(inToken(await one.redeem(plain.url)), undefined, 'who does not ask gets none')
    })

    test('an app that acts for itself gets no connection of anybody', async () => {
      const machine = await registerApp(licet(), { type: 'service', scopes: ['data:read'] })
      const { status, body } = await machine.post('/token', {
        grant_type: 'client_credentials',
        authorization_details: details(detail('google', 'read')),
      })
      assert.deepEqual([status, body.error], [400, 'invalid_authorization_details'])
    })
  },
  {
    file: {
      connections: { list },
      resources: [{ identifier: RS, name: 'Example MCP', scopes: ['mcp:read'] }],
    },
  },
)
