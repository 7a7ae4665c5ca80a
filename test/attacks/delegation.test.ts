/**
 * Attacks on the exchange of access tokens (threats.md TK13, JW3): tokens that are none, of somebody else, for somebody else, ended or bound; chains
 * that grow; rights, lives and assurance that would grow with them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import {
  ACCESS_TOKEN,
  type Cast,
  EXCHANGE,
  exchange,
  newCast,
  RECORDS,
  resources,
  signIn,
  TOOLS,
} from '../support/agents.ts'
import { callApi } from '../support/api.ts'
import { type AppClient, nobody, registerApp } from '../support/app-client.ts'
import { type Licet, operator, startLicet } from '../support/licet.ts'
import { dpop, es256, newKey, rawJwt } from '../support/proofs.ts'

let licet: Licet
let cast: Cast
let token = ''
let time = Date.now()
before(async () => {
  licet = await startLicet({ now: () => time, file: { resources } })
  cast = await newCast(licet)
  token = (await signIn(cast)).access_token
})
after(() => licet.close())

const errorOf = async (by: AppClient, subject: string, params = {}, sending = {}) => {
  const { status, body, text } = await exchange(by, subject, params, sending)
  assert.equal(status, 400, text)
  assert.equal(body.access_token, undefined)
  assert.equal(text.includes(subject.slice(-20)), false, 'the token stands in no answer')
  return body
}

test('TK13: what is no access token of ours is refused alike, whatever it is', async () => {
  const { tools, scout, ada } = cast
  const forger = await newKey()
  const claims = decodeJwt(token)
  const header = { alg: 'ES256', typ: 'at+jwt', kid: 'x' }
  const [head, payload, signature] = token.split('.')
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const tokens = await signIn({ scout, ada })
  const cases = [
    'x',
    'a.b.c',
    rawJwt({ ...header, alg: 'none' }, claims),
    rawJwt(header, claims, es256(forger)),
    rawJwt({ ...header, jwk: forger.publicJwk }, claims, es256(forger)),
    rawJwt({ ...header, jku: 'https://attacker.example/keys' }, claims, es256(forger)),
    rawJwt({ ...header, kid: '../../dev/null' }, claims, es256(forger)),
    `${head}.${encode({ ...claims, scope: 'api:admin' })}.${signature}`,
    `${encode({ ...header, typ: 'JWT' })}.${payload}.${signature}`,
    `${token}x`,
    token.slice(0, -1),
    tokens.id_token,
    tokens.refresh_token,
  ]
  const answers = await Promise.all(cases.map((one) => errorOf(tools, one)))
  for (const [at, body] of answers.entries())
    assert.deepEqual(
      [body.error, body.error_description],
      ['invalid_request', 'the subject token is not valid for this app'],
      cases[at],
    )
})

test('a service without a rule cannot act, nor with a token that was meant for somebody else (confused deputy)', async () => {
  const { scout, records, ada, tools } = cast
  const stranger = await registerApp(licet, { type: 'service', scopes: ['data:read'], resourceServer: TOOLS })
  assert.equal((await errorOf(stranger, token)).error, 'invalid_request')
  // `records` acts for every app, with tokens for itself: this one is for the tool server, and strayed to it.
  const { error, error_ref: ref } = await errorOf(records, token)
  assert.equal(error, 'invalid_request')
  const elsewhere = await scout.obtainCode(ada.person, ada.email, { scope: 'data:read', resource: RECORDS })
  const forRecords = (await scout.redeem(elsewhere, { resource: RECORDS })).body.access_token
  assert.equal((await errorOf(tools, forRecords)).error, 'invalid_request')
  const why = await licet.core.keys.denials.getOwned(ada.accountId, String(ref))
  assert.deepEqual([why.reason, why.credential], ['may_not_act', `access_token:${decodeJwt(token).jti}`])
  const notes = await registerApp(licet, { scopes: ['data:read'] })
  assert.equal((await errorOf(notes, token)).error, 'unauthorized_client')
  assert.equal((await exchange(tools.with(nobody), token)).status, 401)
})

test('no exchange reaches a scope or a resource beyond what both hold', async () => {
  const { tools } = cast
  const cases: [Record<string, string>, string][] = [
    [{ scope: 'data:write', resource: RECORDS }, 'invalid_scope'],
    [{ scope: 'mcp:write' }, 'invalid_scope'],
    [{ scope: 'data:read api:admin' }, 'invalid_scope'],
    [{ scope: 'openid' }, 'invalid_scope'],
    [{ scope: 'mcp:read', resource: RECORDS }, 'invalid_scope'],
    [{ resource: 'https://nowhere.example' }, 'invalid_target'],
    [{ resource: RECORDS, audience: TOOLS }, 'invalid_target'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'invalid_request'],
  ]
  for (const [params, error] of cases)
    assert.equal((await errorOf(tools, token, params)).error, error, JSON.stringify(params))
  const narrow = await registerApp(licet, {
    type: 'service',
    scopes: [],
    resourceServer: TOOLS,
    actsFor: ['*'],
  })
  assert.equal(
    (await errorOf(narrow, token)).error,
    'invalid_target',
    'an app without scopes of its own acts for nobody',
  )
})

test('an actor token of somebody else, of a person, or of another type makes nobody an actor', async () => {
  const { tools, records, scout } = cast
  const foreign = await records.post('/token', { grant_type: 'client_credentials', resource: RECORDS })
  const own = await tools.post('/token', { grant_type: 'client_credentials', resource: RECORDS })
  const person = (await signIn(cast)).access_token
  const cases = [
    { actor_token: foreign.body.access_token, actor_token_type: ACCESS_TOKEN },
    { actor_token: person, actor_token_type: ACCESS_TOKEN },
    { actor_token: `${own.body.access_token}x`, actor_token_type: ACCESS_TOKEN },
    { actor_token: own.body.access_token, actor_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
    { actor_token: own.body.access_token },
    { actor_token_type: ACCESS_TOKEN },
    { actor_token: scout.clientId, actor_token_type: ACCESS_TOKEN },
  ]
  for (const params of cases)
    assert.equal((await errorOf(tools, token, params)).error, 'invalid_request', JSON.stringify(params))
})

test('a stolen bound token is not exchanged without its key, nor with another one, nor with a proof used before', async () => {
  const { scout, tools, ada } = cast
  const key = await newKey()
  const url = `${licet.issuer}/token`
  const pending = await scout.obtainCode(ada.person, ada.email, { scope: 'data:read', resource: TOOLS })
  const { body } = await scout.redeem(pending, { resource: TOOLS }, { headers: { dpop: await dpop(key, url) } })
  const bound = body.access_token
  assert.equal((await errorOf(tools, bound)).error, 'invalid_request')
  const other = { headers: { dpop: await dpop(await newKey(), url) } }
  assert.equal((await errorOf(tools, bound, {}, other)).error, 'invalid_request')
  for (const bent of [{ claims: { htu: licet.issuer } }, { claims: { htm: 'GET' } }, { claims: { iat: 1 } }])
    assert.equal(
      (await errorOf(tools, bound, {}, { headers: { dpop: await dpop(key, url, bent) } })).error,
      'invalid_dpop_proof',
    )
  const once = { headers: { dpop: await dpop(key, url) } }
  assert.equal((await exchange(tools, bound, {}, once)).status, 200)
  assert.equal((await errorOf(tools, bound, {}, once)).error, 'invalid_dpop_proof')
})

test('an app that takes bound tokens only gets no other by an exchange', async () => {
  const strict = await registerApp(licet, {
    type: 'service',
    scopes: ['data:read'],
    resourceServer: TOOLS,
    actsFor: ['*'],
    dpop: true,
  })
  assert.equal((await errorOf(strict, token)).error, 'invalid_request')
})

test('a chain of actors ends: the fifth is refused', async () => {
  const { ada } = cast
  const loop = await registerApp(licet, {
    type: 'service',
    scopes: ['data:read'],
    resourceServer: RECORDS,
    actsFor: ['*'],
  })
  const first = await exchange(cast.tools, token, { resource: RECORDS })
  let at = first.body.access_token
  for (let actors = 3; actors <= 4; actors += 1) {
    const next = await exchange(loop, at)
    assert.equal(next.status, 200, next.text)
    at = next.body.access_token
  }
  const { error, error_ref: ref } = await errorOf(loop, at)
  assert.equal(error, 'invalid_request')
  assert.equal((await licet.core.keys.denials.getOwned(ada.accountId, String(ref))).reason, 'too_many_actors')
})

test('an exchange makes nobody stronger or fresher: no key is made with what comes out', async () => {
  const { ada } = cast
  const app = await registerApp(licet, { firstParty: true, scopes: ['api:read', 'api:write'], optionalScopes: [] })
  const api = `${licet.issuer}/api/v1`
  const helper = await registerApp(licet, {
    type: 'service',
    scopes: ['api:read', 'api:write'],
    resourceServer: api,
    actsFor: [app.clientId],
  })
  const person = (await app.redeem(await app.obtainCode(ada.person, ada.email, { scope: 'api:read api:write' }))).body
  const made = (await exchange(helper, person.access_token)).body.access_token
  const call = (path: string, json: object) => callApi(licet.issuer, 'POST', path, { token: made, json })
  assert.equal((await call('/api/v1/keys', { name: 'x', scopes: ['api:read'] })).status, 401)
  assert.equal((await call('/api/v1/apps', { name: 'x', type: 'service' })).status, 401)
  const raised = await exchange(helper, person.access_token, { acr_values: 'phr', max_age: '0' })
  const claims = decodeJwt(raised.body.access_token)
  const before = decodeJwt(person.access_token)
  assert.deepEqual([claims['acr'], claims['auth_time']], [before['acr'], before['auth_time']])
})

test('nothing is made from a token that has ended, not within the tolerance of those who check it either', async () => {
  const { scout, ada, tools } = cast
  const { access_token: short } = await signIn({ scout, ada })
  const began = time
  time = Number(decodeJwt(short).exp) * 1000 - 30_000
  const last = await exchange(tools, short)
  assert.ok(Number(last.body['expires_in']) <= 30, last.text)
  time += 31_000
  const { error, error_ref: ref } = await errorOf(tools, short)
  assert.equal(error, 'invalid_request')
  assert.equal((await licet.core.keys.denials.getOwned(ada.accountId, String(ref))).reason, 'expired')
  time = began
})

test('an ended subject, a suspended actor and a disabled person exchange nothing', async () => {
  const fresh = await newCast(licet)
  const tokens = await signIn(fresh)
  await licet.core.apps.suspend(operator, fresh.tools.clientId, 'test')
  time += 1100
  assert.equal((await exchange(fresh.tools, tokens.access_token)).status, 401)
  await licet.core.apps.resume(operator, fresh.tools.clientId)
  time += 1100
  assert.equal((await exchange(fresh.tools, tokens.access_token)).status, 200)
  const other = await signIn(fresh)
  await fresh.scout.revoke(tokens.access_token)
  assert.equal((await errorOf(fresh.tools, tokens.access_token)).error, 'invalid_request')
  await licet.core.accounts.disable(operator, fresh.ada.accountId, 'test')
  assert.equal((await errorOf(fresh.tools, other.access_token)).error, 'invalid_request')
})

test('parameters given twice are refused', async () => {
  const { tools } = cast
  for (const params of [
    { subject_token: [token, token] },
    { scope: ['data:read', 'mcp:read'] },
    { resource: [TOOLS, RECORDS] },
    { subject_token_type: [ACCESS_TOKEN, ACCESS_TOKEN] },
  ]) {
    const answer = await tools.post('/token', {
      grant_type: EXCHANGE,
      subject_token: token,
      subject_token_type: ACCESS_TOKEN,
      ...params,
    })
    assert.equal(answer.status, 400, answer.text)
  }
})

test('no sequence of exchanges widens scopes, life, actors known, key or assurance', async () => {
  const { ada } = cast
  const began = time
  const names = ['data:read', 'data:write', 'mcp:read', 'mcp:write']
  const pick = (from: readonly string[], bits: number) => from.filter((_one, at) => bits & (1 << at))
  const step = fc.record({
    who: fc.nat(2),
    scope: fc.option(fc.nat(15), { nil: undefined }),
    at: fc.constantFrom(undefined, TOOLS, RECORDS),
    wait: fc.nat(200),
  })
  const services = [cast.tools, cast.records]
  services.push(await registerApp(licet, { type: 'service', scopes: names, resourceServer: TOOLS, actsFor: ['*'] }))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      time = began
      let held = token
      for (const { who, scope, at, wait } of steps) {
        time += wait * 1000
        const by = services[who] as AppClient
        const asked = scope === undefined ? {} : { scope: pick(names, scope).join(' ') }
        const answer = await exchange(by, held, { ...asked, ...(at ? { resource: at } : {}) })
        if (answer.status !== 200) continue
        const before = decodeJwt(held)
        const made = decodeJwt(answer.body.access_token)
        const had = String(before['scope']).split(' ')
        for (const one of String(made['scope']).split(' ')) assert.ok(had.includes(one), `${one} was not held before`)
        assert.ok(Number(made.exp) <= Number(before.exp) && Number(made.exp) <= time / 1000 + 600)
        assert.deepEqual(
          [made.sub, made['acr'], made['auth_time']],
          [ada.accountId, before['acr'], before['auth_time']],
        )
        assert.deepEqual(made['act'], { sub: by.clientId, act: before['act'] })
        held = answer.body.access_token
      }
    }),
    { numRuns: 40 },
  )
  time = began
})
