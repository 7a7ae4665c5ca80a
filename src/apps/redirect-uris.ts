/**
 * Which redirect URIs an app may register (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §2.1 and §4.1). A URI that passes is kept exactly as
 * given (an IDN host aside) and compared exactly when it is used; the loopback port of native apps is left to `oidc/`.
 */
import { domainToASCII } from 'node:url'
import type { FieldError } from '../errors.ts'
import type { AppType } from './app-types.ts'

export type RedirectProblem = keyof typeof redirectProblems
export type RedirectWarning = 'loopback' | 'private_scheme' | 'private_scheme_without_dot'
export type RedirectJudgement =
  | { readonly ok: true; readonly uri: string; readonly warnings: readonly RedirectWarning[] }
  | { readonly ok: false; readonly reason: RedirectProblem }

/** Every reason for a refusal and the sentence a developer reads. */
export const redirectProblems = {
  not_for_type: 'Apps of this type have no redirect URIs.',
  too_long: 'Use at most 2,048 characters.',
  forbidden_character: 'Take out spaces, control characters and backslashes.',
  not_absolute: 'Give an absolute URI with a scheme.',
  malformed: 'Give a well-formed URI.',
  fragment: 'Take out the fragment (#).',
  wildcard: 'Take out the wildcard (*): redirect URIs are compared exactly.',
  userinfo: 'Take out the user name or password before the host (@).',
  dot_segment: 'Take out the dot segments (/./ and /../).',
  http_not_loopback: 'Use https. http is only for 127.0.0.1, [::1] and localhost.',
  private_scheme_not_native: 'Only native apps may use a scheme of their own; use https.',
  system_scheme: 'This scheme belongs to the operating system or the browser.',
  response_parameter: 'Take out query parameters that the answer itself carries (code, state, iss, error …).',
  duplicate: 'This URI is given twice.',
  too_many: 'Give at most 20 redirect URIs.',
} as const

const LENGTH_LIMIT = 2048
const COUNT_LIMIT = 20
const LOOPBACK_HOSTS = new Set(['127.0.0.1', '[::1]', 'localhost'])
/** What the authorization response adds (RFC 6749 §4.1.2, RFC 9207, JARM): a second one would confuse the app (threats.md RU7). */
const RESPONSE_PARAMETERS = new Set(
  'code state iss error error_description error_uri session_state response id_token access_token token_type expires_in scope'.split(
    ' ',
  ),
)
/** Schemes that run programs or scripts, read files or speak another protocol. */
const SYSTEM_SCHEMES = new Set(
  `about acrobat afp android-app apt blob calculator callto chrome chrome-extension chrome-untrusted cid content data dav devtools dict
   dns edge extension facetime facetime-audio feed file filesystem finger ftp ftps geo git go googlechrome gopher hcp help imap imaps
   insecure intent irc ircs itms itms-apps itms-appss itms-services jar java javascript jdbc jnlp ldap ldaps livescript local
   mailto man market message mhtml mid microsoft-edge mk mms mmst mocha moz-extension moz-icon ms msteams news nfs nntp odopen
   onenote opera outlook package pop prefs ps resource res rlogin rmi rtmp rtsp rtsps safari-web-extension search search-ms sftp shell
   sip sips skype smb sms smsto ssh steam svn symres teamviewer tel telnet tftp tn3270 urn vbs vbscript view-source vnc
   webcal webcals wais ws wss wyciwyg x-apple x-apple.systempreferences x-help-action x-man-page x-webdoc xmpp zoommtg`.split(
    /\s+/,
  ),
)

/** Whether an app of that type may register `uri`, why not, and of what a person should be warned. */
export function judgeRedirectUri(uri: string, type: AppType): RedirectJudgement {
  if (type === 'device' || type === 'service') return { ok: false, reason: 'not_for_type' }
  const reason = findTextProblem(uri)
  if (reason) return { ok: false, reason }
  const scheme = uri.slice(0, uri.indexOf(':')).toLowerCase()
  return scheme === 'http' || scheme === 'https' ? judgeWebUri(uri, scheme) : judgePrivateUri(uri, scheme, type)
}

/**
 * The URIs as they are kept. The fields point at the offending ones below `pointer`, each with its own sentence.
 */
export function judgeRedirectUris(
  uris: readonly string[],
  type: AppType,
  pointer: string,
): { uris: string[]; warnings: RedirectWarning[]; problems: FieldError[] } {
  const kept: string[] = []
  const warnings = new Set<RedirectWarning>()
  const problems: FieldError[] = []
  const refuse = (at: string, code: RedirectProblem) =>
    problems.push({ pointer: pointer + at, code, detail: redirectProblems[code] })
  if (uris.length > COUNT_LIMIT) refuse('', 'too_many')
  for (const [index, uri] of uris.slice(0, COUNT_LIMIT).entries()) {
    const judged = judgeRedirectUri(uri, type)
    if (!judged.ok) refuse(`/${index}`, judged.reason)
    else if (kept.includes(judged.uri)) refuse(`/${index}`, 'duplicate')
    else kept.push(judged.uri)
    if (judged.ok) for (const warning of judged.warnings) warnings.add(warning)
  }
  return { uris: kept, warnings: [...warnings], problems }
}

/** Rules over the text alone, before any parser may bend it: browsers and servers read odd URIs differently. */
const textRules: readonly (readonly [RedirectProblem, (uri: string) => boolean])[] = [
  ['too_long', (uri) => uri.length > LENGTH_LIMIT],
  [
    'forbidden_character',
    (uri) => /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\\"<>`{}|^]|%(?:[01][0-9a-f]|7f)/iu.test(uri),
  ],
  ['not_absolute', (uri) => !/^[a-z][a-z0-9+.-]*:/i.test(uri)],
  ['fragment', (uri) => uri.includes('#')],
  ['wildcard', (uri) => uri.includes('*')],
  ['malformed', (uri) => /%(?![0-9a-f]{2})/i.test(uri)],
  ['userinfo', (uri) => /^[^:]+:\/\/[^/?]*@/.test(uri)],
  ['dot_segment', (uri) => /(?:^[^?]*)(?:\/|:)(?:\.|%2e){1,2}(?:[/?]|$)/i.test(uri)],
  ['response_parameter', (uri) => queryNames(uri).some((name) => RESPONSE_PARAMETERS.has(name))],
]

function findTextProblem(uri: string): RedirectProblem | undefined {
  return textRules.find(([, isBroken]) => isBroken(uri))?.[0]
}

function queryNames(uri: string): string[] {
  const start = uri.indexOf('?')
  return start === -1 ? [] : [...new URLSearchParams(uri.slice(start + 1)).keys()]
}

function judgeWebUri(uri: string, scheme: 'http' | 'https'): RedirectJudgement {
  const [, authority = '', rest = ''] = /^https?:\/\/([^/?]+)(.*)$/is.exec(uri) ?? []
  const [, rawHost = '', port = ''] = /^(\[[0-9a-f:.]+\]|[^:[\]%]+)(:\d{1,5})?$/i.exec(authority) ?? []
  const host = /[^\p{ASCII}]/u.test(rawHost) ? domainToASCII(rawHost) : rawHost
  const kept = `${scheme}://${host}${port}${rest}`
  if (host === '' || host.endsWith('.') || !isUri(kept)) return { ok: false, reason: 'malformed' }
  const isLoopback = LOOPBACK_HOSTS.has(host.toLowerCase())
  // The host as written, not as parsed: 127.1 and 2130706433 are 127.0.0.1 to some parsers only.
  if (scheme === 'http' && !isLoopback) return { ok: false, reason: 'http_not_loopback' }
  return { ok: true, uri: host === rawHost ? uri : kept, warnings: isLoopback ? ['loopback'] : [] }
}

/** RFC 3986: ASCII only; what browsers would encode for us could be compared in two forms. */
function isUri(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && URL.canParse(text)
}

/** RFC 8252 §7.1: a reversed domain name. Others (`cursor://`) are in wide use and let through with a warning. */
function judgePrivateUri(uri: string, scheme: string, type: AppType): RedirectJudgement {
  if (SYSTEM_SCHEMES.has(scheme) || scheme.startsWith('ms-') || scheme.startsWith('microsoft.'))
    return { ok: false, reason: 'system_scheme' }
  if (type !== 'native') return { ok: false, reason: 'private_scheme_not_native' }
  if (!isUri(uri) || /^[^:]+:\/*$/.test(uri)) return { ok: false, reason: 'malformed' }
  const warnings: RedirectWarning[] = scheme.includes('.')
    ? ['private_scheme']
    : ['private_scheme', 'private_scheme_without_dot']
  return { ok: true, uri, warnings }
}
