import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuthenticate } from '../../src/accounts/authenticate.ts'
import { createTotp } from '../../src/accounts/totp.ts'
import { hasCode } from '../../src/errors.ts'
import { correspondence, onBothStores, type Process, twentyAtOnce } from '../support/people.ts'

const stranger = { kind: 'anonymous', ip: '192.0.2.1' } as const
const operator = { kind: 'operator' } as const
const password = 'correct horse battery'
const isGone = (error: unknown) => hasCode(error, 'gone')
const signsIn = async (desk: Process, email: string, given: string) =>
  (await createAuthenticate({ ...desk, limit: null })({ email, password: given })).ok

onBothStores((people) => {
  const setUp = () => ({ ...correspondence(people().here), email: people().address() })

  test('a sign-up makes an unverified account; the code of its mail proves the address', async () => {
    const { signUp, verification, accounts, email, last, here } = { ...setUp(), here: people().here }
    const challenge = await signUp.begin(stranger, { email, name: 'Ada', password, locale: 'fr' })
    assert.equal((await accounts.findByEmail(email))?.emailVerified, false)
    const { mail, to, locale, code, path } = last()
    assert.deepEqual([mail, to, locale], ['verifyEmail', email, 'fr'])
    assert.match(code ?? '', /^\d{6}$/)
    assert.match(path ?? '', /^\/verify\/[\w-]{43}$/)
    const wrong = code === '000000' ? '000001' : '000000'
    assert.deepEqual(await verification.proveByCode(stranger, challenge.handle, wrong), { kind: 'wrong' })
    const proven = await verification.proveByCode(stranger, challenge.handle, ` ${code} `)
    assert.ok(proven.kind === 'proven' && proven.account.emailVerified && proven.account.name === 'Ada')
    assert.equal(proven.account.epoch, 0)
    assert.ok(await signsIn(here, email, password))
    await assert.rejects(verification.proveByCode(stranger, challenge.handle, code ?? ''), isGone)
    await assert.rejects(verification.openLink(path?.slice('/verify/'.length) ?? ''), isGone)
  })

  test('LG2 attack: an address that has an account gets the same answer, and a different mail to the stored address', async () => {
    const desk = setUp()
    await desk.accounts.create(operator, { email: desk.email, password, emailVerified: true })
    const known = await desk.signUp.begin(stranger, {
      email: desk.email.toUpperCase(),
      name: 'Eve',
      password: 'a password of eve',
    })
    assert.deepEqual([desk.last().mail, desk.last().to, desk.last().code], ['signUpKnown', desk.email, undefined])
    const fresh = await desk.signUp.begin(stranger, { email: people().address('bob'), password })
    assert.deepEqual(Object.keys(known), Object.keys(fresh))
    assert.equal(known.handle.length, fresh.handle.length)
    assert.deepEqual([known.resendAt, known.expiresAt], [fresh.resendAt, fresh.expiresAt])
    assert.deepEqual(await desk.verification.proveByCode(stranger, known.handle, '123456'), { kind: 'wrong' })
    assert.deepEqual(await desk.verification.proveByCode(stranger, fresh.handle, 'x'), { kind: 'wrong' })
    people().pass(60_000)
    assert.deepEqual(Object.keys(await desk.verification.resend(known.handle)), Object.keys(fresh))
    assert.equal(desk.last().mail, 'signUpKnown')
    assert.ok(!(await signsIn(people().here, desk.email, 'a password of eve')))
  })

  test('pre-hijacking attack: a password, a session and factors left behind with an unproven address die when its owner signs up', async () => {
    const desk = setUp()
    await desk.signUp.begin(stranger, { email: desk.email, name: 'Eve', password: 'a password of eve' })
    const hijacked = await desk.accounts.findByEmail(desk.email)
    assert.ok(hijacked)
    await createTotp({ ...desk, issuerName: 'Licet' }).begin(hijacked.id, 'eve')
    const challenge = await desk.signUp.begin(stranger, { email: desk.email, name: 'Ada', password })
    const proven = await desk.verification.proveByCode(stranger, challenge.handle, desk.last().code ?? '')
    assert.ok(proven.kind === 'proven' && proven.account.id === hijacked.id)
    assert.deepEqual([proven.account.name, proven.account.epoch], ['Ada', hijacked.epoch + 1])
    assert.ok(!(await signsIn(desk, desk.email, 'a password of eve')))
    assert.ok(await signsIn(desk, desk.email, password))
    assert.deepEqual(await desk.records.find(hijacked.id), { passkeys: [] })
  })

  test('pre-hijacking attack: the owner who opens the link of a sign-up that was not theirs chooses the password', async () => {
    const desk = setUp()
    const evil = await desk.signUp.begin(stranger, { email: desk.email, password: 'a password of eve' })
    const token = desk.tokenOf(desk.last())
    const elsewhere = await desk.verification.proveByLink(stranger, token)
    assert.deepEqual(elsewhere, { kind: 'password_needed', email: desk.email })
    await assert.rejects(desk.verification.proveWithPassword(stranger, token, 'short'), (error) =>
      hasCode(error, 'invalid_request'),
    )
    const account = await desk.verification.proveWithPassword(stranger, token, password)
    assert.ok(account.emailVerified && account.epoch === 1)
    assert.ok(!(await signsIn(desk, desk.email, 'a password of eve')))
    await assert.rejects(desk.verification.proveByCode(stranger, evil.handle, '123456'), isGone)
  })

  test('pre-hijacking attack: a link asked for from a session of the unproven account proves nothing in the browser of its owner', async () => {
    const desk = setUp()
    const account = await desk.accounts.create(operator, { email: desk.email, password: 'a password of eve' })
    const { handle } = await desk.verification.begin(account, '/settings/keys')
    const token = desk.tokenOf(desk.last())
    for (const wrong of [undefined, account.id, 'x'.repeat(43)]) {
      assert.equal((await desk.verification.proveByLink(stranger, token, wrong)).kind, 'password_needed')
    }
    const proven = await desk.verification.proveByLink(stranger, token, handle)
    assert.ok(proven.kind === 'proven' && proven.account.epoch === 0)
    assert.deepEqual([proven.returnTo, proven.isSignUp], ['/settings/keys', false])
  })

  test('attack: a sign-up that waits does not take the password or the factors of an account whose address was proven meanwhile', async () => {
    for (const way of ['code', 'link', 'password'] as const) {
      const desk = setUp()
      const { handle } = await desk.signUp.begin(stranger, { email: desk.email, password: 'a password of eve' })
      const [token, code = ''] = [desk.tokenOf(desk.last()), desk.last().code]
      const account = await desk.accounts.findByEmail(desk.email)
      const id = account?.id ?? ''
      await desk.accounts.markEmailVerified(operator, id)
      await desk.accounts.setPassword(operator, id, password)
      await desk.records.change(id, (record) => ({ ...record, totpPending: { secretSealed: 'x', expiresAt: 0 } }))
      const { verification } = desk
      const proof = {
        code: () => verification.proveByCode(stranger, handle, code),
        link: () => verification.proveByLink(stranger, token, handle),
        password: () => verification.proveWithPassword(stranger, token, 'a password of eve'),
      }[way]
      await assert.rejects(proof(), isGone)
      assert.ok(await signsIn(desk, desk.email, password))
      assert.ok((await desk.records.find(id)).totpPending)
    }
  })

  test('the link opened in the browser that signed up proves the address at once', async () => {
    const desk = setUp()
    const { handle } = await desk.signUp.begin(stranger, { email: desk.email, password })
    const token = desk.tokenOf(desk.last())
    assert.deepEqual(await desk.verification.openLink(token), { email: desk.email })
    assert.equal((await desk.verification.proveByLink(stranger, token, handle)).kind, 'proven')
  })

  test('RC2 attack: twenty parallel proofs by link and code on two processes succeed once', async () => {
    const desk = setUp()
    const there = correspondence(people().there)
    const { handle } = await desk.signUp.begin(stranger, { email: desk.email, password })
    const [code = '', token] = [desk.last().code, desk.tokenOf(desk.last())]
    const ends = await twentyAtOnce<{ kind: string }>((index) => {
      const { verification } = index % 2 ? desk : there
      return index % 4 < 2
        ? verification.proveByCode(stranger, handle, code)
        : verification.proveByLink(stranger, token, handle)
    })
    assert.equal(ends.filter((end) => end.status === 'fulfilled' && end.value.kind === 'proven').length, 1)
  })

  test('RC4 attack: twenty parallel sign-ups with case variants of one address make one account', async () => {
    const desk = setUp()
    const there = correspondence(people().there)
    const ends = await twentyAtOnce((index) => {
      const email = index % 2 ? desk.email.toUpperCase() : desk.email
      return (index % 4 < 2 ? desk : there).signUp.begin(stranger, { email, password: `${password} ${index}` })
    })
    assert.deepEqual(
      ends.filter((end) => end.status === 'rejected'),
      [],
    )
    assert.ok(await desk.accounts.findByEmail(desk.email))
  })

  test('five wrong codes and only the link is good; a fresh code is sent after a minute, five times at most', async () => {
    const desk = setUp()
    const { handle } = await desk.signUp.begin(stranger, { email: desk.email, password })
    const { code = '' } = desk.last()
    const wrong = code === '000000' ? '000001' : '000000'
    const guesses = Array.from({ length: 20 }, () => desk.verification.proveByCode(stranger, handle, wrong))
    await Promise.all(guesses)
    assert.deepEqual(await desk.verification.proveByCode(stranger, handle, code), { kind: 'limited' })
    await assert.rejects(desk.verification.resend(handle), (error) => hasCode(error, 'rate_limited'))
    for (let sends = 2; sends <= 5; sends += 1) {
      people().pass(60_000)
      await desk.verification.resend(handle)
    }
    people().pass(60_000)
    await assert.rejects(desk.verification.resend(handle), (error) => hasCode(error, 'rate_limited'))
    assert.equal(desk.written.length, 5)
    const fresh = desk.last().code ?? ''
    assert.deepEqual(await desk.verification.proveByCode(stranger, handle, fresh), { kind: 'limited' })
    people().pass(900_000)
    if (code !== fresh) assert.deepEqual(await desk.verification.proveByCode(stranger, handle, code), { kind: 'wrong' })
    assert.equal((await desk.verification.proveByCode(stranger, handle, fresh)).kind, 'proven')
  })

  test('attack: signing up again and again buys no further guesses at the code, and tells nothing about the address', async () => {
    const desk = setUp()
    const known = people().address('known')
    await desk.accounts.create(operator, { email: known, password, emailVerified: true })
    const guessing = async (email: string) => {
      const kinds: string[] = []
      for (let round = 0; round < 3; round += 1) {
        const { handle } = await desk.signUp.begin(stranger, { email, password })
        for (let guess = 0; guess < 3; guess += 1)
          kinds.push((await desk.verification.proveByCode(stranger, handle, 'no code')).kind)
      }
      return kinds
    }
    const told = [...Array(5).fill('wrong'), ...Array(4).fill('limited')]
    assert.deepEqual(await guessing(desk.email), told)
    assert.deepEqual(await guessing(known), told)
  })

  test('strangers cause at most five mails an hour to one address, and see no difference', async () => {
    const desk = setUp()
    for (let index = 0; index < 8; index += 1) await desk.signUp.begin(stranger, { email: desk.email, password })
    assert.equal(desk.written.length, 5)
  })

  test('LG12 attack: nobody signs up by themselves under invited or closed', async () => {
    for (const policy of ['invited', 'closed'] as const) {
      const { signUp } = correspondence(people().here, policy)
      await assert.rejects(signUp.begin(stranger, { email: people().address(), password }), (error) =>
        hasCode(error, 'forbidden'),
      )
    }
  })

  test('an invitation makes a verified account with the invited role, once', async () => {
    const desk = correspondence(people().here, 'invited')
    const email = people().address()
    await desk.signUp.invite(operator, { email, role: 'administrator', locale: 'de' })
    assert.deepEqual([desk.last().mail, desk.last().to, desk.last().locale], ['invitation', email, 'de'])
    const token = desk.tokenOf(desk.last())
    assert.deepEqual(await desk.signUp.openInvitation(token), { email })
    await assert.rejects(desk.signUp.acceptInvitation(stranger, token, { password: 'short' }), (error) =>
      hasCode(error, 'invalid_request'),
    )
    const there = correspondence(people().there, 'invited')
    const ends = await twentyAtOnce((index) =>
      (index % 2 ? desk : there).signUp.acceptInvitation(stranger, token, { name: 'Ada', password }),
    )
    const [made] = ends.filter((end) => end.status === 'fulfilled')
    assert.equal(ends.filter((end) => end.status === 'fulfilled').length, 1)
    assert.deepEqual([made?.value.email, made?.value.role, made?.value.emailVerified], [email, 'administrator', true])
    await assert.rejects(desk.signUp.openInvitation(token), isGone)
    await assert.rejects(desk.signUp.invite(operator, { email }), (error) => hasCode(error, 'conflict'))
  })

  test('JW8 attack: no link, handle or code opens what it was not made for', async () => {
    const desk = setUp()
    const { handle } = await desk.signUp.begin(stranger, { email: desk.email, password })
    const verify = desk.tokenOf(desk.last())
    await desk.recovery.ask(stranger, desk.email)
    const recover = desk.tokenOf(desk.last())
    await desk.signUp.invite(operator, { email: people().address() })
    const invitation = desk.tokenOf(desk.last())
    for (const token of [verify, invitation, handle, '']) await assert.rejects(desk.recovery.open(token), isGone)
    for (const token of [recover, invitation, handle]) await assert.rejects(desk.verification.openLink(token), isGone)
    for (const token of [verify, recover, handle]) await assert.rejects(desk.signUp.openInvitation(token), isGone)
    await assert.rejects(desk.verification.look(verify), isGone)
  })

  test('the store holds no link, code or password of a sign-up', async () => {
    const desk = setUp()
    const { handle } = await desk.signUp.begin(stranger, { email: desk.email, password })
    const stored = JSON.stringify(await desk.store.list('one_time', { limit: 1000 }))
    const { code = '' } = desk.last()
    for (const secret of [handle, desk.tokenOf(desk.last()), `"${code}"`, password]) assert.ok(!stored.includes(secret))
  })
})
