/**
 * What pages promise without a browser: nothing printed can become markup, no template holds a sentence, every language says
 * everything, and the colours of any brand can be read. `test/browser` looks at the same pages in Chromium.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { builtInScopes } from '../../src/config/tokens.ts'
import { errorCodes } from '../../src/errors.ts'
import { brandStylesheet } from '../../src/http/accent.ts'
import { loadLocales, negotiateLocale, shippedLocales } from '../../src/http/locale.ts'
import { noticeNames } from '../../src/http/mails.ts'
import { compileMessage } from '../../src/http/messages.ts'
import { samples } from '../browser/samples.ts'
import { hostileName } from '../browser/samples-consent.ts'
import { createTestRenderer, localesDirectory, viewsDirectory } from '../support/pages.ts'

const renderer = createTestRenderer()
const context = { locale: 'en', csrf: 'csrf-token', requestId: 'request-1' }
const templates = readdirSync(viewsDirectory, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ejs'))
  .map((file) => ({ file, source: readFileSync(join(viewsDirectory, file), 'utf8') }))
const pages = templates.filter(({ file }) => !file.startsWith('mail'))
const messagesOf = (locale: string): Record<string, string> =>
  JSON.parse(readFileSync(join(localesDirectory, `${locale}.json`), 'utf8'))
const english = messagesOf('en')

/** What a template says when all of its code is gone. */
const withoutCode = (source: string): string => source.replace(/<%[\s\S]*?%>/g, '\u0001')

describe('a template', () => {
  it('prints raw only what our own partials made', () => {
    for (const { file, source } of templates) {
      for (const [, printed = ''] of source.matchAll(/<%-([\s\S]*?)%>/g)) {
        assert.match(printed, /^ (content|partial\('[a-z]+'(, \{[\s\S]*\})?\)) $/, `${file}: <%-${printed}%>`)
      }
      assert.doesNotMatch(source, /\binclude\s*\(/, file)
    }
  })

  it('holds no sentence of its own: every word comes from the locales', () => {
    for (const { file, source } of templates) {
      const text = withoutCode(source)
        .replace(/<(!|[^>])*>/g, ' ')
        .replace(/\bHTTP\b/g, ' ')
      assert.doesNotMatch(text, /\p{L}/u, `${file} says: ${text.trim()}`)
      for (const [, name, value = ''] of withoutCode(source).matchAll(
        /\b(alt|title|placeholder|aria-label)="([^"]*)"/g,
      )) {
        assert.doesNotMatch(value, /\p{L}/u, `${file}: ${name}`)
      }
    }
  })

  it('sends every address from a model through link(), asset() or encodeURIComponent()', () => {
    const safe = /^(link\(|asset\(|svg\(|picture\(|door\.url$|encodeURIComponent\(|item\.field$|issuer$)/
    for (const { file, source } of templates) {
      for (const [, , address = ''] of source.matchAll(/\b(href|src|action|formaction)="([^"]*)"/g)) {
        for (const [, printed = ''] of address.matchAll(/<%=\s*([\s\S]*?)\s*%>/g))
          assert.match(printed, safe, `${file}: ${address}`)
      }
    }
  })

  it('has no inline style, script or handler, so that the policy needs no exception', () => {
    for (const { file, source } of pages) {
      assert.doesNotMatch(source, /\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)/, file)
    }
  })

  it('puts the CSRF token into every form that posts', () => {
    for (const { file, source } of pages) {
      for (const [form] of source.matchAll(/<form[^>]*method="post"[\s\S]*?<\/form>/g)) {
        assert.match(form, /partial\('csrf'[,)]/, file)
      }
    }
  })
})

describe('languages', () => {
  it('all have exactly the same messages with the same parameters and emphasis', () => {
    for (const locale of shippedLocales) {
      const messages = messagesOf(locale)
      assert.deepEqual(Object.keys(messages), Object.keys(english), locale)
      for (const [key, text] of Object.entries(messages)) {
        const expected = compileMessage(english[key] ?? '', 'en')
        const found = compileMessage(text, locale)
        assert.deepEqual([...found.params].sort(), [...expected.params].sort(), `${locale} ${key}`)
        assert.equal(text.includes('<b>'), english[key]?.includes('<b>'), `${locale} ${key}`)
        assert.notEqual(text.trim(), '', `${locale} ${key}`)
      }
    }
  })

  it('are translated: hardly a message is the same as in English', () => {
    for (const locale of shippedLocales.filter((tag) => tag !== 'en')) {
      const same = Object.entries(messagesOf(locale)).filter(([key, text]) => text === english[key])
      assert.ok(same.length < 15, `${locale} still says: ${same.map(([, text]) => text).join(' | ')}`)
    }
  })

  it('know every key a template asks for, and no key is left over', () => {
    const asked = templates.flatMap(({ source }) =>
      [...source.matchAll(/\b(?:t|rich|has|texts)\(\s*(?:'([\w.-]+)'|`([^`]*)`)/g)].map(
        ([, fixed, made]) => fixed ?? made ?? '',
      ),
    )
    const patterns = [...asked, 'scope.$', 'mail.$.subject', 'playground.js.$'].map(
      (key) =>
        new RegExp(
          `^${key
            .split(/\$(?:\{[^}]*\})?/)
            .map((part) => part.replace(/[.]/g, '\\.'))
            .join('[\\w.:-]+')}$`,
        ),
    )
    for (const key of asked.filter((name) => !name.includes('$') && !name.endsWith('.')))
      assert.ok(key in english, `no message ${key}`)
    const unused = Object.keys(english).filter((key) => !patterns.some((pattern) => pattern.test(key)))
    assert.deepEqual(unused, [])
  })

  it('show every view without a missing message or parameter', () => {
    for (const locale of shippedLocales) {
      for (const [name, { view, model }] of Object.entries(samples)) {
        const html = renderer.render(view, model, { ...context, locale, path: '/somewhere' })
        assert.doesNotMatch(html, /⟦/, `${locale} ${name}`)
        if (name !== 'playground') assert.doesNotMatch(html, /\{\w+\}/, `${locale} ${name}`)
      }
    }
  })

  it('explain every error code: a title, what happened, what to do', () => {
    for (const code of Object.keys(errorCodes)) {
      for (const part of ['title', 'text', 'next'])
        assert.ok(`error.${code}.${part}` in english, `error.${code}.${part}`)
    }
  })

  it('say the built-in scopes in the words of the configuration, so that a page can tell an operator’s own sentence', () => {
    for (const [name, { describe: sentence }] of Object.entries(builtInScopes))
      assert.equal(english[`scope.${name}`], sentence)
    const consentIn = (locale: string) =>
      renderer.render(samples.consent.view, samples.consent.model, { ...context, locale })
    assert.match(consentIn('de'), /Ihre Dateien und Einträge lesen/)
    const model = structuredClone(samples.consent.model) as { groups: { scopes: { sentence: string }[] }[] }
    for (const group of model.groups) for (const scope of group.scopes) scope.sentence = 'Feed the llamas'
    assert.match(renderer.render(samples.consent.view, model, { ...context, locale: 'de' }), /Feed the llamas/)
  })

  it('are chosen by the person, then by the app, then by the browser', () => {
    const table: [Parameters<typeof negotiateLocale>[0], string][] = [
      [{ cookie: 'fr', uiLocales: 'de', acceptLanguage: 'es' }, 'fr'],
      [{ cookie: '../../etc', uiLocales: 'xx de-AT', acceptLanguage: 'es' }, 'de'],
      [{ acceptLanguage: 'nl, es;q=0.5, ja;q=0.9' }, 'ja'],
      [{ acceptLanguage: 'zh-Hant-TW' }, 'zh'],
      [{ acceptLanguage: 'de;q=0, es;q=0.1' }, 'es'],
      [{ acceptLanguage: 'fr;q=banana' }, 'en'],
      [{ acceptLanguage: '*' }, 'en'],
      [{}, 'en'],
    ]
    for (const [wishes, expected] of table) assert.equal(negotiateLocale(wishes), expected, JSON.stringify(wishes))
  })

  it('count, date and measure time in their own way', () => {
    const words = loadLocales(localesDirectory)
    assert.equal(words('en').t('consent.already', { count: 1 }), '1 permission you gave before')
    assert.equal(
      words('fr').t('consent.already', { count: 1000 }).replace(/\s/g, ' '),
      '1 000 autorisations déjà accordées',
    )
    assert.equal(words('de').duration(840), '14 Minuten')
    assert.equal(words('en').duration(1), '1 second')
    assert.equal(words('en').duration(7000), '2 hours')
    assert.equal(words('es').dateTime(Date.UTC(2026, 9, 14, 9, 5)), '14 de octubre de 2026 a las 9:05 UTC')
    assert.equal(words('xx').locale, 'en')
    assert.equal(words('en').t('no.such.key'), '⟦no.such.key⟧')
  })

  it('refuse a message whose braces or emphasis do not match', () => {
    for (const broken of ['{', 'a {b', 'a }', '<b>a', 'a</b>', '{n, plural, one {#}}', '<b><b>a</b></b>']) {
      assert.throws(() => compileMessage(broken, 'en'), SyntaxError, broken)
    }
  })
})

describe('attacks on pages', () => {
  const consentHtml = renderer.render(samples['consent-hostile'].view, samples['consent-hostile'].model, context)

  it('CS9 DC6: markup in names stays text', () => {
    assert.doesNotMatch(consentHtml, /<b>|<img/)
    assert.match(consentHtml, /&lt;b&gt;Licet&lt;\/b&gt;/)
    const email = '"><script>alert(1)</script>'
    const html = renderer.render('interactions/sign-in', { email, action: '/x' }, context)
    assert.doesNotMatch(html, /<script>|value="">/)
  })

  it('DC6: a right-to-left override in a name is dropped', () => {
    assert.ok(hostileName.includes('\u202e'))
    assert.doesNotMatch(consentHtml, /\p{Bidi_Control}/u)
  })

  it('a javascript: or data: address never becomes a link', () => {
    for (const url of [
      'javascript:alert(1)',
      ' JaVaScRiPt:alert(1)',
      'java\nscript:alert(1)',
      '\u0001javascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
    ]) {
      const html = renderer.render('interactions/leave', { url }, context)
      assert.match(html, /content="0;url=#"/, url)
      assert.doesNotMatch(html, /script:|data:/i, url)
    }
    assert.match(
      renderer.render('interactions/leave', { url: 'cursor://auth?code=1&state=2' }, context),
      /url=cursor:\/\/auth\?code=1&amp;state=2"/,
    )
  })

  it('an address with quotes cannot leave the meta refresh', () => {
    const html = renderer.render('interactions/leave', { url: `https://app.example/cb?x="><img src=y>'` }, context)
    assert.doesNotMatch(html, /<img/)
  })

  it('CS10 CVE-2022-29078: options inside a model are never options of the template engine', () => {
    const gadget = {
      settings: {
        'view options': {
          outputFunctionName: 'x;throw new Error("run");s',
          client: true,
          escapeFunction: '1;throw new Error("run")',
        },
      },
    }
    const model = { ...samples.error.model, ...gadget, outputFunctionName: 'x', escape: 'x', delimiter: '?' }
    assert.equal(renderer.render('error', model, context), renderer.render('error', samples.error.model, context))
  })

  it('a view’s name cannot leave the views', () => {
    for (const view of ['../package', '/etc/passwd', 'partials/../../README', '__proto__', 'constructor']) {
      assert.throws(() => renderer.render(view, {}, context), TypeError, view)
    }
  })

  it('CS7: Allow is not focused for the person nor pressed by Enter, and the three ways out are equally large buttons of one form', () => {
    const html = renderer.render(samples.consent.view, samples.consent.model, context)
    const row = /<div class="three">[\s\S]*?<\/div>/.exec(html)?.[0] ?? ''
    assert.deepEqual(
      [...row.matchAll(/name="decision" value="(\w+)"/g)].map(([, value]) => value),
      ['deny', 'allow_read_only', 'allow'],
    )
    assert.doesNotMatch(html, /autofocus/)
  })

  it('a failed sign-in keeps the address and never the password', () => {
    const html = renderer.render(samples['sign-in-wrong'].view, samples['sign-in-wrong'].model, context)
    assert.match(html, /id="email"[^>]*value="ada@example.test"/)
    assert.match(html, /id="password"[^>]*value=""/)
    assert.match(html, /role="alert" tabindex="-1" autofocus/)
  })
})

describe('mails', () => {
  const reuse = { appName: `Tom & "Jerry"\r\nBcc: x@y.example`, at: Date.UTC(2026, 9, 14), ip: '203.0.113.7' }

  it('have a subject on one line, plain text without entities, and escaped HTML, in every language', () => {
    for (const locale of shippedLocales) {
      const mail = renderer.renderMail('mail/refresh-reuse', reuse, locale)
      assert.doesNotMatch(mail.subject, /[\r\n]/)
      assert.match(mail.text, /Tom & "Jerry"/)
      assert.match(mail.html, /Tom &amp; &#34;Jerry&#34;/)
      assert.match(mail.text, /http:\/\/localhost:4000\//)
      assert.doesNotMatch(mail.subject + mail.text + mail.html, /⟦|\{\w+\}/)
      assert.match(renderer.renderMail('mail/test', { at: 0 }, locale).text, /1970/)
    }
  })

  it('about an account say everything in every language, and link to this server only', () => {
    const full = {
      code: '123456',
      path: '/verify/x',
      expiresAt: 0,
      at: 1,
      ip: '192.0.2.1',
      userAgent: '<b>',
      left: 3,
      until: 0,
      keyName: '<b>Key</b>',
      keyKind: 'api_key',
    } as const
    for (const name of noticeNames) {
      for (const locale of [...shippedLocales, 'fr-CA']) {
        const { subject, text, html } = renderer.renderMail(`mail/${name}`, { ...full, factor: 'passkey' }, locale)
        assert.doesNotMatch(subject + text + html, /⟦|\{\w+\}|undefined/, `${locale} ${name}`)
        assert.match(text, /^http:\/\/localhost:4000\/verify\/x$/m)
        assert.match(text, /123456/)
        for (const [link] of (text + html).matchAll(/https?:[^\s"<]+/g))
          assert.match(link, /^http:\/\/localhost:4000(\/|$)/)
        assert.doesNotMatch(html, /<b>/)
      }
    }
  })

  it('load nothing from anywhere: no picture, no tracking', () => {
    assert.doesNotMatch(renderer.renderMail('mail/refresh-reuse', reuse, 'en').html, /<img|src=|url\(/)
  })
})

describe('assets', () => {
  const assets = renderer.assets()

  it('are named by their content and may be kept for a year; plain names are asked for again', () => {
    const url = assets.url('licet.css')
    assert.match(url, /^\/assets\/licet\.[0-9a-f]{16}\.css$/)
    const kept = assets.find(url.slice('/assets/'.length))
    assert.equal(kept?.headers['Cache-Control'], 'public, max-age=31536000, immutable')
    assert.equal(assets.find('licet.css')?.headers['Cache-Control'], 'public, no-cache')
    assert.equal(assets.find('licet.css')?.etag, kept?.etag)
  })

  it('are found by name only: no path leads out of the folder', () => {
    for (const name of ['../layout.ejs', '..%2flayout.ejs', '/etc/passwd', '', '__proto__', 'constructor'])
      assert.equal(assets.find(name), undefined)
  })

  it('stay small: about 15 kB of style, at most 10 kB of script', () => {
    const size = (name: string) => assets.find(name)?.body.byteLength ?? Number.NaN
    assert.ok(size('licet.css') + size('brand.css') <= 16_384, `style: ${size('licet.css')}`)
    assert.ok(size('licet.js') <= 10_240)
  })

  it('an operator’s logo takes the place of ours', () => {
    const own = createTestRenderer({
      brand: { name: 'Acme', accent: '#0a0', logo: join(viewsDirectory, 'assets/mark.svg') },
    })
    assert.match(
      own.render('home', samples.home.model, context),
      /<img class="mark" src="\/assets\/logo\.[0-9a-f]{16}\.svg"/,
    )
    assert.throws(() => createTestRenderer({ brand: { name: 'Acme', accent: '#0a0', logo: '/etc/passwd' } }), {
      code: 'invalid_configuration',
    })
  })
})

describe('the brand colour', () => {
  const luminance = (hex: string) => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5]
      .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const contrast = (left: string, right: string) => {
    const [low = 0, high = 0] = [luminance(left), luminance(right)].sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }

  it('can be read on its ground and under its ink in light and dark, whatever was configured', () => {
    for (const accent of [
      '#4f46e5',
      '#ffff00',
      '#ffffff',
      '#000000',
      '#0f0',
      '#808080',
      '#ff0080',
      '#012',
      '#fedcba',
      '#777777',
    ]) {
      const css = brandStylesheet(accent)
      const [, light = '', dark = ''] = /--accent:light-dark\((#\w{6}),(#\w{6})\)/.exec(css) ?? []
      const [, lightInk = '', darkInk = ''] = /--on-accent:light-dark\((#\w{6}),(#\w{6})\)/.exec(css) ?? []
      for (const [text, ground] of [
        [light, '#ffffff'],
        [light, '#f6f6f3'],
        [dark, '#191a1f'],
        [dark, '#101115'],
        [lightInk, light],
        [darkInk, dark],
      ] as const) {
        assert.ok(
          contrast(text, ground) >= 4.5,
          `${accent}: ${text} on ${ground} is ${contrast(text, ground).toFixed(2)}`,
        )
      }
    }
  })

  it('a colour that is more than a colour does not start', () => {
    for (const accent of ['red', '#12', '#12345', '#fff;}body{display:none', 'url(//evil)', '']) {
      assert.throws(() => brandStylesheet(accent), { code: 'invalid_configuration' }, accent)
    }
  })
})
