/**
 * What becomes of keys in the fault experiments: made, used at a gateway, rotated, used again with both secrets, and every second one revoked. What is
 * true of them afterwards is checked in `test/support/faults.ts`.
 */
import type { Core } from '../../src/core.ts'
import { callApi } from '../support/api.ts'
import type { History } from '../support/history.ts'
import { operator } from '../support/licet.ts'
import { asAnswer, patiently } from './attempts.ts'

interface Ground {
  readonly issuer: string
  readonly core: Core
  readonly history: History
  readonly origin: () => string
  readonly accountId: string
}

/** Forward auth's answer about a key. */
export function verifyKey(issuer: string, key: string, origin: string) {
  return callApi(issuer, 'GET', '/api/v1/verify', { token: key, origin })
}

/** One key from its beginning to its end, or to being kept. */
export function createKeyAct({ issuer, core, history, origin, accountId: ownerId }: Ground): () => Promise<void> {
  const audited = (event: string) => ({ audited: { event, accountId: ownerId } })
  let made = 0

  /** It was given, so it must not be refused. */
  const use = (key: string) =>
    history.attempt({ act: 'use_key', object: key, honest: true }, () => verifyKey(issuer, key, origin()))

  return async () => {
    const created = await history.attempt(
      { act: 'create_key', object: ownerId, ...audited('key.created') },
      () =>
        asAnswer(core.keys.create(operator, { ownerId, kind: 'api_key' }, { name: 'Fault', scopes: ['data:read'] })),
      ({ value }) => value?.credential,
    )
    const first = created.operation.gave
    const id = created.answer?.value?.key.id
    if (!first || !id) return
    await use(first)
    const owned = { ownerId, id }
    const rotated = await history.attempt(
      { act: 'rotate_key', object: first, ...audited('key.rotated') },
      () => asAnswer(core.keys.rotate(operator, owned, { overlapSeconds: 3600 })),
      ({ value }) => value?.credential,
    )
    const second = rotated.operation.gave
    for (const secret of [first, second]) if (secret) await use(secret)
    made += 1
    if (made % 2 === 0) return
    const about = { act: 'revoke_key', object: second ?? first, ...audited('key.revoked') }
    await patiently(
      async () => (await history.attempt(about, () => asAnswer(core.keys.revoke(operator, owned)))).operation,
    )
  }
}
