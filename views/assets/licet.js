// Small comforts on pages that all work without them: show a password, tidy a device code, one submit per form.
for (const button of document.querySelectorAll('[data-reveal]')) {
  const input = document.getElementById(button.dataset.reveal)
  button.hidden = false
  button.addEventListener('click', () => {
    const shown = input.type === 'text'
    input.type = shown ? 'password' : 'text'
    button.textContent = shown ? button.dataset.show : button.dataset.hide
    button.setAttribute('aria-pressed', String(!shown))
    input.focus()
  })
  // A password must not be sent, or remembered by the browser, as plain text input.
  input.form?.addEventListener('submit', () => {
    input.type = 'password'
  })
}

// How hard a new password is to guess, as the server judges it.
for (const strength of document.querySelectorAll('[data-strength]')) {
  const input = document.getElementById(strength.dataset.strength)
  const [meter, said] = strength.children
  let due
  const judge = async () => {
    const password = input.value
    const { email, name } = input.form.elements
    const body = new URLSearchParams({ csrf: strength.dataset.csrf, password })
    for (const known of [email, name]) if (known) body.set(known.name, known.value)
    const answer = await fetch('/password-strength', { method: 'POST', body }).catch(() => undefined)
    const score = answer?.ok ? (await answer.json()).score : undefined
    if (input.value !== password) return
    strength.hidden = password === '' || score === undefined
    meter.value = score + 1
    said.textContent = strength.dataset[`is${score}`]
  }
  input.addEventListener('input', () => {
    clearTimeout(due)
    due = setTimeout(judge, 300)
  })
}

for (const select of document.querySelectorAll('select[data-submit]')) {
  select.form.querySelector('[data-submitter]').hidden = true
  select.addEventListener('change', () => select.form.requestSubmit())
}

for (const form of document.querySelectorAll('form[method=post]:not([data-again], [data-passkey])')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) return event.preventDefault()
    form.dataset.sent = 'yes'
    event.submitter?.setAttribute('aria-busy', 'true')
  })
}

// Passkeys (WebAuthn): the options come with the page, the answer leaves as JSON in the form.
const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0))
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '')

function readOptions(form) {
  const options = JSON.parse(form.dataset.options)
  options.challenge = toBytes(options.challenge)
  if (options.user) options.user.id = toBytes(options.user.id)
  for (const list of [options.allowCredentials, options.excludeCredentials])
    for (const one of list ?? []) one.id = toBytes(one.id)
  return options
}

function writeCredential(credential) {
  const { response } = credential
  const inner = { clientDataJSON: toText(response.clientDataJSON) }
  for (const name of ['attestationObject', 'authenticatorData', 'signature', 'userHandle'])
    if (response[name]) inner[name] = toText(response[name])
  if (response.getTransports) inner.transports = response.getTransports()
  const { id, type, authenticatorAttachment } = credential
  return JSON.stringify({ id, rawId: id, type, authenticatorAttachment, response: inner, clientExtensionResults: {} })
}

let waiting
async function runPasskey(form, mediation) {
  waiting?.abort()
  waiting = new AbortController()
  const asked = { publicKey: readOptions(form), signal: waiting.signal, ...(mediation ? { mediation } : {}) }
  const credential = await navigator.credentials[form.dataset.passkey](asked)
  form.elements.credential.value = writeCredential(credential)
  form.submit()
}

for (const form of window.PublicKeyCredential ? document.querySelectorAll('[data-passkey]') : []) {
  form.querySelector('button').hidden = false
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    runPasskey(form).catch(() => {
      form.querySelector('[data-passkey-problem]').hidden = false
    })
  })
  if ('autofill' in form.dataset)
    PublicKeyCredential.isConditionalMediationAvailable?.().then(
      (can) => can && runPasskey(form, 'conditional').catch(() => {}),
    )
}

for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = false
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy)
    const lines = source.matches('ol')
      ? [...source.children].map((item) => item.textContent.trim())
      : [source.textContent]
    await navigator.clipboard.writeText(lines.join('\n'))
    button.textContent = button.dataset.done
  })
}

for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false
  button.addEventListener('click', () => print())
}

// What is shown once is gone when the page is left, whatever the browser keeps for its Back button.
addEventListener('pagehide', () => {
  for (const shown of document.querySelectorAll('[data-once]')) shown.remove()
})

// A page that comes back from the browser's cache may send its forms again.
addEventListener('pageshow', (event) => {
  if (!event.persisted) return
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent
    for (const button of form.querySelectorAll('[aria-busy]')) button.removeAttribute('aria-busy')
  }
})

const problem = document.getElementById('problem')
if (problem) problem.focus()
