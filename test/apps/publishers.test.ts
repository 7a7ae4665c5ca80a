/** Verified apps: the domain is proven, an operator decides, and what was not seen is not decided. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createApps } from '../../src/apps/apps.ts'
import { createDomainProofs, readDomain } from '../../src/apps/domain-proof.ts'
import { createPublishers } from '../../src/apps/publishers.ts'
import { hasCode } from '../../src/errors.ts'
import { openTestStore, operator } from '../support/open-store.ts'

const dev = { kind: 'account', id: 'dev' } as const

function setUp(t: TestContext) {
  let time = Date.UTC(2026, 10, 1)
  const desk = { ...openTestStore(t), now: () => time }
  const scopes = { 'data:read': { thirdParty: true } }
  const apps = createApps({ ...desk, keyPrefix: 'licet', scopes, configured: [] })
  const txt = new Map<string, string[]>()
  const files = new Map<string, Response>()
  const fetched: string[] = []
  const proofs = createDomainProofs({
    async fetch(url) {
      fetched.push(url)
      return files.get(url)?.clone() ?? new Response('none', { status: 404 })
    },
    resolveTxt: async (name) => txt.get(name) ?? Promise.reject(new Error('ENOTFOUND')),
  })
  const publishers = createPublishers({ apps, proofs, now: desk.now })
  const make = async (ownerId = 'dev', more: object = {}) =>
    (
      await apps.create(dev, {
        name: 'Notes',
        type: 'spa',
        redirectUris: ['https://notes.example/cb'],
        ownerId,
        ...more,
      })
    ).app
  return { apps, publishers, proofs, txt, files, fetched, make, advance: (ms: number) => (time += ms) }
}

const plain = (text: string, type = 'text/plain; charset=utf-8') =>
  new Response(text, { headers: { 'content-type': type } })

async function code(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => assert.fail('it was not refused'),
    (reason: unknown) => reason,
  )
  if (hasCode(error, 'invalid_request')) return error.details.fields?.[0]?.code ?? ''
  return (error as { code: string }).code
}

test('a TXT record or a file proves a domain; the app then waits for an operator, who verifies what they saw', async (t) => {
  const { publishers, apps, txt, files, make, advance } = setUp(t)
  for (const way of ['dns', 'file'] as const) {
    const app = await make('dev', { clientUri: 'https://www.notes.example/' })
    const challenge = publishers.challenge(app, 'Notes.Example')
    assert.equal(await code(publishers.prove(dev, app, 'notes.example')), 'not_proven')
    if (way === 'dns') txt.set('_licet-challenge.notes.example', ['other', challenge.txt.value])
    else {
      txt.clear()
      files.set(
        'https://notes.example/.well-known/licet-challenge.txt',
        plain(`# ours\r\n${challenge.file.content}\r\n`),
      )
    }
    const proven = await publishers.prove(dev, app, 'notes.example')
    assert.deepEqual([proven.publisher?.by, proven.verified, proven.review], [way, false, 'waiting'])
    assert.deepEqual((await apps.list({ review: 'waiting' })).items, [proven])
    advance(1000)
    const verified = await publishers.verify(operator, app.clientId, { updatedAt: proven.updatedAt })
    assert.deepEqual([verified.verified, verified.review], [true, undefined])
    assert.deepEqual((await apps.list({ review: 'waiting' })).items, [])
  }
})

test('attack: the mark of another app, another owner or another domain proves nothing', async (t) => {
  const { publishers, txt, make } = setUp(t)
  const mine = await make('mallory')
  const victims = await make('dev')
  txt.set('_licet-challenge.notes.example', [
    publishers.challenge(victims, 'notes.example').txt.value,
    publishers.challenge(await make('mallory'), 'notes.example').txt.value,
    publishers.challenge(mine, 'mallory.example').txt.value,
    `x${publishers.challenge(mine, 'notes.example').txt.value}`,
  ])
  assert.equal(await code(publishers.prove(dev, mine, 'notes.example')), 'not_proven')
})

test('attack: a page, an error page or a redirect that repeats the mark proves nothing', async (t) => {
  const { publishers, files, make } = setUp(t)
  const app = await make()
  const { file } = publishers.challenge(app, 'echo.example')
  for (const answer of [
    plain(file.content, 'text/html'),
    plain(file.content, 'application/json'),
    new Response(file.content, { status: 404, headers: { 'content-type': 'text/plain' } }),
    new Response(file.content, { status: 302, headers: { 'content-type': 'text/plain', location: file.url } }),
    plain(`you asked for ${file.content}`),
  ]) {
    files.set(file.url, answer)
    assert.equal(await code(publishers.prove(dev, app, 'echo.example')), 'not_proven')
  }
})

test('attack: a name exchanged between the look and the decision is not verified', async (t) => {
  const { publishers, apps, txt, make, advance } = setUp(t)
  const app = await make()
  txt.set('_licet-challenge.notes.example', [publishers.challenge(app, 'notes.example').txt.value])
  const seen = await publishers.prove(dev, app, 'notes.example')
  advance(1)
  await apps.change(dev, app.clientId, { name: 'Your Bank' })
  assert.equal(await code(publishers.verify(operator, app.clientId, { updatedAt: seen.updatedAt })), 'conflict')
  assert.equal((await apps.getById(app.clientId)).verified, false)
})

test('attack: a home page elsewhere than at the proven domain is not verified with it, nor is an old proof', async (t) => {
  const { publishers, apps, txt, make, advance } = setUp(t)
  const app = await make('dev', { clientUri: 'https://evilnotes.example/' })
  txt.set('_licet-challenge.notes.example', [publishers.challenge(app, 'notes.example').txt.value])
  const { updatedAt } = await publishers.prove(dev, app, 'notes.example')
  assert.equal(await code(publishers.verify(operator, app.clientId, { updatedAt })), 'other_domain')
  const moved = await apps.change(dev, app.clientId, { clientUri: null })
  advance(31 * 86_400_000)
  assert.equal(await code(publishers.verify(operator, app.clientId, moved)), 'not_proven')
  const unproven = await make()
  assert.equal(await code(publishers.verify(operator, unproven.clientId, unproven)), 'not_proven')
})

test('an operator says no with a reason; proving again puts the app before them again', async (t) => {
  const { publishers, txt, make, apps } = setUp(t)
  const app = await make()
  txt.set('_licet-challenge.notes.example', [publishers.challenge(app, 'notes.example').txt.value])
  const { updatedAt } = await publishers.prove(dev, app, 'notes.example')
  const declined = await publishers.decline(operator, app.clientId, { updatedAt, reason: 'Looks like another one' })
  assert.deepEqual([declined.review, declined.declined?.reason], [undefined, 'Looks like another one'])
  const again = await publishers.prove(dev, await apps.getById(app.clientId), 'notes.example')
  assert.deepEqual([again.review, again.declined], ['waiting', undefined])
})

test('attack: addresses, ports, single labels and names of this machine are no domains, and nothing is fetched from them', async (t) => {
  const { publishers, fetched, make } = setUp(t)
  const app = await make()
  for (const typed of [
    '127.0.0.1',
    '[::1]',
    '2130706433',
    '0x7f.1',
    '127.1',
    'localhost',
    'a.localhost',
    'intranet',
    'db.internal',
    'notes.example:8443',
    'user@notes.example',
    'notes.example/path',
    'notes.example#',
    'https://notes.example',
    '-a.example',
    'a..example',
    '',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(130)}example`,
  ])
    assert.equal(await code(publishers.prove(dev, app, typed)), 'malformed', typed)
  assert.deepEqual(fetched, [])
  assert.equal(readDomain(' Bücher.Example '), 'xn--bcher-kva.example')
})
