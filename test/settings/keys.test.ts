/**
 * Settings, keys and tokens, over real HTTP with a browser without JavaScript: made, shown once, used, rotated, narrowed, revoked; and what an
 * attacker would try with these pages.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { callApi, makeKey } from '../support/api.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, textOf, type Visit } from '../support/person.ts'

let licet: Licet
let time = Date.now()

before(async () => {
  licet = await startLicet({
    now: () => time,
    file: { resources: [{ identifier: 'https://mcp.example.test/mcp', name: 'Example MCP', scopes: ['mcp:read'] }] },
  })
})
after(() => licet.close())

const ROOMS = [
  { path: '/settings/keys', kind: 'api_key', form: /licet_key_[0-9A-Za-z]{38}/ },
  { path: '/settings/tokens', kind: 'personal_access_token', form: /licet_pat_[0-9A-Za-z]{38}/ },
] as const

/** A person with a new account, at `path` after signing in. */
async function enter(path: string, more: object = {}) {
  const account = await newAccount(licet.core, undefined, more)
  const person = new Person(licet.issuer)
  const page = await person.submit(await person.open(path), { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person, page }
}

const filled = { name: 'Nightly', access: 'restricted', family_data: 'write', family_api: 'read', expires: '30' }

/** The secret on a page and the key's id, from the link that goes on. */
function shownOn(page: Visit, form: RegExp, path: string): { secret: string; id: string } {
  const secret = form.exec(page.body)?.[0]
  const id = new RegExp(`href="${path}/([^"/]+)"`).exec(page.body)?.[1]
  assert.ok(secret && id, textOf(page.body))
  return { secret, id }
}

const me = (token: string) => callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token })

for (const { path, kind, form } of ROOMS) {
  test(`${path}: an empty list explains with curl; a new one is shown once, works, and is never shown again`, async () => {
    const { person, page, account } = await enter(path)
    assert.match(textOf(page.body), /curl -H/)
    const made = await person.submit(await person.open(`${path}/new`), filled, path)
    assert.equal(made.status, 200, textOf(made.body))
    assert.match(made.headers.get('cache-control') ?? '', /no-store/)
    const { secret, id } = shownOn(made, form, path)
    assert.deepEqual((await me(secret)).body.scopes.toSorted(), ['api:read', 'data:read', 'data:write'])
    const key = await licet.core.keys.getOwned({ ownerId: account.id, id })
    assert.equal(key.kind, kind)
    assert.equal(key.expiresAt - key.createdAt, 30 * 86_400_000)
    for (const address of [path, `${path}/${id}`, `${path}/new`, `${path}/${id}/rotate`, '/settings/activity']) {
      const { status, body } = await person.open(address)
      assert.equal(status, 200, address)
      assert.ok(!body.includes(secret), `AK6: ${address} shows the secret`)
    }
  })

  test(`${path}: an attack: a form that is sent again (reload, Back) makes nothing and shows nothing`, async () => {
    const { person, account } = await enter(path)
    const blank = await person.open(`${path}/new`)
    await person.submit(blank, filled, path)
    const again = await person.submit(blank, filled, path)
    assert.equal(again.url, `${licet.issuer}${path}?done=repeated`)
    assert.doesNotMatch(again.body, form)
    assert.equal((await licet.core.keys.list({ ownerId: account.id, kind })).items.length, 1)
    const unmarked = await person.submit(blank, { ...filled, mark: 'guess' }, path)
    assert.equal(unmarked.url, `${licet.issuer}${path}?done=repeated`)
  })

  test(`${path}: rotated with an overlap both work, and ending the old one ends it`, async () => {
    const { person, account } = await enter(path)
    const { id, key: old } = await makeKey(licet, account.id, { kind, scopes: ['data:read'] })
    const asked = await person.open(`${path}/${id}/rotate`)
    const rotated = await person.submit(asked, { overlap: '1h' }, '/rotate')
    const { secret } = shownOn(rotated, form, path)
    assert.notEqual(secret, old)
    assert.deepEqual([(await me(secret)).status, (await me(old)).status], [200, 200])
    const repeated = await person.submit(asked, { overlap: '1h' }, '/rotate')
    assert.doesNotMatch(repeated.body, form)
    const detail = await person.open(`${path}/${id}`)
    assert.match(textOf(detail.body), /Two secrets work.*/)
    const ended = await person.submit(detail, {}, '/end-old')
    assert.match(textOf(ended.body), /The old secret has ended/)
    time += 1100
    assert.deepEqual([(await me(secret)).status, (await me(old)).status], [200, 401])
  })

  test(`${path}: it is revoked by typing its name, and only so`, async () => {
    const { person, account } = await enter(path)
    const { id, key } = await makeKey(licet, account.id, { kind, name: 'Deploy' })
    const detail = await person.open(`${path}/${id}`)
    const refused = await person.submit(detail, { name: 'deploy' }, '/revoke')
    assert.match(refused.body, /role="alert"/)
    assert.equal((await me(key)).status, 200)
    const revoked = await person.submit(refused, { name: 'Deploy' }, '/revoke')
    assert.equal(revoked.url, `${licet.issuer}${path}?done=revoked`)
    time += 1100
    assert.equal((await me(key)).status, 401)
    assert.match(textOf((await person.open(`${path}?state=revoked`)).body), /Deploy/)
    assert.doesNotMatch(textOf((await person.open(`${path}?state=active`)).body), /Deploy/)
    const again = await person.open(`${path}/new?like=${id}`)
    assert.match(again.body, /value="Deploy"/)
    assert.match(again.body, /name="family_data" value="read" checked/)
  })

  test(`${path}: AK7: a foreign one, and one of the other kind, is not there`, async () => {
    const { person, account, page } = await enter(path)
    const stranger = await newAccount(licet.core)
    const other = kind === 'api_key' ? 'personal_access_token' : 'api_key'
    const foreign = await makeKey(licet, stranger.id, { kind, name: 'Theirs' })
    const elsewhere = await makeKey(licet, account.id, { kind: other, name: 'Elsewhere' })
    const csrf = formsOf((await person.open(`${path}/new`)).body)
      .find(({ action }) => action === path)
      ?.fields.filter(([name]) => name === 'csrf' || name === 'mark')
    for (const { id } of [foreign, elsewhere]) {
      for (const address of [
        `${path}/${id}`,
        `${path}/${id}/rotate`,
        `${path}/${id}/usage.csv`,
        `${path}/new?like=${id}`,
      ])
        assert.equal((await person.open(address)).status, 404, address)
      for (const act of ['', '/revoke', '/rotate', '/end-old']) {
        const sent = await person.send('POST', `${path}/${id}${act}`, [...(csrf ?? []), ['name', 'Theirs']])
        assert.equal(sent.status, 404, act)
      }
    }
    assert.equal((await me(foreign.key)).status, 200)
    assert.equal(page.status, 200)
  })
}

test('a network that is none keeps everything else that was typed, and names the line', async () => {
  const { person } = await enter('/settings/keys')
  const wrong = {
    ...filled,
    allowed_ips: '203.0.113.0/24\n10.0.0.0/99',
    may_create_children: 'yes',
    quota_requests: '50',
    quota_window: '3600',
  }
  const page = await person.submit(await person.open('/settings/keys/new'), wrong, '/settings/keys')
  assert.match(page.body, /role="alert"/)
  assert.match(textOf(page.body), /no address or network: 10\.0\.0\.0\/99/)
  assert.match(page.body, /name="name"[^>]*value="Nightly"/)
  assert.match(page.body, /203\.0\.113\.0\/24\n10\.0\.0\.0\/99/)
  assert.match(page.body, /name="family_data" value="write" checked/)
  assert.match(page.body, /name="expires" value="30" checked/)
  assert.match(page.body, /name="may_create_children" value="yes" checked/)
  assert.match(page.body, /name="quota_requests" value="50"/)
  const mended = await person.submit(page, { ...wrong, allowed_ips: '203.0.113.0/24' }, '/settings/keys')
  const { secret } = shownOn(mended, /licet_key_[0-9A-Za-z]{38}/, '/settings/keys')
  assert.equal((await me(secret)).status, 401, 'AK10: this machine is not in that network')
})

test('AK10: my own address is offered, and it alone is let in', async () => {
  const { person, account } = await enter('/settings/keys')
  const blank = await person.open('/settings/keys/new')
  const mine = /name="my_address" value="([^"]+)"/.exec(blank.body)?.[1] ?? ''
  const made = await person.submit(blank, { ...filled, my_address: mine }, '/settings/keys')
  const { secret, id } = shownOn(made, /licet_key_[0-9A-Za-z]{38}/, '/settings/keys')
  assert.equal((await me(secret)).status, 200)
  const { allowedIps } = await licet.core.keys.getOwned({ ownerId: account.id, id })
  assert.deepEqual(allowedIps, [mine.includes(':') ? `${mine}/128` : `${mine}/32`])
})

test('AK1: what the form does not offer is refused by the server: rights beyond one’s own, longer lives, other owners', async () => {
  const { person, account } = await enter('/settings/keys')
  const stranger = await newAccount(licet.core)
  const attempts: [Record<string, string>, RegExp][] = [
    [{ access: 'restricted', family_api: 'admin' }, /./],
    [{ expires: '4000' }, /Choose a number of days/],
    [{ expires: 'custom', expires_days: '-1' }, /Choose a number of days/],
    [{ expires: 'never' }, /Choose a number of days/],
    [{ access: 'restricted', family_data: 'none', family_api: 'none' }, /Choose at least one right/],
    [{ resource: 'https://evil.example/' }, /resource/],
    [{ name: ' ' }, /Enter a name/],
    [{ quota_requests: '0' }, /whole number/],
  ]
  for (const [attempt, words] of attempts) {
    const blank = await person.open('/settings/keys/new')
    const page = await person.submit(
      blank,
      { ...filled, ...attempt, ownerId: stranger.id, scopes: 'api:admin' },
      '/keys',
    )
    assert.match(textOf(page.body), words, JSON.stringify(attempt))
  }
  const { items } = await licet.core.keys.list({ ownerId: account.id, kind: 'api_key' })
  assert.ok(items.every(({ scopes }) => !scopes.includes('api:admin')))
  assert.equal((await licet.core.keys.list({ ownerId: stranger.id, kind: 'api_key' })).items.length, 0)
})

test('all and read only are what the account may do now, without an administrator’s rights', async () => {
  const { person } = await enter('/settings/keys')
  for (const [access, expected] of [
    ['read', /^\w+:read$/],
    ['all', /^\w+:(?:read|write)$/],
  ] as const) {
    const made = await person.submit(await person.open('/settings/keys/new'), { ...filled, access }, '/settings/keys')
    const { secret } = shownOn(made, /licet_key_[0-9A-Za-z]{38}/, '/settings/keys')
    const { scopes } = (await me(secret)).body
    assert.ok(scopes.length >= 4 && scopes.every((scope: string) => expected.test(scope)), scopes.join(' '))
  }
})

test('a key is renamed and narrowed at any time, and never widened', async () => {
  const { person, account } = await enter('/settings/keys')
  const { id, key } = await makeKey(licet, account.id, {
    scopes: ['data:read', 'data:write'],
    allowedIps: ['127.0.0.0/8'],
  })
  const open = () => person.open(`/settings/keys/${id}`)
  const narrow = { name: 'Renamed', scope: ['data:read'], allowed_ips: '127.0.0.1' }
  const changed = await person.submit(await open(), narrow, `/keys/${id}`)
  assert.match(textOf(changed.body), /Saved/)
  time += 1100
  assert.deepEqual((await me(key)).body.scopes, ['data:read'])
  for (const wider of [
    { ...narrow, allowed_ips: '' },
    { ...narrow, allowed_ips: '127.0.0.0/8' },
  ])
    assert.match(textOf((await person.submit(await open(), wider, `/keys/${id}`)).body), /cannot become wider/)
  await person.submit(await open(), { ...narrow, scope: ['data:read', 'data:write', 'api:write'] }, `/keys/${id}`)
  const after = await licet.core.keys.getOwned({ ownerId: account.id, id })
  assert.deepEqual([after.name, after.scopes, after.allowedIps], ['Renamed', ['data:read'], ['127.0.0.1/32']])
})

test('a key is allowed more outright only: on a page of its own, ticked, within one’s own rights, and its owner is told', async () => {
  const { person, account } = await enter('/settings/keys')
  const { id, key } = await makeKey(licet, account.id, { scopes: ['data:read'], allowedIps: ['203.0.113.7'] })
  const owned = { ownerId: account.id, id }
  const page = await person.open(`/settings/keys/${id}/widen`)
  assert.doesNotMatch(page.body, /name="scope" value="[^"]+" checked/, 'nothing is chosen for them')
  const wider = { scope: ['data:write'], allowed_ips: '', quota_requests: '500', quota_window: '60' }
  const asked = await person.submit(page, { ...wider }, '/widen')
  assert.match(textOf(asked.body), /Tick the box to confirm/)
  assert.match(asked.body, /name="scope" value="data:write" checked/, 'what was chosen is kept')
  assert.deepEqual((await licet.core.keys.getOwned(owned)).scopes, ['data:read'])
  const beyond = await person.submit(asked, { ...wider, scope: ['api:admin'], confirm: 'yes' }, '/widen')
  assert.match(textOf(beyond.body), /Choose rights that you hold yourself/)
  const done = await person.submit(beyond, { ...wider, confirm: 'yes' }, '/widen')
  assert.match(textOf(done.body), /It can do more now/)
  time += 1100
  assert.deepEqual((await me(key)).body.scopes, ['data:read', 'data:write'])
  const { quota, allowedIps } = await licet.core.keys.getOwned(owned)
  assert.deepEqual([quota, allowedIps], [{ requests: 500, windowSeconds: 60 }, []])
  const mails = (await (await fetch(`${licet.issuer}/dev/mailbox.json`)).json()) as { to: string; subject: string }[]
  assert.ok(mails.some(({ to, subject }) => to === account.email && /may do more now/.test(subject)))
  time += 16 * 60_000
  const stale = await person.submit(done, { name: 'Deploy', scope: 'data:read', allowed_ips: '' }, `/keys/${id}`)
  assert.match(textOf(stale.body), /Saved/, 'narrowing needs no fresh sign-in')
  const refused = await person.submit(page, { ...wider, confirm: 'yes' }, '/widen')
  assert.match(refused.body, /name="password"/, 'attack: widening from a borrowed session')
})

test('the old secret may end after hours without a call, or with the first use of the new one; the new one may begin a new life', async () => {
  const { person, account } = await enter('/settings/tokens')
  const make = () => makeKey(licet, account.id, { kind: 'personal_access_token', expiresInSeconds: 86_400 })
  const { id } = await make()
  const owned = { ownerId: account.id, id }
  const asked = await person.open(`/settings/tokens/${id}/rotate`)
  const wrong = await person.submit(asked, { overlap: 'quiet', quiet_hours: '200', life: '30' }, '/rotate')
  assert.match(textOf(wrong.body), /Enter 1 to 168 hours/)
  assert.match(wrong.body, /name="overlap" value="quiet" checked/)
  assert.match(wrong.body, /value="30" selected/)
  const rotated = await person.submit(wrong, { overlap: 'quiet', quiet_hours: '8', life: '30' }, '/rotate')
  shownOn(rotated, /licet_pat_[0-9A-Za-z]{38}/, '/settings/tokens')
  const { rotation, expiresAt } = await licet.core.keys.getOwned(owned)
  assert.equal(rotation?.quietSeconds, 8 * 3600)
  assert.equal(expiresAt, time + 30 * 86_400_000)
  assert.match(textOf((await person.open(`/settings/tokens/${id}`)).body), /nobody has used it for 8 hours/)
  const other = await make()
  const first = await person.open(`/settings/tokens/${other.id}/rotate`)
  await person.submit(first, { overlap: 'first_use' }, '/rotate')
  assert.match(
    textOf((await person.open(`/settings/tokens/${other.id}`)).body),
    /soon after the first call with the new/,
  )
})

test('during a rotation the page tells who still uses the old secret, who has moved, and who was not seen since', async () => {
  const { person, account } = await enter('/settings/keys')
  const { id, key: old } = await makeKey(licet, account.id, { scopes: ['data:read'] })
  const use = (token: string, agent: string) =>
    callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token, headers: { 'user-agent': agent } })
  await use(old, 'weekly/1')
  time += 1000
  const rotated = await person.submit(await person.open(`/settings/keys/${id}/rotate`), { overlap: '24h' }, '/rotate')
  const { secret } = shownOn(rotated, /licet_key_[0-9A-Za-z]{38}/, '/settings/keys')
  const page = async () => textOf((await person.open(`/settings/keys/${id}`)).body)
  assert.match(await page(), /1 caller was not seen since the rotation.*weekly\/1/)
  time += 1000
  await use(old, 'weekly/1')
  assert.match(await page(), /1 caller still uses the old one/)
  time += 10_000
  await use(secret, 'weekly/1')
  assert.match(await page(), /Everybody who used the old one has moved to the new one/)
})

test('what is made again with the same settings has the same life', async () => {
  const { person, account } = await enter('/settings/keys')
  const { id } = await makeKey(licet, account.id, {
    expiresInSeconds: 12 * 86_400,
    scopes: ['data:write', 'data:read'],
  })
  time += 13 * 86_400_000
  const signedIn = await person.submit(
    await person.open(`/settings/keys/new?like=${id}`),
    { email: account.email, password: PASSWORD },
    '/sign-in',
  )
  assert.match(signedIn.body, /name="expires_days" value="12"/)
  const made = await person.submit(signedIn, {}, '/settings/keys')
  const again = shownOn(made, /licet_key_[0-9A-Za-z]{38}/, '/settings/keys')
  const { expiresAt, createdAt, scopes } = await licet.core.keys.getOwned({ ownerId: account.id, id: again.id })
  assert.equal(expiresAt - createdAt, 12 * 86_400_000)
  assert.deepEqual(scopes.toSorted(), ['data:read', 'data:write'])
})

test('the page of a key shows who calls, how often, what was refused and why, and the tree below; the figures are there as CSV', async () => {
  const { person, account } = await enter('/settings/keys')
  const { id, key } = await makeKey(licet, account.id, { scopes: ['api:read', 'data:read'], mayCreateChildren: true })
  const child = await callApi(licet.issuer, 'POST', `/api/v1/keys/${id}/children`, {
    token: key,
    json: { name: 'Below', scopes: ['data:read'] },
  })
  assert.equal(child.status, 201, child.text)
  for (let count = 0; count < 3; count += 1) await me(key)
  const refused = await callApi(licet.issuer, 'DELETE', '/api/v1/sessions/none', { token: key })
  assert.equal(refused.status, 403)
  await person.open(`/settings/keys/${id}`)
  const page = await person.open(`/settings/keys/${id}?by=hour`)
  const text = textOf(page.body)
  assert.match(text, /A right was missing api:write/)
  assert.ok(text.includes(refused.body.error_ref), 'the reference the caller was given')
  assert.match(text, /Below/)
  assert.match(text, /1 refused/)
  assert.match(page.body, /<svg class="chart"/)
  const csv = await person.open(`/settings/keys/${id}/usage.csv?by=hour`)
  assert.match(csv.headers.get('content-type') ?? '', /text\/csv/)
  const sums = csv.body
    .trim()
    .split('\r\n')
    .slice(1)
    .reduce((sum, line) => sum + Number(line.split(',')[2]), 0)
  assert.equal(sums, 1)
  await person.submit(page, { name: 'Deploy' }, '/revoke')
  const below = await person.open(`/settings/keys/${child.body.id}`)
  assert.match(textOf(below.body), /Revoked on/)
})

test('an account whose address is not verified is told to verify it, and makes nothing', async () => {
  const { person, page, account } = await enter('/settings/keys', { emailVerified: false })
  assert.match(textOf(page.body), /Verify your email address first/)
  assert.doesNotMatch(page.body, /href="\/settings\/keys\/new"/)
  const held = await person.open('/settings/keys/new')
  const forged = { ...held, body: held.body.replaceAll('/settings/verify-email', '/settings/keys') }
  await person.submit(forged, filled, '/settings/keys')
  assert.equal((await licet.core.keys.list({ ownerId: account.id, kind: 'api_key' })).items.length, 0)
})

test('a sign-in that is not recent makes and rotates nothing, and revokes all the same', async () => {
  const { person, account } = await enter('/settings/keys')
  const { id, key } = await makeKey(licet, account.id, { name: 'Deploy' })
  const blank = await person.open('/settings/keys/new')
  const asked = await person.open(`/settings/keys/${id}/rotate`)
  const detail = await person.open(`/settings/keys/${id}`)
  time += 16 * 60_000
  for (const [page, action] of [
    [blank, '/settings/keys'],
    [asked, '/rotate'],
  ] as const) {
    const sent = await person.submit(page, filled, action)
    assert.match(sent.body, /name="password"/)
  }
  assert.equal((await licet.core.keys.list({ ownerId: account.id, kind: 'api_key' })).items.length, 1)
  await person.submit(detail, { name: 'Deploy' }, '/revoke')
  time += 1100
  assert.equal((await me(key)).status, 401)
})

test('a name that is markup, or that turns text round, is shown as text', async () => {
  const { person, account } = await enter('/settings/keys')
  const { id } = await makeKey(licet, account.id, { name: '<img src=x onerror=alert(1)>' })
  for (const address of ['/settings/keys', `/settings/keys/${id}`, `/settings/keys/${id}/rotate`])
    assert.ok(!(await person.open(address)).body.includes('<img src=x'), address)
})
