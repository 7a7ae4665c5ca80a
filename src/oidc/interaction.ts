/**
 * The door between the protocol and the pages a person sees during an authorization. A surface opens the interaction of this browser,
 * learns who asks for what, and answers with a sign-in, a consent or a refusal; what an answer may mean is checked here against what was asked,
 * never taken from the form (threats.md CS5). Interactions are bound to the browser that started them by the library's signed cookie.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { errors, type Provider } from 'oidc-provider'
import type { Account } from '../accounts/account.ts'
import type { Acr, Method } from '../accounts/assurance.ts'
import type { App } from '../apps/app.ts'
import { AppError } from '../errors.ts'
import { type AccountSource, stands } from './accounts.ts'
import { type AskedParts, createAsked } from './asked.ts'
import type { Clients } from './clients.ts'
import type { Connection } from './connections.ts'
import { offering } from './details.ts'
import type { ConsentAnswer } from './grants.ts'
import { FACE, type Plan } from './plan.ts'
import { isHeldBack, mustAlwaysAsk } from './policy.ts'
import { SCOPE_BY_DEFAULT } from './resources.ts'
import { intersect, isEmpty, union } from './scope-map.ts'
import type { Resource } from './settings.ts'
import { wantedAcr } from './step-up.ts'

type LibraryInteraction = InstanceType<Provider['Interaction']>

/** How a person has signed in. `at` is seconds since 1970. */
export interface SignIn {
  readonly accountId: string
  readonly acr: string
  readonly amr: readonly string[]
  readonly at: number
  /** False when it must not count as the recent sign-in that sensitive acts need (a recovery code was used). */
  readonly sudo: boolean
}

/** A sign-in that is not finished: what was done, for whom. It opens nothing. `at` is seconds since 1970, when its first factor was given. */
export interface HalfSignIn {
  readonly account: Account
  readonly done: readonly Method[]
  readonly at: number
}

/** An authorization that waits for a person. */
export interface OpenInteraction {
  readonly uid: string
  readonly app: App
  /** What the person must do first. */
  readonly stage: 'sign_in' | 'half' | 'consent'
  /** Why: the library's reasons (`no_session`, `login_prompt`, `max_age`, `consent_missing` …). */
  readonly reasons: readonly string[]
  readonly redirectUri?: string
  readonly loginHint?: string
  readonly forDevice: boolean
  /** The person asked for another account. */
  readonly isSwitching: boolean
  /** The account has to prove its address before it can let this app in. */
  readonly isHeldBack: boolean
  /** The account of this browser's session or of the sign-in just made. */
  readonly account?: Account
  readonly half?: HalfSignIn
  /** The assurance that is asked for (RFC 9470). */
  readonly wantedAcr?: Acr
  readonly plan?: Plan
  /** The app named no scope of a resource: what it gets are defaults. */
  readonly scopesByDefault: boolean
  readonly resources: readonly Resource[]
  /** What the person has connected, where the request is about that; `unknown` while nobody can say. */
  readonly connections?: readonly Connection[] | 'unknown'
  /** The library's object, for this module only. */
  readonly library: LibraryInteraction
}

export interface Interactions {
  /** The interaction of this browser; throws `gone` when it has expired, was finished, or was begun in another browser. */
  open(request: IncomingMessage, response: ServerResponse, uid: string): Promise<OpenInteraction>
  /** Notes the sign-in. Returns where to send the browser, or the interaction in its next stage when consent is still needed. */
  signIn(interaction: OpenInteraction, signIn: SignIn): Promise<{ location: string } | { next: OpenInteraction }>
  /** Keeps a sign-in that needs another factor. */
  halfSignIn(interaction: OpenInteraction, half: HalfSignIn): Promise<OpenInteraction>
  /** Forgets it: the person begins again. */
  beginAgain(interaction: OpenInteraction): Promise<OpenInteraction>
  /** Notes the consent, cut to what was asked and offered; returns where to send the browser. */
  consent(interaction: OpenInteraction, answer: Omit<ConsentAnswer, 'stops'>): Promise<string>
  /** Ends it with `access_denied`; returns where to send the browser. */
  deny(interaction: OpenInteraction): Promise<string>
  /** Forgets the sign-in made in this interaction, so that another account can be used. */
  switchAccount(interaction: OpenInteraction): Promise<OpenInteraction>
}

interface InteractionParts extends AskedParts {
  readonly provider: () => Provider
  readonly clients: Clients
  readonly accounts: AccountSource
}

interface Result {
  login?: { accountId: string; acr: string; amr: string[]; ts: number; remember: true; sudo: boolean }
  half?: { accountId: string; done: Method[]; at: number }
  consent?: ConsentAnswer
  switching?: true
}

export function createInteractions(parts: InteractionParts): Interactions {
  const { provider, clients, grants, resources, accounts } = parts
  const asked = createAsked(parts)

  const describe = async (library: LibraryInteraction): Promise<OpenInteraction> => {
    const { params, prompt, uid } = library
    const app = await clients.app(String(params['client_id']))
    if (!app) throw gone('the app that asked is not registered any more')
    const result = (library.result ?? {}) as unknown as Result
    const account = await signedIn(library, result)
    const named = await resourcesOf(params['resource'])
    const plan = account && (await asked.plan(library, app, account, named))
    const mustSignIn = result.switching || (prompt.name === 'login' && !result.login)
    const half = result.half && (await halfOf(result.half))
    const wanted = wantedAcr(params)
    const connections = plan && account && (await asked.connections(plan, account))
    return {
      uid,
      app,
      stage: half ? 'half' : mustSignIn || !account ? 'sign_in' : 'consent',
      reasons: prompt.reasons,
      forDevice: library.deviceCode !== undefined,
      isSwitching: result.switching === true,
      isHeldBack: account !== undefined && isHeldBack(account, app),
      resources: named,
      scopesByDefault: params[SCOPE_BY_DEFAULT] !== undefined,
      library,
      ...text('redirectUri', params['redirect_uri']),
      ...text('loginHint', params['login_hint']),
      ...(account ? { account } : {}),
      ...(half ? { half } : {}),
      ...(wanted ? { wantedAcr: wanted } : {}),
      ...(plan ? { plan } : {}),
      ...(connections ? { connections } : {}),
    }
  }

  /** What happened to the account since the first factor ends the half sign-in too. */
  const halfOf = async ({ accountId, done, at }: NonNullable<Result['half']>): Promise<HalfSignIn | undefined> => {
    const account = await accounts.find(accountId)
    return stands(account, at) ? { account, done, at } : undefined
  }

  const signedIn = async (library: LibraryInteraction, result: Result): Promise<Account | undefined> => {
    const accountId = result.login?.accountId ?? library.session?.accountId
    const account = accountId ? await accounts.find(accountId) : undefined
    return stands(account, result.login?.ts) ? account : undefined
  }

  const resourcesOf = async (spelled: unknown): Promise<Resource[]> => {
    const identifiers = [spelled ?? resources.standard.identifier].flat()
    const found = await Promise.all(identifiers.map((one) => resources.look(String(one))))
    return found.filter((resource): resource is Resource => resource !== undefined)
  }

  const save = async (library: LibraryInteraction, result: Result): Promise<void> => {
    Object.assign(library, { result })
    await library.persist()
  }

  return {
    async open(request, response, uid) {
      try {
        const library = await provider().interactionDetails(request, response)
        if (library.uid !== uid) throw gone('this page belongs to another sign-in')
        return await describe(library)
      } catch (error) {
        if (error instanceof errors.SessionNotFound) throw gone('this sign-in has expired', error)
        throw error
      }
    },
    async signIn(interaction, { accountId, acr, amr, at, sudo }) {
      const { library } = interaction
      const login = { accountId, acr, amr: [...amr], ts: at, remember: true, sudo } as const
      Object.assign(library, { result: { login } })
      const next = await describe(library)
      await library.persist()
      const asksConsent =
        library.prompt.name === 'consent' ||
        String(library.params['prompt'] ?? '')
          .split(' ')
          .includes('consent')
      const missing = next.plan !== undefined && !isEmpty(next.plan.missing)
      const ask = asksConsent || missing || next.isHeldBack || mustAlwaysAsk(next.app, next.redirectUri)
      return ask && next.stage === 'consent' ? { next } : { location: library.returnTo }
    },
    async halfSignIn({ library }, { account, done, at }) {
      // Nothing of it is a `login`: whatever resumes the authorization now is asked to sign in (threats.md MF1).
      await save(library, { half: { accountId: account.id, done: [...done], at } })
      return describe(library)
    },
    async beginAgain({ library }) {
      await save(library, { switching: true })
      return describe(library)
    },
    async consent(interaction, { scopes, refused, duration }) {
      const { library, plan, app, account, isHeldBack: held, connections = [] } = interaction
      if (held) throw new AppError('forbidden', 'Confirm your e-mail address first.')
      const ids = connections === 'unknown' ? [] : connections.map(({ id }) => id)
      const offered = offering(union(plan?.asked ?? {}, plan?.reading ?? {}), ids)
      const stops = account ? await grants.stops(account.id, app) : 0
      const face = text('shown', library.params[FACE])
      const given = { scopes: intersect(offered, scopes), refused: intersect(offered, refused) }
      const answer = { ...given, duration, stops, ...face }
      await save(library, { ...(library.result as unknown as Result | undefined), consent: answer })
      return library.returnTo
    },
    async deny({ library }) {
      Object.assign(library, { result: { error: 'access_denied', error_description: 'the person declined' } })
      await library.persist()
      return library.returnTo
    },
    async switchAccount({ library }) {
      await save(library, { switching: true })
      return describe(library)
    },
  }
}

function text<K extends string>(name: K, value: unknown): { [name in K]?: string } {
  return (typeof value === 'string' ? { [name]: value } : {}) as { [name in K]?: string }
}

function gone(message: string, cause?: unknown): AppError {
  return new AppError('gone', message, cause === undefined ? {} : { cause })
}

export type { CheckedToken } from './access-tokens.ts'
export type { Pages } from './pages.ts'
