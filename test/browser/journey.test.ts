/**
 * The whole life of an account in real Chromium, from sign-up to deletion, once with a passkey and once without JavaScript. Every page on the way is
 * accessible in light and dark, fits 360 px, and makes the browser complain of nothing.
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
  type Visitor,
} from '../support/browser.ts'
import { type Licet, startLicet } from '../support/licet.ts'
import { readQr } from '../support/qr.ts'
import { codeOf } from '../support/totp.ts'

const FIRST = 'a quiet evening by the lake'
const SECOND = 'another morning in the hills'

type Visited = Visitor & { readonly runsScripts: boolean }

describe('the life of an account in a browser', { skip: browserMissing() }, () => {
  let licet: Licet
  let browser: Browser
  let ahead = 0
  const now = () => Date.now() + ahead
  before(async () => {
    licet = await startLicet({ now })
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await licet?.close()
  })

  /** The newest mail to that address. */
  async function mailTo(email: string): Promise<{ text: string; links: string[] }> {
    const answer = await fetch(`${licet.issuer}/dev/mailbox.json`)
    const mails = (await answer.json()) as { to: string; text: string; links: string[] }[]
    const mail = mails.find(({ to }) => to === email)
    assert.ok(mail, `a mail to ${email}`)
    return mail
  }

  /** A code that was not used before: time moves on by one step. */
  function nextCode(key: string): string {
    ahead += 30_000
    return codeOf(key, now())
  }

  const settle = (page: Page, path: string) => page.waitForURL((url) => url.pathname === path)

  /** axe is a script: without JavaScript only what the browser itself says is looked at. */
  async function look({ page, complaints, runsScripts }: Visited, name: string): Promise<void> {
    if (runsScripts) await assertAccessible(page, name)
    await page.setViewportSize({ width: 360, height: 740 })
    await page.emulateMedia({ colorScheme: 'dark' })
    await assertNoSidewaysScroll(page, name)
    if (runsScripts) await assertAccessible(page, `${name} in dark`, ['color-contrast'])
    await page.emulateMedia({ colorScheme: 'light' })
    await page.setViewportSize({ width: 1280, height: 860 })
    assert.deepEqual(complaints(), [], name)
  }

  async function signUp(visitor: Visited, email: string): Promise<void> {
    const { page } = visitor
    await page.goto(`${licet.issuer}/settings`)
    await page.click('a[href^="/signup"]')
    await look(visitor, 'sign-up')
    await page.fill('#name', 'Grace Hopper')
    await page.fill('#email', email)
    if (visitor.runsScripts) await seeStrength(page)
    await page.fill('#password', FIRST)
    await page.click('main button.primary')
    await settle(page, '/verify')
    await look(visitor, 'verify')
    await page.fill('#code', /\b\d{6}\b/.exec((await mailTo(email)).text)?.[0] ?? '')
    await page.click('main button.primary')
    await look(visitor, 'verified')
    await page.click('main a.primary')
    await givePassword(page, email, FIRST)
    await settle(page, '/settings')
    await look(visitor, 'profile')
  }

  /** The meter beside a new password, as it is typed. */
  async function seeStrength(page: Page): Promise<void> {
    const said = page.locator('[data-strength] span')
    await page.fill('#password', 'password123')
    await said.filter({ hasText: 'Easy to guess' }).waitFor()
    await page.fill('#password', FIRST)
    await said.filter({ hasText: /strong$/i }).waitFor()
  }

  async function givePassword(page: Page, email: string, password: string): Promise<void> {
    // Whoever is signed in proves it again under the address that stands there.
    if (await page.locator('#email').isEditable()) await page.fill('#email', email)
    await page.fill('#password', password)
    await page.click('form[action$="/sign-in"] button.primary')
  }

  /** The key of the authenticator app as the QR code gives it, and the ten recovery codes. */
  async function enrol(visitor: Visited): Promise<{ key: string; codes: string[] }> {
    const { page } = visitor
    await page.goto(`${licet.issuer}/settings/security`)
    await look(visitor, 'security')
    await page.click('form[action$="/totp"] button')
    await settle(page, '/settings/security/totp')
    await look(visitor, 'totp')
    const uri = new URL(await readQr(page.locator('.qr')))
    assert.equal(uri.protocol, 'otpauth:')
    const key = uri.searchParams.get('secret') ?? ''
    await page.fill('#code', nextCode(key))
    await page.click('main form button.primary')
    await page.waitForSelector('#recovery-codes')
    await look(visitor, 'recovery codes')
    const codes = await page.locator('#recovery-codes li').allTextContents()
    assert.equal(codes.length, 10)
    await page.click('main a.primary')
    await settle(page, '/settings/security')
    return { key, codes: codes.map((code) => code.trim()) }
  }

  async function signOut(visitor: Visited): Promise<void> {
    const { page } = visitor
    await page.goto(`${licet.issuer}/settings`)
    await page.click('.who a[href="/logout"]')
    await look(visitor, 'sign-out')
    await page.click('main form button')
    await page.goto(`${licet.issuer}/settings`)
    await page.waitForSelector('#password')
  }

  async function giveCode(visitor: Visited, code: string, name = 'code'): Promise<void> {
    const { page } = visitor
    await page.waitForSelector(`#${name}`)
    await look(visitor, `second factor: ${name}`)
    await page.fill(`#${name}`, code)
    await page.click('main form button.primary')
  }

  /** The password, then the app, whichever way the page proposes first. */
  async function signInWithApp(
    visitor: Visited,
    person: { email: string; password: string; key: string },
  ): Promise<void> {
    const { page } = visitor
    await givePassword(page, person.email, person.password)
    await page.waitForSelector('a[href*="way="]')
    if ((await page.locator('#code').count()) === 0) await page.click('a[href$="way=totp"]')
    await giveCode(visitor, nextCode(person.key))
  }

  async function resetPassword(visitor: Visited, email: string): Promise<void> {
    const { page } = visitor
    await page.click('a[href^="/recover"]')
    await look(visitor, 'recover')
    await page.fill('#email', email)
    await page.click('main button.primary')
    await look(visitor, 'recover sent')
    const [link = ''] = (await mailTo(email)).links
    await page.goto(link)
    await settle(page, '/recover/new')
    await look(visitor, 'new password')
    await page.fill('#password', SECOND)
    await page.click('main button.primary')
    await look(visitor, 'recovered')
    await page.click('main a.primary')
  }

  async function leave(visitor: Visited, email: string): Promise<void> {
    const { page } = visitor
    await page.goto(`${licet.issuer}/settings/delete`)
    await look(visitor, 'delete')
    await page.fill('#email', email)
    await page.click('form[action="/settings/delete"] button.danger')
    await page.waitForSelector('.calm')
    await look(visitor, 'left')
    await page.goto(`${licet.issuer}/settings`)
    await givePassword(page, email, SECOND)
    await page.waitForSelector('[role=alert]')
    assert.equal((await licet.core.accounts.findByEmail(email))?.status, 'leaving')
  }

  /** With a recovery code: inside, but not trusted with what protects the account. */
  async function signInWithRecoveryCode(visitor: Visited, email: string, code: string): Promise<void> {
    const { page } = visitor
    await givePassword(page, email, FIRST)
    await page.click('a[href$="way=recovery_code"]')
    await giveCode(visitor, code, 'recovery_code')
    await settle(page, '/settings')
    await page.goto(`${licet.issuer}/settings/security/passkeys/new`)
    await settle(page, '/settings/recovered')
    await look(visitor, 'a recovery code is not enough')
    await page.click('main a.primary')
  }

  it('from sign-up to deletion without JavaScript', async () => {
    const email = 'grace@example.test'
    const visitor = { ...(await newVisitor(browser, { javaScript: false })), runsScripts: false }
    const { page, close } = visitor
    await signUp(visitor, email)
    const { key, codes } = await enrol(visitor)
    await signOut(visitor)
    await signInWithApp(visitor, { email, password: FIRST, key })
    await settle(page, '/settings')
    await signOut(visitor)
    await signInWithRecoveryCode(visitor, email, codes[0] ?? '')
    await signInWithApp(visitor, { email, password: FIRST, key })
    await settle(page, '/settings/security/passkeys/new')
    // The sign-in is old by now: what is sensitive asks again, and goes on where it was.
    ahead += 16 * 60_000
    await page.goto(`${licet.issuer}/settings/email`)
    await look(visitor, 'step-up')
    await signInWithApp(visitor, { email, password: FIRST, key })
    await settle(page, '/settings/email')
    await look(visitor, 'e-mail')
    await signOut(visitor)
    await resetPassword(visitor, email)
    await signInWithApp(visitor, { email, password: SECOND, key })
    await settle(page, '/settings')
    await leave(visitor, email)
    await close()
  })

  it('from sign-up to deletion with a passkey', async () => {
    const email = 'katherine@example.test'
    const visitor = { ...(await newVisitor(browser)), runsScripts: true }
    const { page, context, close } = visitor
    const devtools = await context.newCDPSession(page)
    await devtools.send('WebAuthn.enable')
    const options = {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    } as const
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', { options })
    /** As somebody who answers, or dismisses, what the browser offers by itself. */
    const answering = (enabled: boolean) =>
      devtools.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled })
    /** The browser may offer the passkey by itself (autofill); otherwise its button is pressed. */
    const usePasskey = async (path: string) => {
      await page.click('[data-passkey="get"] button', { timeout: 2000 }).catch(() => undefined)
      await settle(page, path)
    }
    await signUp(visitor, email)
    const { key } = await enrol(visitor)
    await page.goto(`${licet.issuer}/settings/security/passkeys/new`)
    await look(visitor, 'add a passkey')
    await page.click('[data-passkey="create"] button.primary')
    await page.waitForURL('**/settings/security?done=passkey')
    await answering(false)
    await signOut(visitor)
    await look(visitor, 'sign-in with a passkey')
    await answering(true)
    await page.goto(`${licet.issuer}/settings/sessions`)
    await usePasskey('/settings/sessions')
    ahead += 16 * 60_000
    await page.goto(`${licet.issuer}/settings/delete`)
    await usePasskey('/settings/delete')
    await answering(false)
    await signOut(visitor)
    await resetPassword(visitor, email)
    await signInWithApp(visitor, { email, password: SECOND, key })
    await settle(page, '/settings')
    await leave(visitor, email)
    await close()
  })
})
