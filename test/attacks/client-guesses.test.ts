/**
 * Guesses at client secrets (threats.md CA1): throttled by app and address, answered alike, and nobody uses up the limit of another.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Answer, type AppClient, basic, nobody, type Proof, registerApp, tally } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'

let licet: Licet
let web: AppClient
let service: AppClient
before(async () => {
  licet = await startLicet()
  web = await registerApp(licet)
  service = await registerApp(licet, { type: 'service' })
})
after(() => licet.close())

const ask = (client: AppClient): Promise<Answer> => client.post('/token', { grant_type: 'client_credentials' })

function refused({ status, body, text }: Answer): void {
  assert.deepEqual([status, body.error], [401, 'invalid_client'], text)
  assert.equal(body.access_token, undefined)
}

const posted =
  (clientId: string, secret: string): Proof =>
  async () => ({ params: { client_id: clientId, client_secret: secret } })

test('CA1: guesses at a secret are throttled per app and address, and the right secret found too late is of no use', async () => {
  const victim = await registerApp(licet, { type: 'service' })
  const guesses: Answer[] = []
  for (let round = 0; round < 10; round++) {
    const ten = Array.from({ length: 10 }, () => ask(victim.with(basic(victim.clientId, `licet_cs_${randomUUID()}`))))
    guesses.push(...(await Promise.all(ten)))
  }
  const counts = tally(guesses)
  assert.ok((counts['401 invalid_client'] ?? 0) <= 25, JSON.stringify(counts))
  const limited = guesses.find(({ status }) => status === 429)
  assert.ok(limited, JSON.stringify(counts))
  assert.equal(guesses.filter(({ status }) => status === 401 || status === 429).length, 100)
  assert.ok(Number(limited.headers['retry-after']) > 0)
  assert.match(String(limited.headers['ratelimit-policy']), /client_secret/)
  assert.equal((await ask(victim)).status, 429, 'a guess that happens to be right is not told from a wrong one')
  assert.equal((await ask(service)).status, 200, 'other apps are served')
})

test('CA1: whoever only knows the name of an app cannot use up its limit', async (t) => {
  const limited = await startLicet({ file: { rate_limits: { token_client: '5/1m' } } })
  t.after(() => limited.close())
  const victim = await registerApp(limited, { type: 'service' })
  const spa = await registerApp(limited, { type: 'spa' })
  for (let round = 0; round < 12; round++) refused(await ask(victim.with(nobody)))
  const own = await Promise.all(Array.from({ length: 8 }, () => ask(victim)))
  assert.deepEqual(tally(own), { 200: 5, '429 temporarily_unavailable': 3 })
  const last = own.find(({ status }) => status === 429)
  assert.match(String(last?.headers['ratelimit-policy']), /"token_client";q=5;w=60/)
  assert.ok(Number(last?.headers['retry-after']) > 0)
  assert.equal(last?.body['policy'], 'token_client')
  const unproven = await Promise.all(Array.from({ length: 8 }, () => spa.refresh('x')))
  assert.deepEqual(tally(unproven), { '400 invalid_grant': 5, '429 temporarily_unavailable': 3 })
  const unknown = await Promise.all(
    Array.from({ length: 8 }, (_, index) => ask(victim.with(basic(`made-up-${index}`, 'x')))),
  )
  assert.deepEqual(tally(unknown), { '401 invalid_client': 5, '429 temporarily_unavailable': 3 })
})

test('CA1: guesses at introspection and revocation count like those at the token endpoint', async () => {
  const victim = await registerApp(licet)
  const thief = victim.with(basic(victim.clientId, 'licet_cs_guess'))
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => (index % 2 ? thief.introspect('x') : thief.revoke('x'))),
  )
  const counts = tally(answers)
  assert.ok((counts['401 invalid_client'] ?? 0) <= 25, JSON.stringify(counts))
  assert.ok(answers.some(({ status }) => status === 429))
})

test('CA1: guesses from one IPv6 network count together, those from elsewhere do not', async (t) => {
  const proxied = await startLicet({ env: { LICET_TRUSTED_PROXIES: '127.0.0.1/32' } })
  t.after(() => proxied.close())
  const victim = await registerApp(proxied)
  const guess = (address: string) =>
    victim
      .with(basic(victim.clientId, 'guess'))
      .post('/revoke', { token: 'x' }, { headers: { 'x-forwarded-for': address } })
  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => guess(`2001:db8::${index + 1}:1`)))
  assert.deepEqual(tally(answers), { '401 invalid_client': 20, '429 temporarily_unavailable': 20 })
  assert.equal((await guess('2001:db8:0:1::1')).status, 401)
})

test('CA1: foreign, empty, cut, longer and odd secrets are refused, and an unknown app reads the same', async () => {
  const secret = service.secret ?? ''
  const bodies = new Set<string>()
  const shapeOf = ({ body }: Answer) => JSON.stringify({ ...body, error_ref: String(body['error_ref']).length })
  for (const wrong of [web.secret ?? '', secret.slice(0, -1), `${secret}x`, secret.toUpperCase(), `${secret} `]) {
    const answer = await ask(service.with(basic(service.clientId, wrong)))
    refused(answer)
    bodies.add(shapeOf(answer))
  }
  const unknown = await ask(service.with(basic('nobody-knows-this-app', secret)))
  refused(unknown)
  bodies.add(shapeOf(unknown))
  assert.equal(bodies.size, 1, [...bodies].join('\n'))
  for (const odd of ['', `${secret}\0`, '\0', 'a'.repeat(7_000), ':', '%00', '=']) {
    const answer = await ask(service.with(basic(service.clientId, odd)))
    assert.ok([400, 401, 429, 431].includes(answer.status), `${answer.status} ${answer.text}`)
    assert.equal(answer.body.access_token, undefined)
  }
  const huge = await ask(service.with(posted(service.clientId, 'a'.repeat(100_000))))
  assert.ok([400, 401, 413, 429].includes(huge.status), huge.text)
})
