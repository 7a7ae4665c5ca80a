/**
 * How often a gateway's question about a key goes to the store: never while the key is fresh, one journey when it is not, and never for what cannot be
 * a key. Reads that are sent together are one journey.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Store } from '../../src/storage/store.ts'
import { callApi, makeKey } from '../support/api.ts'
import { type Licet, newAccount, startLicet } from '../support/licet.ts'

let licet: Licet
let accountId = ''
let time = Date.now()
let [journeys, underWay] = [0, 0]

/** Counts journeys: calls that begin while another is under way belong to its journey. */
function counting(store: Store): Store {
  const verbs = [
    'find',
    'findBy',
    'list',
    'put',
    'update',
    'take',
    'remove',
    'increment',
    'count',
    'append',
    'read',
  ] as const
  const counted = verbs.map((verb) => ({
    async [verb](...all: unknown[]) {
      if (underWay === 0) journeys += 1
      underWay += 1
      try {
        return await (store[verb] as (...each: unknown[]) => Promise<unknown>)(...all)
      } finally {
        underWay -= 1
      }
    },
  }))
  return Object.assign(Object.create(store) as Store, ...counted)
}

before(async () => {
  licet = await startLicet({
    around: counting,
    now: () => time,
    file: { rate_limits: { api_credential: '1000/1m', api_account: '1000/1m' } },
  })
  accountId = (await newAccount(licet.core)).id
})
after(() => licet.close())

const verify = (token: string) => callApi(licet.issuer, 'GET', '/api/v1/verify', { token })

/** Journeys of `act`, the fewest of three times: usage is written in the background every few seconds. */
async function journeysOf(act: () => Promise<unknown>): Promise<number> {
  const found: number[] = []
  for (let round = 0; round < 3; round += 1) {
    journeys = 0
    await act()
    found.push(journeys)
  }
  return Math.min(...found)
}

test('verifying a fresh key asks the store nothing, and one that is not fresh asks it once', async () => {
  const { id, key } = await makeKey(licet, accountId, { mayCreateChildren: true })
  const child = await callApi(licet.issuer, 'POST', `/api/v1/keys/${id}/children`, {
    token: key,
    json: { name: 'Child', scopes: ['data:read'] },
  })
  for (const token of [key, child.body.key]) {
    // Limits reserve more and more at once: after a few calls they are counted here.
    for (let count = 0; count < 20; count += 1) assert.equal((await verify(token)).status, 200)
    assert.equal(await journeysOf(() => verify(token)), 0)
    const uncached = await journeysOf(async () => {
      time += 1_000
      assert.equal((await verify(token)).status, 200)
    })
    assert.equal(uncached, 1)
    assert.equal(await journeysOf(() => verify(token)), 0)
  }
})

test('what has no right checksum never reaches the store', async () => {
  const { key } = await makeKey(licet, accountId)
  const garbage = [
    `${key.slice(0, -1)}_`,
    `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`,
    `licet_key_${'0'.repeat(38)}`,
    'licet_pat_x',
  ]
  const found = await journeysOf(async () => {
    for (const one of garbage) assert.equal((await verify(one)).status, 401)
  })
  assert.equal(found, 0)
})
