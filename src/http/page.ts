/**
 * Turns a view and its model into HTML: the only importer of ejs. Templates are compiled at start and receive a fixed set of
 * names, never a request object and never options (CVE-2022-29078). Everything printed is escaped and cleaned of marks that
 * reorder text; `<%-` prints our own partials only. Mails are made here too. Which page is shown is the surfaces' decision.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ejs from 'ejs'
import { type Assets, loadAssets } from './assets.ts'
import { loadLocales, localeNames, type Words } from './locale.ts'
import type { MailName, Mails } from './mails.ts'
import type { ShownAccount } from './views.ts'

/** How the operator's server presents itself. `logo` is a file path. */
export interface Brand {
  readonly name: string
  readonly accent: string
  readonly logo?: string | undefined
  readonly links?: Partial<Readonly<Record<'privacy' | 'terms' | 'support', string | undefined>>>
}

/** What a page needs besides its model. `path` is where the language menu returns to; without it there is no menu. */
export interface PageContext {
  readonly locale: string
  readonly csrf: string
  readonly requestId: string
  readonly account?: ShownAccount
  readonly path?: string
  /** The token of forms that are bound to this browser alone, such as the language menu; `csrf` when absent. */
  readonly browserCsrf?: string
}

export interface Mail {
  readonly subject: string
  readonly text: string
  readonly html: string
}

export interface Renderer {
  /** The whole HTML document. Throws a TypeError for a view that does not exist. */
  render(view: string, model: object, context: PageContext): string
  /** Subject, text and HTML of one mail in that language. Links lead to the issuer. */
  renderMail<M extends MailName>(mail: M, model: Mails[M], locale: string): Mail
  /** Stylesheets, scripts and pictures, for the route `/assets/:name`. */
  assets(): Assets
}

export interface RendererOptions {
  readonly viewsDirectory: string
  readonly localesDirectory: string
  readonly brand: Brand
  readonly issuer: string
  readonly isDevelopment: boolean
}

/** The names every template may use; a template that uses another fails at once. */
const names = [
  'model',
  'part',
  'content',
  'partial',
  'head',
  't',
  'rich',
  'has',
  'texts',
  'words',
  'sentence',
  'asset',
  'link',
  'svg',
  'picture',
  'initials',
  'brand',
  'issuer',
  'isDevelopment',
  'view',
  'context',
  'localeNames',
] as const
type Locals = Partial<Record<(typeof names)[number], unknown>>
type Template = (locals: Locals) => string

/** What a view says about its document. */
interface Head {
  title: string
  width: 'narrow' | 'medium' | 'wide'
  refresh?: string
  /** Where the language menu returns to, when not to this address. */
  returnTo?: string
  scripts: string[]
  styles: string[]
}

/** Reads and compiles everything; problems of templates, locales or brand surface here, at start. */
export function createRenderer(options: RendererOptions): Renderer {
  const { brand, issuer, isDevelopment } = options
  const wordsFor = loadLocales(options.localesDirectory)
  const templates = compileTemplates(options.viewsDirectory)
  const assets = loadAssets({
    directory: join(options.viewsDirectory, 'assets'),
    accent: brand.accent,
    ...(brand.logo === undefined ? {} : { logo: brand.logo }),
  })
  const english = wordsFor('en')

  const localsFor = (words: Words): Locals => ({
    t: words.t,
    rich: words.rich,
    has: words.has,
    texts: words.texts,
    words,
    brand,
    issuer,
    isDevelopment,
    localeNames,
    link: safeLink,
    svg: svgAddress,
    picture: pictureAddress,
    initials,
    asset: assets.url,
    sentence: (scope: { name: string; sentence: string }) => localSentence(scope, words, english),
  })

  const draw = (name: string, locals: Locals): string => {
    const template = templates.get(name)
    if (!template) throw new TypeError(`there is no view ${name}`)
    const partial = (inner: string, part: object = {}): string => draw(`partials/${inner}`, { ...locals, part })
    return template({ ...locals, partial })
  }

  return {
    render(view, model, context) {
      const words = wordsFor(context.locale)
      const head: Head = { title: brand.name, width: 'narrow', scripts: [], styles: [] }
      const locals: Locals = { ...localsFor(words), model, context, head, view }
      return draw('layout', { ...locals, content: draw(view, locals) })
    },
    renderMail(mail, model, locale) {
      const words = wordsFor(locale)
      const locals: Locals = { ...localsFor(words), model, view: mail.slice('mail/'.length) }
      // Most mails share one layout; a file of its own comes first.
      const layout = templates.has(mail) ? mail : 'mail/notice'
      const subject = words.t(`${mail.replace('/', '.')}.subject`, {
        brand: brand.name,
        app: 'appName' in model ? model.appName : '',
        key: 'keyName' in model ? (model.keyName ?? '') : '',
      })
      return {
        subject: clean(subject).replace(/\s+/g, ' '),
        text: draw('mail/layout.text', { ...locals, content: draw(`${layout}.text`, locals) }),
        html: draw('mail/layout', { ...locals, content: draw(layout, locals) }),
      }
    },
    assets: () => assets,
  }
}

function compileTemplates(directory: string): ReadonlyMap<string, Template> {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ejs'))
  return new Map(
    files.map((file): [string, Template] => {
      const name = file.slice(0, -'.ejs'.length).replaceAll('\\', '/')
      const print = name.endsWith('.text') ? (value: unknown) => clean(String(value ?? '')) : escapeHtml
      const source = readFileSync(join(directory, file), 'utf8')
      const compiled = ejs.compile(source, {
        strict: true,
        escape: print,
        destructuredLocals: [...names],
        localsName: 'given',
        filename: name,
      })
      return [name, (locals) => compiled(locals)]
    }),
  )
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
}

/** Escapes for text and for quoted attributes. */
function escapeHtml(value: unknown): string {
  return clean(String(value ?? '')).replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

/** Control characters (line breaks and tabs aside) and the marks that hide or reorder text (Unicode UAX #9). */
const deceptive = /[\p{Cc}\p{Bidi_Control}\u200b\ufeff]/gu

/** Drops what makes one name read as another (CS9, DC6). */
function clean(text: string): string {
  return text.replace(deceptive, (mark) => (mark === '\n' || mark === '\t' ? mark : ''))
}

/** An address for `href`: returned as it is, or `#` when its scheme would run as a script in this origin. */
function safeLink(url: string): string {
  const scheme = /^\s*([a-z][a-z0-9+.-]*):/i.exec(clean(url).replace(/\s/g, ''))?.[1]?.toLowerCase()
  return scheme && ['javascript', 'data', 'vbscript', 'blob', 'filesystem', 'about'].includes(scheme) ? '#' : url
}

/** A picture of our own making as an address for `src`: inside an image nothing of it can run. */
function svgAddress(markup: string): string {
  return `data:image/svg+xml;base64,${Buffer.from(markup).toString('base64')}`
}

/** A picture that came as a `data:` address: PNG or WebP and nothing else; empty for anything else. */
function pictureAddress(address: string): string {
  return /^data:image\/(?:png|webp);base64,[A-Za-z0-9+/=]+$/.test(address) ? address : ''
}

/** A built-in scope's sentence in the reader's language; one that the operator wrote stays as written. */
function localSentence(scope: { name: string; sentence: string }, words: Words, english: Words): string {
  const key = `scope.${scope.name}`
  return english.has(key) && (scope.sentence === '' || scope.sentence === english.t(key))
    ? words.t(key)
    : scope.sentence
}

/** One or two letters that stand for a name where there is no picture. */
function initials(name: string): string {
  const words = clean(name).match(/[\p{L}\p{N}]+/gu) ?? ['·']
  return words
    .slice(0, 2)
    .map((word) => [...word][0]?.toLocaleUpperCase('en'))
    .join('')
}
