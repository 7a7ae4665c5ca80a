import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuthenticate } from '../../src/accounts/authenticate.ts'
import { createTotp, totpCode } from '../../src/accounts/totp.ts'
import { hasCode } from '../../src/errors.ts'
import { correspondence, onBothStores, type Process, twentyAtOnce } from '../support/people.ts'

const stranger = { kind: 'anonymous', ip: '192.0.2.1' } as const
const operator = { kind: 'operator' } as const
const old = 'correct horse battery'
const fresh = 'an other horse battery'
const isGone = (error: unknown) => hasCode(error, 'gone')
const signsIn = async (desk: Process, email: string, password: string) =>
  (await createAuthenticate({ ...desk, limit: null })({ email, password })).ok

onBothStores((people) => {
  async function setUp() {
    const desk = correspondence(people().here)
    const email = people().address()
    const ada = await desk.accounts.create(operator, { email, password: old, emailVerified: true, locale: 'ja' })
    const ask = async () => {
      await desk.recovery.ask(stranger, email)
      return desk.tokenOf(desk.last())
    }
    return { ...desk, email, ada, ask }
  }

  test('LG8: a reset link sets a new password once and ends every session', async () => {
    const desk = await setUp()
    const token = await desk.ask()
    assert.deepEqual([desk.last().mail, desk.last().to, desk.last().locale], ['recover', desk.email, 'ja'])
    for (let index = 0; index < 3; index += 1) assert.equal((await desk.recovery.open(token)).email, desk.email)
    const account = await desk.recovery.finish(stranger, token, fresh)
    assert.deepEqual([account.epoch, account.signedOutAt], [1, people().now()])
    assert.deepEqual([desk.last().mail, desk.last().to], ['passwordChanged', desk.email])
    assert.deepEqual([await signsIn(desk, desk.email, old), await signsIn(desk, desk.email, fresh)], [false, true])
    await assert.rejects(desk.recovery.open(token), isGone)
    await assert.rejects(desk.recovery.finish(stranger, token, fresh), isGone)
  })

  test('LG8 attack: an invented, bent, old or replaced link is gone', async () => {
    const desk = await setUp()
    const first = await desk.ask()
    const second = await desk.ask()
    for (const bent of ['', 'x'.repeat(43), `${first}x`, first.slice(1), first.toLowerCase(), 'x'.repeat(100_000)]) {
      await assert.rejects(desk.recovery.finish(stranger, bent, fresh), isGone)
    }
    await desk.recovery.finish(stranger, second, fresh)
    await assert.rejects(desk.recovery.finish(stranger, first, fresh), isGone)
    const late = await desk.ask()
    people().pass(30 * 60_000)
    await assert.rejects(desk.recovery.open(late), isGone)
  })

  test('LG8 attack: a link asked for before the address, the password or the standing changed opens nothing', async () => {
    const acts: ((desk: Awaited<ReturnType<typeof setUp>>) => Promise<unknown>)[] = [
      async (desk) => {
        const { handle } = await desk.emailChange.ask(desk.ada, people().address('new'))
        return desk.emailChange.confirmByCode(operator, desk.ada.id, handle, desk.last().code ?? '')
      },
      (desk) => desk.accounts.setPassword(operator, desk.ada.id, fresh),
      (desk) => desk.accounts.disable(operator, desk.ada.id),
      (desk) => desk.accounts.signOutEverywhere(operator, desk.ada.id),
    ]
    for (const act of acts) {
      const desk = await setUp()
      const token = await desk.ask()
      await act(desk)
      await assert.rejects(desk.recovery.open(token), isGone)
      await assert.rejects(desk.recovery.finish(stranger, token, fresh), isGone)
    }
  })

  test('LG2 attack: asking for an unknown address, a disabled account or nonsense ends like asking for a known one', async () => {
    const desk = await setUp()
    const disabled = await desk.accounts.create(operator, { email: people().address('gone'), password: old })
    await desk.accounts.disable(operator, disabled.id)
    for (const email of [people().address('nobody'), disabled.email]) {
      assert.equal(await desk.recovery.ask(stranger, email), undefined)
      assert.deepEqual([desk.last().mail, desk.last().to, desk.last().path], ['recoverUnknown', email, undefined])
    }
    assert.equal(await desk.recovery.ask(stranger, 'no address'), undefined)
    assert.equal(await desk.recovery.ask(stranger, desk.email.toUpperCase()), undefined)
    assert.deepEqual([desk.last().mail, desk.last().to], ['recover', desk.email])
  })

  test('LG9 attack: a reset leaves the second factor in place', async () => {
    const desk = await setUp()
    const totp = createTotp({ ...desk, issuerName: 'Licet' })
    const { uri } = await totp.begin(desk.ada.id, desk.email)
    const pending = (await desk.records.find(desk.ada.id)).totpPending
    const secret = Buffer.from(desk.vault.open('totp secret', pending?.secretSealed ?? '') ?? '', 'base64url')
    assert.ok(uri)
    await totp.confirm(operator, desk.ada.id, totpCode(secret, Math.floor(people().now() / 30_000)))
    await desk.recovery.finish(stranger, await desk.ask(), fresh)
    assert.ok((await desk.records.find(desk.ada.id)).totp)
  })

  test('RC2 attack: twenty parallel uses of one link on two processes succeed once', async () => {
    const desk = await setUp()
    const there = correspondence(people().there)
    const token = await desk.ask()
    const ends = await twentyAtOnce((index) =>
      (index % 2 ? desk : there).recovery.finish(stranger, token, `${fresh} ${index}`),
    )
    assert.equal(ends.filter((end) => end.status === 'fulfilled').length, 1)
    assert.equal((await desk.accounts.getById(desk.ada.id)).epoch, 1)
  })

  test('a password that is refused leaves the link alive', async () => {
    const desk = await setUp()
    const token = await desk.ask()
    await assert.rejects(desk.recovery.finish(stranger, token, 'short'), (error) => hasCode(error, 'invalid_request'))
    await desk.recovery.finish(stranger, token, fresh)
  })

  test('a changed password is told to its owner, and kills every link that waited', async () => {
    const desk = await setUp()
    const token = await desk.ask()
    const { handle } = await desk.emailChange.ask(desk.ada, people().address('new'))
    const code = desk.last().code ?? ''
    const account = await desk.passwordChange.setPassword(operator, desk.ada.id, fresh)
    assert.deepEqual([account.epoch, desk.last().mail, desk.last().to], [1, 'passwordChanged', desk.email])
    await assert.rejects(desk.recovery.open(token), isGone)
    await assert.rejects(desk.emailChange.confirmByCode(operator, desk.ada.id, handle, code), isGone)
  })

  test('a change of address is confirmed at the new one and announced at the old one', async () => {
    const desk = await setUp()
    const next = people().address('new')
    const { handle, email } = await desk.emailChange.ask(desk.ada, next.toUpperCase())
    assert.equal(email.split('@')[1], 'example.com')
    assert.equal((await desk.accounts.getById(desk.ada.id)).email, desk.email)
    const proven = await desk.emailChange.confirmByCode(operator, desk.ada.id, handle, desk.last().code ?? '')
    assert.ok(proven.kind === 'proven' && proven.account.email === email && proven.account.emailVerified)
    assert.deepEqual([desk.last().mail, desk.last().to], ['emailChanged', desk.email])
    assert.equal(await desk.accounts.findByEmail(desk.email), undefined)
    assert.equal((await desk.accounts.findByEmail(next))?.id, desk.ada.id)
  })

  test('LG2 attack: a change to an address that is taken looks like one to a free address and ends nowhere', async () => {
    const desk = await setUp()
    const eve = await setUp()
    const taken = await desk.emailChange.ask(desk.ada, eve.email)
    assert.deepEqual([desk.last().mail, desk.last().to], ['changeEmailKnown', eve.email])
    const free = await desk.emailChange.ask(desk.ada, people().address('free'))
    assert.deepEqual(Object.keys(taken), Object.keys(free))
    assert.equal((await eve.accounts.findByEmail(eve.email))?.id, eve.ada.id)
  })

  test('attack: the confirmation of a change counts only from somebody signed in as the account', async () => {
    const desk = await setUp()
    const { handle } = await desk.emailChange.ask(desk.ada, people().address('mistyped'))
    const token = desk.tokenOf(desk.last())
    await assert.rejects(desk.emailChange.confirmByLink(stranger, 'somebody', token), (error) =>
      hasCode(error, 'forbidden'),
    )
    await assert.rejects(desk.emailChange.confirmByCode(stranger, 'somebody', handle, desk.last().code ?? ''), isGone)
    const moved = await desk.emailChange.confirmByLink(operator, desk.ada.id, token)
    assert.match(moved.email, /^mistyped/)
  })

  test('an address that got an account between asking and confirming stays with it', async () => {
    const desk = await setUp()
    const wanted = people().address('wanted')
    const { handle } = await desk.emailChange.ask(desk.ada, wanted)
    const code = desk.last().code ?? ''
    const first = await desk.accounts.create(operator, { email: wanted })
    await assert.rejects(desk.emailChange.confirmByCode(operator, desk.ada.id, handle, code), isGone)
    assert.equal((await desk.accounts.findByEmail(wanted))?.id, first.id)
    assert.equal((await desk.accounts.findByEmail(desk.email))?.id, desk.ada.id)
  })
})
