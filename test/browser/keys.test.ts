/**
 * The life of an API key in real Chromium against a real server: made, copied, used, rotated while somebody still uses the old secret, retired,
 * revoked. What was shown once never comes back, by reload, Back or the browser's own memory.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { callApi } from '../support/api.ts'
import {
  assertAccessible,
  assertNoSidewaysScroll,
  browserMissing,
  launchBrowser,
  newVisitor,
  type Visitor,
} from '../support/browser.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'

const run = promisify(execFile)
let licet: Licet
let browser: Browser
let visitor: Visitor
let email: string

const me = async (token: string): Promise<number> =>
  (await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token })).status

async function enter(page: Page, path: string): Promise<void> {
  await page.goto(licet.issuer + path)
  await page.fill('#email', email)
  await page.fill('#password', PASSWORD)
  await page.click('.primary')
  await page.locator('.sections').waitFor()
}

/** Fills in and sends the form; the page shows the secret afterwards. */
async function make(page: Page, name: string): Promise<string> {
  await page.click('a.primary')
  await page.fill('#name', name)
  await page.check('[name=access][value=restricted]', { force: true })
  await page.check('[name=family_data][value=write]', { force: true })
  await page.click('form .primary')
  return page.locator('#secret').innerText()
}

/** The page's content once the browser has made up its mind: a page that it must not keep may become its own error page. */
async function settled(page: Page): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const content = await page.content().catch(() => undefined)
    if (content !== undefined) return content
    await page.waitForLoadState().catch(() => undefined)
  }
  throw new Error('the page does not settle')
}

describe('keys in a browser', { skip: browserMissing() }, () => {
  before(async () => {
    licet = await startLicet()
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await licet?.close()
  })
  beforeEach(async () => {
    email = (await newAccount(licet.core)).email
    visitor = await newVisitor(browser)
  })
  afterEach(() => visitor.close())

  it('a key is made, copied, used by the curl line that is shown, and listed by its hint alone', async () => {
    const { page, context } = visitor
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await enter(page, '/settings/keys')
    const secret = await make(page, 'Deploy')
    assert.match(secret, /^licet_key_[0-9A-Za-z]{38}$/)
    await page.click('[data-copy=secret]')
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), secret)
    await page.click('[data-copy=try]')
    const line = await page.evaluate<string>('navigator.clipboard.readText()')
    const { stdout } = await run('sh', ['-c', line.replace('curl ', 'curl -sS --max-time 10 ')])
    assert.equal(JSON.parse(stdout).account.email, email)
    await assertAccessible(page, 'a new key')
    await assertNoSidewaysScroll(page, 'a new key')
    await page.click('a.primary')
    await page.goto(`${licet.issuer}/settings/keys`)
    assert.ok(!(await page.content()).includes(secret))
    assert.ok((await page.content()).includes(secret.slice(-4)))
    assert.deepEqual(visitor.complaints(), [])
  })

  it('AK6: reload, Back and Forward never show a secret again, and make no second key', async () => {
    const { page } = visitor
    await enter(page, '/settings/keys')
    const secret = await make(page, 'Deploy')
    await page.reload()
    assert.ok(!(await page.content()).includes(secret))
    assert.match(page.url(), /\?done=repeated$/)
    const second = await make(page, 'Second')
    await page.click('a.primary')
    await page.locator('#revoke-name').waitFor()
    for (const step of ['goBack', 'goForward', 'goBack', 'goBack', 'goForward'] as const) {
      await page[step]({ timeout: 5000 }).catch(() => undefined)
      assert.ok(!(await settled(page)).includes(second), step)
    }
    await page.goto(`${licet.issuer}/settings/keys`)
    assert.equal(await page.locator('.row').count(), 2)
  })

  it('AK6: the page that shows a secret forgets it when it is left, for the browser may keep the page for its Back button', async () => {
    const { page } = visitor
    await enter(page, '/settings/keys')
    const secret = await make(page, 'Deploy')
    await page.evaluate(`dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))`)
    assert.ok(!(await page.content()).includes(secret))
  })

  it('rotated while somebody uses the old secret: the page says who, and the old one ends when its owner says so', async () => {
    const { page } = visitor
    await enter(page, '/settings/tokens')
    const old = await make(page, 'Editor')
    await page.click('a.primary')
    await page.click('a[href$="/rotate"]')
    await page.click('form .primary')
    const fresh = await page.locator('#secret').innerText()
    assert.notEqual(fresh, old)
    await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: old, headers: { 'user-agent': 'old-job/1.0' } })
    assert.deepEqual([await me(old), await me(fresh)], [200, 200])
    await page.click('a.primary')
    await page.locator('.rotating .row', { hasText: 'old-job/1.0' }).waitFor()
    await page.locator('.chart').waitFor()
    await assertAccessible(page, 'a key being rotated')
    await page.click('.rotating button')
    await page.locator('.notice.good').waitFor()
    await assert.doesNotReject(until(async () => (await me(old)) === 401))
    assert.equal(await me(fresh), 200)
    await page.fill('#revoke-name', 'Editor')
    await page.click('form[action$="/revoke"] button')
    await page.locator('.badge.bad').waitFor()
    await assert.doesNotReject(until(async () => (await me(fresh)) === 401))
    assert.deepEqual(visitor.complaints(), [])
  })

  it('allowed more on a page of its own, then rotated until it has been quiet, for a new life', async () => {
    const { page } = visitor
    await enter(page, '/settings/keys')
    const secret = await make(page, 'Deploy')
    await page.click('a.primary')
    await page.click('a[href$="/widen"]')
    await page.check('[name=scope][value="llm:read"]')
    await page.click('form .primary')
    await page.locator('[role=alert]:focus').waitFor()
    assert.ok(await page.isChecked('[name=scope][value="llm:read"]'), 'what was chosen is kept')
    await page.check('#confirm')
    await page.click('form .primary')
    await page.locator('.notice.good').waitFor()
    const { body } = await callApi(licet.issuer, 'GET', '/api/v1/accounts/me', { token: secret })
    assert.ok(body.scopes.includes('llm:read'))
    await page.click('a[href$="/rotate"]')
    assert.equal(await page.locator('#quiet_hours').isVisible(), false)
    await page.check('[name=overlap][value=quiet]', { force: true })
    await page.fill('#quiet_hours', '8')
    await page.selectOption('#life', '365')
    await assertAccessible(page, 'a rotation that waits for quiet')
    await page.click('form .primary')
    const fresh = await page.locator('#secret').innerText()
    await page.click('a.primary')
    await page.locator('.rotating', { hasText: '8 hours' }).waitFor()
    assert.ok(!(await page.content()).includes(fresh))
    assert.deepEqual(visitor.complaints(), [])
  })

  it('without JavaScript: made, shown, rotated and revoked all the same', async () => {
    await visitor.close()
    visitor = await newVisitor(browser, { javaScript: false, width: 360, height: 740 })
    const { page } = visitor
    await enter(page, '/settings/keys')
    const secret = await make(page, 'Deploy')
    assert.equal(await page.locator('[data-copy]:visible').count(), 0, 'a button that could do nothing')
    await page.click('a.primary')
    await page.fill('#revoke-name', 'Deploy')
    await page.click('form[action$="/revoke"] button')
    await page.locator('.badge.bad').waitFor()
    await assert.doesNotReject(until(async () => (await me(secret)) === 401))
  })
})

/** Within 1.5 seconds: a revocation reaches everywhere within one. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 1500
  while (!(await holds())) if (performance.now() > deadline) throw new Error('it did not come true in time')
}
