/**
 * What was used or revoked stays so when Redis fails over (threats.md RT6): the master is killed, its replica takes over, and no stolen thing
 * comes back to life.
 */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { describe, test } from 'node:test'
import { openCore } from '../../src/core.ts'
import { newPerson, registerApp } from '../support/app-client.ts'
import { prepare, startProcess } from '../support/licet.ts'
import { eventually } from '../support/ports.ts'
import { startSentinel } from '../support/redis.ts'
import { skipWithout } from '../support/tools.ts'

describe('one process on Redis behind Sentinel', { skip: skipWithout('redis-server') }, () => {
  test('RT6: what was used or revoked is refused by the replica that took over from a killed master', async (t) => {
    const sentinel = await startSentinel()
    t.after(() => sentinel.stop())
    const { env, config, directory } = await prepare({
      store: sentinel.url,
      file: { lifetimes: { refresh_retry_window: '1s' } },
    })
    const server = await startProcess(env)
    t.after(async () => {
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    })
    const core = await openCore(config)
    const deployment = { issuer: config.issuer, core }
    const app = await registerApp(deployment)
    const { person, email } = await newPerson(deployment)
    await core.close()
    const begin = () => app.obtainCode(person, email)

    const pending = await begin()
    const redeemed = (await app.redeem(pending)).body
    const [rotated, revoked, alive] = [
      (await app.redeem(await begin())).body,
      (await app.redeem(await begin())).body,
      (await app.redeem(await begin())).body,
    ]
    const child = (await app.refresh(rotated.refresh_token)).body
    assert.equal((await app.revoke(revoked.refresh_token)).status, 200)
    await sentinel.master.kill()
    const promoted = async () => (await sentinel.masterPort()) === sentinel.replica.port
    await eventually('the replica takes over', promoted, { withinMs: 30_000 })
    await sentinel.master.restart()
    const push = { client_id: app.clientId, response_type: 'code', redirect_uri: app.redirectUri }
    const challenge = { code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' }
    const writes = async () => (await app.post('/par', { ...push, ...challenge })).status === 201
    await eventually('the server writes again', writes, { withinMs: 30_000, everyMs: 200 })

    assert.equal((await app.redeem(pending)).body.error, 'invalid_grant')
    assert.notEqual((await app.introspect(redeemed.access_token)).body.active, true)
    assert.equal((await app.refresh(rotated.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await app.refresh(child.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await app.refresh(revoked.refresh_token)).body.error, 'invalid_grant')
    assert.equal((await app.refresh(alive.refresh_token)).status, 200)
  })
})
