/**
 * Developer pages in real Chromium against a real server: the form asks what belongs to the type, names the wrong line, shows the secret once, and
 * the app it made signs a person in.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import {
  assertAccessible,
  assertNoSidewaysScroll,
  browserMissing,
  launchBrowser,
  newVisitor,
  type Visitor,
} from '../support/browser.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'

let licet: Licet
let browser: Browser
let visitor: Visitor

async function enter(page: Page): Promise<void> {
  const { email } = await newAccount(licet.core)
  await page.goto(`${licet.issuer}/settings`)
  await page.fill('#email', email)
  await page.fill('#password', PASSWORD)
  await page.click('.primary')
  await page.click('.sections a[href="/developer/apps"]')
  await page.click('a.primary')
}

describe('developer pages in a browser', { skip: browserMissing() }, () => {
  before(async () => {
    licet = await startLicet()
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

  it('the type decides what is asked: no redirect URIs for a service, no secret for a browser app', async () => {
    const { page } = visitor
    await enter(page)
    const asks = async (type: string) => {
      await page.check(`[name=type][value=${type}]`)
      return [await page.locator('#redirect_uris').isVisible(), await page.locator('[name=auth]').first().isVisible()]
    }
    assert.deepEqual(await asks('web'), [true, true])
    assert.deepEqual(await asks('spa'), [true, false])
    assert.deepEqual(await asks('native'), [true, false])
    assert.deepEqual(await asks('device'), [false, false])
    assert.deepEqual(await asks('service'), [false, true])
    assert.equal(await page.locator('#jwks').isVisible(), false)
    await page.check('[value=private_key_jwt]')
    assert.equal(await page.locator('#jwks').isVisible(), true)
  })

  it('a wrong line is named, the right ones are kept; then the secret is shown once, and the first line leads to consent', async () => {
    const { page } = visitor
    await enter(page)
    await page.fill('#name', 'Notes')
    await page.fill('#redirect_uris', `${licet.issuer}/signed-in\nhttps://*.example.test/cb`)
    await page.check('[name=type][value=native]')
    await page.check('[name=scope][value="data:read"]')
    await page.click('form .primary')
    await page.locator('[role=alert]:focus').waitFor()
    assert.match(await page.locator('.verdicts .no').innerText(), /\*/)
    assert.equal(await page.locator('.verdicts .yes').count(), 1)
    await assertAccessible(page, 'a wrong redirect URI')
    await page.fill('#redirect_uris', `${licet.issuer}/signed-in`)
    await page.check('[name=type][value=web]')
    await page.click('form .primary')
    const secret = await page.locator('#secret').innerText()
    assert.match(secret, /^licet_cs_/)
    const address = /"(http[^"]*)\$challenge"/.exec(await page.locator('#step-0').innerText())?.[1] ?? ''
    await page.click('main > .shell a.primary')
    await page.locator('#remove-name').waitFor()
    assert.ok(!(await page.content()).includes(secret))
    await assertAccessible(page, 'an app')
    await assertNoSidewaysScroll(page, 'an app')
    await page.goto(address + 'c'.repeat(43))
    await page.locator('[name=decision][value=allow]').click()
    await page.waitForURL(/\/signed-in\?.*code=/)
  })

  it('the secret of an app is rotated while somebody uses the old one: the page says who, and the old one ends when its developer says so', async () => {
    const { page } = visitor
    await enter(page)
    await page.check('[name=type][value=service]')
    await page.fill('#name', 'Nightly')
    await page.click('form .primary')
    const old = await page.locator('#secret').innerText()
    const clientId = await page.locator('#client-id').innerText()
    const ask = async (secret: string, agent: string) => {
      const authorization = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`
      const body = new URLSearchParams({ grant_type: 'client_credentials' })
      const headers = { authorization, 'user-agent': agent }
      return (await fetch(`${licet.issuer}/token`, { method: 'POST', headers, body })).status
    }
    await page.click('main > .shell a.primary')
    await page.click('a[href$="/secrets"]')
    await page.click('form .primary')
    const fresh = await page.locator('#secret').innerText()
    await page.reload()
    assert.ok(!(await page.content()).includes(fresh), 'AK6: shown once')
    assert.deepEqual([await ask(old, 'late-job/1'), await ask(fresh, 'new-job/2')], [200, 200])
    await page.goto(`${licet.issuer}/developer/apps/${clientId}/secrets`)
    await page.locator('.rotating .row', { hasText: 'late-job/1' }).waitFor()
    await page.locator('.chart').waitFor()
    await assertAccessible(page, 'the secrets of an app')
    await assertNoSidewaysScroll(page, 'the secrets of an app')
    await page.click('.rotating button')
    await page.locator('.notice.good').waitFor()
    assert.deepEqual([await ask(old, 'late-job/1'), await ask(fresh, 'new-job/2')], [401, 200])
    assert.deepEqual(visitor.complaints(), [])
  })

  it('without JavaScript, on a phone: registered, and removed by typing its name', async () => {
    await visitor.close()
    visitor = await newVisitor(browser, { javaScript: false, width: 360, height: 740 })
    const { page } = visitor
    await enter(page)
    await page.check('[name=type][value=device]')
    await page.fill('#name', 'Remote')
    await page.click('form .primary')
    await page.locator('.notice.good').waitFor()
    await assertNoSidewaysScroll(page, 'an app on a phone')
    await page.fill('#remove-name', 'Remote')
    await page.click('form[action$="/remove"] button')
    await page.locator('.notice.good').waitFor()
    assert.deepEqual(visitor.complaints(), [])
  })
})
