/**
 * Apps that nobody has verified, where the operator lets only their testers use them and bounds what they may ask for. On every store. That they work
 * for everybody where no such policy is set is shown by every other flow.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newPerson, registerApp } from '../support/app-client.ts'
import { type Licet, newAccount, operator, PASSWORD } from '../support/licet.ts'
import { formsOf, textOf } from '../support/person.ts'
import { onEveryStore } from '../support/stores.ts'

const verified = (licet: Licet, clientId: string) =>
  licet.core.apps.replace(operator, clientId, (app) => ({ ...app, verified: true }))

async function eventually(probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 1100
  while (performance.now() < deadline) if (await probe()) return
  assert.fail('a second has passed')
}

onEveryStore(
  (licet) => {
    test('an app on trial is for its owner and the people named in it; one who is named no longer is out within a second', async () => {
      const owner = await newAccount(licet().core)
      const [tester, stranger] = [await newPerson(licet()), await newPerson(licet())]
      const named = { ownerId: owner.id, testers: [tester.email.toUpperCase()] }
      const app = await registerApp(licet(), named)
      const { body } = await app.redeem(await app.obtainCode(tester.person, tester.email))
      const mine = await newPerson(licet())
      assert.ok((await app.obtainCode(mine.person, owner.email)).code)
      await assert.rejects(app.obtainCode(stranger.person, stranger.email), /no code came back/)
      const refreshed = await app.refresh(body.refresh_token)
      assert.equal(refreshed.status, 200)
      await licet().core.apps.change(operator, app.clientId, { testers: null })
      let late = refreshed
      await eventually(async () => {
        late = await app.refresh(late.body.refresh_token)
        return late.status !== 200
      })
      assert.equal(late.body.error, 'invalid_grant')
      await assert.rejects(app.obtainCode(tester.person, tester.email), /no code came back/)
      await verified(licet(), app.clientId)
      await eventually(() =>
        app.obtainCode(stranger.person, stranger.email).then(
          () => true,
          () => false,
        ),
      )
    })

    test('attack: an outsider who sends the consent form of somebody else, asks without a page or proves no address gets nothing', async () => {
      const owner = await newAccount(licet().core)
      const app = await registerApp(licet(), { ownerId: owner.id, testers: ['unproven@example.test'] })
      const { person, email } = await newPerson(licet())
      const query = new URLSearchParams({
        client_id: app.clientId,
        response_type: 'code',
        redirect_uri: app.redirectUri,
        scope: 'data:read',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      })
      const signIn = await person.open(`/authorize?${query}`)
      const shown = await person.submit(signIn, { email, password: PASSWORD }, '/sign-in')
      assert.match(textOf(shown.body), /still being tried/)
      const [form] = formsOf(shown.body).filter(({ action }) => action.includes('/deny'))
      const csrf = form?.fields.filter(([name]) => name === 'csrf') ?? []
      const consent = form?.action.replace('/deny', '/consent') ?? ''
      const forged = await person.follow(
        await person.send('POST', consent, [...csrf, ['decision', 'allow'], ['scope', 'data:read']]),
      )
      assert.ok(!forged.url.includes('code='))
      const denied = await person.submit(shown, {}, '/deny')
      assert.equal(new URL(denied.url).searchParams.get('error'), 'access_denied')
      const silent = await person.open(`/authorize?${query}&prompt=none`)
      assert.ok(!silent.url.includes('code='))
      const unproven = await newAccount(licet().core, 'unproven@example.test', { emailVerified: false })
      await assert.rejects(app.obtainCode((await newPerson(licet())).person, unproven.email), /no code came back/)
    })

    test('apps of the operator and apps that registered themselves have no testers', async () => {
      const { person, email } = await newPerson(licet())
      const made = await registerApp(licet())
      assert.ok((await made.obtainCode(person, email)).code)
    })

    test('attack: an app that nobody has verified asks for more than such apps may; verified, it may', async () => {
      const owner = await newPerson(licet())
      const wanted = { ownerId: owner.accountId, scopes: ['data:read', 'data:write'], optionalScopes: [] }
      const app = await registerApp(licet(), wanted)
      const wide = { scope: 'data:read data:write' }
      await assert.rejects(app.obtainCode(owner.person, owner.email, wide), /no code came back/)
      assert.ok((await app.obtainCode(owner.person, owner.email, { scope: 'data:read' })).code)
      const service = await registerApp(licet(), { ...wanted, type: 'service' })
      const asked = { grant_type: 'client_credentials', scope: 'data:write' }
      assert.equal((await service.post('/token', asked)).body.error, 'invalid_scope')
      const plain = await service.post('/token', { grant_type: 'client_credentials' })
      assert.equal(plain.body['scope'], 'data:read')
      await verified(licet(), app.clientId)
      await eventually(() =>
        app.obtainCode(owner.person, owner.email, wide).then(
          () => true,
          () => false,
        ),
      )
    })
  },
  { file: { unverified_apps: { policy: 'testers', scopes: ['data:read'] } } },
)
