/** Access rules that need no sign-in, and rules put together. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { type AccessRule, get } from '../../src/http/route.ts'
import { and, anyone, loopbackOrToken } from '../../src/security/access.ts'
import { serve } from '../support/http.ts'

const asked: string[] = []
const rule = (name: string, admits: boolean): AccessRule<string> => ({
  name,
  describe: `${name}.`,
  scopes: [name],
  async admit() {
    asked.push(name)
    if (!admits) throw new AppError('forbidden', `Not for ${name}.`)
    return name
  },
})
const start = (t: TestContext, access: AccessRule<unknown>) =>
  serve(t, [
    get('/a')
      .needs(access)
      .as('api')
      .does(({ caller }) => ({ kind: 'json', body: { caller } })),
  ])

test('rules put together must both admit, the first is asked first, the caller is the second’s', async (t) => {
  const both = and(rule('one', true), rule('two', true))
  assert.deepEqual([both.name, both.scopes], ['one and two', ['one', 'two']])
  assert.deepEqual(await (await (await start(t, both)).fetch('/a')).json(), { caller: 'two' })
  asked.length = 0
  assert.equal((await (await start(t, and(rule('one', false), rule('two', true)))).fetch('/a')).status, 403)
  assert.equal((await (await start(t, and(rule('one', true), rule('two', false)))).fetch('/a')).status, 403)
  assert.deepEqual(asked, ['one', 'one', 'two'])
})

test('anyone is known by where they are, and their agent is cut', async (t) => {
  const { fetch } = await start(t, anyone)
  const answer = await fetch('/a', { headers: { 'user-agent': 'x'.repeat(1_000) } })
  const { caller } = (await answer.json()) as { caller: Record<string, string> }
  assert.deepEqual(
    [caller['kind'], caller['ip'], caller['userAgent']?.length, caller['requestId']],
    ['anonymous', '127.0.0.1', 256, answer.headers.get('x-request-id')],
  )
})

test('without a configured token no bearer opens what is for the machine itself', async (t) => {
  const { fetch } = await start(t, loopbackOrToken(undefined))
  for (const authorization of ['Bearer undefined', 'Bearer ', 'Bearer null'])
    assert.equal((await fetch('/a', { headers: { authorization, via: '1.1 proxy' } })).status, 401)
  const refused = await fetch('/a', { headers: { via: '1.1 proxy' } })
  assert.equal(refused.headers.get('www-authenticate'), 'Bearer realm="operators"')
  assert.equal((await fetch('/a')).status, 200)
})
