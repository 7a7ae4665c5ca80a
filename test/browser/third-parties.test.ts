/**
 * What third parties bring, in real Chromium against a real server: a developer gives an app words and a logo and previews its consent page, brings an
 * MCP server, and an administrator suspends the app; all without a complaint of the browser.
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
import { type Licet, newAccount, operator, PASSWORD, startLicet } from '../support/licet.ts'
import { png } from '../support/pictures.ts'

let licet: Licet
let browser: Browser

async function enter(page: Page, path: string, more: object = {}) {
  const account = await newAccount(licet.core, undefined, more)
  await page.goto(licet.issuer + path)
  await page.fill('#email', account.email)
  await page.fill('#password', PASSWORD)
  await page.click('.primary')
  await page.waitForURL((url) => url.pathname === path)
  return account
}

describe('what third parties bring, in a browser', { skip: browserMissing() }, () => {
  before(async () => {
    licet = await startLicet()
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await licet?.close()
  })

  it('an app gets words and a logo, is previewed as people will see it, and is suspended by an administrator', async () => {
    const visitor = await newVisitor(browser, { width: 360, height: 740 })
    const { page } = visitor
    const { id: ownerId } = await enter(page, '/developer/apps')
    const wanted = {
      name: 'Notes',
      type: 'spa',
      redirectUris: ['https://notes.example/cb'],
      scopes: ['data:read'],
    } as const
    const { app } = await licet.core.apps.create(operator, { ...wanted, ownerId })
    await page.goto(`${licet.issuer}/developer/apps/${app.clientId}/face`)
    await page.fill('#description', 'Takes notes')
    await page.click('form[action$="/face"] button')
    await page.locator('.notice.good').waitFor()
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    await page.setInputFiles('#logo', { name: 'logo.png', mimeType: 'image/png', buffer: svg })
    await page.click('form[action$="/logo"] button')
    await page.locator('#logo-problem').waitFor()
    await page.setInputFiles('#logo', { name: 'logo.png', mimeType: 'image/png', buffer: png(8, 8) })
    await page.click('form[action$="/logo"] button')
    await page.locator('img.tile').waitFor()
    await assertAccessible(page, 'what people see of an app')
    await assertNoSidewaysScroll(page, 'what people see of an app')
    await page.click('.rooms a[href$="/preview"]')
    await page.getByText('Takes notes').waitFor()
    const at = page.url()
    for (const button of await page.locator('.decide button').all()) await button.click()
    assert.equal(page.url(), at)
    await assertAccessible(page, 'a preview')
    const admin = await newVisitor(browser, {})
    await enter(admin.page, `/admin/apps/${app.clientId}`, { role: 'administrator' })
    await admin.page.fill('#suspend-reason', 'Reported')
    await admin.page.click('button.danger')
    await admin.page.locator('.notice.good').waitFor()
    await assertAccessible(admin.page, 'an app before an administrator')
    await page.goto(`${licet.issuer}/developer/apps/${app.clientId}`)
    await page.getByText('Reported').waitFor()
    assert.deepEqual([...visitor.complaints(), ...admin.complaints()], [])
    await visitor.close()
    await admin.close()
  })

  it('without JavaScript: an MCP server is brought, its metadata stands on the page, and it is removed', async () => {
    const visitor = await newVisitor(browser, { javaScript: false })
    const { page } = visitor
    await enter(page, '/developer/resources')
    await page.click('a.primary')
    await page.fill('#name', 'Search')
    await page.fill('#identifier', 'http://127.0.0.1:8931/mcp')
    await page.check('[name=scope][value="mcp:read"]')
    await page.click('form .primary')
    const metadata = JSON.parse(await page.locator('#metadata').innerText())
    assert.deepEqual([metadata.resource, metadata.authorization_servers], ['http://127.0.0.1:8931/mcp', [licet.issuer]])
    await page.click('form[action$="/remove"] button')
    await page.locator('.notice.good').waitFor()
    assert.deepEqual(visitor.complaints(), [])
    await visitor.close()
  })
})
