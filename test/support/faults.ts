/**
 * The load of the fault experiments: several people, each in a loop of the honest acts of `test/faults/acts.ts`, against any number of server
 * processes. `settle` ends it and checks every rule of `history.ts`, over the history and against what the server says afterwards.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Core } from '../../src/core.ts'
import { type Acts, createActs, type Ground } from '../faults/acts.ts'
import { verifyKey } from '../faults/key-acts.ts'
import { checkPeople, createPeopleActs } from '../faults/people-acts.ts'
import { newPerson, registerApp } from './app-client.ts'
import { VERIFIER } from './authorize.ts'
import {
  createHistory,
  failedLate,
  type History,
  misaudited,
  mustBeDead,
  mustLive,
  type Operation,
  refusedWrongly,
  usedAfterEnd,
  usedTwice,
  type Violation,
  violation,
} from './history.ts'
import { eventually } from './ports.ts'
import { newKey } from './proofs.ts'

export interface Field {
  readonly issuer: string
  /** Asked for every request: the processes that serve now. */
  readonly origins: () => readonly string[]
  readonly core: Core
}

export interface Verdict {
  /** When the fault was over; nothing that began 5 s later may fail. */
  readonly recoveredAt: number
  /** Operations whose loss the configuration accepts: the last moment before a crash under `everysec`. */
  readonly excuses?: (cause: Operation) => boolean
}

export interface Load {
  readonly history: History
  /** Acts that were acknowledged so far. */
  done(): number
  /** Ends the load and throws for every broken rule; the excused ones are returned. */
  settle(verdict: Verdict): Promise<readonly Violation[]>
}

/** Starts the people, who sign in once each; they stop at the latest when the test ends. */
export async function startLoad(t: TestContext, field: Field, people: number): Promise<Load> {
  const ground = await prepareGround(field)
  const { history } = ground
  let stopped = false
  t.after(() => {
    stopped = true
  })
  const workers = await Promise.all(
    Array.from({ length: people }, async (_, index) => ({ acts: createActs(ground, await newPerson(field)), index })),
  )
  const { life } = createPeopleActs(ground)
  const running = workers.map(async ({ acts, index }) => {
    for (let lap = index; !stopped; lap += 1) await runLap({ ...acts, life }, lap)
  })
  return {
    history,
    done: () => history.operations.filter(({ outcome }) => outcome === 'done').length,
    async settle({ recoveredAt, excuses = () => false }) {
      stopped = true
      await Promise.all(running)
      const late = failedLate(history, recoveredAt)
      const found = [
        ...late,
        ...(await afterwards(ground)),
        ...(await checkPeople(ground)),
        ...rules(history),
        ...(await misaudited(history, field.core.store)),
      ]
      const broken = found.filter(({ cause }) => !excuses(cause))
      assert.deepEqual(broken.map(({ text }) => text).slice(0, 20), [], `${broken.length} rules were broken`)
      return found
    },
  }
}

async function prepareGround(field: Field): Promise<Ground> {
  const key = await newKey()
  const jwks = { keys: [key.publicJwk as never] }
  const [app, device, client] = await Promise.all([
    registerApp(field),
    registerApp(field, { type: 'device' }),
    registerApp(field, { type: 'service', auth: 'private_key_jwt', jwks }),
  ])
  let turn = 0
  const origin = () => {
    const origins = field.origins()
    return origins[turn++ % origins.length] ?? field.issuer
  }
  const { issuer, core } = field
  return {
    issuer,
    core,
    app,
    device,
    machine: { client, key },
    history: createHistory(),
    origin,
    accessTokens: new Map(),
  }
}

/** One family from its code to its end or to being kept, and one of the rarer acts. */
async function runLap(acts: Acts & ReturnType<typeof createPeopleActs>, lap: number): Promise<void> {
  const code = await acts.authorize()
  let held = code && (await acts.redeem(code))
  for (let count = 0; held && count < 2; count += 1) held = await acts.refresh(held)
  if (held && lap % 2 === 0) {
    await acts.revoke(held)
    await acts.abuse(held)
  }
  const rare = [acts.machineToken, acts.life, acts.pushedRequest, acts.device, acts.account, acts.key]
  await rare[lap % rare.length]?.()
  // People think; a load that fills the machine would only measure the machine.
  await pause(40)
}

const rules = (history: History): Violation[] => [
  ...usedTwice(history),
  ...usedAfterEnd(history),
  ...refusedWrongly(history),
]

/** I1 and I2 against the server, once it is well again. */
async function afterwards(ground: Ground): Promise<Violation[]> {
  const { app, history, core } = ground
  const at = () => ({ origin: ground.origin() })
  const ask = <T extends { status: number }>(what: string, send: () => Promise<T>): Promise<T> =>
    eventually<T | undefined>(what, async () => {
      const answer = await send()
      return answer.status < 500 ? answer : undefined
    })
  const live = mustLive(history)
  const dead = mustBeDead(history)
  const redeemed = history.operations.filter(({ act, outcome }) => act === 'redeem' && outcome === 'done')
  const created = history.operations.filter(({ act, gave }) => act === 'create_account' && gave)

  const lost = await inTurns(live, async (cause) => {
    const { status } = await ask('a token can be refreshed', () => app.refresh(cause.gave ?? '', {}, at()))
    return status === 200 ? [] : [violation('I1', cause, `its token got ${status} afterwards`)]
  })
  const revived = await inTurns(dead, async (cause) => {
    const tokens = [cause.object, ...(ground.accessTokens.get(cause.family ?? '') ?? [])]
    const answers = await Promise.all(tokens.map((token) => ask('introspection', () => app.introspect(token, at()))))
    const again = await ask('a refresh is answered', () => app.refresh(cause.object, {}, at()))
    const isDead = answers.every(({ body }) => body.active === false) && again.status === 400
    return isDead ? [] : [violation('I2', cause, 'the family is alive afterwards')]
  })
  const reused = await inTurns(redeemed, async (cause) => {
    const { status } = await ask('a code is answered', () =>
      app.redeem({ code: cause.object, verifier: VERIFIER }, {}, at()),
    )
    return status === 400 ? [] : [violation('I2', cause, `its code got ${status} afterwards`)]
  })
  const forgotten = await inTurns(created, async (cause) => {
    const account = await eventually('accounts can be read', () => core.accounts.find(cause.gave as never))
    const disabled = history.operations.some(
      ({ act, object, outcome }) => act === 'disable_account' && object === cause.gave && outcome === 'done',
    )
    return disabled && account.status !== 'disabled' ? [violation('I1', cause, 'it is active afterwards')] : []
  })
  return [...lost, ...revived, ...reused, ...forgotten, ...(await keysAfterwards(ground, ask))]
}

/** I1 and I2 for keys: what was given works unless its end was tried, and what was ended does not. */
async function keysAfterwards({ history, issuer, origin }: Ground, ask: Ask): Promise<Violation[]> {
  const ends = history.operations.filter(({ act }) => act === 'revoke_key')
  const rotations = history.operations.filter(({ act, gave }) => act === 'rotate_key' && gave)
  const ended = new Map(ends.map((end) => [end.object, end]))
  const endOf = (secret: string) =>
    ended.get(secret) ?? ended.get(rotations.find(({ object }) => object === secret)?.gave ?? '')
  const given = history.operations.filter(({ act, gave }) => ['create_key', 'rotate_key'].includes(act) && gave)
  // An end is known everywhere within a second, no sooner.
  await pause(1_000)
  return inTurns(given, async (cause) => {
    const { status } = await ask('a key is judged', () => verifyKey(issuer, cause.gave ?? '', origin()))
    const end = endOf(cause.gave ?? '')
    if (!end) return status === 200 ? [] : [violation('I1', cause, `its key got ${status} afterwards`)]
    const isAlive = end.outcome === 'done' && status === 200
    return isAlive ? [violation('I2', end, 'the key works afterwards')] : []
  })
}

type Ask = <T extends { status: number }>(what: string, send: () => Promise<T>) => Promise<T>

/** Eight at a time. */
async function inTurns<T>(items: readonly T[], check: (item: T) => Promise<Violation[]>): Promise<Violation[]> {
  const found: Violation[] = []
  for (let at = 0; at < items.length; at += 8)
    found.push(...(await Promise.all(items.slice(at, at + 8).map(check))).flat())
  return found
}
