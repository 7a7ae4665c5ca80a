/**
 * A person with a browser without JavaScript: keeps cookies, follows redirects within the server, reads forms and presses buttons.
 * Stops where the browser would leave for an app, and returns that address.
 */
import { PASSWORD } from './licet.ts'
import { headersOf, sendOnWire } from './wire.ts'

export interface Visit {
  readonly status: number
  readonly url: string
  readonly headers: Headers
  readonly body: string
}

export interface Form {
  readonly action: string
  readonly fields: [string, string][]
}

export class Person {
  readonly issuer: string
  readonly cookies = new Map<string, { value: string; path: string }>()
  /** Where requests go when several processes answer for one issuer. */
  origin: string

  constructor(issuer: string, origin = issuer) {
    this.issuer = issuer
    this.origin = origin
  }

  /** The same browser for another request at the same time: its cookies as they are now, maybe towards another process. */
  copy(origin = this.origin): Person {
    const other = new Person(this.issuer, origin)
    for (const [key, cookie] of this.cookies) other.cookies.set(key, cookie)
    return other
  }

  /** One request without following anything. */
  async send(
    method: string,
    url: string,
    form?: [string, string][],
    headers: Record<string, string> = {},
  ): Promise<Visit> {
    const target = new URL(url, this.issuer)
    const reply = await sendOnWire(this.issuer, method, target.pathname + target.search, {
      origin: this.origin,
      headers: {
        accept: 'text/html,application/xhtml+xml',
        ...this.#cookieHeader(target.pathname),
        ...(form ? { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' } : {}),
        ...headers,
      },
      ...(form ? { body: new URLSearchParams(form).toString() } : {}),
    })
    const answer = headersOf(reply)
    this.#keep(answer, target.pathname)
    return { status: reply.status, url: target.href, headers: answer, body: reply.text }
  }

  /** Follows redirects and meta refreshes as long as they stay on the server; `url` of the result is where it ended, maybe at an app. */
  async follow(visit: Visit): Promise<Visit> {
    let current = visit
    for (let hop = 0; hop < 10; hop++) {
      const next = nextLocation(current)
      if (next === undefined) return current
      const target = new URL(next, current.url)
      if (target.origin !== new URL(this.issuer).origin) return { ...current, url: target.href }
      current = await this.send('GET', target.href)
    }
    throw new Error(`too many redirects, last at ${current.url}`)
  }

  async open(url: string): Promise<Visit> {
    return this.follow(await this.send('GET', url))
  }

  /** Fills in and sends the form whose action contains `action`, or the first one. */
  async submit(visit: Visit, values: Record<string, string | string[]>, action = ''): Promise<Visit> {
    return this.follow(await this.press(visit, values, action))
  }

  /** As `submit`, without following. */
  async press(visit: Visit, values: Record<string, string | string[]>, action = ''): Promise<Visit> {
    const form = formsOf(visit.body).find((one) => one.action.includes(action))
    if (!form)
      throw new Error(
        `no form towards ${action || 'anywhere'} at ${visit.url} (${visit.status}): ${textOf(visit.body).slice(0, 400)}`,
      )
    const kept = form.fields.filter(([name]) => !(name in values))
    const given = Object.entries(values).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, one]),
    )
    return this.send('POST', new URL(form.action || visit.url, visit.url).href, [...kept, ...given])
  }

  /** From an authorization URL to the app's redirect, signing in and allowing on the way. */
  async authorize(
    url: string,
    who: { email: string; password?: string; allow?: Record<string, string | string[]> },
  ): Promise<URL> {
    let visit = await this.open(url)
    if (visit.body.includes('name="password"')) {
      visit = await this.submit(visit, { email: who.email, password: who.password ?? PASSWORD }, '/sign-in')
    }
    if (visit.body.includes('name="decision"') && visit.body.includes('/consent')) {
      visit = await this.submit(visit, { decision: 'allow', ...who.allow }, '/consent')
    }
    return new URL(visit.url)
  }

  #cookieHeader(path: string): Record<string, string> {
    const fitting = [...this.cookies].filter(
      ([, cookie]) => path === cookie.path || path.startsWith(cookie.path.replace(/\/?$/, '/')) || cookie.path === '/',
    )
    return fitting.length === 0
      ? {}
      : { cookie: fitting.map(([key, { value }]) => `${key.split('\n')[0]}=${value}`).join('; ') }
  }

  #keep(headers: Headers, path: string): void {
    for (const line of headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(/;\s*/)
      const at = pair.indexOf('=')
      const name = pair.slice(0, at)
      const cookiePath = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? path
      const key = `${name}\n${cookiePath}`
      const gone = attributes.some((one) => /^max-age=0$/i.test(one) || /^expires=Thu, 01 Jan 1970/i.test(one))
      if (gone) this.cookies.delete(key)
      else this.cookies.set(key, { value: pair.slice(at + 1), path: cookiePath })
    }
  }
}

function nextLocation({ status, headers, body }: Visit): string | undefined {
  if (status >= 300 && status < 400) return headers.get('location') ?? undefined
  const refresh = /<meta http-equiv="refresh" content="0;\s*url=([^"]*)"/i.exec(body)?.[1]
  return refresh === undefined ? undefined : unescapeHtml(refresh)
}

/** Every form of a page with the values it would send when its first button is not pressed. */
export function formsOf(html: string): Form[] {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, attributes = '', content = '']) => ({
    action: unescapeHtml(/\baction="([^"]*)"/.exec(attributes)?.[1] ?? ''),
    fields: [...content.matchAll(/<input\b([^>]*)>/g)].flatMap(([, input = '']) => fieldOf(input)),
  }))
}

function fieldOf(input: string): [string, string][] {
  const name = /\bname="([^"]*)"/.exec(input)?.[1]
  const type = /\btype="([^"]*)"/.exec(input)?.[1] ?? 'text'
  const value = unescapeHtml(/\bvalue="([^"]*)"/.exec(input)?.[1] ?? '')
  if (name === undefined || ((type === 'checkbox' || type === 'radio') && !/\bchecked\b/.test(input))) return []
  return [[name, value]]
}

export function textOf(html: string): string {
  return unescapeHtml(html.replace(/<(script|style)[\s\S]*?<\/\1>/g, '').replace(/<[^>]+>/g, ' '))
    .replace(/\s+/g, ' ')
    .trim()
}

function unescapeHtml(text: string): string {
  return text
    .replace(/&#(\d+);/g, (_all, code) => String.fromCodePoint(Number(code)))
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
}
