/**
 * Settings, connected apps, over real HTTP: who holds what, by vendor; taking some of it back; the one button that ends everything. And what an
 * attacker would try: to pass for a vendor, to outlive the button, to stop somebody else's apps.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeJwt } from 'jose'
import { callApi } from '../support/api.ts'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, textOf } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

const scope = 'openid email data:read data:write api:read'

/** A web app of that host, or of those hosts. */
async function appOf(name: string, ...hosts: string[]): Promise<AppClient & { readonly callback: string }> {
  const redirectUris = hosts.map((host) => `https://${host}/callback`)
  const wanted = { name, redirectUris, scopes: ['data:read'], optionalScopes: ['data:write', 'api:read'] }
  return { ...(await registerApp(licet, wanted)), callback: redirectUris[0] ?? '' }
}

/** Lets the app in; both ticks and all. */
async function connect(app: Awaited<ReturnType<typeof appOf>>, person: Person, email: string) {
  const redirect = { redirect_uri: app.callback }
  const code = await app.obtainCode(person, email, { scope, ...redirect })
  const { status, body, text } = await app.redeem(code, redirect)
  assert.equal(status, 200, text)
  return body
}

/** Somebody who is signed in at the settings. */
async function enter() {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  const page = await person.open('/settings/apps')
  await person.submit(page, { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person, email: account.email }
}

const vendors = (html: string): number => html.match(/class="card pane vendor"/g)?.length ?? 0
const scopesIn = (token: string) => String(decodeJwt(token)['scope'] ?? '').split(' ')

test('many registrations of one host are one row with everything they hold together, and one button ends them all', async () => {
  const { person, email, account } = await enter()
  const apps = await Promise.all(['Notes', 'Notes', 'Notes Beta', 'Notes'].map((name) => appOf(name, 'notes.example')))
  const tokens: Awaited<ReturnType<typeof connect>>[] = []
  for (const app of apps) tokens.push(await connect(app, person, email))
  const other = await appOf('Desk', 'desk.example')
  const kept = await connect(other, person, email)
  const list = await person.open('/settings/apps')
  assert.equal(vendors(list.body), 2)
  const text = textOf(list.body)
  assert.match(text, /4 registrations/)
  assert.match(text, /signed in 4 times/)
  assert.match(text, /Create, change and delete your files and records data:write/)

  const groups = formsOf(list.body).filter(({ action }) => action === '/settings/apps/stop')
  assert.deepEqual(groups.map(({ fields }) => new Map(fields).get('group')).toSorted(), [
    'host desk.example',
    'host notes.example',
  ])
  const stopped = await person.submit(list, { group: 'host notes.example' }, '/stop')
  assert.match(textOf(stopped.body), /4 apps lost everything/)
  assert.equal(vendors(stopped.body), 1)
  for (const [index, app] of apps.entries()) {
    const held = tokens[index]
    assert.ok(held)
    assert.equal((await app.refresh(held.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await app.userinfo(held.access_token)).status, 401)
    assert.equal((await app.introspect(held.access_token)).body['active'], false)
    assert.equal((await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: held.access_token })).status, 401)
  }
  assert.equal((await other.refresh(kept.refresh_token)).status, 200)

  const { items } = await licet.core.store.read(account.id, { limit: 100 })
  const noted = items.filter(({ record }) => record['event'] === 'consent.ended')
  assert.equal(noted.length, 1, 'one audit event')
  assert.match(textOf((await person.open('/settings/activity?kind=apps')).body), /App stopped/)

  const again = await person.open(
    `${licet.issuer}/authorize?${new URLSearchParams({ client_id: apps[0]?.clientId ?? '', response_type: 'code', redirect_uri: 'https://notes.example/callback', scope, code_challenge: 'a'.repeat(43), code_challenge_method: 'S256' })}`,
  )
  assert.match(again.body, /name="decision"/, 'it has to ask again')
})

test('attack: an app that registers a vendor’s host beside its own does not stand in the vendor’s row, nor does one that takes its name', async () => {
  const { person, email } = await enter()
  for (const app of [
    await appOf('Bank', 'bank.example'),
    await appOf('Bank', 'evil.example', 'bank.example'),
    await appOf('bank.example', 'thief.example'),
  ])
    await connect(app, person, email)
  const list = await person.open('/settings/apps')
  assert.equal(vendors(list.body), 3)
  await person.submit(list, { group: 'host bank.example' }, '/stop')
  assert.equal(vendors((await person.open('/settings/apps')).body), 2)
})

test('what is unticked is gone at the next refresh, and nothing can be ticked that was not allowed', async () => {
  const { person, email, account } = await enter()
  const app = await appOf('Notes', 'shrink.example')
  const tokens = await connect(app, person, email)
  assert.ok(scopesIn(tokens.access_token).includes('data:write'))
  const { items } = await licet.core.store.list('consent', { group: 'accountId', value: account.id })
  const path = `/settings/apps/${items[0]?.id}`
  const shrunk = await person.submit(await person.open(path), { scope: ['data:read', 'api:write'], end: '1d' }, path)
  assert.match(textOf(shrunk.body), /Saved/)
  assert.doesNotMatch(shrunk.body, /value="(data|api):write"/)
  const next = await app.refresh(tokens.refresh_token)
  assert.deepEqual(scopesIn(next.body.access_token).toSorted(), ['data:read', 'email', 'openid'])
  const nothing = await person.submit(shrunk, { scope: [] }, path)
  assert.match(textOf(nothing.body), /Nothing would be left/)
  const activity = textOf((await person.open('/settings/activity?kind=apps')).body)
  assert.match(activity, /App allowed less/)
})

test('AK7: a foreign consent is not there, and the button stops nobody else’s apps', async () => {
  const ada = await enter()
  const eve = await enter()
  const app = await appOf('Notes', 'foreign.example')
  const tokens = await connect(app, ada.person, ada.email)
  const { items } = await licet.core.store.list('consent', { group: 'accountId', value: ada.account.id })
  assert.equal((await eve.person.open(`/settings/apps/${items[0]?.id}`)).status, 404)
  const own = await appOf('Own', 'own.example')
  await connect(own, eve.person, eve.email)
  const list = await eve.person.open('/settings/apps')
  assert.equal((await eve.person.submit(list, { group: 'host foreign.example' }, '/stop')).status, 404)
  assert.equal((await app.refresh(tokens.refresh_token)).status, 200)
})

test('attack: refreshing while the button is pressed does not outlive it', async () => {
  const { person, email } = await enter()
  const app = await appOf('Notes', 'race.example')
  const families = [
    await connect(app, person, email),
    await connect(app, person, email),
    await connect(app, person, email),
  ]
  const list = await person.open('/settings/apps')
  const [, ...answers] = await Promise.all([
    person.submit(list, {}, '/stop'),
    ...families.map(({ refresh_token }) => app.refresh(refresh_token)),
  ])
  for (const { status, body } of answers) {
    if (status !== 200) continue
    assert.equal((await app.refresh(body.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await app.userinfo(body.access_token)).status, 401)
  }
  assert.equal(vendors((await person.open('/settings/apps')).body), 0)
})

test('an app that is gone can still be stopped', async () => {
  const { person, email } = await enter()
  const app = await appOf('Notes', 'gone.example')
  await connect(app, person, email)
  await licet.core.apps.remove({ kind: 'operator' }, app.clientId)
  const list = await person.open('/settings/apps')
  assert.ok(textOf(list.body).includes(app.clientId))
  await person.submit(list, {}, '/stop')
  assert.match(textOf((await person.open('/settings/apps')).body), /No app of others/)
})
