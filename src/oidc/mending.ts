/**
 * Which shims a request needed. The names travel with its parameters, through the pages a person sees, and are told once the request has led to a
 * code or a token: what nobody allowed leaves no trace. The table of shims is `shims.ts`'s, counting `apps/shim-use.ts`'s.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { App } from '../apps/app.ts'
import { type ShimName, shimNames } from '../shims.ts'
import type { Clients } from './clients.ts'

type Fields = Record<string, unknown>

/** A parameter of ours that no request can set: the library takes over known names only. */
const MENDED = 'mended'

/** Told which shims served an app, after the fact. */
export type Served = (app: App, names: readonly ShimName[]) => void

/** Notes one in the parameters of a request. */
export function noteMended(params: Fields | undefined, name: ShimName): void {
  if (params) params[MENDED] = [...new Set([...namesIn(params), name])].join(' ')
}

function namesIn(params: Fields | undefined): ShimName[] {
  const words = String(params?.[MENDED] ?? '').split(' ')
  return shimNames.filter((name) => words.includes(name))
}

/** Subscribes to a provider: a code was issued, with what let its app in, or a token was. */
export function tellMended(provider: Provider, clients: Clients, served: Served): void {
  const tell = async (ctx: KoaContextWithOIDC, withRegistration: readonly ShimName[]): Promise<void> => {
    const { params, entities, client } = ctx.oidc
    const waited = (entities.Interaction as { params?: Fields } | undefined)?.params
    const names = [...new Set([...withRegistration, ...namesIn(params as Fields), ...namesIn(waited)])]
    const app = names.length > 0 && client ? await clients.app(client.clientId) : undefined
    if (app) served(app, names)
  }
  provider.on('authorization.success', async (ctx) => {
    const app = await clients.app(ctx.oidc.client?.clientId ?? '').catch(() => undefined)
    await tell(ctx, app?.mended ?? []).catch(() => undefined)
  })
  provider.on('grant.success', (ctx) => void tell(ctx, []).catch(() => undefined))
}
