/**
 * The composition root, read top to bottom: core (store, domains) → observability → security → protocol → surfaces → HTTP server.
 * Everything that runs in the background is started and stopped here.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { type Account, signInSecond } from './accounts/account.ts'
import { assuranceOf, isAtLeast, methodsIn } from './accounts/assurance.ts'
import { createAttention } from './accounts/attention.ts'
import { createAuthenticate } from './accounts/authenticate.ts'
import { createDirectory } from './accounts/directory.ts'
import { createOperatorActs } from './accounts/operator-acts.ts'
import { createSetupLinks } from './accounts/setup-link.ts'
import { hasSecondFactor } from './accounts/sign-in-state.ts'
import { createAdminAccounts } from './admin/accounts.ts'
import { createAdminApps } from './admin/apps.ts'
import { createAdminResources } from './admin/resources.ts'
import { createAdminServer } from './admin/server.ts'
import { createBearers } from './api/bearers.ts'
import { createShimPage } from './api/client-shims.ts'
import { createOperations } from './api/operations.ts'
import { createReference } from './api/reference.ts'
import { createRegistrationRoutes } from './api/registration.ts'
import { createApi } from './api/routes.ts'
import { createWellKnown } from './api/well-known.ts'
import { createAppUsage } from './app-usage.ts'
import { createLogos } from './apps/logos.ts'
import { createShimUse } from './apps/shim-use.ts'
import type { Config } from './config/schema.ts'
import { type Core, type CoreOptions, localesDirectory, openCore, viewsDirectory } from './core.ts'
import { createDeveloperPages } from './developer/apps.ts'
import { createFacePages } from './developer/face.ts'
import { createResourcePages } from './developer/resources.ts'
import { AppError } from './errors.ts'
import { holdingsOf } from './holdings.ts'
import { tellCaller } from './http/answering.ts'
import { shippedLocales } from './http/locale.ts'
import { createRenderer } from './http/page.ts'
import type { Route } from './http/route.ts'
import { createHttpServer, type HttpContext, type HttpServer } from './http/server.ts'
import { createPageRules, visitorRule } from './http/session.ts'
import { consentPreview } from './interactions/consent.ts'
import { createFlow } from './interactions/flow.ts'
import { createOwnSignIn, createSignInPath } from './interactions/own-sign-in.ts'
import { createPasswordStrength } from './interactions/password-strength.ts'
import { createProtocolPages } from './interactions/protocol-pages.ts'
import { createRecover } from './interactions/recover.ts'
import { createRecoveryCodesFile } from './interactions/recovery-codes.ts'
import { createSetup } from './interactions/setup.ts'
import { createSignUpPages } from './interactions/sign-up.ts'
import { createStart } from './interactions/start.ts'
import type { BeginVerification } from './interactions/unverified.ts'
import { createVerify, keepVerification } from './interactions/verify.ts'
import { findExpiring } from './keys/expiring.ts'
import { createAccountMessages } from './mail/account-messages.ts'
import { createKeyMessages } from './mail/key-messages.ts'
import { createMessages } from './mail/messages.ts'
import { createOutbox } from './mail/outbox.ts'
import { createSmtpTransport } from './mail/smtp.ts'
import { createLog } from './observability/log.ts'
import { createMetrics } from './observability/metrics.ts'
import { measureStore } from './observability/store-metrics.ts'
import type { Engine } from './oidc/engine.ts'
import { createPeople } from './people.ts'
import { createMailbox } from './playground/mailbox.ts'
import { createPlayground } from './playground/playground.ts'
import { startProtocol } from './protocol.ts'
import { clientLimit, createDoors } from './protocol-doors.ts'
import { PLAYGROUND, SETTINGS } from './registry.ts'
import { randomToken } from './secrets.ts'
import { and, anyForm, anyone, formFor, formOf, loopbackOrToken } from './security/access.ts'
import { createAdministration } from './security/administration.ts'
import { createCsrf } from './security/csrf.ts'
import { createGuesses } from './security/guesses.ts'
import { createSecurityHeaders } from './security/headers.ts'
import { createNetwork, limitKeys } from './security/network.ts'
import { createRateLimiter, rateLimitHeaders, type Standing } from './security/rate-limit.ts'
import { createOnce } from './settings/once.ts'
import { recoveredPath } from './settings/recovered.ts'
import { createSettings } from './settings/settings.ts'
import { createDraw } from './settings/shell.ts'
import { withProvenAddress } from './settings/unverified.ts'
import { engineName } from './storage/open.ts'
import { isWorker } from './workers.ts'

export interface RunningServer {
  readonly url: string
  readonly port: number
  readonly announcements: readonly string[]
  /** The domains that this server runs on, for whoever embeds it. */
  readonly core: Core
  close(): Promise<void>
}

export interface StartOptions extends CoreOptions {
  /** Whether this process prints one-time links; false in further workers. */
  readonly announce?: boolean
  readonly writeLog?: (line: string) => void
}

const elapsed = () => performance.now()
const SECOND_FACTOR = 'urn:licet:acr:2fa'

/** Opens everything and listens. @throws store_unavailable, invalid_configuration; nothing is left open then. */
export async function startServer(config: Config, options: StartOptions = {}): Promise<RunningServer> {
  const now = options.now ?? Date.now
  const log = createLog({
    level: config.logLevel === 'trace' ? 'debug' : config.logLevel,
    now,
    write: options.writeLog ?? ((line) => process.stderr.write(line)),
  })
  const metrics = createMetrics({ withProcess: true, isWorker })
  const around = options.around ?? ((store) => store)
  const core = await openCore(config, {
    now,
    around: (store) => measureStore(around(store), { metrics, elapsed }),
    onTrouble: (error) => log.warn({ error }, 'work on keys in the background failed'),
  })
  try {
    await refuseUnsafeStore(config, core.store)
    return await listen(config, { core, log, metrics, now, announce: options.announce ?? true })
  } catch (error) {
    await core.close()
    throw error
  }
}

/** In production a store that evicts or keeps nothing on disk is refused. */
async function refuseUnsafeStore(config: Config, store: Awaited<ReturnType<typeof openCore>>['store']): Promise<void> {
  const { engine, problems } = await store.inspect()
  if (config.mode !== 'production' || problems.length === 0) return
  throw new AppError(
    'invalid_configuration',
    `${engine} cannot be used in production:\n${problems.map((problem) => `- ${problem}`).join('\n')}`,
  )
}

interface Root {
  readonly core: Core
  readonly log: ReturnType<typeof createLog>
  readonly metrics: ReturnType<typeof createMetrics>
  readonly now: () => number
  readonly announce: boolean
}

async function listen(config: Config, { core, log, metrics, now, announce }: Root): Promise<RunningServer> {
  const { store, vault, accounts, apps, keys, audit, outbound, passwords } = core
  const { issuer, rateLimits } = config
  const isDevelopment = config.mode === 'development'

  // Security
  const network = createNetwork({ trustedProxies: config.trustedProxies })
  const csrf = createCsrf({ vault, randomToken })
  const limiter = createRateLimiter({
    store,
    now,
    addressKeys: limitKeys,
    onRefused: (policy) => metrics.rateLimited(policy),
    policies: {
      sign_in_address: rateLimits.signInAddress,
      token_client: rateLimits.tokenClient,
      authorize_address: rateLimits.authorizeAddress,
      registration_address: rateLimits.registrationAddress,
      api_credential: rateLimits.apiCredential,
      api_account: rateLimits.apiAccount,
      client_secret: { limit: 20, windowSeconds: 60 },
      device_address: { limit: 10, windowSeconds: 60 },
      password_strength: { limit: 120, windowSeconds: 60 },
      leak_address: { limit: 120, windowSeconds: 60 },
      domain_proof: { limit: 10, windowSeconds: 60 },
    },
  })
  const administration = createAdministration(config.network.adminNetworks)
  const limitProof = (accountId: string) => limiter.enforce('domain_proof', accountId)
  const appUsage = createAppUsage({
    store,
    now,
    apps,
    onTrouble: (error) => log.warn({ error }, 'the use of apps could not be written'),
  })
  const authenticate = createAuthenticate({ store, audit, vault, passwords, limit: rateLimits.signInAccount })

  // Pages
  const { brand } = config
  const renderer = createRenderer({ viewsDirectory, localesDirectory, brand, issuer, isDevelopment })
  const contexts = new WeakMap<object, HttpContext>()
  const contextOf = (request: object): HttpContext => {
    const ctx = contexts.get(request)
    if (!ctx) throw new TypeError('a request of the protocol came in without its context')
    return ctx
  }
  const recallPath = (ctx: HttpContext) => engine.restart.recall(ctx.req.headers.cookie)
  const recall = async (ctx: HttpContext) => {
    const back = recallPath(ctx)
    const app = back && (await engine.clients.app(back.clientId))
    return back && app ? { path: back.path, appName: app.name } : undefined
  }

  // Mail
  const transport = config.smtpUrl
    ? createSmtpTransport({ url: config.smtpUrl, from: config.mailFrom, fromName: brand.name })
    : undefined
  const outbox = createOutbox({ store, vault, now, transport })
  const messages = createMessages({ outbox, renderMail: renderer.renderMail, now })

  // People
  keys.onNotice(createKeyMessages({ outbox, renderMail: renderer.renderMail }))
  const accountMessages = createAccountMessages({ outbox, renderMail: renderer.renderMail, now })
  const people = createPeople({
    core,
    mails: accountMessages,
    randomBytes,
    randomInt: (below) => randomInt(below),
  })

  // Protocol
  const shimUse = createShimUse({
    store,
    now,
    onTrouble: (error) => log.warn({ error }, 'what served which client could not be written down'),
  })
  const engine = await startProtocol({
    core,
    log,
    metrics,
    outbound,
    uiLocales: shippedLocales,
    contextOf,
    pages: createProtocolPages({ renderer, contextOf, recall: recallPath, issueCsrf: (ctx) => csrf.issue(ctx) }),
    served: (app, names) => shimUse.note(app, names),
    limitClient: clientLimit(limiter),
    usage: appUsage,
    secretGuesses: createGuesses({ enforce: (key) => limiter.enforce('client_secret', key), now }),
    lacksFactor: people.factors.lacksRequired,
    async tellReuse(accountId, clientId, { ip, userAgent }) {
      const [account, app] = await Promise.all([accounts.find(accountId), apps.find(clientId)])
      if (account && app)
        await messages.refreshReuse(account, {
          appName: app.name,
          at: now(),
          ...(ip ? { ip } : {}),
          ...(userAgent ? { userAgent } : {}),
        })
    },
  })
  apps.onChange((clientId) => engine.clients.forget(clientId))

  // Surfaces
  const bearers = createBearers({ denials: keys.denials, now })
  const links = createSetupLinks({ store, accounts, now })
  const form = anyForm(csrf)
  const endAll = (accountId: string) => engine.sessions.endAll(accountId)
  const leaving = people.leaving(holdingsOf(core, engine.sessions, engine.delegates))
  const limitAddress = (ip: string) => limiter.enforceAddress('sign_in_address', ip).then(tellStanding)
  const minimumPasswordLength = passwords.minimumLength
  const signingUp = { anyone, form, limitAddress, minimumPasswordLength }
  const ownSignIn = { clientId: SETTINGS, issuer, vault, now }
  const signInPath = createSignInPath(ownSignIn)
  const missingAssurance = async ({ account, acr }: { account: Account; acr: string }) => {
    if (isAtLeast(acr, SECOND_FACTOR)) return undefined
    return hasSecondFactor(await people.factors.held(account)) ? SECOND_FACTOR : undefined
  }
  const keepSession = async (account: Account, sid: string) => {
    await engine.sessions.renew(account.id, sid, { at: signInSecond(account, now()) })
  }
  const { signedIn, recent, proven } = createPageRules({
    current: engine.sessions.current,
    signInPath,
    lacksFactor: ({ account }) => people.factors.lacksRequired(account),
    notRecentPath: recoveredPath,
    now,
    recentSeconds: config.lifetimes.stepUpSeconds,
    missingAssurance,
  })
  const beginVerification: BeginVerification = async (account, returnTo) => {
    const { handle } = await people.verification.begin(account, returnTo)
    return keepVerification(handle)
  }
  const attention = createAttention({
    ...people,
    now,
    expiring: (accountId, withinMs) => findExpiring(core, accountId, withinMs),
    async newApps(accountId, since) {
      const { items } = await engine.consents.list(accountId, { limit: 5 })
      const fresh = items.filter(({ firstAt }) => firstAt > since)
      return Promise.all(
        fresh.map(async ({ id, clientId, firstAt }) => {
          const app = await apps.find(clientId)
          return { id, name: app?.name ?? clientId, at: firstAt }
        }),
      )
    },
  })
  const settingsForm = formOf(csrf, signedIn, ({ sid }) => sid)
  const access = {
    signedIn,
    recent,
    proven,
    form: settingsForm,
    recentForm: and(settingsForm, recent),
    provenForm: and(settingsForm, proven),
  }
  const draw = createDraw([
    'profile',
    'security',
    'keys',
    'tokens',
    'apps',
    'developer',
    'sessions',
    'activity',
    'admin',
  ])
  const once = createOnce({ store })
  const adminRoom = {
    access: {
      page: administration.among(withProvenAddress(access).proven),
      form: administration.among(withProvenAddress(access).provenForm),
    },
    draw,
  }
  const administer = {
    directory: createDirectory(accounts),
    operatorActs: createOperatorActs({ accounts, factors: people.factors, endAll }),
    factors: people.factors,
    signUp: people.signUp,
    passwords,
  }
  let server: HttpServer | undefined
  const routes: readonly Route[] = [
    ...createStart({
      anyone,
      form,
      renderer,
      playground: config.playground,
      mailbox: config.mailbox,
      hasAdministrator: () => accounts.hasAdministrator(),
    }),
    ...createFlow({
      interactions: engine.interactions,
      authenticate,
      scope: (name) => engine.resources.rule(name),
      defaultDuration: config.consent.defaultDuration,
      factors: people.factors,
      totp: people.totp,
      passkeys: people.passkeys,
      findAccount: accounts.find,
      beginVerification,
      devices: people.devices,
      tellNewDevice: accountMessages.newDevice,
      audit,
      doors: {
        recoverUrl: '/recover',
        ...(config.signUp.policy === 'open' ? { signUpUrl: '/signup' } : {}),
      },
      now,
      limitAddress,
      countSignIn: (result) => metrics.signIn(result),
      form: formFor(csrf, 'uid'),
      recall,
    }),
    ...createRecoveryCodesFile(form),
    createPasswordStrength({
      form,
      strength: core.passwordStrength,
      problem: passwords.problem,
      limitAddress: (ip) => limiter.enforceAddress('password_strength', ip),
    }),
    ...createSignUpPages({ ...signingUp, signUp: people.signUp }),
    ...createVerify({ ...signingUp, verification: people.verification, now }),
    ...createRecover({
      ...signingUp,
      recovery: people.recovery,
      endAll,
    }),
    ...createOwnSignIn({ ...ownSignIn, anyone, discardCode: engine.sessions.discardCode }),
    ...createSettings({
      access,
      draw,
      profile: {
        accounts,
        attention,
        editable: config.profile.attributes,
        pictures: people.pictures,
        anyone,
      },
      unverified: { beginVerification },
      recovered: {
        signInAgainPath: (returnTo, loginHint) =>
          signInPath(returnTo, { fresh: true, loginHint, acrValues: SECOND_FACTOR }),
      },
      email: { emailChange: people.emailChange },
      leaving: { ...leaving, anyone, form, endAll },
      security: {
        accounts: people.passwordChange,
        factors: people.factors,
        totp: people.totp,
        passkeys: people.passkeys,
        minimumPasswordLength,
        endOthers: engine.sessions.endOthers,
        async noteFactor({ account, sid, amr }, method) {
          await engine.sessions.renew(account.id, sid, { assurance: assuranceOf([...methodsIn(amr), method]) })
        },
        keepSession,
      },
      sessions: {
        sessions: engine.sessions,
        accounts,
        appName: async (clientId) => (await apps.find(clientId))?.name,
        audit,
      },
      activity: { store, appName: async (clientId) => (await apps.find(clientId))?.name },
      connected: {
        consents: engine.consents,
        delegates: engine.delegates,
        apps,
        audit,
        scopes: config.scopes,
        resourceName: (identifier) => engine.resources.find(identifier)?.name ?? identifier,
        longestTokenSeconds: Math.max(...engine.resources.all.map((one) => one.accessTokenSeconds)),
        connectionName: (id) => config.connections?.list.find((one) => one.id === id)?.name ?? id,
        now,
      },
      keys: {
        issuer,
        keys,
        once,
        offer: { scopes: config.scopes, resources: engine.resources.all, policy: keys.policy },
      },
    }),
    ...createDeveloperPages({
      access: withProvenAddress(access),
      draw,
      once,
      apps,
      usage: appUsage.report,
      scopes: config.scopes,
      issuer,
      now,
    }),
    ...createFacePages({
      access: withProvenAddress(access),
      anyone,
      draw,
      apps,
      logos: createLogos({ store, apps }),
      publishers: core.publishers,
      limitProof,
      asksTesters: config.unverifiedApps.policy === 'testers',
      async preview(app, account, request, backUrl) {
        // As it is now, not as it was a second ago: its developer has just changed it.
        engine.clients.forget(app.clientId)
        const asked = await engine.preview((await engine.clients.app(app.clientId)) ?? app, account, request)
        const rules = { scope: engine.resources.rule, defaultDuration: config.consent.defaultDuration }
        return asked && consentPreview(asked, rules, backUrl)
      },
    }),
    ...createResourcePages({
      access: withProvenAddress(access),
      draw,
      resources: core.resources,
      limitProof,
      offered: config.developerResources.scopes.map((name) => ({
        name,
        sentence: config.scopes[name]?.describe ?? '',
      })),
      issuer,
    }),
    ...createAdminResources({ ...adminRoom, resources: core.resources, findAccount: accounts.find }),
    ...createAdminApps({
      ...adminRoom,
      apps,
      publishers: core.publishers,
      findAccount: accounts.find,
      scopes: config.scopes,
    }),
    ...createAdminAccounts({ ...adminRoom, ...administer, accounts, store }),
    ...createAdminServer({
      ...adminRoom,
      store,
      engine: engineName(config.storeUrl),
      mail: config.smtpUrl ? 'smtp' : config.mailbox ? 'mailbox' : 'off',
      sendTest: messages.test,
      signingKeys: core.signingKeys,
      retireSeconds: Math.max(config.lifetimes.accessTokenSeconds, config.lifetimes.idTokenSeconds) + 3600,
      audit,
      now,
      elapsed,
    }),
    ...createSetup({
      links,
      minimumPasswordLength,
      anyone,
      form,
      signInUrl: config.playground ? '/playground' : '/settings',
    }),
    ...createWellKnown({
      issuer,
      published: engine.published,
      resource: engine.resources.standard,
      startedAt: now(),
      anyone,
    }),
    ...createApi({
      issuer,
      audience: engine.resources.standard.identifier,
      anyone,
      checkToken: engine.checkProven,
      proofAlgorithms: engine.proofAlgorithms,
      makeKeyToken: engine.makeKeyToken,
      narrowToken: engine.resign,
      bearers,
      limiter,
      now,
      recentSeconds: config.lifetimes.stepUpSeconds,
      keys,
      form,
      limitLeaks: (ip) => limiter.enforceAddress('leak_address', ip).then(tellStanding),
      isKey: (credential) =>
        credential.startsWith(`${brand.keyPrefix}_key_`) || credential.startsWith(`${brand.keyPrefix}_pat_`),
      accounts,
      countsAsRecent: engine.sessions.countsAsRecent,
      own: {
        ...people,
        ...leaving,
        endOthers: engine.sessions.endOthers,
        endAll,
        attention,
        keepSession,
        missingAssurance,
        editable: config.profile.attributes,
      },
      apps,
      publishers: core.publishers,
      resources: core.resources,
      limitProof,
      administration,
      appUsage,
      administer,
      audit,
      store,
      sessions: engine.sessions,
      consents: engine.consents,
    }),
    ...createReference({ issuer, title: brand.name, routes: () => routes, anyone }),
    ...createShimPage({ shims: core.shims, use: shimUse, visitor: visitorRule(engine.sessions.current) }),
    ...(core.registration
      ? createRegistrationRoutes({
          issuer,
          apps,
          registration: core.registration,
          ...(config.dynamicRegistration.policy === 'token' ? { admits: core.initialTokens.admits } : {}),
          limitAddress: (ip) => limiter.enforceAddress('registration_address', ip).then(tellStanding),
          anyone,
        })
      : []),
    ...createOperations({
      store,
      metrics,
      anyone,
      operator: loopbackOrToken(config.metricsToken),
      isDraining: () => server?.isDraining() ?? false,
    }),
    ...(config.playground
      ? createPlayground({ issuer, clientId: PLAYGROUND, ...playgroundOffer(config, engine), anyone, form })
      : []),
    ...(config.mailbox ? createMailbox({ list: outbox.listMailbox, anyone }) : []),
  ]

  // Accounts whose delay has passed
  let swept: Promise<unknown> = Promise.resolve()
  const sweepLeft = () => {
    swept = leaving.deletion.sweep().catch((error) => log.warn({ error }, 'accounts could not be removed'))
  }

  // HTTP
  metrics.watchQueue('password hashes', () => passwords.waiting())
  metrics.watchQueue('sign-out notices', () => engine.noticesWaiting())
  server = createHttpServer({
    routes,
    engine: createDoors({ handle: engine.handle, limiter, remember: (ctx) => void contexts.set(ctx.req, ctx) }),
    renderer,
    csrf,
    log,
    metrics,
    network,
    headers: createSecurityHeaders({ issuer }),
    issuer,
    elapsed,
    randomBytes,
    requestLog: config.logLevel === 'debug' ? 'all' : 'failures',
    showReasons: config.debug,
    refOf: bearers.refOf,
  })
  outbox.start()
  const sweeping = setInterval(sweepLeft, 300_000)
  sweeping.unref()
  keys.start()
  appUsage.start()
  shimUse.start()
  const { port } = await server.listen({ host: config.host, port: config.port })
  const link = announce ? await links.renew() : undefined
  return {
    url: issuer,
    port,
    core,
    announcements: [
      ...(config.mailbox ? [`Mail goes to ${issuer}/dev/mailbox`] : []),
      ...(config.playground ? [`Try it at ${issuer}/playground`] : []),
      ...(link ? [`Create the first administrator: ${issuer}${link.path} (once, within 24 hours)`] : []),
    ],
    async close() {
      clearInterval(sweeping)
      await Promise.all([server?.close(), swept])
      await engine.close()
      await Promise.all([keys.stop(), appUsage.stop(), shimUse.stop()])
      await outbox.stop()
      await core.close()
    },
  }
}

/** What the playground may show and ask. */
function playgroundOffer(config: Config, engine: Engine) {
  return {
    scopes: Object.entries(config.scopes).map(([name, { describe, access }]) => ({ name, describe, access })),
    resources: engine.resources.all,
    async inspect(token: string, clientId: string) {
      const checked = await engine.tokens().check(token)
      return checked.ok && checked.claims.client_id === clientId ? { ...checked.claims } : undefined
    },
  }
}

/** Every limited answer says how its caller stands (contract: `RateLimit` and its kin), not only the refusal. */
function tellStanding(standing: Standing | undefined): void {
  if (standing) tellCaller(rateLimitHeaders(standing))
}
