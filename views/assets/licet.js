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

for (const select of document.querySelectorAll('select[data-submit]')) {
  select.form.querySelector('[data-submitter]').hidden = true
  select.addEventListener('change', () => select.form.requestSubmit())
}

for (const form of document.querySelectorAll('form[method=post]:not([data-again])')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) return event.preventDefault()
    form.dataset.sent = 'yes'
    event.submitter?.setAttribute('aria-busy', 'true')
  })
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
