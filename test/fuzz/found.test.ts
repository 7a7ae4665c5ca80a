/**
 * What fuzzing has found, one test for each defect.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { newPerson, registerApp } from '../support/app-client.ts'
import { type Licet, startLicet } from '../support/licet.ts'

let licet: Licet
before(async () => {
  licet = await startLicet()
})
after(() => licet?.close())

test('a device code typed after the browser session has ended shows the form again, which then works', async () => {
  const device = await registerApp(licet, { type: 'device' })
  const { body } = await device.post('/device_authorization', { scope: 'data:read' })
  const { person } = await newPerson(licet)
  const page = await person.open(`${licet.issuer}/device`)
  person.cookies.clear()
  const code = { user_code: String(body['user_code']) }
  const again = await person.submit(page, code)
  assert.equal(again.status, 400)
  const confirm = await person.submit(again, code)
  assert.equal(confirm.status, 200)
  assert.match(confirm.body, /name="decision"/)
})
