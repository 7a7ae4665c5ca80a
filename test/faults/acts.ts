/**
 * What an honest person, their app and an operator do, one act after the other, each noted in the history. A request that got no proper answer
 * is sent again, as a careful app does; a fault may therefore cost time, and a sign-in, but never a token that was acknowledged.
 */
import { randomInt } from 'node:crypto'
import type { Core } from '../../src/core.ts'
import type { AppClient, SignedIn } from '../support/app-client.ts'
import { authorizeUrl, VERIFIER } from '../support/authorize.ts'
import type { About, History, Operation } from '../support/history.ts'
import { operator, PASSWORD } from '../support/licet.ts'
import { Person, type Visit } from '../support/person.ts'
import { asserted, assertion, type TestKey } from '../support/proofs.ts'
import { asAnswer, patiently } from './attempts.ts'
import { createKeyAct } from './key-acts.ts'

export interface Ground {
  readonly issuer: string
  readonly core: Core
  readonly history: History
  readonly app: AppClient
  readonly device: AppClient
  readonly machine: { readonly client: AppClient; readonly key: TestKey }
  /** Which process the next request goes to. */
  readonly origin: () => string
  /** Access tokens by family. */
  readonly accessTokens: Map<string, string[]>
}

/** What is left of a lap: the newest token of its family. */
export interface Held {
  readonly token: string
  readonly family: string
}

/** A person whose every request is noted. */
class WatchedPerson extends Person {
  readonly ground: Ground
  readonly accountId: string
  #consented = false

  constructor(ground: Ground, accountId: string) {
    super(ground.issuer)
    this.ground = ground
    this.accountId = accountId
  }

  override async send(...request: Parameters<Person['send']>): Promise<Visit> {
    this.origin = this.ground.origin()
    const [method, url, form] = request
    // Everybody comes from an address of their own, so that limits per address do not stand in for the fault.
    const headers = { 'x-forwarded-for': `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}` }
    const { pathname } = new URL(url, this.issuer)
    const event = this.#eventOf(method, pathname)
    const about: About = {
      act: `${method} ${pathname.replace(/[\w-]{16,}/, ':uid')}`,
      object: pathname,
      ...(event ? { audited: { event, accountId: this.accountId } } : {}),
    }
    const { operation, answer } = await this.ground.history.attempt(about, () => super.send(method, url, form, headers))
    if (pathname.endsWith('/consent')) this.#consented = operation.outcome === 'done'
    if (!answer) throw new Error(operation.why)
    return answer
  }

  /** The audited act that this request completes. */
  #eventOf(method: string, path: string): string | undefined {
    if (method === 'POST' && path.endsWith('/sign-in')) return 'sign_in.done'
    const resumes = method === 'GET' && /^\/(authorize|device)\/./.test(path) && this.#consented
    if (resumes) this.#consented = false
    return resumes ? 'consent.granted' : undefined
  }
}

export type Acts = ReturnType<typeof createActs>

export function createActs(ground: Ground, who: SignedIn) {
  const { history, core, app } = ground
  const person = new WatchedPerson(ground, who.accountId)
  const sending = () => ({ origin: ground.origin() })

  /** Follows an authorization to its end. */
  const walk = async (url: string): Promise<{ status: number; code?: string }> => {
    let visit = await person.open(url)
    if (visit.body.includes('name="password"'))
      visit = await person.submit(visit, { email: who.email, password: PASSWORD }, '/sign-in')
    if (visit.body.includes('name="decision"') && visit.body.includes('/consent'))
      visit = await person.submit(visit, { decision: 'allow' }, '/consent')
    const code = new URL(visit.url).searchParams.get('code')
    return code ? { status: 200, code } : { status: visit.status >= 500 ? visit.status : 400 }
  }

  const journey = async (about: Omit<About, 'isJourney'>, url: string) =>
    (
      await history.attempt(
        { ...about, isJourney: true },
        () => walk(url),
        ({ code }) => code,
      )
    ).operation

  const acts = {
    authorize: () =>
      patiently(() => journey({ act: 'authorize', object: who.accountId }, authorizeUrl(app))).then(({ gave }) => gave),

    async redeem(code: string): Promise<Held | undefined> {
      let honest = true
      const { gave } = await patiently(async () => {
        const about = { act: 'redeem', object: code, family: code, isOnce: true, honest }
        // An attempt without an answer may have used the code up.
        honest = false
        return noted(about, () => app.redeem({ code, verifier: VERIFIER }, {}, sending()))
      })
      return gave ? { token: gave, family: code } : undefined
    },

    async refresh({ token, family }: Held): Promise<Held | undefined> {
      const about = { act: 'refresh', object: token, family, isOnce: true, honest: true }
      const { gave } = await patiently(() => noted(about, () => app.refresh(token, {}, sending())))
      return gave ? { token: gave, family } : undefined
    },

    /** One attempt with a token that must be dead. */
    async abuse({ token, family }: Held): Promise<Operation> {
      return noted({ act: 'refresh', object: token, family, isOnce: true }, () => app.refresh(token, {}, sending()))
    },

    async revoke({ token, family }: Held): Promise<Operation> {
      const audited = { event: 'grant.revoked', accountId: who.accountId }
      const about = { act: 'revoke', object: token, family, honest: true, audited }
      return patiently(async () => (await history.attempt(about, () => app.revoke(token, sending()))).operation)
    },

    /** A machine's token, and its assertion shown again. */
    async machineToken(): Promise<void> {
      const { client, key } = ground.machine
      const one = await assertion(key, client)
      const use = (honest: boolean) => {
        const proven = client.with(asserted(async () => one))
        const about = { act: 'assert', object: one, isOnce: true, honest }
        const params = { grant_type: 'client_credentials' }
        return history.attempt(
          about,
          () => proven.post('/token', params, sending()),
          ({ body }) => body.access_token,
        )
      }
      await use(true)
      await use(false)
    },

    /** A pushed request, used twice. */
    async pushedRequest(): Promise<void> {
      const params = Object.fromEntries(new URL(authorizeUrl(app)).searchParams)
      const push = { act: 'push', object: who.accountId, honest: true }
      const { operation } = await history.attempt(
        push,
        () => app.post('/par', params, sending()),
        ({ body }) => String(body['request_uri']),
      )
      if (!operation.gave) return
      const query = new URLSearchParams({ client_id: app.clientId, request_uri: operation.gave })
      const url = `${ground.issuer}/authorize?${query}`
      for (const _ of [1, 2]) await journey({ act: 'use_request', object: operation.gave, isOnce: true }, url)
    },

    /** A device is connected and gets its tokens; its code is shown again. */
    async device(): Promise<void> {
      const begun = await history.attempt(
        { act: 'begin_device', object: who.accountId, honest: true },
        () => ground.device.post('/device_authorization', { scope: 'data:read' }, sending()),
        ({ body }) => String(body['device_code']),
      )
      const code = begun.operation.gave
      if (!code || !begun.answer) return
      const { body } = begun.answer
      const approved = await history.attempt({ act: 'approve', object: code, isJourney: true }, () =>
        approve(person, String(body['verification_uri']), String(body['user_code'])),
      )
      if (approved.operation.outcome !== 'done') return
      const params = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: code }
      for (const honest of [true, false]) {
        const about = { act: 'redeem_device', object: code, isOnce: true, honest }
        await history.attempt(
          about,
          () => ground.device.post('/token', params, sending()),
          ({ body }) => body.refresh_token,
        )
      }
    },

    key: createKeyAct({ ...ground, accountId: who.accountId }),

    /** An operator makes an account and disables it. */
    async account(): Promise<void> {
      const email = `fault-${crypto.randomUUID()}@example.test`
      const { operation } = await history.attempt(
        { act: 'create_account', object: email, audited: { event: 'account.created' } },
        () => asAnswer(core.accounts.create(operator, { email, password: PASSWORD, emailVerified: true })),
        ({ value }) => value?.id,
      )
      const id = operation.gave
      if (!id) return
      const about = { act: 'disable_account', object: id, audited: { event: 'account.disabled', accountId: id } }
      await history.attempt(about, () => asAnswer(core.accounts.disable(operator, id as never)))
    },
  }

  async function noted(about: About, send: () => ReturnType<AppClient['refresh']>): Promise<Operation> {
    const { operation, answer } = await history.attempt(about, send, ({ body }) => body.refresh_token)
    const { family } = about
    if (family && operation.outcome === 'done' && answer)
      ground.accessTokens.set(family, [...(ground.accessTokens.get(family) ?? []), answer.body.access_token])
    return operation
  }

  return acts
}

async function approve(person: Person, url: string, userCode: string): Promise<{ status: number }> {
  let visit = await person.submit(await person.open(url), { user_code: userCode })
  if (!visit.body.includes('name="decision"')) return { status: visit.status >= 500 ? visit.status : 400 }
  visit = await person.submit(visit, { decision: 'allow' })
  if (visit.body.includes('/consent"')) visit = await person.submit(visit, { decision: 'allow' }, '/consent')
  return { status: visit.status }
}
