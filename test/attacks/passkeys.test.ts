/**
 * Attacks on passkeys over real HTTP: answers bent on the way, somebody else's challenge, somebody else's passkey (threats.md MF8, MF9). What each check of
 * an answer must refuse, and the last factor (MF10), is tried one by one in `test/accounts/`.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bent, createPasskey } from '../support/authenticator.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { formsOf, Person, type Visit } from '../support/person.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet.close())

const HOME = '/settings/security'

async function inside() {
  const account = await newAccount(licet.core)
  const person = new Person(licet.issuer)
  await person.submit(await person.open(HOME), { email: account.email, password: PASSWORD }, '/sign-in')
  return { account, person }
}

const passkeysOf = async (id: string) => {
  const entry = await licet.core.store.find<{ passkeys: { id: string; name: string }[] }>('factors', id)
  return entry?.value.passkeys ?? []
}

/** The page that adds a passkey: its form, and what it asks the browser for. */
async function asking(person: Person) {
  const page = await person.open(`${HOME}/passkeys/new`)
  const text = /data-passkey-options="([^"]+)"|data-options="([^"]+)"/.exec(page.body)
  const options = JSON.parse((text?.[1] ?? text?.[2] ?? '').replaceAll('&#34;', '"').replaceAll('&quot;', '"'))
  const handle =
    formsOf(page.body)
      .flatMap(({ fields }) => fields)
      .find(([name]) => name === 'handle')?.[1] ?? ''
  const answer = (credential: object, more: Record<string, string> = {}): Promise<Visit> =>
    person.submit(page, { credential: JSON.stringify(credential), ...more }, `${HOME}/passkeys`)
  return { options, handle, answer }
}

test('MF8 attack: a registration for another origin, another server, unverified, or of another account’s challenge adds nothing', async () => {
  const { account, person } = await inside()
  const bends: Bent[] = [
    { origin: 'https://evil.example.test' },
    { rpId: 'evil.example.test' },
    { flags: 1 },
    { challenge: 'x'.repeat(43) },
    { type: 'webauthn.get' },
  ]
  for (const bent of bends) {
    const { options, answer } = await asking(person)
    const { status } = await answer(createPasskey(licet.issuer).register(options, bent))
    assert.ok(status < 500, JSON.stringify(bent))
  }
  const eve = await inside()
  const hers = await asking(eve.person)
  const mine = await asking(person)
  await mine.answer(createPasskey(licet.issuer).register(hers.options), { handle: hers.handle })
  assert.deepEqual(await passkeysOf(account.id), [])
  const { options, answer } = await asking(person)
  const credential = createPasskey(licet.issuer).register(options)
  await answer(credential)
  assert.equal((await passkeysOf(account.id)).length, 1)
})

test('MF9 attack: the passkey of another account is neither renamed nor removed by its id', async () => {
  const ada = await inside()
  const { options, answer } = await asking(ada.person)
  await answer(createPasskey(licet.issuer).register(options))
  const [key] = await passkeysOf(ada.account.id)
  assert.ok(key)
  const eve = await inside()
  const page = await eve.person.open(HOME)
  const csrf = formsOf(page.body)
    .flatMap(({ fields }) => fields)
    .find(([name]) => name === 'csrf')
  assert.ok(csrf)
  for (const act of ['rename', 'remove']) {
    const path: string = `${HOME}/passkeys/${encodeURIComponent(key.id)}/${act}`
    assert.equal((await eve.person.send('POST', path, [csrf, ['name', 'Mine now']])).status, 404, act)
  }
  assert.deepEqual(await passkeysOf(ada.account.id), [key])
})
