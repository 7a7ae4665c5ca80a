/**
 * Every view in real Chromium with the headers it really gets: no serious axe finding in light and dark, no console or CSP error,
 * no sideways scroll from 360 to 1280 px in any language, usable by keyboard alone and without JavaScript.
 * Keeps a picture of each page (light, dark, narrow) in `docs/screenshots`.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { shippedLocales } from '../../src/http/locale.ts'
import {
  assertAccessible,
  assertNoSidewaysScroll,
  browserMissing,
  keepScreenshot,
  launchBrowser,
  newVisitor,
  type Visitor,
  type VisitorOptions,
} from '../support/browser.ts'
import { createTestRenderer, type ShownPages, showPages } from '../support/pages.ts'
import { samples } from './samples.ts'

type SampleName = keyof typeof samples
const names = Object.keys(samples) as SampleName[]
/** One picture per view, and of the states that look most different. */
const photographed = new Set<SampleName>([
  ...names.filter((name) => names.find((other) => samples[other].view === samples[name].view) === name),
  'sign-in-wrong',
  'consent-unverified',
  'home-signed-in',
])

const renderer = createTestRenderer()
let browser: Browser
let shown: ShownPages

function draw(url: URL): string | undefined {
  const sample = samples[url.pathname.slice(1) as SampleName]
  const locale = url.searchParams.get('locale') ?? 'en'
  return (
    sample &&
    renderer.render(sample.view, sample.model, { locale, csrf: 'csrf-token', requestId: 'request-1', path: '/back' })
  )
}

/** Runs `look` on every page with one visitor and fails with everything that was found, not only the first. */
async function onEveryPage(
  options: VisitorOptions,
  look: (page: Page, name: SampleName) => Promise<void>,
  query = '',
): Promise<void> {
  const visitor = await newVisitor(browser, options)
  const found: string[] = []
  // Pictures stay the same from run to run: the playground's secrets are random.
  await visitor.page.addInitScript('crypto.getRandomValues = (bytes) => bytes.fill(7)')
  for (const name of names) {
    await visitor.page.goto(`${shown.url}/${name}${query}`)
    await look(visitor.page, name).catch((error: Error) => found.push(error.message))
    found.push(...visitor.complaints().map((complaint) => `${name}: ${complaint}`))
  }
  await visitor.close()
  assert.deepEqual(found, [])
}

async function visit(name: SampleName, options: VisitorOptions = {}): Promise<Visitor> {
  const visitor = await newVisitor(browser, options)
  await visitor.page.goto(`${shown.url}/${name}`)
  return visitor
}

/** What the page's form would send, as decoded fields in order. */
async function sentBy(page: Page, act: () => Promise<void>): Promise<[string, string][]> {
  const [request] = await Promise.all([page.waitForRequest((candidate) => candidate.method() === 'POST'), act()])
  return [...new URLSearchParams(request.postData() ?? '')]
}

describe('pages in a browser', { skip: browserMissing() }, () => {
  before(async () => {
    shown = await showPages(renderer, draw)
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await shown?.close()
  })

  it('in light, at 1280 px: accessible, no sideways scroll, no complaint of the browser', async () => {
    await onEveryPage({ scheme: 'light' }, async (page, name) => {
      if (photographed.has(name)) await keepScreenshot(page, `${name}-light`)
      await assertNoSidewaysScroll(page, name)
      await assertAccessible(page, name)
    })
  })

  it('in dark: accessible, no complaint of the browser', async () => {
    await onEveryPage({ scheme: 'dark' }, async (page, name) => {
      if (photographed.has(name)) await keepScreenshot(page, `${name}-dark`)
      await assertAccessible(page, name, ['color-contrast'])
    })
  })

  it('at 360 px: no sideways scroll, nothing to press is smaller than 24 px', async () => {
    await onEveryPage({ width: 360, height: 740 }, async (page, name) => {
      if (photographed.has(name)) await keepScreenshot(page, `${name}-narrow`)
      await assertNoSidewaysScroll(page, name)
      assert.deepEqual(await page.evaluate(tooSmall), [], `${name}: WCAG 2.2 SC 2.5.8`)
    })
  })

  for (const locale of shippedLocales.filter((tag) => tag !== 'en')) {
    it(`in ${locale}, at 360 px: whole, without sideways scroll`, async () => {
      const look = async (page: Page, name: SampleName): Promise<void> => {
        await assertNoSidewaysScroll(page, `${name} in ${locale}`)
        assert.doesNotMatch((await page.textContent('body')) ?? '', /⟦/)
      }
      await onEveryPage({ width: 360, height: 740 }, look, `?locale=${locale}`)
    })
  }

  it('by keyboard alone: Tab reaches everything that can be pressed, and shows where it is', async () => {
    await onEveryPage({}, async (page, name) => {
      await page.evaluate(`document.activeElement.blur()`)
      const expected = await page.evaluate<number>(countTabStops)
      const reached = new Set<string>()
      for (let presses = 0; presses < expected + 2; presses += 1) {
        await page.keyboard.press('Tab')
        const stop = await page.evaluate<{ id: string; visible: boolean }>(describeFocus)
        // Between the last stop and the first the browser itself has the focus.
        if (stop.id.endsWith('BODY')) continue
        assert.ok(stop.visible, `${name}: focus is invisible on ${stop.id}`)
        reached.add(stop.id)
      }
      assert.equal(reached.size, expected, `${name}: ${[...reached].join(', ')}`)
    })
  })

  it('without JavaScript: every page shows the same text, and an error summary has the focus', async () => {
    const options = { javaScript: false }
    await onEveryPage(options, async (page, name) => {
      if (samples[name].view === 'playground/index') {
        assert.equal(await page.locator('noscript h2').isVisible(), true)
        return
      }
      assert.ok(await page.locator('h1').isVisible(), name)
      assert.equal(await page.locator('[data-reveal]:visible').count(), 0, 'a button that could do nothing')
    })
    for (const name of ['sign-in-wrong', 'sign-in-missing', 'setup-problem', 'device-code-unknown'] as const) {
      const { page, close } = await visit(name, options)
      assert.equal(await page.locator('[role=alert]:focus').count(), 1, name)
      await close()
    }
  })

  it('sign-in without JavaScript sends email, password and the CSRF token, by Enter alone', async () => {
    const { page, close } = await visit('sign-in', { javaScript: false })
    await page.locator('#email:focus').waitFor()
    await page.keyboard.type('ada@example.test')
    await page.keyboard.press('Tab')
    await page.keyboard.type('correct horse')
    const sent = await sentBy(page, () => page.keyboard.press('Enter'))
    assert.deepEqual(sent, [
      ['csrf', 'csrf-token'],
      ['email', 'ada@example.test'],
      ['password', 'correct horse'],
    ])
    await close()
  })

  it('sign-in can be filled by a password manager', async () => {
    const { page, close } = await visit('sign-in')
    assert.equal(await page.getAttribute('#email', 'autocomplete'), 'username webauthn')
    assert.equal(await page.getAttribute('#password', 'autocomplete'), 'current-password')
    await close()
  })

  it('a password can be shown, and is never sent from a field of plain text', async () => {
    const { page, close } = await visit('sign-in')
    await page.fill('#password', 'correct horse')
    await page.click('[data-reveal]')
    assert.equal(await page.getAttribute('#password', 'type'), 'text')
    const sent = await sentBy(page, () => page.click('.primary'))
    assert.equal(new Map(sent).get('password'), 'correct horse')
    await close()
  })

  it('consent sends what is ticked, for how long, and the decision; the three ways out are equally large', async () => {
    const { page, close } = await visit('consent', { javaScript: false })
    const boxes = await Promise.all((await page.locator('.three button').all()).map((button) => button.boundingBox()))
    const sizes = new Set(boxes.map((box) => `${Math.round(box?.width ?? 0)}×${Math.round(box?.height ?? 0)}`))
    assert.equal(sizes.size, 1, [...sizes].join(' '))
    assert.equal(await page.locator('.three button:focus').count(), 0)
    await page.uncheck('[value="llm:read"]')
    await page.check('[value="30d"]')
    const sent = await sentBy(page, () => page.click('[value=allow_read_only]'))
    assert.deepEqual(sent, [
      ['csrf', 'csrf-token'],
      ['scope', 'data:write'],
      ['scope', 'profile'],
      ['scope', 'email'],
      ['duration', '30d'],
      ['decision', 'allow_read_only'],
    ])
    await close()
  })

  it('a form is sent once, however often its button is pressed', async () => {
    const { page, close } = await visit('sign-in')
    let posts = 0
    await page.route('**/sign-in', async (route) => {
      if (route.request().method() !== 'POST') return route.continue()
      posts += 1
      await route.fulfill({ status: 204 })
    })
    await page.evaluate(`for (let i = 0; i < 3; i += 1) document.querySelector('.primary').click()`)
    await page.waitForFunction(`document.querySelector('[aria-busy=true]')`)
    assert.equal(posts, 1)
    await close()
  })

  it('CS1: a page inside a frame stays blank', async () => {
    const visitor = await newVisitor(browser)
    await visitor.page.setContent(`<iframe src="${shown.url}/consent"></iframe>`)
    const [frame] = visitor.page.frames().slice(1)
    assert.match(frame?.url() ?? '', /^chrome-error:/)
    assert.match(visitor.complaints().join(), /frame-ancestors/)
    await visitor.close()
  })
})

const interactive = `a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]`

/** Targets below 24 × 24 px that are not links in a sentence. */
const tooSmall = `[...document.querySelectorAll('button, select, .button, label:has(input)')]
  .filter((element) => element.checkVisibility() && !element.classList.contains('unseen'))
  .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
  .filter(([, box]) => box.height < 24 || box.width < 24)
  .map(([html]) => html)`

/** Radio buttons of one name are one stop. */
const countTabStops = `(() => {
  const seen = [...document.querySelectorAll('${interactive}')].filter((element) => element.checkVisibility() && !element.disabled)
  const radios = new Set(seen.filter((element) => element.type === 'radio').map((element) => element.name))
  return seen.filter((element) => element.type !== 'radio').length + radios.size
})()`

const describeFocus = `(() => {
  const element = document.activeElement
  const all = [...document.querySelectorAll('${interactive}')]
  const shown = element.type === 'radio' ? element.nextElementSibling : element
  const style = getComputedStyle(shown)
  return { id: all.indexOf(element) + ' ' + element.tagName, visible: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 }
})()`
