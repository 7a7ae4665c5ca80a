/** Names that read like another are kept from apps of strangers. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { createApps } from '../../src/apps/apps.ts'
import { createDomainProofs } from '../../src/apps/domain-proof.ts'
import { createNameGuard, skeletonOf } from '../../src/apps/lookalike.ts'
import { createPublishers } from '../../src/apps/publishers.ts'
import { hasCode } from '../../src/errors.ts'
import { openTestStore, operator } from '../support/open-store.ts'

test('one name in other scripts, fonts, digits, capitals and spaces has one skeleton', () => {
  for (const [name, others] of [
    [
      'Google',
      [
        'G00gle',
        'GOOGLE',
        'Gооglе',
        'Ｇｏｏｇｌｅ',
        '𝐆𝐨𝐨𝐠𝐥𝐞',
        'Goog1e',
        'GoogIe',
        'G o o g l e',
        'Góöglè',
        'Ԍoogle',
        'Google.',
        'Goo\u200dgle',
      ],
    ],
    ['Licet', ['Lісеt', 'L1cet', 'LICET', 'lιcετ', 'Lícet', 'Licet™'.replace('™', '')]],
    ['Modern Notes', ['Modem Notes', 'Моdеrn Nоtеs', 'MODERN NOTES']],
    ['Wallet', ['VVallet', 'Wаllеt', 'Wa11et']],
  ] as const)
    for (const other of others) assert.equal(skeletonOf(other), skeletonOf(name), other)
  for (const [one, other] of [
    ['Google', 'Goggles'],
    ['Notes', 'Notes for Licet'],
    ['Licet', 'Ticket'],
    ['東京', '京都'],
  ] as const)
    assert.notEqual(skeletonOf(one), skeletonOf(other))
})

test('a skeleton is its own skeleton, and case never changes it', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (name) => {
      const skeleton = skeletonOf(name)
      assert.equal(skeletonOf(name.normalize('NFD')), skeleton)
      assert.ok(!/[^\p{L}\p{N}]/u.test(skeleton))
    }),
    { numRuns: 300 },
  )
})

function setUp(t: TestContext) {
  const desk = openTestStore(t)
  const names = createNameGuard({ store: desk.store, ours: ['Licet', 'Console'] })
  const scopes = { 'data:read': { thirdParty: true } }
  const apps = createApps({ ...desk, keyPrefix: 'licet', scopes, configured: [], names })
  const proofs = createDomainProofs({ fetch: async () => new Response(''), resolveTxt: async () => [] })
  const make = async (name: string, ownerId: string | undefined) =>
    (await apps.create(operator, { name, type: 'spa', redirectUris: ['https://a.example/cb'], ownerId })).app
  return { apps, make, publishers: createPublishers({ apps, proofs, now: desk.now }), ...desk }
}

const isConfusable = (error: unknown) =>
  hasCode(error, 'invalid_request') && error.details.fields?.[0]?.code === 'confusable'

test('attack: an app that reads like the server, an app of the operator or a verified app of somebody else is neither made nor renamed', async (t) => {
  const { apps, make, publishers, now } = setUp(t)
  const real = await make('Google', 'google')
  const publisher = { domain: 'a.example', by: 'dns', provenAt: now() } as const
  await make('G00gle', 'early')
  const seen = await apps.replace(operator, real.clientId, (app) => ({ ...app, publisher }))
  await publishers.verify(operator, real.clientId, seen)
  for (const name of [
    'G00gle',
    'Gооgle',
    'goog1e',
    'LICET',
    'Lісеt',
    'C0nsole',
    'Google!',
    '|Licet|',
    'L!cet',
    'Con$ole!',
    '@ Console',
  ])
    await assert.rejects(make(name, 'mallory'), isConfusable, name)
  const innocent = await make('Notes', 'mallory')
  await assert.rejects(apps.change(operator, innocent.clientId, { name: 'Gοοgle' }), isConfusable)
  assert.equal((await apps.getById(innocent.clientId)).name, 'Notes')
  await apps.change(operator, innocent.clientId, { name: 'Notes for Google' })
  await make('Google', 'google')
  await make('Console', undefined)
  await apps.change(operator, real.clientId, { name: 'Alphabet' })
  await make('Google', 'mallory')
})
