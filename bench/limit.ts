/**
 * The limit: a plain node:http server that does nothing but sign one ES256 JWT per request. No authorization server written in Node can be
 * faster; what lies between it and one is what that server costs.
 */
import { createServer } from 'node:http'
import { CompactSign, exportJWK, generateKeyPair } from 'jose'

const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const key = await exportJWK(privateKey)
const audience = 'https://api.example.test'

const server = createServer(async (request, response) => {
  for await (const _ of request);
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://limit.example.test', sub: 'app', client_id: 'app', aud: audience, scope: 'data:read' }
  const payload = Buffer.from(JSON.stringify({ ...claims, jti: crypto.randomUUID(), iat, exp: iat + 900 }))
  const jwt = await new CompactSign(payload).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'limit' }).sign(key)
  const body = JSON.stringify({ access_token: jwt, token_type: 'Bearer', expires_in: 900, scope: 'data:read' })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
})
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }))
