import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/errors.ts'
import { type Bent, createPasskey } from '../support/authenticator.ts'
import { factorDesk, issuer, onBothStores, twentyAtOnce } from '../support/people.ts'

const operator = { kind: 'operator' } as const
const isRefused = (error: unknown) => hasCode(error, 'invalid_request')

onBothStores((people) => {
  async function setUp() {
    const desk = factorDesk(people().here)
    const account = await desk.accounts.create(operator, {
      email: people().address(),
      password: 'correct horse battery',
    })
    const caller = { kind: 'account', id: account.id } as const
    return { ...desk, account, caller }
  }
  async function registered() {
    const desk = await setUp()
    const key = createPasskey(issuer)
    const { handle, options } = await desk.passkeys.beginRegistration(desk.account)
    const response = key.register(options)
    const passkey = await desk.passkeys.finishRegistration(desk.caller, desk.account, {
      handle,
      response,
      name: 'Laptop',
    })
    return { ...desk, key, passkey }
  }
  type Desk = Awaited<ReturnType<typeof registered>>
  async function signIn(desk: Desk, bent: Bent = {}, accountId?: string) {
    const { handle, options } = await desk.passkeys.beginSignIn(accountId)
    return desk.passkeys.finishSignIn({ handle, response: desk.key.sign(options, bent) })
  }

  test('a passkey is registered with user verification and signs in by itself', async () => {
    const desk = await registered()
    assert.deepEqual([desk.passkey.name, desk.passkey.credentialId], ['Laptop', desk.key.credentialId])
    assert.deepEqual(await signIn(desk), { accountId: desk.account.id, passkeyId: desk.passkey.id })
    assert.deepEqual(await signIn(desk, {}, desk.account.id), {
      accountId: desk.account.id,
      passkeyId: desk.passkey.id,
    })
    const [kept] = (await desk.records.find(desk.account.id)).passkeys
    assert.deepEqual([kept?.counter, kept?.lastUsedAt], [3, people().now()])
  })

  test('LG2: options of a sign-in without an account name no passkey', async () => {
    const desk = await registered()
    const { options } = await desk.passkeys.beginSignIn()
    assert.deepEqual([options.allowCredentials, options.userVerification], [undefined, 'required'])
    const registration = (await desk.passkeys.beginRegistration(desk.account)).options
    assert.deepEqual(
      registration.excludeCredentials?.map(({ id }) => id),
      [desk.key.credentialId],
    )
    assert.equal(registration.authenticatorSelection?.userVerification, 'required')
    assert.equal(registration.authenticatorSelection?.residentKey, 'required')
  })

  test('MF8 attack: an answer from another origin, for another server, of another kind, unverified or bent is refused', async () => {
    const desk = await registered()
    const bends: Bent[] = [
      { origin: 'https://evil.example.test' },
      { origin: 'http://id.example.test' },
      { rpId: 'example.test' },
      { challenge: 'x'.repeat(43) },
      { flags: 1 },
      { flags: 0 },
      { flags: 4 },
      { type: 'webauthn.create' },
      { crossOrigin: true },
      { rawId: 'AAAA' },
      { id: 'AAAA' },
      { userHandle: Buffer.from('nobody').toString('base64url') },
      { userHandle: null },
    ]
    for (const bent of bends) assert.equal(await signIn(desk, bent), undefined, JSON.stringify(bent))
    assert.ok(await signIn(desk))
  })

  test('MF8 attack: a challenge is good once, also for twenty in parallel on two processes', async () => {
    const desk = await registered()
    const there = factorDesk(people().there)
    const { handle, options } = await desk.passkeys.beginSignIn()
    const response = desk.key.sign(options)
    const ends = await twentyAtOnce((index) => (index % 2 ? desk : there).passkeys.finishSignIn({ handle, response }))
    assert.equal(ends.filter((end) => end.status === 'fulfilled' && end.value).length, 1)
  })

  test('MF8 attack: a challenge that is expired, of another session, altered or made for the other ceremony is refused', async () => {
    const desk = await registered()
    const mine = await desk.passkeys.beginSignIn()
    const other = await desk.passkeys.beginSignIn()
    const signed = desk.key.sign(mine.options)
    assert.equal(await desk.passkeys.finishSignIn({ handle: other.handle, response: signed }), undefined)
    assert.equal(await desk.passkeys.finishSignIn({ handle: `${mine.handle}A`, response: signed }), undefined)
    assert.equal(await desk.passkeys.finishSignIn({ handle: '', response: signed }), undefined)
    const registration = await desk.passkeys.beginRegistration(desk.account)
    const response = desk.key.sign(registration.options)
    assert.equal(await desk.passkeys.finishSignIn({ handle: registration.handle, response }), undefined)
    people().pass(5 * 60_000)
    assert.equal(await desk.passkeys.finishSignIn({ handle: mine.handle, response: signed }), undefined)
  })

  test('MF8 attack: the passkey of another account does not answer for this one', async () => {
    const ada = await registered()
    const eve = await registered()
    for (const userHandle of [undefined, null, Buffer.from(ada.account.id).toString('base64url')]) {
      const { handle, options } = await ada.passkeys.beginSignIn(ada.account.id)
      const bent = userHandle === undefined ? {} : { userHandle }
      const answer = await ada.passkeys.finishSignIn({ handle, response: eve.key.sign(options, bent) })
      assert.equal(answer, undefined)
    }
  })

  test('MF8 attack: a counter that stands or goes back is a copied key, also in parallel', async () => {
    const desk = await registered()
    assert.ok(await signIn(desk, { counter: 9 }))
    assert.equal(await signIn(desk, { counter: 9 }), undefined)
    assert.equal(await signIn(desk, { counter: 3 }), undefined)
    assert.equal(await signIn(desk, { counter: 0 }), undefined)
    const ends = await twentyAtOnce(() => signIn(desk, { counter: 10 }))
    assert.equal(ends.filter((end) => end.status === 'fulfilled' && end.value).length, 1)
  })

  test('a passkey without a counter, as most synced ones are, signs in again and again', async () => {
    const desk = await setUp()
    const key = createPasskey(issuer)
    const { handle, options } = await desk.passkeys.beginRegistration(desk.account)
    const response = key.register(options, { counter: 0 })
    const passkey = await desk.passkeys.finishRegistration(desk.caller, desk.account, { handle, response })
    for (let index = 0; index < 3; index += 1) assert.ok(await signIn({ ...desk, key, passkey }, { counter: 0 }))
  })

  test('MF8 attack: a registration that is unverified, bent, of an algorithm not offered or of another account is refused', async () => {
    const desk = await setUp()
    const eve = await setUp()
    const bends: Bent[] = [
      { flags: 1 },
      { origin: 'https://evil.example.test' },
      { rpId: 'evil.example.test' },
      { challenge: 'x'.repeat(43) },
      { type: 'webauthn.get' },
      { crossOrigin: true },
      { rawId: 'AAAA' },
      { algorithm: -36 },
    ]
    for (const bent of bends) {
      const { handle, options } = await desk.passkeys.beginRegistration(desk.account)
      const response = createPasskey(issuer).register(options, bent)
      const finished = desk.passkeys.finishRegistration(desk.caller, desk.account, { handle, response })
      await assert.rejects(finished, isRefused, JSON.stringify(bent))
    }
    const { handle, options } = await desk.passkeys.beginRegistration(desk.account)
    const response = createPasskey(issuer).register(options)
    await assert.rejects(desk.passkeys.finishRegistration(eve.caller, eve.account, { handle, response }), isRefused)
    assert.equal((await desk.records.find(desk.account.id)).passkeys.length, 0)
  })

  test('attack: nonsense in place of an answer is refused and breaks nothing', async () => {
    const desk = await registered()
    for (const response of [undefined, null, 'x', 7, [], {}, { id: 7 }, { id: desk.key.credentialId, response: {} }]) {
      const { handle } = await desk.passkeys.beginSignIn()
      assert.equal(await desk.passkeys.finishSignIn({ handle, response }), undefined)
      const begun = await desk.passkeys.beginRegistration(desk.account)
      const finished = desk.passkeys.finishRegistration(desk.caller, desk.account, { handle: begun.handle, response })
      await assert.rejects(finished, isRefused)
    }
  })

  test('a passkey is registered once', async () => {
    const desk = await registered()
    const { handle, options } = await desk.passkeys.beginRegistration(desk.account)
    const again = desk.passkeys.finishRegistration(desk.caller, desk.account, {
      handle,
      response: desk.key.register(options),
    })
    await assert.rejects(again, (error) => hasCode(error, 'conflict'))
  })
})
