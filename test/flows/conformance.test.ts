/**
 * The Model Context Protocol's own conformance tool against a running server, with a person at the browser. It skips what it cannot do and
 * still ends well, so what counts is how many checks it says have passed.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Licet, newAccount, startLicet } from '../support/licet.ts'
import { Person } from '../support/person.ts'
import { freePorts } from '../support/ports.ts'
import { register } from '../support/registered.ts'

const MCP = 'https://mcp.example.test/mcp'
const TOOL = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'))

test('the MCP conformance tool passes all three checks of an authorization server', async (t) => {
  const resources = [{ identifier: MCP, name: 'Example MCP', scopes: ['mcp:read'], default_scopes: ['mcp:read'] }]
  const licet = await startLicet({ file: { resources } })
  t.after(() => licet.close())
  const [port = 0] = await freePorts(1)
  const { app } = await register(licet, { type: 'native', redirectUris: ['http://127.0.0.1/callback'] })
  const { email } = await newAccount(licet.core)
  const output = await conform(licet, { clientId: app.clientId, port, email })
  assert.match(output, /^Total: 3 passed, 0 failed/m, output)
  assert.doesNotMatch(output, /skipped/i, output)
})

/** Runs the tool; once it prints where to sign in, somebody does. Returns all it said. */
async function conform(
  { issuer }: Licet,
  { clientId, port, email }: { clientId: string; port: number; email: string },
): Promise<string> {
  const parameters = ['--url', issuer, '--client-id', clientId, '--resource', MCP, '--port', String(port)]
  const tool = spawn(process.execPath, [TOOL, 'authorization', ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] })
  const deadline = setTimeout(() => tool.kill('SIGKILL'), 60_000)
  let output = ''
  let visit: Promise<unknown> | undefined
  const read = (chunk: string): void => {
    output += chunk
    const [url] = /^http:\/\/\S+\/authorize\?\S+$/m.exec(output) ?? []
    if (url && output.includes('Waiting up to')) visit ??= play(issuer, url, email)
  }
  tool.stdout.setEncoding('utf8').on('data', read)
  tool.stderr.setEncoding('utf8').on('data', read)
  await once(tool, 'close')
  clearTimeout(deadline)
  await visit
  return output
}

/** Signs in, allows, and follows the redirect to the tool's own address as a browser would. */
async function play(issuer: string, url: string, email: string): Promise<void> {
  const back = await new Person(issuer).authorize(url, { email })
  await fetch(back)
}
