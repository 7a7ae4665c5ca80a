/** What methods are worth, and that an `amr` of ours leads back to them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assuranceOf, type Method, methodsIn } from '../../src/accounts/assurance.ts'

test('the methods read from an amr are worth exactly what it said', () => {
  const methods: Method[] = ['password', 'passkey', 'totp', 'recovery_code', 'remembered_device']
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom(...methods)), (done) => {
      const { acr, amr } = assuranceOf(done)
      const again = assuranceOf(methodsIn(amr))
      assert.deepEqual([again.acr, [...again.amr].sort()], [acr, [...amr].sort()])
    }),
  )
})
