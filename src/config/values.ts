/**
 * The kinds of value an option can hold: durations, limits, switches, lists, addresses. Each takes what a person writes in YAML or
 * in an environment variable and yields the typed form, or one sentence that says what would be right.
 * Which options there are stands in the tables beside this file.
 */
import { BlockList, isIP } from 'node:net'
import { z } from 'zod'

/** What the reference, `config print` and the loader know of an option besides its type. */
export interface OptionNotes {
  /** The environment variable that sets it. */
  readonly env?: string
  /** Shown masked, accepted from `<env>_FILE`. */
  readonly secret?: true
  /** How the reference names the accepted values. */
  readonly takes?: string
  /** What the default is, when it depends on something else. */
  readonly unset?: string
}

/** An option: its schema, its one sentence, its notes. */
export function option<S extends z.ZodType>(schema: S, describe: string, notes: OptionNotes = {}): S {
  return schema.meta({ description: describe, ...notes })
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

/** Milliseconds of `15m`, `30d`, `500ms` or a number of seconds; undefined when it is none of these. */
export function parseDuration(text: string | number): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d|w)?$/.exec(String(text).trim())
  if (!match) return undefined
  return Number(match[1]) * UNIT_MS[(match[2] ?? 's') as keyof typeof UNIT_MS]
}

/** A schema over text or a number whose `read` yields the value, or undefined for a refusal worded `expected`. */
function written<T>(expected: string, read: (text: string) => T | undefined) {
  return z.union([z.string(), z.number()], { error: expected }).transform((value, ctx): T => {
    const result = read(String(value).trim())
    if (result !== undefined) return result
    ctx.issues.push({ code: 'custom', message: expected, input: value })
    return z.NEVER
  })
}

/** A duration as whole seconds, between `least` and `most` (themselves durations). */
export function seconds(least = '1s', most = '3650d') {
  const [from = 0, to = 0] = [parseDuration(least), parseDuration(most)]
  return written(`a duration from ${least} to ${most}, such as 15m, 30d or a number of seconds`, (text) => {
    const ms = parseDuration(text)
    return ms !== undefined && ms % 1000 === 0 && ms >= from && ms <= to ? ms / 1000 : undefined
  })
}

/** A duration as milliseconds, between `least` and `most`. */
export function milliseconds(least = '1ms', most = '60s') {
  const [from = 0, to = 0] = [parseDuration(least), parseDuration(most)]
  return written(`a duration from ${least} to ${most}, such as 500ms or 2s`, (text) => {
    const ms = parseDuration(text)
    return ms !== undefined && ms >= from && ms <= to ? ms : undefined
  })
}

/** So many requests in a window. */
export interface RateLimit {
  readonly limit: number
  readonly windowSeconds: number
}

/** `10/1m`, or `off` as null. */
export function rateLimit() {
  return z
    .union([z.string(), z.literal(false)], { error: 'a limit such as 10/1m, or off' })
    .transform((value, ctx): RateLimit | null => {
      if (value === false || value === 'off') return null
      const match = /^([1-9]\d{0,8})\s*\/\s*(\d+(?:s|m|h|d)?)$/.exec(value.trim())
      const windowMs = match?.[2] === undefined ? undefined : parseDuration(match[2])
      if (match && windowMs) return { limit: Number(match[1]), windowSeconds: windowMs / 1000 }
      ctx.issues.push({ code: 'custom', message: 'a limit such as 10/1m, or off', input: value })
      return z.NEVER
    })
}

/** A whole number, written as a number or as digits. */
export function wholeNumber(least: number, most: number) {
  return written(`a whole number from ${least} to ${most}`, (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    return value >= least && value <= most ? value : undefined
  })
}

/** A switch: true, false, on, off, yes, no, 1, 0. */
export function onOff() {
  return z.union([z.boolean(), z.string(), z.number()], { error: 'on or off' }).transform((value, ctx): boolean => {
    const word = String(value).trim().toLowerCase()
    if (['true', 'on', 'yes', '1'].includes(word)) return true
    if (['false', 'off', 'no', '0'].includes(word)) return false
    ctx.issues.push({ code: 'custom', message: 'on or off', input: value })
    return z.NEVER
  })
}

/** A list, written as a YAML list or as text with commas. */
export function listOf<S extends z.ZodType<unknown, string>>(item: S) {
  return z
    .union([z.array(z.string()), z.string()], { error: 'a list' })
    .transform((value) => (Array.isArray(value) ? value : splitList(value)))
    .pipe(z.array(item))
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** An address or a network, `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`. */
export function network() {
  return z.string().refine(isNetwork, { error: 'an address or network such as 10.0.0.0/8 or 2001:db8::1' })
}

/** True for an IP address or a CIDR network that `net.BlockList` takes. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0 || address.includes('%')) return false
  if (bits === undefined) return true
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false
  new BlockList().addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  return true
}

/** True for hosts that never leave the machine: localhost, *.localhost, 127.0.0.0/8, [::1]. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    (isIP(name) === 4 && name.startsWith('127.'))
  )
}

/** An absolute https URL without credentials or fragment; http only for loopback hosts. */
export function webUrl() {
  return z.string().refine(isWebUrl, { error: 'an https URL without credentials or fragment (http only for loopback)' })
}

function isWebUrl(text: string): boolean {
  if (!URL.canParse(text) || /[\s#\\]/.test(text)) return false
  const { protocol, username, password, hostname } = new URL(text)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname))
}

/** Text that fits on a page: 1 to `most` characters, no control or direction-changing characters. */
export function words(most = 200) {
  return z
    .string()
    .min(1, { error: `1 to ${most} characters` })
    .max(most, { error: `1 to ${most} characters` })
    .refine((text) => !/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(text), {
      error: 'text without control characters',
    })
}
