/**
 * Languages: which are shipped, which one a request gets, and the words, dates and durations of each.
 * Messages live in `locales/<locale>.json` under flat keys; their small language is `messages.ts`. Pages are made in `page.ts`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileMessage, type Message, type Params, type Run } from './messages.ts'

export const shippedLocales = ['en', 'de', 'es', 'fr', 'ja', 'zh'] as const
export type Locale = (typeof shippedLocales)[number]

/** Each language in its own words, for the language menu. */
export const localeNames: Readonly<Record<Locale, string>> = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  fr: 'Français',
  ja: '日本語',
  zh: '简体中文',
}

/** The BCP 47 tag for `<html lang>`: Chinese and Japanese share code points, so the script is named. */
const htmlTags: Readonly<Record<Locale, string>> = { en: 'en', de: 'de', es: 'es', fr: 'fr', ja: 'ja', zh: 'zh-Hans' }

/** True for the tag of a shipped language. */
export function isLocale(tag: string): tag is Locale {
  return (shippedLocales as readonly string[]).includes(tag)
}

/**
 * The language of a request: the person's own choice (cookie), else the app's `ui_locales` (space separated, OIDC Core §3.1.2.1),
 * else `Accept-Language` by weight, else English. Values come from outside: only shipped tags ever come back.
 */
export function negotiateLocale(wishes: { cookie?: string; uiLocales?: string; acceptLanguage?: string }): Locale {
  const tags = [
    wishes.cookie ?? '',
    ...(wishes.uiLocales ?? '').slice(0, 256).split(' '),
    ...byWeight(wishes.acceptLanguage),
  ]
  for (const tag of tags) {
    const language = tag.trim().toLowerCase().split('-', 1)[0] ?? ''
    if (isLocale(language)) return language
  }
  return 'en'
}

function byWeight(header = ''): string[] {
  return header
    .slice(0, 512)
    .split(',')
    .map((item) => {
      const [tag = '', ...parameters] = item.split(';')
      const weight = Number(
        parameters
          .find((parameter) => parameter.trim().startsWith('q='))
          ?.trim()
          .slice(2) ?? 1,
      )
      return { tag, weight: Number.isFinite(weight) ? weight : 0 }
    })
    .filter(({ weight }) => weight > 0)
    .sort((left, right) => right.weight - left.weight)
    .map(({ tag }) => tag)
}

/** Everything a page says in one language. An unknown key shows as `⟦key⟧`: visible, and never an error on an error page. */
export interface Words {
  readonly locale: Locale
  readonly htmlTag: string
  t(key: string, params?: Params): string
  /** The message as runs, for `partials/rich`: its `<b>` become `<strong>`, its parameters stay text. */
  rich(key: string, params?: Params): readonly Run[]
  has(key: string): boolean
  /** Messages below a prefix as written, for scripts that fill in `{name}` themselves; keys lose the prefix. */
  texts(prefix: string): Readonly<Record<string, string>>
  /** Date and time in UTC with the zone named. `at` is milliseconds since 1970. */
  dateTime(at: number): string
  /** The day alone, in UTC. */
  date(at: number): string
  number(value: number): string
  /** "Notes, Tools and Records". */
  list(names: readonly string[]): string
  /** "45 seconds", "12 minutes", "3 hours", rounded up. */
  duration(seconds: number): string
}

/** Reads every shipped language from `directory`; throws when a file is missing or a message malformed. */
export function loadLocales(directory: string): (locale: string) => Words {
  const all = new Map<string, Words>(shippedLocales.map((locale) => [locale, loadWords(directory, locale)]))
  const english = all.get('en')
  return (locale) => {
    // An account may say `fr-CA`: its language is shipped, its region is not.
    const words = all.get(locale) ?? all.get(locale.split('-')[0] ?? '') ?? english
    if (!words) throw new TypeError('English is missing')
    return words
  }
}

function loadWords(directory: string, locale: Locale): Words {
  const source: Record<string, string> = JSON.parse(readFileSync(join(directory, `${locale}.json`), 'utf8'))
  const messages = new Map<string, Message>(
    Object.entries(source).map(([key, text]) => [key, compileMessage(text, locale)]),
  )
  const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })
  const days = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' })
  const numbers = new Intl.NumberFormat(locale)
  const rich: Words['rich'] = (key, params = {}) =>
    messages.get(key)?.format(params) ?? [{ text: `⟦${key}⟧`, strong: false, value: false }]
  return {
    locale,
    htmlTag: htmlTags[locale],
    rich,
    t: (key, params) =>
      rich(key, params)
        .map((run) => run.text)
        .join(''),
    has: (key) => messages.has(key),
    texts: (prefix) =>
      Object.fromEntries(
        Object.entries(source).flatMap(([key, text]) =>
          key.startsWith(prefix) ? [[key.slice(prefix.length), text]] : [],
        ),
      ),
    dateTime: (at) => `${dates.format(at)} UTC`,
    date: (at) => days.format(at),
    number: (value) => numbers.format(value),
    list: (names) => new Intl.ListFormat(locale).format(names),
    duration: (seconds) => formatDuration(seconds, locale),
  }
}

function formatDuration(seconds: number, locale: Locale): string {
  const [value, unit] =
    seconds < 90 ? [seconds, 'second'] : seconds < 5400 ? [seconds / 60, 'minute'] : [seconds / 3600, 'hour']
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(
    Math.max(1, Math.ceil(value)),
  )
}
