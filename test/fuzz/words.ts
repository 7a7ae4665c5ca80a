/**
 * The words of bent requests: names that endpoints know or must not trip over, and values that have broken servers before.
 */

/** Marks a value that is percent-encoded already: what no encoder would write. */
export const RAW = '\u0001raw:'

const words = (text: string): string[] => text.trim().split(/\s+/)
const lines = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim())

export const parameterNames = [
  ...words(`client_id client_secret client_assertion client_assertion_type redirect_uri scope state nonce response_type response_mode
    prompt max_age claims acr_values login_hint ui_locales resource request request_uri id_token_hint dpop_jkt code_challenge
    code_challenge_method code display code_verifier refresh_token grant_type token token_type_hint device_code user_code audience
    authorization_details subject_token assertion username password email csrf xsrf decision duration logout locale return_to
    post_logout_redirect_uri access_token iss registration __proto__ constructor prototype toString hasOwnProperty scope[] a[b][c]`),
  ...['', ' ', '\u0000'],
]

export const nastyValues = [
  ...words(`null undefined -1 0 1e309 NaN 9007199254740993 0x10 true __proto__ constructor ../../etc/passwd //evil.example
    /\\evil.example https:evil javascript:alert(1) data:text/html,x http://127.0.0.1:1/ https://app.example.test/callback#f https://[::1
    urn: {} [] {"id_token":{"sub":{"value":1}}} {"userinfo":null} {"id_token":{"acr":{"values":[{}]}}} {"a": " eyJhbGciOiJub25lIn0.e30.
    eyJhbGciOiJFUzI1NiJ9.e30.AAAA a.b.c .. e30.e30.e30 eyJhbGciOjF9.bnVsbA.AA none query fragment form_post web_message S256
    <script>alert(1)</script> é ﬀ İ urn:ietf:params:oauth:request_uri:x urn:ietf:params:oauth:client-assertion-type:jwt-bearer
    refresh_token urn:ietf:params:oauth:grant-type:device_code urn:ietf:params:oauth:grant-type:token-exchange password`),
  ...['', ' ', '\u0000', '[object Object]', 'http://a b', 'login consent none', 'code token', '\r\nSet-Cookie: a=b'],
  ...['\u202e\u2066', '\ud83d\ude00', '\ufffe', '\u0130\u0307', 'openid '.repeat(200)],
  ...['a'.repeat(300), 'a'.repeat(2100), 'a'.repeat(7000), 'ä'.repeat(1500), ' '.repeat(600)],
  ...words('% %zz %00 %ff%fe %E0%80%80 %c0%ae %F0%28%8C%28 %ED%A0%80 + & = %u0041 %0d%0a').map((text) => RAW + text),
]

export const headerNames =
  words(`authorization dpop cookie accept accept-language origin referer x-forwarded-for forwarded sec-fetch-site
  if-none-match range content-encoding x-forwarded-host x-forwarded-proto user-agent x-http-method-override upgrade te expect
  access-control-request-method x-request-id accept-encoding`)

export const headerValues = [
  ...lines(`Basic
    Basic !!!
    Basic Og==
    Basic YTpi
    Basic JTp6Og==
    Bearer
    Bearer x
    Bearer a.b.c
    DPoP x
    Digest username="x"
    : :
    eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6Im5vbmUifQ.e30.
    eyJhbGciOiJFUzI1NiIsInR5cCI6ImRwb3Arand0IiwiandrIjp7fX0.e30.AA
    a, b
    __Host-licet_session=x
    __Host-licet_pre=
    __Secure-licet_interaction=a; __Secure-licet_interaction.sig=b
    =;=;;
    text/html
    application/json
    */*;q=x
    null
    http://evil.example
    cross-site
    same-origin
    *
    W/"
    bytes=0-
    gzip
    br
    deflate, gzip
    identity
    100-continue
    websocket
    h2c
    trailers
    é
    de;q=a,,x
    127.0.0.1
    ::1
    unknown
    1.2.3.4, 5.6.7.8
    999.1.1.1
    for="[::1]:x"
    2130706433`),
  ...[
    '',
    ' ',
    'Basic ',
    'Bearer ',
    '\xff\xfe',
    `Basic ${'A'.repeat(4000)}`,
    `Bearer ${'a'.repeat(9000)}`,
    'a'.repeat(5000),
  ],
]

export const bodyTypes = [
  ...words('application/x-www-form-urlencoded application/json text/plain APPLICATION/X-WWW-FORM-URLENCODED a/b/c ;'),
  ...['', 'application/x-www-form-urlencoded; charset=utf-16', 'multipart/form-data; boundary=x'],
  'application/x-www-form-urlencoded;;;',
]

export const methods = words('GET POST PUT DELETE OPTIONS HEAD PATCH TRACE PROPFIND QUERY')
export const pathTails = [
  ...words('/ // /.. /%2e%2e /%00 ;a=b /x %20 /%ff .json /confirm /success \\\\'),
  `/${'a'.repeat(3000)}`,
]
