/**
 * A person in real Chromium against the whole server: a passkey by a virtual authenticator is added, signs in, is deleted and then refused; the
 * settings are accessible and make the browser complain of nothing.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import {
  assertAccessible,
  assertNoSidewaysScroll,
  browserMissing,
  launchBrowser,
  newVisitor,
} from '../support/browser.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'

describe('a person in a browser', { skip: browserMissing() }, () => {
  let licet: Licet
  let browser: Browser
  before(async () => {
    licet = await startLicet()
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await licet?.close()
  })

  const signIn = async (page: Page, email: string): Promise<void> => {
    await page.goto(`${licet.issuer}/settings`)
    await page.fill('#email', email)
    await page.fill('#password', PASSWORD)
    await page.click('form[action$="/sign-in"] .primary')
  }
  const forgetSession = (page: Page) => page.context().clearCookies({ name: /licet_session/ })

  it('a passkey is added, signs in as phr, is deleted, and is then refused with words that help', async () => {
    const { email } = await newAccount(licet.core)
    const { page, context, complaints, close } = await newVisitor(browser)
    const devtools = await context.newCDPSession(page)
    await devtools.send('WebAuthn.enable')
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    await signIn(page, email)
    await page.waitForURL('**/settings')
    await page.goto(`${licet.issuer}/settings/security/passkeys/new`)
    await page.click('[data-passkey="create"] .primary')
    await page.waitForSelector('#recovery-codes')
    assert.equal(await page.locator('#recovery-codes li').count(), 10)
    await page.click('.panes a.primary')
    assert.match((await page.textContent('.row')) ?? '', /Chrome on Linux/)

    await forgetSession(page)
    await page.goto(`${licet.issuer}/settings/sessions`)
    // The browser may offer the passkey by itself (autofill); otherwise its button is pressed.
    await page.click('[data-passkey="get"] button', { timeout: 3000 }).catch(() => undefined)
    await page.waitForURL('**/settings/sessions')

    await page.goto(`${licet.issuer}/settings/security`)
    await page.click('form[action$="/remove"] button')
    await page.waitForURL('**/settings/security?done=removed')
    await forgetSession(page)
    await page.goto(`${licet.issuer}/settings`)
    await page.click('[data-passkey="get"] button', { timeout: 3000 }).catch(() => undefined)
    await page.waitForSelector('[role=alert]:not([hidden])')
    assert.match((await page.textContent('.notice.bad')) ?? '', /delete the old passkey on your device/)
    assert.deepEqual(complaints(), [])
    await close()
  })

  it('the settings are accessible, fit 360 px, and make the browser complain of nothing', async () => {
    const { email } = await newAccount(licet.core)
    const { page, complaints, close } = await newVisitor(browser, { width: 360, height: 740 })
    await signIn(page, email)
    for (const path of ['', '/security', '/sessions', '/activity', '/delete']) {
      await page.goto(`${licet.issuer}/settings${path}`)
      await assertNoSidewaysScroll(page, path)
      await assertAccessible(page, path)
    }
    assert.deepEqual(complaints(), [])
    await close()
  })
})
