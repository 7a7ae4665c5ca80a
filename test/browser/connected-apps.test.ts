/**
 * Connected apps in real Chromium against a real server: an app is let in, allowed less, and stopped by one press; it is out before the page is back.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type AppClient, registerApp } from '../support/app-client.ts'
import {
  assertAccessible,
  assertNoSidewaysScroll,
  browserMissing,
  launchBrowser,
  newVisitor,
} from '../support/browser.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'

let licet: Licet
let browser: Browser
let app: AppClient

async function enter(page: Page, email: string): Promise<void> {
  await page.goto(`${licet.issuer}/settings/apps`)
  await page.fill('#email', email)
  await page.fill('#password', PASSWORD)
  await page.click('.primary')
  await page.locator('.vendor').waitFor()
}

async function connected() {
  const { email } = await newAccount(licet.core)
  const code = await app.obtainCode(new Person(licet.issuer), email, { scope: 'openid data:read data:write' })
  return { email, tokens: (await app.redeem(code)).body }
}

describe('connected apps in a browser', { skip: browserMissing() }, () => {
  before(async () => {
    licet = await startLicet()
    app = await registerApp(licet)
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await licet?.close()
  })

  it('one press ends everything a vendor holds, before the page is back', async () => {
    const { email, tokens } = await connected()
    const visitor = await newVisitor(browser)
    const { page } = visitor
    await enter(page, email)
    await page.locator('.vendor', { hasText: new URL(app.redirectUri).host }).waitFor()
    await assertAccessible(page, 'connected apps')
    await assertNoSidewaysScroll(page, 'connected apps')
    await page.click('.vendor .danger')
    await page.locator('.notice.good').waitFor()
    assert.equal((await app.refresh(tokens.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await app.userinfo(tokens.access_token)).status, 401)
    assert.equal(await page.locator('.vendor').count(), 0)
    assert.deepEqual(visitor.complaints(), [])
    await visitor.close()
  })

  it('without JavaScript, on a phone: what is unticked is gone at the next refresh', async () => {
    const { email, tokens } = await connected()
    const visitor = await newVisitor(browser, { javaScript: false, width: 360, height: 740 })
    const { page } = visitor
    await enter(page, email)
    await page.click('.vendor a.button')
    await page.uncheck('[value="data:write"]')
    await page.click('section:has([name=scope]) button')
    await page.locator('.notice.good').waitFor()
    await assertNoSidewaysScroll(page, 'one connected app')
    assert.equal(await page.locator('[value="data:write"]').count(), 0)
    const next = await app.refresh(tokens.refresh_token)
    assert.doesNotMatch(String(next.body['scope']), /data:write/)
    await visitor.close()
  })
})
