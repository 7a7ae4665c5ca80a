/**
 * What a person says of themselves: the picture, taken by its content and shown as nothing but an image, and the attributes that the operator opened.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { makeKey } from '../support/api.ts'
import { registerApp } from '../support/app-client.ts'
import { authorizeUrl } from '../support/authorize.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { Person, textOf, type Visit } from '../support/person.ts'
import { png, pngChunk, vp8l, webp } from '../support/pictures.ts'

let licet: Licet
before(async () => {
  const attributes = [
    { name: 'team', label: 'Team', choices: ['Research', 'Operations'] },
    { name: 'pronouns', label: 'Pronouns' },
  ]
  licet = await startLicet({ file: { profile: { attributes } } })
})
after(() => licet.close())

async function enter(more: object = {}) {
  const account = await newAccount(licet.core, undefined, more)
  const person = new Person(licet.issuer)
  const signIn = await person.open('/settings')
  const page = await person.submit(signIn, { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person, page }
}

/** Sends the form of the page as a browser does, with a file. */
async function choosePicture(person: Person, page: Visit, file: Buffer, name = 'me.png'): Promise<Visit> {
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
  const form = new FormData()
  form.append('csrf', csrf)
  form.append('picture', new Blob([new Uint8Array(file)], { type: 'image/png' }), name)
  const cookie = [...person.cookies].map(([key, { value }]) => `${key.split('\n')[0]}=${value}`).join('; ')
  const headers = { cookie, accept: 'text/html', 'sec-fetch-site': 'same-origin' }
  const url = `${licet.issuer}/settings/picture`
  const answer = await fetch(url, { method: 'POST', body: form, headers, redirect: 'manual' })
  return { status: answer.status, url, headers: answer.headers, body: await answer.text() }
}

const pictureOf = async (id: string) => (await licet.core.accounts.getById(id)).picture

test('a picture is taken, shown on every page and to apps as an image only, and is gone when taken away', async () => {
  const { account, person, page } = await enter()
  const secret = pngChunk('tEXt', Buffer.from('GPS\0home'))
  assert.equal((await choosePicture(person, page, png(40, 30, [secret]))).status, 303)
  const url = (await pictureOf(account.id)) ?? ''
  assert.ok(url.startsWith(`${licet.issuer}/pictures/${account.id}/`))
  const shown = await person.open('/settings/security')
  assert.ok(shown.body.includes(`src="${url}"`))
  const image = await fetch(url)
  assert.deepEqual(
    ['content-type', 'x-content-type-options', 'content-security-policy', 'cross-origin-resource-policy'].map((name) =>
      image.headers.get(name),
    ),
    ['image/png', 'nosniff', "default-src 'none'; sandbox", 'cross-origin'],
  )
  assert.ok(!Buffer.from(await image.arrayBuffer()).includes('GPS'), 'what is beside the image is left out')
  assert.equal((await fetch(url, { headers: { 'if-none-match': image.headers.get('etag') ?? '' } })).status, 304)
  await person.submit(await person.open('/settings'), {}, '/picture/remove')
  assert.equal(await pictureOf(account.id), undefined)
  assert.equal((await fetch(url)).status, 404)
})

test('attack: HTML, SVG, a script with a PNG head, an animation of text and a bomb are no pictures, whatever they call themselves', async () => {
  const { account, person, page } = await enter()
  const bad = [
    Buffer.from('<script>alert(1)</script>'),
    Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    Buffer.concat([png(4, 4), Buffer.from('<script>alert(1)</script>')]),
    png(4, 4).subarray(0, 40),
    png(30_000, 30_000),
    Buffer.from('GIF89a'),
    Buffer.alloc(300_000),
  ]
  for (const [index, file] of bad.entries()) {
    const answer = await choosePicture(person, page, file)
    assert.ok(answer.status === 200 || answer.status === 413, String(index))
    assert.match(answer.body, /Choose a PNG or WebP|too large/)
  }
  assert.equal(await pictureOf(account.id), undefined)
  assert.equal((await choosePicture(person, page, webp([vp8l(10, 10)]), 'x.html')).status, 303)
})

test('attack: the picture form of another person, or of no page, changes nothing', async () => {
  const ada = await enter()
  const eve = await enter()
  assert.equal((await choosePicture(ada.person, eve.page, png(4, 4))).status, 403)
  assert.equal((await choosePicture(ada.person, { ...ada.page, body: '' }, png(4, 4))).status, 403)
  assert.equal((await choosePicture(new Person(licet.issuer), ada.page, png(4, 4))).status, 303)
  assert.equal(await pictureOf(ada.account.id), undefined)
})

test('AK9 attack: a person changes the attributes that the operator opened, and no other', async () => {
  const { account, person, page } = await enter({ attributes: { plan: 'free', team: 'Research' } })
  const attributesOf = async () => (await licet.core.accounts.getById(account.id)).attributes
  const saved = await person.submit(
    page,
    { attribute_team: 'Operations', attribute_pronouns: ' she/\u202eher ', attribute_plan: 'pro', plan: 'pro' },
    '/settings/profile',
  )
  assert.deepEqual(await attributesOf(), { plan: 'free', team: 'Operations', pronouns: 'she/her' })
  const refused = await person.submit(saved, { attribute_team: 'Board' }, '/settings/profile')
  assert.equal(refused.status, 200)
  const long = await person.submit(saved, { attribute_pronouns: 'x'.repeat(300) }, '/settings/profile')
  assert.match(textOf(long.body), /shorter text/)
  assert.deepEqual(await attributesOf(), { plan: 'free', team: 'Operations', pronouns: 'she/her' })
  await person.submit(saved, { attribute_team: '', attribute_pronouns: '' }, '/settings/profile')
  assert.deepEqual(await attributesOf(), { plan: 'free' })
})

test('what needs attention stands first, and each card leads to where it is mended', async () => {
  const { account, person, page } = await enter({ emailVerified: false })
  const linksOn = ({ body }: Visit) =>
    [...body.matchAll(/class="notice warn todo">[\s\S]*?<a class="button small" href="([^"]+)"/g)].map(([, url]) => url)
  assert.deepEqual(linksOn(page), ['/settings/verify', '/settings/security'])
  await licet.core.accounts.markEmailVerified(operator, account.id)
  const day = 86_400
  await makeKey(licet, account.id, { name: 'Soon', expiresInSeconds: 10 * day })
  await makeKey(licet, account.id, { name: 'Later', expiresInSeconds: 20 * day })
  await makeKey(licet, account.id, { name: 'Token', expiresInSeconds: 3 * day, kind: 'personal_access_token' })
  const notes = await registerApp(licet)
  await person.authorize(authorizeUrl(notes), { email: account.email })
  const elsewhere = new Person(licet.issuer)
  await elsewhere.submit(await elsewhere.open('/settings'), { email: account.email, password: PASSWORD }, '/sign-in')
  const home = await person.open('/settings')
  assert.match(textOf(home.body), /1 API key expires soon[\s\S]*1 access token expires soon[\s\S]*Notes got access/)
  const [security, keys, tokens, sessions, app] = linksOn(home)
  assert.deepEqual(
    [security, keys, tokens, sessions],
    ['/settings/security', '/settings/keys', '/settings/tokens', '/settings/sessions'],
  )
  const shown = await person.open(app ?? '')
  assert.equal(shown.status, 200)
  assert.match(textOf(shown.body), /Notes/)
})
