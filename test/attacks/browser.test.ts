/**
 * Attacks that only a real browser can carry out or stop, in Chromium: frames, pictures and posts from other sites, markup, the content
 * security policy on the way to the app, the back button and double clicks (threats.md CS1–CS3, CS6, CS9, LO1, SS6).
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { type AppClient, registerApp } from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import { browserMissing, launchBrowser, newVisitor } from '../support/browser.ts'
import { type Licet, newAccount, PASSWORD, startLicet } from '../support/licet.ts'
import { type OtherSite, startSite } from '../support/other-site.ts'
import { eventually } from '../support/ports.ts'

describe('in Chromium', { skip: browserMissing() }, () => {
  let licet: Licet
  let browser: Browser
  /** The app, where it sends people on to, and somebody's own page. */
  let site: OtherSite
  let further: OtherSite
  let evil: OtherSite
  let app: AppClient

  before(async () => {
    ;[licet, browser, site, further, evil] = await Promise.all([
      startLicet(),
      launchBrowser(),
      startSite(),
      startSite('localhost'),
      startSite(),
    ])
    site.pages.set('/callback', `${further.origin}/welcome`)
    site.pages.set('/posted', '<!doctype html><title>posted</title><h1>Posted</h1>')
    further.pages.set('/welcome', '<!doctype html><title>welcome</title><h1>Welcome</h1>')
    const redirectUris = [`${site.origin}/callback`, `${site.origin}/posted`]
    const postLogoutRedirectUris = [`${site.origin}/callback`]
    app = {
      ...(await registerApp(licet, { redirectUris, postLogoutRedirectUris })),
      redirectUri: redirectUris[0] ?? '',
    }
  })
  after(async () => {
    await browser?.close()
    await Promise.all([licet, site, further, evil].map((one) => one?.close()))
  })

  async function signIn(page: Page, email: string): Promise<void> {
    await page.fill('input[name=email]', email)
    await page.fill('input[name=password]', PASSWORD)
    await page.click('form[action$="/sign-in"] button.primary')
    await page.waitForSelector('button[value=allow]')
  }

  async function visit(url: string, options: { javaScript?: boolean } = {}) {
    const visitor = await newVisitor(browser, options)
    visitor.page.setDefaultTimeout(8000)
    await visitor.page.goto(url)
    return visitor
  }

  /** A browser that is signed in, at the app it came for. */
  async function signedIn() {
    const { email } = await newAccount(licet.core)
    const visitor = await visit(authorizeUrl(app))
    await signIn(visitor.page, email)
    await visitor.page.click('button[value=allow]')
    await visitor.page.waitForURL(`${further.origin}/welcome`)
    return { ...visitor, email }
  }

  async function isSignedIn(page: Page): Promise<boolean> {
    await page.goto(authorizeUrl(app, { prompt: 'none' }))
    return site.to('/callback').at(-1)?.url.searchParams.get('error') !== 'login_required'
  }

  for (const javaScript of [true, false])
    test(`CS1 the policy lets a person through to an app that redirects again, with JavaScript ${javaScript ? 'on' : 'off'}`, async () => {
      const { email } = await newAccount(licet.core)
      const { page, complaints, close } = await visit(authorizeUrl(app), { javaScript })
      await signIn(page, email)
      await page.click('button[value=allow]')
      await page.waitForURL(`${further.origin}/welcome`)
      assert.deepEqual(complaints(), [])
      const arrived = site.to('/callback').at(-1)
      const code = arrived?.url.searchParams.get('code') ?? ''
      assert.equal(arrived?.url.searchParams.get('iss'), licet.issuer)
      // SS6: neither the app nor whoever it sends people to learns which page they came from.
      assert.equal(arrived?.referer, undefined)
      const tokens = await app.redeem({ code, verifier: VERIFIER }, { redirect_uri: app.redirectUri })
      assert.equal(tokens.status, 200, tokens.text)
      await page.goto(
        `${licet.issuer}/logout?${new URLSearchParams({ client_id: app.clientId, post_logout_redirect_uri: app.redirectUri })}`,
      )
      await page.click('button[name=logout]')
      await page.waitForURL(`${further.origin}/welcome`)
      assert.deepEqual(complaints(), [])
      await close()
    })

  test('CS1 refusing and cancelling reach the app as well', async () => {
    const { email } = await newAccount(licet.core)
    for (const way of ['cancel', 'deny']) {
      const { page, complaints, close } = await visit(authorizeUrl(app))
      if (way === 'deny') await signIn(page, email)
      await page.click(way === 'deny' ? '.three button[value=deny]' : 'form[action$="/deny"] button')
      await page.waitForURL(`${further.origin}/welcome`)
      assert.equal(site.to('/callback').at(-1)?.url.searchParams.get('error'), 'access_denied')
      assert.deepEqual(complaints(), [])
      await close()
    }
  })

  for (const javaScript of [true, false])
    test(`AZ2 an answer by form_post arrives as a post, with JavaScript ${javaScript ? 'on' : 'off'}`, async () => {
      const { email } = await newAccount(licet.core)
      const url = authorizeUrl(app, { response_mode: 'form_post', redirect_uri: `${site.origin}/posted` })
      const { page, complaints, close } = await visit(url, { javaScript })
      await signIn(page, email)
      await page.click('button[value=allow]')
      if (!javaScript) await page.click('button[type=submit]')
      await page.waitForURL(`${site.origin}/posted`)
      const arrived = site.to('/posted').at(-1)
      assert.equal(arrived?.method, 'POST')
      assert.ok(new URLSearchParams(arrived?.body).get('code'))
      assert.deepEqual(complaints(), [])
      await close()
    })

  test('CS1: no page of ours is shown in a frame of another site', async () => {
    const { page, close } = await signedIn()
    const paths = [
      authorizeUrl(app),
      authorizeUrl(app, { prompt: 'login' }),
      `${licet.issuer}/`,
      `${licet.issuer}/device`,
      `${licet.issuer}/logout`,
      `${licet.issuer}/nowhere`,
    ]
    for (const path of paths) {
      const quoted = path.replaceAll('&', '&amp;')
      evil.pages.set(
        '/frame',
        `<!doctype html><iframe src="${quoted}"></iframe><object data="${quoted}"></object><embed src="${quoted}">`,
      )
      await page.goto(`${evil.origin}/frame`, { waitUntil: 'load' })
      assert.ok(page.frames().length > 1)
      for (const frame of page.frames().slice(1)) {
        assert.doesNotMatch(frame.url(), /^http:\/\/localhost/, `${path} is shown in a frame`)
        assert.equal(
          await frame
            .locator('form, input, button')
            .count()
            .catch(() => 0),
          0,
          path,
        )
      }
    }
    await close()
  })

  test('LO1: pictures, frames, scripts, links and posts of another site sign nobody out', async () => {
    const { page, close } = await signedIn()
    const out = `${licet.issuer}/logout`
    evil.pages.set(
      '/pictures',
      `<!doctype html><img src="${out}"><img src="${out}/confirm?logout=yes"><iframe src="${out}"></iframe><script src="${out}"></script><link rel="stylesheet" href="${out}"><script>fetch('${out}/confirm', { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams('logout=yes') }); fetch('${out}', { mode: 'no-cors', credentials: 'include' })</script>`,
    )
    await page.goto(`${evil.origin}/pictures`, { waitUntil: 'networkidle' })
    assert.equal(await isSignedIn(page), true)
    for (const path of ['/logout/confirm', '/logout']) {
      evil.pages.set(
        '/post',
        `<!doctype html><form method="post" action="${licet.issuer}${path}"><input name="logout" value="yes"><input name="csrf" value=""></form><script>document.forms[0].submit()</script>`,
      )
      await page.goto(`${evil.origin}/post`)
      await page.waitForURL(`${licet.issuer}/**`)
      assert.equal(await isSignedIn(page), true, path)
    }
    await page.goto(out)
    await page.click('button[name=logout]')
    assert.equal(await isSignedIn(page), false, 'a click signs out')
    await close()
  })

  test('CS3: a form of another site signs nobody in as the attacker', async () => {
    const attacker = await newAccount(licet.core)
    const own = await visit(authorizeUrl(app))
    const action = await own.page.getAttribute('form[action$="/sign-in"]', 'action')
    const csrf = await own.page.getAttribute('form[action$="/sign-in"] input[name=csrf]', 'value')
    const { page, close } = await visit(authorizeUrl(app))
    evil.pages.set(
      '/sign-in',
      `<!doctype html><form method="post" action="${licet.issuer}${action}"><input name="csrf" value="${csrf}"><input name="email" value="${attacker.email}"><input name="password" value="${PASSWORD}"></form><script>document.forms[0].submit()</script>`,
    )
    const [answer] = await Promise.all([
      page.waitForResponse(
        (response) => response.url().startsWith(licet.issuer) && response.request().method() === 'POST',
      ),
      page.goto(`${evil.origin}/sign-in`),
    ])
    assert.equal(answer.status(), 403)
    await page.waitForLoadState()
    assert.equal(await isSignedIn(page), false)
    await Promise.all([close(), own.close()])
  })

  test('CS2: a form of another site consents to nothing, not even with the right address', async () => {
    const { email } = await newAccount(licet.core)
    const { page, context, close } = await visit(authorizeUrl(app))
    await signIn(page, email)
    const action = await page.getAttribute('form[action$="/consent"]', 'action')
    const csrf = await page.getAttribute('form[action$="/consent"] input[name=csrf]', 'value')
    for (const token of ['', csrf]) {
      evil.pages.set(
        '/consent',
        `<!doctype html><form method="post" action="${licet.issuer}${action}"><input name="csrf" value="${token}"><input name="decision" value="allow"></form><script>document.forms[0].submit()</script>`,
      )
      const other = await context.newPage()
      const [answer] = await Promise.all([
        other.waitForResponse(
          (response) => response.url().startsWith(licet.issuer) && response.request().method() === 'POST',
        ),
        other.goto(`${evil.origin}/consent`),
      ])
      assert.equal(answer.status(), 403)
      await other.close()
    }
    await page.click('button[value=allow]')
    await page.waitForURL(`${further.origin}/welcome`)
    await close()
  })

  test('CS9: markup in names, hints and errors stays text; nothing of it runs or is fetched', async () => {
    const markup = `"><img src="${evil.origin}/pixel"><script>document.title='owned'</script>`
    const account = await newAccount(licet.core, undefined, { name: `Eve ${markup.slice(0, 40)}` })
    const named = {
      ...(await registerApp(licet, { name: `Notes <b>x</b> ${markup}`.slice(0, 60), redirectUris: [app.redirectUri] })),
      redirectUri: app.redirectUri,
    }
    const { page, complaints, close } = await visit(authorizeUrl(named, { login_hint: markup, ui_locales: markup }))
    const shown = async (what: string) => {
      assert.notEqual(await page.title(), 'owned', what)
      assert.equal(await page.locator('img[src*="pixel"], h1 b, bdi b').count(), 0, what)
      assert.deepEqual(
        complaints().filter((line) => !/status of 4\d\d/.test(line)),
        [],
        what,
      )
    }
    await shown('sign-in')
    assert.equal(await page.inputValue('input[name=email]'), markup)
    await page.fill('input[name=email]', markup)
    await page.fill('input[name=password]', 'wrong')
    await page.click('form[action$="/sign-in"] button.primary')
    await shown('the refused sign-in')
    await signIn(page, account.email)
    await shown('consent')
    for (const path of [
      authorizeUrl({ ...named, clientId: markup }),
      `${licet.issuer}/${encodeURIComponent(markup)}`,
      `${licet.issuer}/device?user_code=${encodeURIComponent(markup)}`,
      `${licet.issuer}/logout?id_token_hint=${encodeURIComponent(markup)}`,
    ]) {
      await page.goto(path)
      await shown(path)
    }
    assert.equal(evil.to('/pixel').length, 0)
    await close()
  })

  test('CS6: a double click on Allow is one consent, and Back afterwards neither repeats it nor breaks', async () => {
    const { email } = await newAccount(licet.core)
    const { page, close } = await visit(authorizeUrl(app))
    const statuses: number[] = []
    page.on('response', (response) => {
      if (response.url().startsWith(licet.issuer)) statuses.push(response.status())
    })
    await signIn(page, email)
    const before = site.to('/callback').length
    await page.dblclick('button[value=allow]')
    await page.waitForURL(`${further.origin}/welcome`)
    const arrivals = () =>
      site
        .to('/callback')
        .slice(before)
        .filter(({ url }) => url.searchParams.has('code'))
    assert.equal(arrivals().length, 1)
    for (let step = 0; step < 3; step++) await page.goBack({ timeout: 3000 }).catch(() => undefined)
    assert.equal(arrivals().length, 1, 'no second code')
    assert.deepEqual(
      statuses.filter((status) => status >= 500),
      [],
    )
    const tokens = await app.redeem(
      { code: arrivals()[0]?.url.searchParams.get('code') ?? '', verifier: VERIFIER },
      { redirect_uri: app.redirectUri },
    )
    assert.equal(tokens.status, 200, tokens.text)
    await close()
  })

  test('RC7: two tabs of one browser both finish', async () => {
    const { email } = await newAccount(licet.core)
    const other = { ...(await registerApp(licet, { redirectUris: [app.redirectUri] })), redirectUri: app.redirectUri }
    const { page, context, close } = await visit(authorizeUrl(app, { state: 'left' }))
    const right = await context.newPage()
    await right.goto(authorizeUrl(other, { state: 'right' }))
    await signIn(page, email)
    await signIn(right, email)
    await page.click('button[value=allow]')
    await page.waitForURL(`${further.origin}/welcome`)
    await right.click('button[value=allow]')
    await right.waitForURL(`${further.origin}/welcome`)
    for (const state of ['left', 'right'])
      await eventually(`the tab ${state} came through`, () =>
        site.to('/callback').some(({ url }) => url.searchParams.get('state') === state && url.searchParams.has('code')),
      )
    assert.equal(await isSignedIn(page), true)
    await close()
  })

  test('DV3: a link with a device code in it is a filled-in form and no more', async () => {
    const device = await registerApp(licet, { type: 'device', name: 'Television' })
    const { body } = await device.post('/device_authorization', {})
    const { page, complaints, close } = await visit(String(body['verification_uri_complete']))
    assert.equal(await page.inputValue('input[name=user_code]'), body['user_code'])
    assert.equal(await page.locator('button[value=allow]').count(), 0)
    await page.click('form[action="/device"] button')
    await page.waitForSelector('button[value=allow]')
    assert.match((await page.textContent('main')) ?? '', /Television/)
    assert.deepEqual(complaints(), [])
    await close()
  })

  test('RU5: the way to an unchecked app that made a mistake is a link, and the link works', async () => {
    const owner = await newAccount(licet.core)
    const fields = { ownerId: owner.id, scopes: [], redirectUris: [app.redirectUri] } as Parameters<
      typeof registerApp
    >[1]
    const own = { ...(await registerApp(licet, fields)), redirectUri: app.redirectUri }
    const { page, complaints, close } = await visit(authorizeUrl(own, { prompt: 'dance', state: 'mistake' }))
    assert.equal(new URL(page.url()).origin, licet.issuer)
    assert.deepEqual(
      complaints().filter((line) => !/status of 400/.test(line)),
      [],
    )
    await page.click('main a.button')
    await page.waitForURL(`${further.origin}/welcome`)
    const arrived = site.to('/callback').at(-1)
    assert.equal(arrived?.url.searchParams.get('error'), 'invalid_request')
    assert.equal(arrived?.url.searchParams.get('state'), 'mistake')
    await close()
  })
})
