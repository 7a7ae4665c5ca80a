/**
 * What may stand in a log line. Two nets, because either alone has holes: the name of the key (a password looks like nothing) and
 * the shape of the value (a token can stand in any text). Errors become plain fields here, with their chain of causes.
 */

const MAX_TEXT = 2_048
const MAX_DEPTH = 6
const MAX_ENTRIES = 64
const BLANK = '[redacted]'

/** Keys that hold secrets, compared without case, `-` and `_`. A key that contains one of these is blanked … */
const secretWords = [
  'authorization', 'cookie', 'password', 'passphrase', 'passwd', 'secret', 'token', 'credential', 'apikey', 'privatekey',
  'verifier', 'assertion', 'proof', 'recoverycode', 'usercode', 'devicecode', 'authcode', 'onetimecode', 'totp', 'seed', 'csrf', 'dpop', 'sealed', 'signature',
] // biome-ignore format: a table

/** … as is one that is exactly one of these … */
const secretNames = new Set(['key', 'otp', 'pin', 'jwk', 'jwks', 'jwt', 'state', 'nonce', 'query', 'body', 'url'])

/** … and these only sound like it. */
const harmlessNames = new Set([
  'tokentype',
  'tokenendpoint',
  'subjecttokentype',
  'tokensissued',
  'credentialtype',
  'tokenuse',
])

/** JWTs and JWEs; credentials of ours with any prefix; authorization headers; user:password in a URL. */
const shapes: readonly RegExp[] = [
  /\beyJ[\w-]{4,}(?:\.[\w-]*){1,4}/g,
  /\b[a-z][a-z0-9]{1,15}_(?:key|pat|cs)_[0-9A-Za-z]{6,}/g,
  /\b(?:Bearer|Basic|DPoP)\s+[\w.~+/=-]{6,}/gi,
  /(?<=:\/\/)[^\s/@]{1,512}@/g,
]

/** A run that could be random bits in base64url or hex. Words of ours (lower-case, no digit) are none. */
const longRun = /[\w-]{32,}/g

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Text without secrets, terminal controls and direction marks, at most 2,048 characters. Linear. */
export function scrubText(text: string): string {
  const cut = text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text
  let clean = cut.replace(controls, ' ')
  for (const shape of shapes) clean = clean.replace(shape, BLANK)
  clean = clean.replace(longRun, (run) => (looksRandom(run) ? BLANK : run))
  return cut === text ? clean : `${clean}… (${text.length} characters)`
}

/** A copy that may be logged: depth, width and lengths bounded, errors as plain fields, secrets blanked. */
export function scrub(value: unknown): object {
  const copy = scrubValue(value, 0)
  return typeof copy === 'object' && copy !== null ? copy : { value: copy }
}

function scrubValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return scrubText(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '[deeper]'
  if (value instanceof Error) return scrubError(value, depth)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item) => scrubValue(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ENTRIES)
      .map(([name, inner]) => [scrubText(name).slice(0, 128), scrubField(name, inner, depth)]),
  )
}

function scrubField(name: string, value: unknown, depth: number): unknown {
  const plain = name.toLowerCase().replace(/[-_]/g, '')
  if (value === undefined || value === null || typeof value === 'boolean') return value
  if (plain === 'code') return isErrorCode(value) ? value : BLANK
  if (harmlessNames.has(plain)) return scrubValue(value, depth + 1)
  if (secretNames.has(plain) || secretWords.some((word) => plain.includes(word))) return BLANK
  return scrubValue(value, depth + 1)
}

/** An error's own code (`invalid_request`, `ECONNREFUSED`, `ERR_INVALID_URL`) is a word; a code somebody must type is not. */
function isErrorCode(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    /^(?:[a-z]+(?:_[a-z]+)*|E[A-Z]+(?:_[A-Z]+)*|[A-Z]+_[A-Z_]+)$/.test(value) &&
    value.length <= 64
  )
}

function scrubError(error: Error, depth: number): object {
  const { name, message, stack, cause } = error
  const code = 'code' in error && isErrorCode(error.code) ? error.code : undefined
  const frames = stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 12)
  const inner = error instanceof AggregateError ? error.errors.slice(0, 4) : undefined
  return {
    name: scrubText(String(name)),
    message: scrubText(String(message)),
    code,
    stack: frames?.map((frame) => scrubText(frame.trim())),
    errors: inner?.map((one) => scrubValue(one, depth + 1)),
    cause: cause === undefined ? undefined : scrubValue(cause, depth + 1),
  }
}

function looksRandom(run: string): boolean {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(run)) return false
  return /\d/.test(run) || (/[A-Z]/.test(run) && /[a-z]/.test(run))
}
