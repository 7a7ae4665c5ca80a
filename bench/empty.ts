/**
 * The yardstick of whatever answers from memory: a plain node:http server that answers 204 to every request and does nothing else. At `/head` it
 * sends a head as long as forward auth's, to show what that alone costs.
 */
import { createServer } from 'node:http'

const head: Record<string, string> = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'RateLimit-Policy': '"api_credential";q=600;w=60',
  RateLimit: '"api_credential";r=599;t=60',
  'X-RateLimit-Limit': '600',
  'X-RateLimit-Remaining': '599',
  'X-RateLimit-Reset': '60',
  'X-Licet-Subject': 'x'.repeat(22),
  'X-Licet-Scope': 'data:read',
  'X-Licet-Credential': `api_key:${'x'.repeat(16)}`,
  Authorization: `Bearer ${'x'.repeat(560)}`,
}

const server = createServer(({ url }, response) => {
  if (url !== '/head') return void response.writeHead(204).end()
  response.setHeader('X-Request-Id', 'x'.repeat(16))
  for (const name in head) response.setHeader(name, head[name] ?? '')
  response.statusCode = 200
  response.end()
})
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }))
