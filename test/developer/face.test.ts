/**
 * What people see of an app, over real HTTP: its developer writes it, previews it and proves a domain; attackers send it pictures that are none, look at
 * previews of others and try to press the buttons of one.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, textOf, type Visit } from '../support/person.ts'
import { png } from '../support/pictures.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

const CALLBACK = 'https://notes.example/cb'

async function enter() {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  await person.submit(await person.open('/developer/apps'), { email: account.email, password: PASSWORD }, '/sign-in')
  const wanted = {
    name: 'Notes',
    type: 'web',
    redirectUris: [CALLBACK],
    scopes: ['data:read'],
    ownerId: account.id,
  } as const
  const { app } = await licet.core.apps.create(operator, { ...wanted, optionalScopes: ['data:write'] })
  return { account, person, clientId: app.clientId, path: `/developer/apps/${app.clientId}` }
}

const appOf = (clientId: string) => licet.core.apps.getById(clientId)

/** Sends the page's form with that file, as a browser does. */
async function sendLogo(person: Person, page: Visit, bytes: Uint8Array, type = 'image/png'): Promise<Response> {
  const { action, fields } = formsOf(page.body).find((form) => form.action.endsWith('/logo')) ?? assert.fail('no form')
  const form = new FormData()
  for (const [name, value] of fields) if (name !== 'logo') form.append(name, value)
  form.append('logo', new File([new Uint8Array(bytes)], 'logo.png', { type }))
  const cookie = [...person.cookies].map(([key, { value }]) => `${key.split('\n')[0]}=${value}`).join('; ')
  const headers = { cookie, 'sec-fetch-site': 'same-origin', accept: 'text/html' }
  return fetch(licet.issuer + action, { method: 'POST', headers, body: form, redirect: 'manual' })
}

test('words and links are written, cleaned and taken away; the consent page shows the words', async () => {
  const { person, clientId, path } = await enter()
  const page = await person.open(`${path}/face`)
  const saved = await person.submit(
    page,
    {
      description: ' Takes\u202e   notes ',
      client_uri: 'https://notes.example/',
      policy_uri: 'https://notes.example/privacy',
      testers: 'ada@example.test\r\n\r\ngrace@example.test',
    },
    '/face',
  )
  assert.match(textOf(saved.body), /Saved/)
  const app = await appOf(clientId)
  assert.deepEqual(
    [app.description, app.clientUri, app.policyUri, app.tosUri, app.testers],
    [
      'Takes notes',
      'https://notes.example/',
      'https://notes.example/privacy',
      undefined,
      ['ada@example.test', 'grace@example.test'],
    ],
  )
  for (const [field, value] of [
    ['client_uri', 'javascript:alert(1)'],
    ['policy_uri', 'http://notes.example/'],
    ['tos_uri', 'https://user@notes.example/'],
    ['description', 'x'.repeat(201)],
    ['testers', 'not an address'],
  ] as const) {
    const refused = await person.submit(await person.open(`${path}/face`), { [field]: value }, '/face')
    assert.match(refused.body, new RegExp(`id="${field}-problem"`), field)
  }
  await person.submit(saved, { description: '', client_uri: '', policy_uri: '', testers: '' }, '/face')
  const bare = await appOf(clientId)
  assert.deepEqual(
    [bare.description, bare.clientUri, bare.policyUri, bare.testers],
    [undefined, undefined, undefined, undefined],
  )
})

test('the preview is the consent page of that request, with nothing on it that could be sent', async () => {
  const { person, clientId, path } = await enter()
  await licet.core.apps.change(operator, clientId, { description: 'Takes notes', policyUri: 'https://notes.example/p' })
  const shown = await person.open(
    `${path}/preview?scope=openid%20data:read%20data:write&redirect_uri=https://evil.example/`,
  )
  const text = textOf(shown.body)
  for (const told of [
    'Notes',
    'notes.example',
    'Takes notes',
    'data:read',
    'data:write',
    'Allow read-only',
    'Nothing here does anything',
  ])
    assert.ok(text.includes(told), told)
  assert.ok(!text.includes('evil.example'))
  assert.ok(formsOf(shown.body).every(({ action }) => action === '/language'))
  assert.ok(!/<form[^>]*(consent|interaction)/.test(shown.body))
  assert.match(shown.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/)
  const less = await person.open(`${path}/preview?scope=data:read`)
  assert.ok(!textOf(less.body).includes('data:write'))
  assert.equal((await person.open(`${path}/preview?resource=https://none.example`)).status, 404)
  const url = new URL('/authorize', licet.issuer)
  for (const [name, value] of Object.entries({
    client_id: clientId,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid data:read data:write',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  }))
    url.searchParams.set(name, value)
  const real = await person.open(url.href)
  const main = ({ body }: Visit) =>
    textOf(/<section class="card decide">[\s\S]*<\/section>/.exec(body)?.[0] ?? assert.fail('no consent'))
  assert.equal(main(shown), main(real))
})

test('attack: the pages, the preview and the forms of an app of somebody else are not there', async () => {
  const [owner, mallory] = [await enter(), await enter()]
  for (const page of ['face', 'preview'])
    assert.equal((await mallory.person.open(`${owner.path}/${page}`)).status, 404, page)
  const csrf = formsOf((await mallory.person.open(`${mallory.path}/face`)).body).find(({ action }) =>
    action.endsWith('/face'),
  )
  for (const act of ['face', 'publisher', 'logo/remove']) {
    const fields: [string, string][] = [...(csrf?.fields ?? []), ['domain', 'notes.example']]
    const sent = fields.filter(([name], at) => fields.findIndex(([other]) => other === name) === at)
    assert.equal((await mallory.person.send('POST', `${owner.path}/${act}`, sent)).status, 404, act)
  }
  const stolen = await owner.person.open(`${owner.path}/face`)
  assert.equal((await mallory.person.press(stolen, { description: 'Mine' }, '/face')).status, 403)
  assert.equal((await appOf(owner.clientId)).description, undefined)
})

test('attack: a logo that is a script, a page, both at once, too large or too wide is refused; a picture is served as nothing else', async () => {
  const { person, clientId, path } = await enter()
  const page = await person.open(`${path}/face`)
  const script = Buffer.from('<script>alert(1)</script>')
  const huge = Buffer.alloc(300_000)
  for (const [name, bytes] of [
    ['svg', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')],
    ['html', Buffer.from('<!doctype html><script>alert(1)</script>')],
    ['gif', Buffer.from('GIF89a/*')],
    ['polyglot: html behind a png', Buffer.concat([png(2, 2), script])],
    ['polyglot: html before a png', Buffer.concat([script, png(2, 2)])],
    ['large', Buffer.concat([png(2, 2), huge])],
    ['wide', png(5000, 2)],
    ['nothing', Buffer.alloc(0)],
  ] as const) {
    const answer = await sendLogo(person, page, bytes)
    assert.ok(answer.status === 200 || answer.status === 413, `${name}: ${answer.status}`)
    assert.equal((await appOf(clientId)).logo, undefined, name)
  }
  assert.equal((await sendLogo(person, page, png(2, 2), 'text/html')).status, 303)
  const { logo } = await appOf(clientId)
  const served = await fetch(`${licet.issuer}/logos/${clientId}/${logo}`)
  assert.deepEqual(
    ['content-type', 'x-content-type-options', 'content-security-policy', 'cross-origin-resource-policy'].map((name) =>
      served.headers.get(name),
    ),
    ['image/png', 'nosniff', "default-src 'none'; sandbox", 'same-origin'],
  )
  assert.ok(Buffer.from(await served.arrayBuffer()).equals(png(2, 2)))
  assert.equal((await fetch(`${licet.issuer}/logos/${clientId}/${'x'.repeat(22)}`)).status, 404)
})

test('attack: a verified app that takes the logo of somebody else is not verified any more, and people do not see it', async () => {
  const { person, clientId, path } = await enter()
  const publisher = { domain: 'notes.example', by: 'dns', provenAt: Date.now() } as const
  const verify = () => licet.core.apps.replace(operator, clientId, (app) => ({ ...app, publisher, verified: true }))
  await verify()
  await sendLogo(person, await person.open(`${path}/face`), png(3, 3))
  const changed = await appOf(clientId)
  assert.deepEqual([changed.verified, changed.review], [false, 'waiting'])
  assert.ok(!(await person.open(`${path}/preview`)).body.includes('/logos/'))
  await verify()
  const shown = await person.open(`${path}/preview`)
  assert.ok(shown.body.includes(`/logos/${clientId}/`))
  await licet.core.apps.remove(operator, clientId)
  assert.equal((await fetch(`${licet.issuer}/logos/${clientId}/${changed.logo}`)).status, 404)
})

test('attack: a proof is looked for in public only, and ten times a minute', async () => {
  const { person, path } = await enter()
  const told = await person.submit(
    await person.open(`${path}/face`),
    { domain: 'Notes.example', act: 'show' },
    '/publisher',
  )
  assert.match(textOf(told.body), /_licet-challenge\.notes\.example.*licet-verify=/)
  for (const domain of ['127.0.0.1', 'localhost', 'metadata.internal', '[::1]']) {
    const refused = await person.submit(await person.open(`${path}/face`), { domain, act: 'look' }, '/publisher')
    assert.match(refused.body, /id="domain-problem"/, domain)
  }
})

test('keys of an app are changed from a set to an address and back', async () => {
  const { account, person } = await enter()
  const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  const set = { keys: [{ kty, crv, x, y, alg: 'ES256', use: 'sig', kid: 'one' }] }
  const wanted = { name: 'Keyed', type: 'service', auth: 'private_key_jwt', jwks: set, ownerId: account.id } as never
  const { app } = await licet.core.apps.create(operator, wanted)
  const path = `/developer/apps/${app.clientId}/face`
  await person.submit(await person.open(path), { jwks: 'https://keys.example/jwks.json' }, '/face')
  const addressed = await appOf(app.clientId)
  assert.deepEqual([addressed.jwks, addressed.jwksUri], [undefined, 'https://keys.example/jwks.json'])
  const wrong = await person.submit(await person.open(path), { jwks: 'http://10.0.0.1/jwks' }, '/face')
  assert.match(wrong.body, /id="jwks-problem"/)
  await person.submit(wrong, { jwks: JSON.stringify(set) }, '/face')
  const back = await appOf(app.clientId)
  assert.deepEqual([back.jwks?.keys.length, back.jwksUri], [1, undefined])
})
