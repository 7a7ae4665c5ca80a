/**
 * Forward auth with a real nginx and the configuration of `examples/nginx`, as a reader would take it over: only ports are changed.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { type ApiCall, callApi, makeKey, newOwner, type Owner } from '../support/api.ts'
import { type Licet, root, startLicet } from '../support/licet.ts'
import { eventually, freePorts } from '../support/ports.ts'
import { requireTool, skipWithout } from '../support/tools.ts'

interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

describe('behind a real nginx', { skip: skipWithout('nginx') }, () => {
  let licet: Licet
  let ada: Owner
  let nginx: ChildProcess
  let service: Server
  let gateway = ''
  const received: Received[] = []
  const directory = mkdtempSync(join(tmpdir(), 'licet-nginx-'))

  before(async () => {
    licet = await startLicet({ env: { LICET_TRUSTED_PROXIES: '127.0.0.1/32' } })
    ada = await newOwner(licet)
    service = createServer(({ method = '', url = '', headers }, response) => {
      received.push({ method, url, headers })
      response.end('the order')
    })
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    const [port = 0] = await freePorts(1)
    gateway = `http://127.0.0.1:${port}`
    const text = readFileSync(join(root, 'examples/nginx/nginx.conf'), 'utf8')
      .replace('127.0.0.1:4000', `127.0.0.1:${new URL(licet.issuer).port}`)
      .replace('127.0.0.1:9000', `127.0.0.1:${(service.address() as AddressInfo).port}`)
      .replace('listen 127.0.0.1:8080', `listen 127.0.0.1:${port}`)
      .replace('worker_processes auto', 'worker_processes 1')
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${directory}/${name};`,
    )
    const head = `daemon off; pid ${directory}/pid; error_log ${directory}/error.log;`
    const file = join(directory, 'nginx.conf')
    writeFileSync(file, `${head}\n${text.replace('http {', `http { access_log off; ${places.join(' ')}`)}`)
    nginx = spawn(requireTool('nginx') ?? 'nginx', ['-c', file, '-e', `${directory}/error.log`], { stdio: 'inherit' })
    await eventually('nginx answers', () => fetch(gateway).then(({ status }) => status === 401))
  })
  after(async () => {
    nginx?.kill('SIGTERM')
    if (nginx && nginx.exitCode === null) await new Promise((resolve) => nginx.once('exit', resolve))
    service?.closeAllConnections()
    service?.close()
    await licet?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const through = async (method: string, path: string, call: ApiCall = {}) => {
    received.length = 0
    const answer = await callApi(gateway, method, path, call)
    return { ...answer, received: [...received] }
  }

  test('a key passes, and the service gets a JWT of ours instead of it', async () => {
    const { id, key } = await makeKey(licet, ada.accountId, { scopes: ['data:read'] })
    const forged = { 'x-licet-subject': 'somebody else', 'x-licet-scope': 'api:admin', 'x-licet-credential': 'none' }
    const answer = await through('GET', '/orders/7?of=ada', { token: key, headers: forged })
    assert.deepEqual([answer.status, answer.text], [200, 'the order'])
    const [request] = answer.received
    assert.equal(request?.url, '/orders/7?of=ada')
    assert.equal(request?.headers['x-licet-subject'], ada.accountId)
    assert.equal(request?.headers['x-licet-scope'], 'data:read')
    assert.equal(request?.headers['x-licet-credential'], `api_key:${id}`)
    assert.equal(JSON.stringify(request).includes(key), false)
    const keys = createRemoteJWKSet(new URL(`${licet.issuer}/.well-known/jwks.json`))
    const token = String(request?.headers.authorization).replace('Bearer ', '')
    const { payload } = await jwtVerify(token, keys, { issuer: licet.issuer, audience: `${licet.issuer}/api/v1` })
    assert.equal(payload.sub, ada.accountId)
  })

  test('an access token passes too, and a body reaches the service', async () => {
    const answer = await through('POST', '/orders', { token: ada.token, json: { count: 1 } })
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.received[0]?.headers['content-length'], '11')
  })

  test('nothing reaches the service without a credential that is good for it', async () => {
    const reader = await makeKey(licet, ada.accountId, { scopes: ['data:read'] })
    const gone = await makeKey(licet, ada.accountId)
    await ada.call('DELETE', `/api/v1/keys/${gone.id}`)
    const none = await through('GET', '/orders/7')
    assert.deepEqual([none.status, none.received], [401, []])
    assert.match(String(none.headers['www-authenticate']), /^Bearer realm="licet"/)
    const revoked = await through('GET', '/orders/7', { token: gone.key })
    assert.deepEqual([revoked.status, revoked.received], [401, []])
    const writing = await through('POST', '/orders', { token: reader.key, json: {} })
    assert.deepEqual([writing.status, writing.received], [403, []])
    assert.match(String(writing.headers['www-authenticate']), /insufficient_scope.*scope="data:write"/)
    const direct = await through('GET', '/_licet', { token: reader.key })
    assert.equal(direct.status, 404)
    const why = await ada.call('GET', `/api/v1/denials/${writing.headers['x-licet-error-ref']}`)
    assert.deepEqual([why.body.reason, why.body.request], ['scope_missing', 'POST /orders'])
  })

  test('a limit is 429 with Retry-After, not 500', async () => {
    const { key } = await makeKey(licet, ada.accountId, { quota: { requests: 1, windowSeconds: 60 } })
    assert.equal((await through('GET', '/orders', { token: key })).status, 200)
    const limited = await through('GET', '/orders', { token: key })
    assert.deepEqual([limited.status, limited.received], [429, []])
    assert.ok(Number(limited.headers['retry-after']) > 0)
  })

  test('the address that counts is the one nginx saw, not one that the client names', async () => {
    const { key } = await makeKey(licet, ada.accountId, { allowedIps: ['203.0.113.0/24'] })
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip'])
      assert.equal((await through('GET', '/', { token: key, headers: { [name]: '203.0.113.7' } })).status, 401, name)
    const here = await makeKey(licet, ada.accountId, { allowedIps: ['127.0.0.1'] })
    assert.equal((await through('GET', '/', { token: here.key })).status, 200)
  })

  test('a rotated key says through nginx when its old secret ends', async () => {
    const { id, key } = await makeKey(licet, ada.accountId)
    await ada.call('POST', `/api/v1/keys/${id}/rotate`, { json: { overlap_seconds: 3600 } })
    const answer = await through('GET', '/', { token: key })
    assert.equal(answer.status, 200)
    assert.ok(answer.headers['sunset'])
    assert.match(String(answer.headers['deprecation']), /^@\d+$/)
  })
})
