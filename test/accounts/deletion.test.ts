import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAccountExport } from '../../src/accounts/account-export.ts'
import { createApply } from '../../src/accounts/apply.ts'
import { createAuthenticate } from '../../src/accounts/authenticate.ts'
import { createDeletion } from '../../src/accounts/deletion.ts'
import { createPictures } from '../../src/accounts/picture.ts'
import { hasCode } from '../../src/errors.ts'
import { correspondence, factorDesk, onBothStores, type Process, type Written } from '../support/people.ts'
import { png } from '../support/pictures.ts'

const operator = { kind: 'operator' } as const
const password = 'correct horse battery'
const isGone = (error: unknown) => hasCode(error, 'gone')

onBothStores((people) => {
  function deletionOn(desk: Process) {
    const written: (Written & { leavesAt: number })[] = []
    const removed: string[] = []
    const mails = {
      leaving: async (to: { email: string }, mail: { path: string; leavesAt: number }) => {
        written.push({ mail: 'leaving', to: to.email, ...mail })
      },
    }
    const keys = async (accountId: string) => void removed.push(accountId)
    const deletion = createDeletion({ ...desk, mails, delaySeconds: 86_400, removers: { keys } })
    return { deletion, removed, token: () => written.at(-1)?.path?.split('/').at(-1) ?? '', written }
  }
  async function setUp() {
    const desk = people().here
    const email = people().address()
    const ada = await desk.accounts.create(operator, { email, password, emailVerified: true })
    const caller = { kind: 'account', id: ada.id } as const
    const signsIn = async () => (await createAuthenticate({ ...desk, limit: null })({ email, password })).ok
    return { ...desk, ...deletionOn(desk), email, ada, caller, signsIn }
  }

  test('an account that leaves is dead at once, and its owner can take it back until the delay has passed', async () => {
    const desk = await setUp()
    const { leavesAt } = await desk.deletion.ask(desk.caller, desk.ada.id)
    assert.equal(leavesAt, people().now() + 86_400_000)
    const leaving = await desk.accounts.getById(desk.ada.id)
    assert.deepEqual([leaving.status, leaving.epoch, leaving.leavesAt], ['leaving', 1, leavesAt])
    assert.equal(await desk.signsIn(), false)
    assert.deepEqual(await desk.deletion.openLink(desk.token()), { email: desk.email, leavesAt })
    people().pass(86_399_000)
    assert.equal(await desk.deletion.sweep(), 0)
    await desk.deletion.keep(operator, desk.token())
    const kept = await desk.accounts.getById(desk.ada.id)
    assert.deepEqual([kept.status, kept.epoch, kept.leavesAt], ['active', 2, undefined])
    assert.equal(await desk.signsIn(), true)
    people().pass(86_400_000)
    assert.equal(await desk.deletion.sweep(), 0)
    await assert.rejects(desk.deletion.keep(operator, desk.token()), isGone)
  })

  test('after the delay everything held about the account is removed, by one of two processes, and the address is free', async () => {
    const desk = await setUp()
    const factors = factorDesk(people().here)
    await factors.devices.remember(undefined, desk.ada, {})
    await factors.totp.begin(desk.ada.id, desk.email)
    await desk.deletion.ask(desk.caller, desk.ada.id)
    const there = deletionOn(people().there)
    people().pass(86_400_000)
    const [mine, theirs] = await Promise.all([desk.deletion.sweep(), there.deletion.sweep()])
    assert.equal(mine + theirs, 1)
    assert.ok([...desk.removed, ...there.removed].includes(desk.ada.id))
    assert.equal(await desk.accounts.find(desk.ada.id), undefined)
    assert.equal(await desk.store.find('factors', desk.ada.id), undefined)
    for (const kind of ['device', 'one_time'] as const) {
      assert.deepEqual((await desk.store.list(kind, { group: 'accountId', value: desk.ada.id })).items, [])
    }
    await desk.accounts.create(operator, { email: desk.email })
    await assert.rejects(desk.deletion.openLink(desk.token()), isGone)
  })

  test('a removal that failed half-way is finished by the next sweep', async () => {
    const desk = await setUp()
    let fails = true
    const keys = async () => {
      if (fails) throw new Error('the store went away')
    }
    const mails = { leaving: async () => {} }
    const deletion = createDeletion({ ...desk, mails, delaySeconds: 0, removers: { keys } })
    await deletion.ask(desk.caller, desk.ada.id)
    people().pass(1000)
    await assert.rejects(deletion.sweep(), /went away/)
    assert.equal((await desk.accounts.getById(desk.ada.id)).status, 'leaving')
    fails = false
    assert.equal(await deletion.sweep(), 1)
  })

  test('attack: links of the account open nothing once it is leaving, and no recovery brings it back', async () => {
    const desk = await setUp()
    const letters = correspondence(people().here)
    await letters.recovery.ask(operator, desk.email)
    const recover = letters.tokenOf(letters.last())
    await desk.deletion.ask(desk.caller, desk.ada.id)
    await assert.rejects(letters.recovery.finish(operator, recover, 'an other horse battery'), isGone)
    await letters.recovery.ask(operator, desk.email)
    assert.equal(letters.last().mail, 'recoverUnknown')
    await letters.signUp.begin(operator, { email: desk.email, password })
    assert.equal(letters.last().mail, 'signUpKnown')
    await assert.rejects(desk.deletion.ask(desk.caller, desk.ada.id), (error) => hasCode(error, 'conflict'))
  })

  test('RC8: the last administrator does not leave', async () => {
    const desk = await setUp()
    const role = 'administrator'
    const root = await desk.accounts.create(operator, { email: people().address('root'), role })
    await assert.rejects(desk.deletion.ask(operator, root.id), (error) => hasCode(error, 'forbidden'))
    assert.equal((await desk.accounts.getById(root.id)).status, 'active')
  })

  test('an operator takes a wish to leave back', async () => {
    const desk = await setUp()
    await assert.rejects(desk.deletion.keepFor(operator, desk.ada.id), (error) => hasCode(error, 'conflict'))
    await desk.deletion.ask(desk.caller, desk.ada.id)
    await desk.deletion.keepFor(operator, desk.ada.id)
    assert.equal(await desk.signsIn(), true)
  })

  test('the export holds every part and no secret', async () => {
    const desk = await setUp()
    const factors = factorDesk(people().here)
    const { key } = await factors.totp.begin(desk.ada.id, desk.email)
    const codes = await factors.recoveryCodes.regenerate(desk.caller, desk.ada.id)
    await factors.devices.remember(undefined, desk.ada, { userAgent: 'a browser', ip: '192.0.2.1' })
    const sources = { keys: async () => [{ name: 'a key' }] }
    const exported = await createAccountExport({ ...desk, sources })(desk.ada.id)
    assert.deepEqual(Object.keys(exported), ['exported_at', 'account', 'factors', 'devices', 'activity', 'keys'])
    assert.deepEqual((exported['factors'] as { recovery_codes_left: number }).recovery_codes_left, 10)
    const text = JSON.stringify(exported)
    assert.match(text, /a browser/)
    assert.match(text, /account\.created/)
    for (const secret of [key.replaceAll(' ', ''), ...codes, 'argon2', 'Sealed', 'Digest'])
      assert.ok(!text.includes(secret))
  })

  test('a picture is kept in the store under an address of its own, for every process', async () => {
    const desk = await setUp()
    const issuer = 'https://id.example.test'
    const pictures = createPictures({ ...desk, apply: createApply(desk), issuer })
    const there = people().there
    const others = createPictures({ ...there, apply: createApply(there), issuer })
    const account = await pictures.set(desk.caller, desk.ada.id, png(3, 2))
    const [, name = ''] = /^https:\/\/id\.example\.test\/pictures\/\w+\/([\w-]{22})$/.exec(account.picture ?? '') ?? []
    assert.deepEqual(await others.find(desk.ada.id, name), { type: 'image/png', bytes: png(3, 2) })
    assert.equal(await others.find(desk.ada.id, 'x'.repeat(22)), undefined)
    const next = await others.set(desk.caller, desk.ada.id, png(4, 4))
    assert.notEqual(next.picture, account.picture)
    assert.equal(await pictures.find(desk.ada.id, name), undefined)
    assert.equal((await pictures.clear(desk.caller, desk.ada.id)).picture, undefined)
  })
})
