/**
 * Sign-up where the operator has closed it (threats.md LG12).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLicet } from '../support/licet.ts'
import { formsOf, Person } from '../support/person.ts'

for (const policy of ['invited', 'closed'] as const) {
  test(`LG12: where sign-up is ${policy} no form makes an account, whatever is sent`, async () => {
    const licet = await startLicet({ file: { sign_up: { policy } } })
    try {
      const person = new Person(licet.issuer)
      assert.equal((await person.open('/signup')).status, 403)
      const recover = await person.open('/recover')
      const csrf = formsOf(recover.body)[0]?.fields.find(([name]) => name === 'csrf')?.[1] ?? ''
      const fields: [string, string][] = [
        ['csrf', csrf],
        ['name', 'Eve'],
        ['email', 'eve@example.test'],
        ['password', 'quiet rivers bend slowly 71'],
      ]
      assert.equal((await person.send('POST', '/signup', fields)).status, 403)
      assert.equal(await licet.core.accounts.findByEmail('eve@example.test'), undefined)
      assert.ok(!(await person.open('/settings')).body.includes('/signup'))
    } finally {
      await licet.close()
    }
  })
}
