/**
 * Consent in real Chromium against a real server, from an app's request to its tokens: what a person unticks, leaves to reading or limits to a day is
 * not in them; Enter never allows; a second visit shows the difference only; single connections; and what was allowed is shrunk and stopped later.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { decodeJwt } from 'jose'
import type { Browser, Page } from 'playwright-core'
import { createLogos } from '../../src/apps/logos.ts'
import type { NewApp } from '../../src/apps/records.ts'
import { type AppClient, type Body, type Params, registerApp } from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import {
  assertAccessible,
  assertNoSidewaysScroll,
  browserMissing,
  launchBrowser,
  newVisitor,
  type Visitor,
  type VisitorOptions,
} from '../support/browser.ts'
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { png } from '../support/pictures.ts'

const EVERYTHING = 'openid data:read data:write llm:read'
const connections = {
  list: [
    { id: 'google', name: 'Google' },
    { id: 'slack', name: 'Slack' },
  ],
}
const read = (identifier: string) => ({ type: 'connection', identifier, actions: ['read'] })

let licet: Licet
let browser: Browser
let email: string
let visitor: Visitor
let page: Page

async function signIn(on: Page): Promise<void> {
  await on.fill('#email', email)
  await on.fill('#password', PASSWORD)
  await on.click('form[action$="/sign-in"] .primary')
}

const newApp = (fields: Partial<NewApp> = {}): Promise<AppClient> =>
  registerApp(licet, { optionalScopes: ['data:write', 'llm:read'], ...fields })

/** Opens the app's request; the consent page is there. */
async function ask(app: AppClient, params: Params = {}, on = page): Promise<void> {
  await on.goto(authorizeUrl(app, { scope: EVERYTHING, ...params }))
  await on.locator('.three').waitFor()
}

/** A visitor for whom the app's site exists. */
async function visit(options?: VisitorOptions): Promise<Visitor> {
  const one = await newVisitor(browser, options)
  await one.context.route('https://app.example.test/**', (route) => route.fulfill({ body: 'back at the app' }))
  return one
}

/** What the app hears after `act`. */
async function heard(act: (on: Page) => Promise<void>, on = page): Promise<URLSearchParams> {
  const [back] = await Promise.all([on.waitForResponse('https://app.example.test/callback?**'), act(on)])
  await back.finished()
  return new URL(back.url()).searchParams
}

const press = (decision: string) => (on: Page) => on.click(`.three [value="${decision}"]`)

async function tokensAfter(app: AppClient, act: (on: Page) => Promise<void>, on = page): Promise<Body> {
  const back = await heard(act, on)
  const { status, body, text } = await app.redeem({ code: back.get('code') ?? '', verifier: VERIFIER })
  assert.equal(status, 200, `${back} ${text}`)
  return body
}

const scopesOf = ({ access_token: token }: Body) => String(decodeJwt(token)['scope']).split(' ').sort()
const ticks = async () =>
  Promise.all((await page.locator('.decision input[type=checkbox]').all()).map((box) => box.getAttribute('value')))

function assertDenied(back: URLSearchParams): void {
  assert.equal(back.get('error'), 'access_denied')
  assert.deepEqual([back.get('state'), back.get('iss')], ['the-state', licet.issuer])
  assert.equal(back.get('code'), null)
}

describe('consent in a browser', { skip: browserMissing() }, () => {
  before(async () => {
    licet = await startLicet({ file: { connections } })
    email = (await newAccount(licet.core)).email
    browser = await launchBrowser()
    visitor = await visit()
    page = visitor.page
    await page.goto(`${licet.issuer}/settings/apps`)
    await signIn(page)
    await page.locator('.empty').waitFor()
  })
  after(async () => {
    await browser?.close()
    await licet?.close()
  })

  it('what a person unticks is not in the token, and does not come back at a refresh', async () => {
    const app = await newApp()
    await ask(app)
    await assertAccessible(page, 'consent')
    await page.uncheck('[value="data:write"]')
    const tokens = await tokensAfter(app, press('allow'))
    const left = ['data:read', 'llm:read', 'openid']
    assert.deepEqual(scopesOf(tokens), left)
    assert.deepEqual(scopesOf((await app.refresh(tokens.refresh_token)).body), left)
    assert.deepEqual(visitor.complaints(), [])
  })

  it('"allow read-only" gives nothing that changes, though it stood ticked', async () => {
    const app = await newApp()
    await ask(app)
    assert.ok(await page.isChecked('[value="data:write"]'))
    assert.deepEqual(scopesOf(await tokensAfter(app, press('allow_read_only'))), ['data:read', 'llm:read', 'openid'])
  })

  it('what is allowed for a day ends within the day, and the person sees when', async () => {
    const app = await newApp({ name: 'For a day' })
    await ask(app)
    await page.check('[name=duration][value="1d"]')
    const life = Number((await tokensAfter(app, press('allow')))['refresh_token_expires_in'])
    assert.ok(life > 86_000 && life <= 86_400, `${life} s`)
    await page.goto(`${licet.issuer}/settings/apps`)
    assert.equal(await page.locator('.vendor').count(), 1, 'one vendor is one row, whatever it registers')
    const row = page.locator('.row', { hasText: 'For a day' })
    await page.click('.vendor summary')
    assert.match((await row.textContent()) ?? '', /ends /)
  })

  it('who denies sends the app away with access_denied, its state and who answers', async () => {
    const app = await newApp()
    await ask(app)
    assertDenied(await heard(press('deny')))
    assert.deepEqual(visitor.complaints(), [])
  })

  for (const field of ['[name=scope]', '[name=duration]:checked']) {
    it(`attack: Enter on ${field} does not allow, it denies`, async () => {
      const app = await newApp()
      await ask(app)
      await page.locator(field).first().focus()
      assertDenied(await heard((on) => on.keyboard.press('Enter')))
      await ask(app)
    })
  }

  it('a second visit shows what is new, and what was allowed only in a list to unfold', async () => {
    const app = await newApp()
    await ask(app, { scope: 'openid data:read' })
    await tokensAfter(app, press('allow'))
    await ask(app, { scope: 'openid data:read data:write' })
    assert.deepEqual(await ticks(), ['data:write'])
    assert.equal(await page.locator('.scope').count(), 1)
    assert.equal(await page.locator('.badge.new').count(), 1)
    assert.match((await page.locator('.already').textContent()) ?? '', /Read your files and records/)
    const tokens = await tokensAfter(app, press('allow'))
    assert.deepEqual(scopesOf(tokens), ['data:read', 'data:write', 'openid'])
    const quiet = await page.request.get(authorizeUrl(app, { scope: 'openid data:read' }), { maxRedirects: 0 })
    assert.match(quiet.headers()['location'] ?? '', /[?&]code=/, 'a third visit asks nothing')
  })

  it('the logo of an app is drawn when an operator has looked at it, and not before', async () => {
    const logos = createLogos({ store: licet.core.store, apps: licet.core.apps })
    for (const verified of [true, false]) {
      const app = await newApp({ name: 'Notebook' })
      await logos.set(operator, app.clientId, png(64, 64))
      await licet.core.apps.replace(operator, app.clientId, (known) => ({ ...known, verified }))
      await ask(app)
      const widths = `[...document.querySelectorAll('.hero img.tile')].map((drawn) => drawn.naturalWidth)`
      assert.deepEqual(await page.evaluate(widths), verified ? [64] : [])
    }
    assert.deepEqual(visitor.complaints(), [])
  })

  it('a person chooses single connections, takes one back later, and stops the vendor by one press', async () => {
    const app = await newApp({ name: 'Calendar' })
    const other = await newApp({ name: 'Mail' })
    await ask(other)
    const held = await tokensAfter(other, press('allow'))
    const wanted = JSON.stringify([{ type: 'connection', actions: ['read', 'write'] }])
    await ask(app, { authorization_details: wanted })
    assert.equal(await page.locator('[name=connection]:checked').count(), 0, 'the choice is the person’s')
    await page.check('[value="read google"]')
    await page.check('[value="read slack"]')
    const tokens = await tokensAfter(app, press('allow'))
    assert.deepEqual(decodeJwt(tokens.access_token)['authorization_details'], [read('google'), read('slack')])

    await page.goto(`${licet.issuer}/settings/apps`)
    await page.click('.vendor summary')
    await page.click('.vendor a:has-text("Calendar")')
    await page.uncheck('[value^="read slack"]')
    await page.uncheck('[value="data:write"]')
    await page.click('section:has([name=scope]) button')
    await page.locator('.notice.good').waitFor()
    const next = (await app.refresh(tokens.refresh_token)).body
    assert.deepEqual(decodeJwt(next.access_token)['authorization_details'], [read('google')])
    assert.deepEqual(scopesOf(next), ['data:read', 'llm:read', 'openid'])
    await assertAccessible(page, 'one connected app')

    await page.goto(`${licet.issuer}/settings/apps`)
    await page.click('.vendor .danger')
    await page.locator('.notice.good').waitFor()
    assert.equal(await page.locator('.vendor').count(), 0)
    for (const [client, token] of [
      [app, next.refresh_token],
      [other, held.refresh_token],
    ] as const)
      assert.equal((await client.refresh(token)).body.error, 'invalid_grant')
    assert.equal((await app.introspect(next.access_token)).body.active, false)
    await ask(app)
    assert.deepEqual(visitor.complaints(), [])
  })

  it('without JavaScript, on a phone: less is allowed than was asked, and the next app is denied', async () => {
    const app = await newApp()
    const { page: on, complaints, close } = await visit({ javaScript: false, width: 360, height: 740 })
    await on.goto(authorizeUrl(app, { scope: EVERYTHING }))
    await signIn(on)
    await on.locator('.three').waitFor()
    await assertNoSidewaysScroll(on, 'consent')
    await on.uncheck('[value="llm:read"]')
    const tokens = await tokensAfter(app, press('allow'), on)
    assert.deepEqual(scopesOf(tokens), ['data:read', 'data:write', 'openid'])
    await ask(await newApp(), {}, on)
    assertDenied(await heard(press('deny'), on))
    assert.deepEqual(complaints(), [])
    await close()
  })
})
