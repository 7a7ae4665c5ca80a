/**
 * granted ⊆ ticked ⊆ asked ⊆ allowed, as a property over any request, consent, answer and taking back: for scopes and for single connections alike.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Account } from '../../src/accounts/account.ts'
import type { App } from '../../src/apps/app.ts'
import { connectionOf, offering } from '../../src/oidc/details.ts'
import type { Consent, ConsentAnswer } from '../../src/oidc/grants.ts'
import { planGrant, readingOf } from '../../src/oidc/plan.ts'
import { intersect, keep, type ScopeMap, subtract, union } from '../../src/oidc/scope-map.ts'
import { reduced } from '../../src/oidc/shrinking.ts'

const RIGHTS = [
  'data:read',
  'data:write',
  'mcp:read',
  'mcp:write',
  'llm:read',
  'connection read google',
  'connection write google',
  'connection read slack',
  'connection read *',
  'connection write *',
]
const IDS = ['google', 'slack']
const rights = fc.dictionary(fc.constantFrom('identity', 'https://a.test', 'https://b.test'), fc.subarray(RIGHTS))
const account = { id: 'ada' } as Account
const app = { source: 'stored', name: 'Notes', redirectUris: [] } as unknown as App
const consentOf = (scopes: ScopeMap) => ({ accountId: 'ada', clientId: 'notes', scopes }) as unknown as Consent

const within = (inner: ScopeMap, outer: ScopeMap): boolean => Object.values(subtract(inner, outer)).flat().length === 0
const readingFor = (asked: ScopeMap): ScopeMap =>
  Object.fromEntries(
    Object.entries(asked).map(([place, list]) => [
      place,
      list.flatMap((right) => {
        const one = connectionOf(right)
        if (one) return one.action === 'write' ? [right.replace('write', 'read')] : []
        return readingOf(right) ?? []
      }),
    ]),
  )

test('granted ⊆ ticked ⊆ asked ⊆ allowed, whatever is asked, answered and was consented before', () => {
  fc.assert(
    fc.property(rights, rights, rights, rights, rights, (asked, allowed, before, ticked, refused) => {
      const wanted = intersect(asked, allowed)
      const reading = intersect(readingFor(wanted), allowed)
      // What the door lets through of an answer: what was asked, what it may fall to, and what there was to choose from.
      const offered = offering(union(wanted, reading), IDS)
      const answer = {
        scopes: intersect(offered, ticked),
        refused: intersect(offered, refused),
      } as unknown as ConsentAnswer
      const plan = planGrant({ account, app, asked: { rights: wanted, reading }, consent: consentOf(before), answer })
      assert.ok(
        within(plan.granted, union(before, answer.scopes)),
        'nothing is granted that was not ticked, now or before',
      )
      assert.ok(within(plan.granted, offered), 'nothing is granted that was not asked')
      assert.ok(
        within(
          keep(plan.granted, (right) => !right.includes(' ')),
          allowed,
        ),
        'nothing is asked that is not allowed',
      )
      assert.ok(within(intersect(plan.granted, answer.refused), {}), 'nothing is granted that was just refused')
      const silent = planGrant({ account, app, asked: { rights: wanted, reading }, consent: consentOf(before) })
      assert.ok(within(silent.granted, before), 'without an answer nothing is granted but what stands')
      assert.ok(
        within(wanted, union(silent.granted, silent.missing)),
        'what is not granted is missing, and is asked for',
      )
    }),
    { numRuns: 3000 },
  )
})

test('taking back never leaves more than there was, in any order', () => {
  const change = fc.record({ scopes: fc.subarray(RIGHTS) }, { requiredKeys: [] })
  fc.assert(
    fc.property(rights, fc.array(change, { maxLength: 4 }), (held, changes) => {
      const scopesOnly = changes.map(({ scopes }) =>
        scopes ? { scopes: scopes.filter((one) => !one.includes(' ')) } : {},
      )
      const left = scopesOnly.reduce<ScopeMap>((now, one) => reduced(now, one), held)
      assert.ok(within(left, held))
    }),
    { numRuns: 1000 },
  )
})
