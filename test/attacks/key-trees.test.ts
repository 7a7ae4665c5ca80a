/**
 * Attack on the way keys pass rights on: whatever is minted below a key, exchanged into tokens, and exchanged again, over HTTP and in any order, nothing
 * of it may do, last or reach what the root cannot.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { decodeJwt } from 'jose'
import { callApi, makeKey, NINE, newOwner, type Owner } from '../support/api.ts'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'

const MCP = 'https://mcp.example.test/mcp'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const TYPES = { key: 'urn:licet:token-type:api_key', token: 'urn:ietf:params:oauth:token-type:access_token' } as const

let licet: Licet
let ada: Owner
let gateway: AppClient

before(async () => {
  const resources = [{ identifier: MCP, name: 'Example MCP', scopes: ['mcp:read', 'mcp:write'] }]
  licet = await startLicet({ file: { resources } })
  ada = await newOwner(licet)
  gateway = await registerApp(licet, { type: 'service', name: 'Gateway', scopes: [...NINE] })
})
after(() => licet.close())

/** Something that was obtained: a key with its id, or a token. */
type Held = { readonly kind: 'key'; readonly id: string; readonly text: string } | { kind: 'token'; text: string }

const POOL = ['data:read', 'data:write', 'mcp:read', 'api:write']
/** Mostly what a root of this test holds, sometimes what none does. */
const scopes = fc.oneof(
  { weight: 9, arbitrary: fc.subarray(POOL, { minLength: 1, maxLength: 2 }) },
  { weight: 1, arbitrary: fc.subarray([...NINE, 'api:admin', 'openid'], { minLength: 1, maxLength: 3 }) },
)
const resource = fc.option(fc.constantFrom(MCP, 'https://elsewhere.example/'), { nil: undefined, freq: 1 })
const mint = fc.record({
  act: fc.constant('mint' as const),
  from: fc.nat(3),
  wanted: fc.record(
    {
      scopes,
      expires_in: fc.constantFrom(60, 60, 120, 86_400),
      allowed_ips: fc.constantFrom([], ['0.0.0.0/0', '::/0'], ['127.0.0.1', '::1']),
      may_create_children: fc.constantFrom(true, true, false),
      resource: fc.option(fc.constant(MCP), { nil: undefined, freq: 1 }),
    },
    { requiredKeys: ['scopes', 'resource', 'may_create_children'] },
  ),
})
const trade = fc.record({ act: fc.constant('trade' as const), from: fc.nat(9), scopes: fc.option(scopes), resource })
const make = fc.record({ act: fc.constant('make' as const), from: fc.nat(9), scopes })
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: mint }, { weight: 2, arbitrary: trade }, make), {
  minLength: 4,
  maxLength: 9,
})
type Step = typeof steps extends fc.Arbitrary<(infer T)[]> ? T : never

/** What a step yields; undefined when it is refused, as most must be. */
async function take(step: Step, held: readonly Held[]): Promise<Held | undefined> {
  const from = held[step.from % held.length]
  if (!from) return undefined
  if (step.act === 'trade') {
    const { body, status, text } = await gateway.post('/token', {
      grant_type: EXCHANGE,
      subject_token: from.text,
      subject_token_type: TYPES[from.kind],
      ...(step.scopes ? { scope: step.scopes.join(' ') } : {}),
      ...(step.resource ? { resource: step.resource } : {}),
    })
    assert.ok(status < 500, text)
    return status === 200 ? { kind: 'token', text: body.access_token } : undefined
  }
  const isChild = step.act === 'mint' && from.kind === 'key'
  const path = isChild ? `/api/v1/keys/${from.id}/children` : '/api/v1/keys'
  const json = step.act === 'mint' ? { name: 'Child', ...step.wanted } : { name: 'Key', scopes: step.scopes }
  const { body, status, text } = await callApi(licet.issuer, 'POST', path, { token: from.text, json })
  assert.ok(status < 500, text)
  if (status !== 201) return undefined
  assert.ok(isChild, 'only the parent itself makes keys, and children only')
  return { kind: 'key', id: body.id, text: body.key }
}

test('attack: no sequence of minting and exchanging yields a right that the root lacks', async () => {
  const found = { keys: 0, tokens: 0 }
  const top = fc.record({
    scopes: fc.subarray(POOL, { minLength: 3 }),
    life: fc.integer({ min: 200, max: 900 }),
  })
  const holds = async (root: Held, held: Held, rights: readonly string[], endsAt: number): Promise<void> => {
    if (held.kind === 'key') {
      const { body } = await ada.call('GET', `/api/v1/keys/${held.id}`)
      assert.ok(Date.parse(body.expires_at) <= endsAt, 'it outlives its root')
      assert.ok(
        body.scopes.every((scope: string) => rights.includes(scope)),
        `${body.scopes} of ${rights}`,
      )
      found.keys += held === root ? 0 : 1
    } else {
      const { exp = 0, iat = 0, scope = '', sub, act } = decodeJwt<{ scope: string; act: object }>(held.text)
      assert.ok(exp * 1000 <= endsAt && exp - iat <= 600, 'it outlives its root, or ten minutes')
      const beyond = scope.split(' ').filter((one) => one && !rights.includes(one))
      assert.deepEqual([beyond, sub, act === undefined], [[], ada.accountId, false])
      found.tokens += 1
    }
    const me = await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: held.text })
    const granted: string[] = me.status === 200 ? me.body.scopes : []
    assert.ok(
      granted.every((scope) => rights.includes(scope)),
      granted.join(' '),
    )
  }
  await fc.assert(
    fc.asyncProperty(top, steps, async ({ scopes: rights, life }, sequence) => {
      const made = await makeKey(licet, ada.accountId, {
        scopes: rights,
        expiresInSeconds: life,
        mayCreateChildren: true,
      })
      const root: Held = { kind: 'key', id: made.id, text: made.key }
      const endsAt = Date.parse((await ada.call('GET', `/api/v1/keys/${made.id}`)).body.expires_at)
      const held: Held[] = [root]
      for (const step of sequence) {
        const next = await take(step, held)
        if (next) held.push(next)
      }
      for (const one of held) await holds(root, one, rights, endsAt)
      await ada.call('DELETE', `/api/v1/keys/${made.id}`)
      for (const { text } of held) {
        const { status } = await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: text })
        assert.equal(status, 401, 'it survived its root')
      }
    }),
    { numRuns: 30 },
  )
  // A test in which nothing is ever obtained would prove nothing.
  assert.ok(found.keys > 10 && found.tokens > 10, JSON.stringify(found))
})
