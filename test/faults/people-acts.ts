/**
 * What people do to their own accounts under a fault: register, change the password, enrol a factor, use it up, have everything reset. Done by the
 * domain as a command beside the servers does it, each act noted in the history; afterwards the account must be as the history says.
 */
import { AppError } from '../../src/errors.ts'
import { randomToken } from '../../src/secrets.ts'
import { type History, type Operation, type Violation, violation } from '../support/history.ts'
import { operator, PASSWORD } from '../support/licet.ts'
import { factorDesk, processOn } from '../support/people.ts'
import { eventually } from '../support/ports.ts'
import { codeOf } from '../support/totp.ts'
import type { Ground } from './acts.ts'

const SECRETS = ['a root secret of the tests that is long enough']
const STEP_MS = 30_000

type Desk = ReturnType<typeof factorDesk>

export function createPeopleActs({ core, history }: Pick<Ground, 'core' | 'history'>) {
  const desk = factorDesk(processOn(core.store, Date.now, SECRETS))

  /** An act of the domain as if it were an answer; what it gives is told apart by `gave`. */
  const act = <T>(
    about: Parameters<History['attempt']>[0],
    run: () => Promise<T>,
    gave?: (value: T) => string | undefined,
  ) =>
    history.attempt(
      about,
      () => asAnswer(run),
      ({ value }) => (value === undefined ? undefined : gave?.(value)),
    )

  /** One try of something that is good once: each success is another. */
  const useUp = (name: string, object: string, run: () => Promise<unknown>) =>
    act(
      { act: name, object, isOnce: true },
      async () => {
        if ((await run()) !== 'right') throw new AppError('invalid_request', 'wrong')
      },
      () => randomToken(),
    )

  return {
    /** A whole life: the later the step, the more must still be true of the earlier ones. */
    async life(): Promise<void> {
      const email = `life-${crypto.randomUUID()}@example.test`
      const made = await act(
        { act: 'register', object: email, audited: { event: 'account.created' } },
        () => desk.accounts.create(operator, { email, password: PASSWORD, emailVerified: true }),
        ({ id }) => id,
      )
      const id = made.operation.gave
      const account = made.answer?.value
      if (!id || !account) return

      const password = `a new password ${randomToken()}`
      const changed = { event: 'account.password_changed', accountId: id }
      const change = () => desk.accounts.setPassword(operator, id, password)
      await act({ act: 'change_password', object: id, audited: changed }, change, () => password)

      const begun = await act({ act: 'begin_factor', object: id }, () => desk.totp.begin(id, email))
      const key = begun.answer?.value?.key.replaceAll(' ', '')
      if (!key) return
      const at = Date.now()
      const enrolled = await act(
        { act: 'enrol_factor', object: id, audited: { event: 'factor.added', accountId: id } },
        () => desk.factors.confirmTotp(operator, account, codeOf(key, at - STEP_MS)),
        ({ recoveryCodes = [] }) => recoveryCodes.join(' '),
      )
      const [code] = enrolled.operation.gave?.split(' ') ?? []
      if (!code) return
      for (const _ of [1, 2]) await useUp('use_recovery_code', `${id} ${code}`, () => desk.recoveryCodes.use(id, code))
      for (const _ of [1, 2]) await useUp('use_totp', `${id} ${at}`, () => desk.totp.check(id, codeOf(key, at)))

      if (Math.random() < 0.5) return
      const reset = { event: 'factors.reset', accountId: id }
      await act({ act: 'reset_factors', object: id, audited: reset }, () => desk.factors.reset(operator, id, 'fault'))
    },
  }
}

/** What the acknowledged acts promise, once the store is well again. */
export async function checkPeople({ core, history }: Pick<Ground, 'core' | 'history'>): Promise<Violation[]> {
  const desk = factorDesk(processOn(core.store, Date.now, SECRETS))
  const of = (name: string) => history.operations.filter((one) => one.act === name)
  const checks = of('register')
    .filter(({ gave }) => gave)
    .map((made) =>
      checkLife(desk, made, (name) => {
        const theirs = of(name).filter(({ object }) => object.split(' ')[0] === made.gave)
        return theirs.find(({ outcome }) => outcome === 'done') ?? theirs[0]
      }),
    )
  return (await Promise.all(checks)).flat()
}

async function checkLife(
  desk: Desk,
  made: Operation,
  find: (name: string) => Operation | undefined,
): Promise<Violation[]> {
  const id = made.gave ?? ''
  const entry = await eventually('accounts can be read', async () => ({
    found: await desk.store.find<{ passwordDigest?: string }>('account', id),
    record: await desk.records.find(id),
  }))
  if (!entry.found) return [violation('I1', made, 'the account is gone')]
  const broken: Violation[] = []
  const changed = find('change_password')
  if (changed?.outcome === 'done') {
    const digest = entry.found.value.passwordDigest
    const isNew = (await desk.passwords.check(changed.gave ?? '', digest)).right
    const isOld = (await desk.passwords.check(PASSWORD, digest)).right
    if (!isNew || isOld) broken.push(violation('I1', changed, 'the new password is not the one'))
  }
  const reset = find('reset_factors')
  const { totp, recovery, passkeys } = entry.record
  if (reset?.outcome === 'done' && (totp || recovery || passkeys.length > 0))
    broken.push(violation('I2', reset, 'a factor is there afterwards'))
  const enrolled = find('enrol_factor')
  if (enrolled?.outcome === 'done' && !reset && !totp) broken.push(violation('I1', enrolled, 'the factor is gone'))
  const used = find('use_recovery_code')
  if (used?.outcome === 'done' && (await again(desk, used)) === 'right')
    broken.push(violation('I2', used, 'the recovery code worked again'))
  return broken
}

function again(desk: Desk, { object }: Operation): Promise<unknown> {
  const [id = '', code = ''] = object.split(' ')
  return eventually('a code is judged', () => desk.recoveryCodes.use(id, code))
}

async function asAnswer<T>(run: () => Promise<T>): Promise<{ status: number; value?: T }> {
  try {
    return { status: 200, value: await run() }
  } catch (error) {
    if (error instanceof AppError) return { status: error.status }
    throw error
  }
}
