import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AppType } from '../../src/apps/app-types.ts'
import { judgeRedirectUri, judgeRedirectUris, type RedirectProblem } from '../../src/apps/redirect-uris.ts'

/** URI, type, the reason it is refused for or the warnings it is taken with. */
const taken: readonly [string, AppType, string][] = [
  ['https://app.example.com/callback', 'web', ''],
  ['https://app.example.com/callback?tenant=7', 'web', ''],
  ['https://app.example.com', 'web', ''],
  ['https://app.example.com:8443/cb', 'spa', ''],
  ['https://app.example.com/a..b/c.d', 'web', ''],
  ['https://app.example.com/%C3%BC', 'web', ''],
  ['https://192.0.2.7/cb', 'web', ''],
  ['https://[2001:db8::1]/cb', 'web', ''],
  ['https://claude.ai/api/mcp/auth_callback', 'web', ''],
  ['http://127.0.0.1:3000/callback', 'native', 'loopback'],
  ['http://127.0.0.1/callback', 'native', 'loopback'],
  ['http://[::1]:9999/callback', 'native', 'loopback'],
  ['http://localhost:6274/oauth/callback', 'spa', 'loopback'],
  ['http://localhost:3000/cb', 'web', 'loopback'],
  ['com.example.app:/oauth2redirect', 'native', 'private_scheme'],
  ['com.example.app://oauth/cb', 'native', 'private_scheme'],
  [
    'cursor://anysphere.cursor-retrieval/oauth/user-mcp/callback',
    'native',
    'private_scheme private_scheme_without_dot',
  ],
  ['vscode://vscode.github-authentication/did-authenticate', 'native', 'private_scheme private_scheme_without_dot'],
]

const refused: readonly [string, AppType, RedirectProblem][] = [
  ['http://app.example.com/cb', 'web', 'http_not_loopback'],
  ['http://a.example', 'native', 'http_not_loopback'],
  ['http://127.1/cb', 'native', 'http_not_loopback'],
  ['http://2130706433/cb', 'native', 'http_not_loopback'],
  ['http://0x7f000001/cb', 'native', 'http_not_loopback'],
  ['http://127.0.0.2/cb', 'native', 'http_not_loopback'],
  ['http://[0:0:0:0:0:0:0:1]/cb', 'native', 'http_not_loopback'],
  ['http://localhost.evil.example/cb', 'native', 'http_not_loopback'],
  ['http://127.0.0.1.evil.example/cb', 'native', 'http_not_loopback'],
  ['http://localhost./cb', 'native', 'malformed'],
  ['https://app.example.com/cb#part', 'web', 'fragment'],
  ['https://app.example.com/cb#', 'web', 'fragment'],
  ['https://*.example.com/cb', 'web', 'wildcard'],
  ['https://app.example.com/*', 'web', 'wildcard'],
  ['com.example.app:/*', 'native', 'wildcard'],
  ['https://user@app.example.com/cb', 'web', 'userinfo'],
  ['https://u:p@app.example.com/cb', 'web', 'userinfo'],
  ['https://app.example.com:443@evil.example/cb', 'web', 'userinfo'],
  ['http://localhost:3000@evil.example/cb', 'native', 'userinfo'],
  ['com.example.app://u@host/cb', 'native', 'userinfo'],
  ['https://app.example.com\\@evil.example/cb', 'web', 'forbidden_character'],
  ['https://app.example.com/cb/../evil', 'web', 'dot_segment'],
  ['https://app.example.com/./cb', 'web', 'dot_segment'],
  ['https://app.example.com/cb/%2e%2e/evil', 'web', 'dot_segment'],
  ['https://app.example.com/cb/.%2E', 'web', 'dot_segment'],
  ['https://app.example.com/c b', 'web', 'forbidden_character'],
  [' https://app.example.com/cb', 'web', 'forbidden_character'],
  ['https://app.example.com/cb\t', 'web', 'forbidden_character'],
  ['https://app.example.com/cb\r\nSet-Cookie:x', 'web', 'forbidden_character'],
  ['https://app.example.com/%0d%0aLocation:x', 'web', 'forbidden_character'],
  ['https://app.example.com/%00', 'web', 'forbidden_character'],
  ['https://app\u200b.example.com/cb', 'web', 'forbidden_character'],
  ['https://app.example.com/\u202egnp', 'web', 'forbidden_character'],
  ['https://app.example.com/<script>', 'web', 'forbidden_character'],
  ['https://app.example.com/50%', 'web', 'malformed'],
  ['https://app.example.com/ü', 'web', 'malformed'],
  ['https://app.example.com%2eevil.example/cb', 'web', 'malformed'],
  ['https:///cb', 'web', 'malformed'],
  ['https:app.example.com/cb', 'web', 'malformed'],
  ['https://app.example.com:99999/cb', 'web', 'malformed'],
  ['https://[::1/cb', 'web', 'malformed'],
  ['https://', 'web', 'malformed'],
  ['com.example.app:', 'native', 'malformed'],
  ['//app.example.com/cb', 'web', 'not_absolute'],
  ['/cb', 'web', 'not_absolute'],
  ['app.example.com/cb', 'web', 'not_absolute'],
  ['', 'web', 'not_absolute'],
  ['javascript:alert(1)', 'native', 'system_scheme'],
  ['JavaScript:alert(1)', 'native', 'system_scheme'],
  ['data:text/html,x', 'native', 'system_scheme'],
  ['vbscript:x', 'native', 'system_scheme'],
  ['file:///etc/passwd', 'native', 'system_scheme'],
  ['intent://scan/cb', 'native', 'system_scheme'],
  ['ms-msdt:/id', 'native', 'system_scheme'],
  ['ms-appinstaller://x', 'native', 'system_scheme'],
  ['MS-Office:x', 'native', 'system_scheme'],
  ['search-ms:query=x', 'native', 'system_scheme'],
  ['blob:https://app.example.com/x', 'native', 'system_scheme'],
  ['view-source:https://app.example.com', 'native', 'system_scheme'],
  ['urn:ietf:wg:oauth:2.0:oob', 'native', 'system_scheme'],
  ['com.example.app:/cb', 'web', 'private_scheme_not_native'],
  ['cursor://cb/x', 'spa', 'private_scheme_not_native'],
  ['https://app.example.com/cb?code=x', 'web', 'response_parameter'],
  ['https://app.example.com/cb?a=1&%73tate=x', 'web', 'response_parameter'],
  ['https://app.example.com/cb?iss=https://evil.example', 'web', 'response_parameter'],
  [`https://app.example.com/${'a'.repeat(2048)}`, 'web', 'too_long'],
  ['https://app.example.com/cb', 'service', 'not_for_type'],
  ['http://127.0.0.1/cb', 'device', 'not_for_type'],
]

for (const [uri, type, warnings] of taken) {
  test(`${type} app, taken exactly as given: ${uri}`, () => {
    const judged = judgeRedirectUri(uri, type)
    assert.deepEqual(judged, { ok: true, uri, warnings: warnings === '' ? [] : warnings.split(' ') })
  })
}

for (const [uri, type, reason] of refused) {
  test(`RU4 attack: ${type} app, refused as ${reason}: ${JSON.stringify(uri.slice(0, 70))}`, () => {
    assert.deepEqual(judgeRedirectUri(uri, type), { ok: false, reason })
  })
}

test('an internationalised host is kept as punycode, so that look-alikes show', () => {
  const judged = judgeRedirectUri('https://аpple.example:8443/cb?x=1', 'web')
  assert.deepEqual(judged, { ok: true, uri: 'https://xn--pple-43d.example:8443/cb?x=1', warnings: [] })
})

test('each of several URIs is judged by itself and named by its place', () => {
  const { uris, problems } = judgeRedirectUris(
    ['https://a.example/cb', 'http://b.example/cb', 'https://a.example/cb', 'https://c.example/#'],
    'web',
    '/redirect_uris',
  )
  assert.deepEqual(uris, ['https://a.example/cb'])
  assert.deepEqual(
    problems.map(({ pointer, code }) => [pointer, code]),
    [
      ['/redirect_uris/1', 'http_not_loopback'],
      ['/redirect_uris/2', 'duplicate'],
      ['/redirect_uris/3', 'fragment'],
    ],
  )
  assert.ok(problems.every(({ detail }) => detail.length > 10))
})

test('RU4 attack: more than twenty redirect URIs are refused', () => {
  const uris = Array.from({ length: 1000 }, (_, index) => `https://a.example/${index}`)
  assert.deepEqual(judgeRedirectUris(uris.slice(0, 20), 'web', '/redirect_uris').problems, [])
  assert.deepEqual(
    judgeRedirectUris(uris, 'web', '/redirect_uris').problems.map(({ code }) => code),
    ['too_many'],
  )
})
