/**
 * What a stranger may make the server store is limited by address, wherever a request without a session stores something (threats.md AZ14).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countStored } from '../support/authorize.ts'
import { startLicet } from '../support/licet.ts'
import { sendOnWire } from '../support/wire.ts'

test('AZ14: opening the sign-out and device pages again and again without a session stores little', async (t) => {
  const licet = await startLicet({ file: { rate_limits: { authorize_address: '5/1m' } } })
  t.after(() => licet.close())
  const statuses = []
  for (let index = 0; index < 10; index += 1) {
    for (const path of ['/logout', '/device']) statuses.push((await sendOnWire(licet.issuer, 'GET', path)).status)
  }
  assert.deepEqual(statuses.slice(0, 5), [200, 200, 200, 200, 200])
  assert.ok(statuses.slice(5).every((status) => status === 429))
  assert.ok((await countStored(licet.core.store, 'session')) <= 5)
})
