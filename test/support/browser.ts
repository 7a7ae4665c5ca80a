/**
 * Real Chromium for the tests: finds Debian's browser, opens pages with JavaScript on or off, and asks of a page what every page
 * of ours promises: no serious axe finding, no console or CSP error, no horizontal scroll. Screenshots go to `docs/screenshots`.
 */
import assert from 'node:assert/strict'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const screenshots = join(import.meta.dirname, '../../docs/screenshots')

/** The path of a Chromium on this machine, or undefined. */
export function findChromium(): string | undefined {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
      try {
        accessSync(join(directory, name), constants.X_OK)
        return join(directory, name)
      } catch {}
    }
  }
  return undefined
}

/** Why browser tests cannot run, for `skip:`; false when they can. With `CI=true` a missing browser is a failure. */
export function browserMissing(): string | false {
  if (findChromium()) return false
  assert.notEqual(process.env['CI'], 'true', 'chromium is missing: apt install chromium')
  return 'chromium is missing: apt install chromium'
}

/** Starts a headless browser; the caller closes it. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = findChromium()
  assert.ok(executablePath, 'chromium is missing: apt install chromium')
  return chromium.launch({
    executablePath,
    args: [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

export interface Visitor {
  readonly context: BrowserContext
  readonly page: Page
  /** Console errors, page errors and failed requests of our own origin since the last call. */
  complaints(): string[]
  close(): Promise<void>
}

export interface VisitorOptions {
  readonly javaScript?: boolean
  readonly scheme?: 'light' | 'dark'
  readonly width?: number
  readonly height?: number
  readonly locale?: string
}

/** A fresh browser profile with one page that notes every complaint of the browser. */
export async function newVisitor(browser: Browser, options: VisitorOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({
    javaScriptEnabled: options.javaScript ?? true,
    colorScheme: options.scheme ?? 'light',
    viewport: { width: options.width ?? 1280, height: options.height ?? 860 },
    locale: options.locale ?? 'en',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  const heard: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') heard.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => heard.push(`script: ${error.message}`))
  return { context, page, complaints: () => heard.splice(0), close: () => context.close() }
}

/** Fails on every serious or critical finding of axe, naming rule and elements. `rules` limits it to some rules. */
export async function assertAccessible(page: Page, name: string, rules?: string[]): Promise<void> {
  // Legacy mode analyses in the page itself instead of opening another one; our pages hold no frames.
  const axe = new AxeBuilder({ page }).setLegacyMode()
  const { violations } = await (rules ? axe.withRules(rules) : axe).analyze()
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  const found = grave.map(
    (rule) => `${rule.id}: ${rule.nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`,
  )
  assert.deepEqual(found, [], `axe on ${name}`)
}

/** Fails when the page is wider than its window, naming the elements that stick out. */
export async function assertNoSidewaysScroll(page: Page, name: string): Promise<void> {
  const tooWide = await page.evaluate(`(() => {
    const room = document.documentElement.clientWidth
    if (document.documentElement.scrollWidth <= room) return []
    return [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > room + 0.5)
      .map((element) => element.tagName + '.' + element.getAttribute('class'))
  })()`)
  assert.deepEqual(tooWide, [], `sideways scroll on ${name}`)
}

/** Keeps a full-page picture as `docs/screenshots/<name>.jpg`; an equal one is left alone, with `once` (random content) any is. */
export async function keepScreenshot(page: Page, name: string, when: 'once' | 'changed' = 'changed'): Promise<void> {
  const picture = await page.screenshot({
    type: 'jpeg',
    quality: 80,
    fullPage: true,
    animations: 'disabled',
    caret: 'hide',
  })
  const path = join(screenshots, `${name}.jpg`)
  mkdirSync(screenshots, { recursive: true })
  const known = existsSync(path)
  if (!known || (when === 'changed' && !readFileSync(path).equals(picture))) writeFileSync(path, picture)
}
