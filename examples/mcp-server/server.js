/**
 * An MCP server protected by Licet, in one file: it says which authorization server it trusts (RFC 9728), verifies tokens offline, and asks for
 * `mcp:write` only when a tool needs it. Run: ISSUER=http://localhost:4000 RESOURCE=http://localhost:4200/mcp PORT=4200 node server.js
 * With CLIENT_ID and CLIENT_SECRET of an app made with --resource-server it also helps clients that answer a 403 by refreshing (see `hint`).
 * The resource stands in Licet's configuration: resources: [{ identifier: "http://localhost:4200/mcp", scopes: ["mcp:read", "mcp:write"], default_scopes: ["mcp:read"] }]
 */
import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const {
  ISSUER = 'http://localhost:4000',
  RESOURCE = 'http://localhost:4200/mcp',
  PORT = '4200',
  CLIENT_ID,
  CLIENT_SECRET,
} = process.env
const resource = new URL(RESOURCE)
const metadataPath = `/.well-known/oauth-protected-resource${resource.pathname}`
const metadataUrl = `${resource.origin}${metadataPath}`
const keys = createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`))
/** Tools that change something; every other one needs `mcp:read`. */
const writing = new Set(['add_note'])
const notes = new Map()

/** Who calls, or undefined: signature, issuer, audience, type and times, all from the token itself. */
async function verify(header = '') {
  const token = /^Bearer (.+)$/i.exec(header)?.[1]
  if (!token) return undefined
  try {
    const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, audience: RESOURCE, typ: 'at+jwt' })
    return { subject: payload.sub, scopes: String(payload.scope ?? '').split(' ') }
  } catch {
    return undefined
  }
}

/** RFC 6750 §3 with the scope that would do; all scopes of the operation in one challenge, so that nothing is lost by a step-up. */
function challenge(response, status, error, scope) {
  const description = status === 403 ? 'This tool needs another scope' : 'Sign in first'
  response.writeHead(status, {
    'WWW-Authenticate': `Bearer error="${error}", error_description="${description}", scope="${scope}", resource_metadata="${metadataUrl}"`,
  })
  response.end()
}

/** Tells Licet that this token is not enough, so that the client's next refresh sends it to the person instead of in circles. */
async function hint(header) {
  if (!CLIENT_ID) return
  const authorization = `Basic ${Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64')}`
  const body = new URLSearchParams({ token: header.split(' ')[1], step_up: 'true' })
  await fetch(`${ISSUER}/introspect`, { method: 'POST', headers: { authorization }, body })
}

function createMcp(caller) {
  const mcp = new McpServer({ name: 'notes', version: '1.0.0' })
  const mine = () => notes.get(caller.subject) ?? []
  mcp.registerTool('list_notes', { description: 'Your notes' }, () => ({
    content: [{ type: 'text', text: mine().join('\n') || 'no notes' }],
  }))
  mcp.registerTool('add_note', { description: 'Adds a note' }, () => {
    notes.set(caller.subject, [...mine(), `note ${mine().length + 1}`])
    return { content: [{ type: 'text', text: 'added' }] }
  })
  return mcp
}

async function readJson(request) {
  let text = ''
  for await (const chunk of request) text += chunk
  return text === '' ? undefined : JSON.parse(text)
}

createServer(async (request, response) => {
  if (request.url === metadataPath || request.url === '/.well-known/oauth-protected-resource') {
    response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' })
    return response.end(
      JSON.stringify({
        resource: RESOURCE,
        authorization_servers: [ISSUER],
        scopes_supported: ['mcp:read', 'mcp:write'],
      }),
    )
  }
  if (request.url !== resource.pathname) return response.writeHead(404).end()
  const caller = await verify(request.headers.authorization)
  if (!caller) return challenge(response, 401, 'invalid_token', 'mcp:read')
  const body = await readJson(request)
  const needed = body?.method === 'tools/call' && writing.has(body.params?.name) ? 'mcp:write' : 'mcp:read'
  if (!caller.scopes.includes(needed)) {
    await hint(request.headers.authorization)
    return challenge(response, 403, 'insufficient_scope', `mcp:read ${needed}`)
  }
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  await createMcp(caller).connect(transport)
  await transport.handleRequest(request, response, body)
}).listen(Number(PORT), '127.0.0.1', () => process.stdout.write(`MCP server at ${RESOURCE}\n`))
