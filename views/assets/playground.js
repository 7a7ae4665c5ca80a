// The playground: a public browser app that runs the code flow with PKCE (RFC 7636) against the server that serves it.
// Tokens stay in this page's memory; only the PKCE verifier, state and nonce outlive the redirect, in sessionStorage.
// Every text comes from data-words and every value is written with textContent.
const root = document.getElementById('playground')
const settings = JSON.parse(root.dataset.settings)
const words = JSON.parse(root.dataset.words)
const { endpoints } = settings
const KEPT = 'licet.playground'
let tokens = {}

const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '')
const find = (selector, within = root) => within.querySelector(selector)

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

// ——— Small cryptography ———
const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '')
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)))
const sha256 = async (text) => base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
const bytesOf = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (character) => character.charCodeAt(0))
const decode = (part) => JSON.parse(new TextDecoder().decode(bytesOf(part)))

const algorithms = {
  ES256: [
    { name: 'ECDSA', namedCurve: 'P-256' },
    { name: 'ECDSA', hash: 'SHA-256' },
  ],
  RS256: [{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, { name: 'RSASSA-PKCS1-v1_5' }],
  EdDSA: [{ name: 'Ed25519' }, { name: 'Ed25519' }],
}

async function signatureState(token, header) {
  try {
    const { keys } = await (await fetch(endpoints.jwks)).json()
    const jwk = keys.find((key) => key.kid === header.kid)
    const [importing, verifying] = algorithms[header.alg]
    const key = await crypto.subtle.importKey('jwk', { ...jwk, key_ops: ['verify'] }, importing, false, ['verify'])
    const [head, body, signature] = token.split('.')
    const valid = await crypto.subtle.verify(
      verifying,
      key,
      bytesOf(signature),
      new TextEncoder().encode(`${head}.${body}`),
    )
    return valid ? 'verified' : 'unverified'
  } catch {
    return 'unchecked'
  }
}

// ——— Step 1: the request ———
function wishes() {
  const form = new FormData(document.getElementById('request'))
  return { scope: form.getAll('scope').join(' '), resource: form.get('resource'), prompt: form.get('prompt') }
}

function authorizeAddress({ scope, resource, prompt }, { state, nonce, challenge }) {
  const address = new URL(endpoints.authorize, location.origin)
  const parameters = {
    response_type: 'code',
    client_id: settings.clientId,
    redirect_uri: settings.redirectUri,
    scope,
    resource,
    prompt,
    state,
    ...(scope.split(' ').includes('openid') ? { nonce } : {}),
    code_challenge: challenge,
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) if (value) address.searchParams.set(name, value)
  return address
}

let secrets
async function prepare() {
  const verifier = random()
  secrets = { verifier, state: random(), nonce: random(), challenge: await sha256(verifier) }
  offerScopes()
  preview()
}

/** Only what the chosen API knows can be asked for; who you are can always be asked for. */
function offerScopes() {
  const resource = settings.resources.find(({ identifier }) => identifier === document.getElementById('resource').value)
  for (const box of root.querySelectorAll('[name=scope]')) {
    const fits = !box.value.includes(':') || !resource || resource.scopes.includes(box.value)
    box.disabled = !fits
    box.closest('label').hidden = !fits
  }
}

function preview() {
  const address = authorizeAddress(wishes(), secrets)
  const lines = [...address.searchParams].map(([name, value], index) => [
    make('i', {}, index ? '\n&' : '\n?'),
    make('b', {}, name),
    `=${value}`,
  ])
  find('#address').replaceChildren(make('i', {}, 'GET '), `${address.origin}${address.pathname}`, ...lines.flat())
}

function start() {
  const wish = wishes()
  sessionStorage.setItem(KEPT, JSON.stringify({ ...secrets, ...wish }))
  location.assign(authorizeAddress(wish, secrets))
}

// ——— Step 2: back with a code ———
async function comeBack(answer) {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null')
  sessionStorage.removeItem(KEPT)
  history.replaceState(null, '', '/playground')
  // RFC 9700 §2.1 and §4.4: an answer that this tab did not ask for, or from another issuer, is thrown away.
  if (!kept || answer.get('state') !== kept.state || answer.get('iss') !== settings.issuer)
    return begin('state_mismatch')
  note({ method: 'GET', url: authorizeAddress(kept, kept).href, status: 303, response: Object.fromEntries(answer) })
  if (answer.has('error'))
    return begin('refused', { error: answer.get('error'), description: answer.get('error_description') ?? '' })
  const result = await send('POST', endpoints.token, {
    form: {
      grant_type: 'authorization_code',
      client_id: settings.clientId,
      code: answer.get('code'),
      redirect_uri: settings.redirectUri,
      code_verifier: kept.verifier,
    },
  })
  if (!result.ok)
    return begin('refused', { error: result.body?.error, description: result.body?.error_description ?? '' })
  if (result.body.id_token && decode(result.body.id_token.split('.')[1]).nonce !== kept.nonce)
    return begin('state_mismatch')
  tokens = result.body
  await showTokens()
  tell('good', 'got')
}

// ——— Step 3: the tokens ———
async function showTokens() {
  reach('tokens')
  find('#ask').hidden = true
  find('#tokens').hidden = false
  for (const card of root.querySelectorAll('[data-token]')) {
    const token = tokens[card.dataset.token]
    card.hidden = !token
    if (token) await showToken(card, token)
  }
}

async function showToken(card, token) {
  const parts = token.split('.')
  const raw = find('[data-raw]', card)
  raw.replaceChildren(...parts.flatMap((part, index) => [index ? '.' : '', make('span', {}, part)]))
  find('.copier', card)?.remove()
  raw.after(copier(() => token, 'copy'))
  if (parts.length !== 3) return
  const [header, claims] = [decode(parts[0]), decode(parts[1])]
  find('[data-claims]', card).replaceChildren(...ordered(claims).map(claimRow))
  find('[data-header]', card).replaceChildren(...Object.entries(header).map(claimRow))
  const state = await signatureState(token, header)
  badge(find('[data-signature]', card), { verified: 'good', unverified: 'bad', unchecked: '' }[state], say(state))
  card.dataset.expires = claims.exp
  tick()
}

/** Known claims in the order in which they are explained, then the rest. */
function ordered(claims) {
  const known = Object.keys(words)
    .filter((key) => key.startsWith('claim.'))
    .map((key) => key.slice(6))
  const place = ([name]) => (known.includes(name) ? known.indexOf(name) : known.length)
  return Object.entries(claims).sort((left, right) => place(left) - place(right))
}

const TIMES = ['exp', 'iat', 'nbf', 'auth_time']
function claimRow([name, value]) {
  const shown = typeof value === 'string' ? value : JSON.stringify(value)
  const meaning = words[`claim.${name}`]
  const when = TIMES.includes(name)
    ? new Intl.DateTimeFormat(settings.locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(value * 1000)
    : ''
  const small = [meaning, when].filter(Boolean).join(' · ')
  return make('div', {}, make('dt', {}, name), make('dd', {}, shown, ...(small ? [make('small', {}, small)] : [])))
}

function tick() {
  for (const card of root.querySelectorAll('[data-expires]')) {
    const left = Math.floor(Number(card.dataset.expires) - Date.now() / 1000)
    const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`
    badge(find('[data-life]', card), left > 0 ? '' : 'bad', left > 0 ? say('expires_in', { time }) : say('expired'))
  }
}

const deeds = {
  userinfo: () => send('GET', endpoints.userinfo, { bearer: tokens.access_token }),
  api: () => send('GET', endpoints.api, { bearer: tokens.access_token }),
  introspect: () =>
    send('POST', endpoints.introspectThroughPage, {
      form: { csrf: settings.csrf, token: tokens.access_token },
      shownAs: { url: endpoints.introspect, form: { token: tokens.access_token }, basic: 'RESOURCE_SERVER_ID:SECRET' },
    }),
  async refresh() {
    if (!tokens.refresh_token) return tell('warn', 'no_refresh')
    const form = { grant_type: 'refresh_token', client_id: settings.clientId, refresh_token: tokens.refresh_token }
    const result = await send('POST', endpoints.token, { form })
    if (!result.ok)
      return tell('warn', 'refused', {
        error: result.body?.error ?? result.status,
        description: result.body?.error_description ?? '',
      })
    tokens = { ...tokens, ...result.body }
    await showTokens()
    tell('good', 'refreshed')
  },
  async revoke() {
    const form = { token: tokens.refresh_token ?? tokens.access_token, client_id: settings.clientId }
    const result = await send('POST', endpoints.revoke, { form })
    if (result.ok) tell('good', 'revoked')
  },
  start_over() {
    tokens = {}
    for (const card of root.querySelectorAll('[data-token]')) {
      card.hidden = true
      delete card.dataset.expires
    }
    find('#tokens').hidden = true
    begin()
  },
}

// ——— The wire ———
async function send(method, url, { form, bearer, shownAs = {} }) {
  const headers = bearer ? { authorization: `Bearer ${bearer}` } : {}
  const began = performance.now()
  try {
    const answer = await fetch(url, {
      method,
      headers,
      ...(form ? { body: new URLSearchParams(form) } : {}),
      redirect: 'error',
    })
    const text = await answer.text()
    const body = text && answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
    const challenge = answer.headers.get('www-authenticate')
    note({
      method,
      url,
      form,
      bearer,
      ...shownAs,
      status: answer.status,
      milliseconds: Math.round(performance.now() - began),
      response: body || challenge || '',
    })
    return { ok: answer.ok, status: answer.status, body }
  } catch {
    tell('warn', 'network')
    return { ok: false, status: 0 }
  }
}

const quote = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`
function curl({ method, url, form, bearer, basic }) {
  const fields = Object.entries(form ?? {}).map(([name, value]) => `--data-urlencode ${quote(`${name}=${value}`)}`)
  const parts = [`curl -sS ${form || method === 'GET' ? '' : `-X ${method} `}${quote(new URL(url, location.origin))}`]
  if (bearer) parts.push(`-H ${quote(`Authorization: Bearer ${bearer}`)}`)
  if (basic) parts.push(`-u ${quote(basic)}`)
  return [...parts, ...fields].join(' \\\n  ')
}

function note(exchange) {
  const { method, url, status, milliseconds, response } = exchange
  const tone = status < 400 ? 'good' : 'bad'
  const shown = typeof response === 'string' ? response : JSON.stringify(response, null, 2)
  const entry = make(
    'details',
    { class: 'exchange' },
    make(
      'summary',
      {},
      make('span', {}, `${method} ${new URL(url, location.origin).pathname}`),
      make('span', { class: `badge ${tone}` }, String(status)),
      ...(milliseconds === undefined ? [] : [make('span', { class: 'badge' }, `${milliseconds} ms`)]),
    ),
    make(
      'div',
      {},
      wire('request', curl(exchange)),
      wire('response', shown),
      copier(() => curl(exchange), 'copy_curl'),
    ),
  )
  for (const older of root.querySelectorAll('.exchange[open]')) older.open = false
  entry.open = true
  find('#log').prepend(entry)
  find('#exchanges').hidden = false
  if (tokens.access_token) entry.scrollIntoView({ block: 'center' })
}

const wire = (key, text) => make('pre', { class: 'wire', tabindex: '0', role: 'region', 'aria-label': say(key) }, text)

function copier(text, key) {
  const button = make('button', { type: 'button', class: 'small quiet copier' }, say(key))
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text())
    button.textContent = say('copied')
    setTimeout(() => {
      button.textContent = say(key)
    }, 1500)
  })
  return button
}

// ——— What the page shows ———
function badge(element, tone, text) {
  element.className = `badge ${tone}`
  element.textContent = text
}

function tell(tone, key, values) {
  const news = find('#news')
  news.className = `notice ${tone}`
  news.textContent = say(key, values)
  news.hidden = false
}

function reach(step) {
  const steps = [...root.querySelectorAll('[data-step]')]
  const at = steps.findIndex((element) => element.dataset.step === step)
  for (const [index, element] of steps.entries()) {
    element.classList.toggle('done', index < at)
    element.toggleAttribute('aria-current', false)
    if (index === at) element.setAttribute('aria-current', 'step')
  }
}

async function begin(problem, values) {
  reach('ask')
  find('#ask').hidden = false
  find('#news').hidden = true
  if (problem) tell('bad', problem, values)
  await prepare()
}

root.hidden = false
find('#start').addEventListener('click', start)
find('#request').addEventListener('input', () => {
  offerScopes()
  preview()
})
for (const button of root.querySelectorAll('[data-deed]'))
  button.addEventListener('click', () => deeds[button.dataset.deed]())
setInterval(tick, 1000)
const answer = new URLSearchParams(location.search)
if (answer.has('code') || answer.has('error')) await comeBack(answer)
else await begin()
