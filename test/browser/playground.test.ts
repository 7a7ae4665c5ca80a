/**
 * The newcomer's first two minutes in real Chromium against a real server: from the playground through sign-in to tokens, and what
 * can be done with them. Also the attacks that a browser app must withstand: an answer it did not ask for, or from somebody else.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import {
  assertAccessible,
  assertNoSidewaysScroll,
  browserMissing,
  keepScreenshot,
  launchBrowser,
  newVisitor,
  type Visitor,
} from '../support/browser.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'

const EMAIL = 'ada@example.test'
let licet: Licet
let browser: Browser
let visitor: Visitor

/** From the first page to tokens; the page is signed in afterwards. */
async function getTokens(page: Page): Promise<void> {
  await page.goto(`${licet.issuer}/playground`)
  await page.click('#start')
  await page.fill('#email', EMAIL)
  await page.fill('#password', PASSWORD)
  await page.click('.primary')
  await page.click('[name=decision][value=allow]')
  await page.locator('[data-token=access_token] [data-signature].good').waitFor()
}

const claims = (page: Page, token: string) => page.locator(`[data-token=${token}] [data-claims]`).innerText()
const newestExchange = (page: Page) => page.locator('.exchange').first()

describe('the playground in a browser', { skip: browserMissing() }, () => {
  before(async () => {
    licet = await startLicet()
    await newAccount(licet.core, EMAIL)
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await licet?.close()
  })
  beforeEach(async () => {
    visitor = await newVisitor(browser)
  })
  afterEach(() => visitor.close())

  it('leads from the first page to tokens whose signature the browser has checked', async () => {
    const { page } = visitor
    await getTokens(page)
    assert.equal(page.url(), `${licet.issuer}/playground`, 'the code has left the address bar')
    assert.match(await claims(page, 'access_token'), new RegExp(`iss\\s+${licet.issuer}`))
    assert.match(await claims(page, 'id_token'), /aud\s+playground/)
    assert.equal(await page.locator('[data-token=refresh_token]').isVisible(), true)
    await assertAccessible(page, 'playground with tokens')
    assert.deepEqual(visitor.complaints(), [])
  })

  it('uses, refreshes and revokes the tokens, and shows each exchange as curl', async () => {
    const { page } = visitor
    await getTokens(page)
    const before = await claims(page, 'access_token')
    await page.click('[data-deed=userinfo]')
    await page.locator('.exchange', { hasText: '/userinfo' }).waitFor()
    assert.match(
      await newestExchange(page).innerText(),
      /curl -sS 'http:\/\/localhost:\d+\/userinfo'[\s\S]*Bearer ey[\s\S]*"email": "ada@example.test"/,
    )
    await page.click('[data-deed=introspect]')
    await newestExchange(page).locator('text="active": true').waitFor()
    await page.click('[data-deed=refresh]')
    await page.locator('#news.good', { hasText: 'New tokens' }).waitFor()
    assert.notEqual(await claims(page, 'access_token'), before)
    await page.click('[data-deed=revoke]')
    await page.locator('#news.good', { hasText: 'Revoked' }).waitFor()
    await page.click('[data-deed=introspect]')
    await newestExchange(page).locator('text="active": false').waitFor()
    await page.click('[data-deed=refresh]')
    await page.locator('#news.warn', { hasText: 'invalid_grant' }).waitFor()
    await page.click('[data-deed=start_over]')
    assert.equal(await page.locator('#ask').isVisible(), true)
    assert.equal(await page.locator('#tokens').isVisible(), false)
  })

  it('looks right with tokens, wide and narrow', async () => {
    const { page } = visitor
    await getTokens(page)
    await assertNoSidewaysScroll(page, 'playground with tokens')
    await keepScreenshot(page, 'playground-tokens-light', 'once')
    await page.setViewportSize({ width: 360, height: 740 })
    await assertNoSidewaysScroll(page, 'playground with tokens, narrow')
    await page.setViewportSize({ width: 1280, height: 860 })
    await page.emulateMedia({ colorScheme: 'dark' })
    await assertAccessible(page, 'playground with tokens, dark', ['color-contrast'])
  })

  it('keeps no token where another page or a later visit could read it', async () => {
    const { page } = visitor
    await getTokens(page)
    assert.equal(await page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])'), '[{},{}]')
    assert.doesNotMatch(await page.evaluate<string>('document.cookie'), /ey/)
    await page.reload()
    await page.locator('#ask').waitFor()
    assert.equal(await page.locator('#tokens').isVisible(), false)
  })

  it('attack: a code that this tab did not ask for is thrown away unused (login CSRF, RFC 9700 §4.7)', async () => {
    const { page } = visitor
    const spent: string[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/token')) spent.push(request.url())
    })
    const query = new URLSearchParams({ code: 'stolen', state: 'guess', iss: licet.issuer })
    await page.goto(`${licet.issuer}/playground/callback?${query}`)
    await page.locator('#news.bad').waitFor()
    assert.deepEqual(spent, [])
  })

  it('attack: an answer in the name of another issuer is thrown away unused (mix-up, RFC 9207)', async () => {
    const { page } = visitor
    await page.route('**/authorize?*', (route) => {
      const state = new URL(route.request().url()).searchParams.get('state') ?? ''
      const query = new URLSearchParams({ code: 'stolen', state, iss: 'https://evil.example' })
      return route.fulfill({ status: 303, headers: { location: `/playground/callback?${query}` } })
    })
    const spent: string[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/token')) spent.push(request.url())
    })
    await page.goto(`${licet.issuer}/playground`)
    await page.click('#start')
    await page.locator('#news.bad').waitFor()
    assert.deepEqual(spent, [])
  })

  it('attack: markup in an error description stays text', async () => {
    const { page } = visitor
    await page.route('**/authorize?*', (route) => {
      const state = new URL(route.request().url()).searchParams.get('state') ?? ''
      const query = new URLSearchParams({
        error: 'access_denied',
        error_description: '<img src=x>',
        state,
        iss: licet.issuer,
      })
      return route.fulfill({ status: 303, headers: { location: `/playground/callback?${query}` } })
    })
    await page.goto(`${licet.issuer}/playground`)
    await page.click('#start')
    await page.locator('#news.bad', { hasText: '<img src=x>' }).waitFor()
    assert.equal(await page.locator('#playground img').count(), 0)
  })
})
