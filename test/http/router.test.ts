/** The URL table: exact paths, parameters decoded once, precedence, methods. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { any, get, post } from '../../src/http/route.ts'
import { createRouter } from '../../src/http/router.ts'
import { anyone } from '../../src/security/access.ts'

const answer = () => ({ kind: 'empty' as const })
const route = (path: string) => get(path).needs(anyone).does(answer)

test('a fixed segment wins over a parameter, a parameter over the rest', () => {
  const router = createRouter([route('/apps/*'), route('/apps/:id'), route('/apps/new')])
  assert.equal(router.match('/apps/new')?.place.pattern, '/apps/new')
  assert.equal(router.match('/apps/7')?.place.pattern, '/apps/:id')
  assert.equal(router.match('/apps/7/keys')?.place.pattern, '/apps/*')
})

test('a parameter is decoded once, and never hides a separator, a dot segment or a control character', () => {
  const router = createRouter([route('/keys/:id')])
  assert.deepEqual(router.match('/keys/a%20b')?.params, { id: 'a b' })
  assert.deepEqual(router.match('/keys/%2541')?.params, { id: '%41' })
  for (const path of [
    '/keys/',
    '/keys/a%2fb',
    '/keys/a%5cb',
    '/keys/%2e%2e',
    '/keys/..',
    '/keys/%00',
    '/keys/%0a',
    '/keys/%zz',
    '/keys/%ff',
    '/keys/a;b',
    '/keys/a/',
    '/keys//a',
    `/keys/${'a'.repeat(2_101)}`,
  ])
    assert.equal(router.match(path), undefined, path)
})

test('two routes for one path and method are refused at start', () => {
  assert.throws(() => createRouter([route('/a'), route('/a')]), /claimed twice/)
  assert.throws(() => createRouter([route('/a/:id'), post('/a/:name').needs(anyone).does(answer)]), /differently/)
  assert.throws(() => createRouter([route('/a')], [{ path: '/a', methods: ['GET'], surface: 'page' }]), /claimed twice/)
})

test('routes and the engine share a path by method, and HEAD is answered by GET', () => {
  const router = createRouter(
    [post('/authorize').needs(anyone).does(answer)],
    [{ path: '/authorize', methods: ['GET'], surface: 'page' }],
  )
  const place = router.match('/authorize')?.place
  assert.equal(place?.find('POST')?.kind, 'route')
  assert.equal(place?.find('GET')?.kind, 'engine')
  assert.equal(place?.find('HEAD')?.kind, 'engine')
  assert.equal(place?.find('PUT'), undefined)
  assert.equal(place?.allow, 'GET, HEAD, POST')
})

test('a route for any method takes everything below its path, raw', () => {
  const router = createRouter([any('/api/v1/verify/*').needs(anyone).does(answer)])
  const match = router.match('/api/v1/verify/a%2Fb//c')
  assert.equal(match?.params['*'], 'a%2Fb//c')
  assert.equal(match?.place.find('PROPFIND')?.kind, 'route')
})
