/**
 * How the library's clients prove themselves with a secret: over digests, several of which may live, failures counted against app and address.
 * Which secrets an app has is the app domain's; assertions are `assertions.ts`'s.
 */
import type { Client, KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Shims } from '../shims.ts'
import type { Clients } from './clients.ts'
import { noteMended } from './mending.ts'
import type { ProviderParts } from './provider.ts'
import { currentContext, servedOrRefused } from './work.ts'
import type { Workloads } from './workloads.ts'

interface SecretParts extends Pick<ProviderParts, 'verifySecret' | 'admitClient'> {
  readonly clients: Clients
  readonly shims: Shims
  readonly workloads: Workloads
}

/** Replaces the library's comparison with a secret it keeps in clear. */
export function replaceSecrets(
  provider: Provider,
  { clients, verifySecret, admitClient, shims, workloads }: SecretParts,
): void {
  const prototype = provider.Client.prototype as unknown as Record<string, unknown>
  prototype['compareClientSecret'] = async function compare(this: Client, secret: string) {
    const app = await clients.app(this.clientId)
    const ctx = currentContext()
    return servedOrRefused(async () => {
      const proven = ctx && app && (await workloads.prove(ctx, app, secret))
      if (proven !== undefined) {
        if (proven) await admitClient(ctx as KoaContextWithOIDC, this.clientId)
        return proven
      }
      const isRight = app !== undefined && (await verifySecret(app, secret, ctx))
      if (!isRight || !ctx) return isRight
      await admitClient(ctx, app.clientId)
      // The library takes a secret wherever it comes from.
      const cameBy = ctx.oidc.params?.['client_secret'] === undefined ? 'client_secret_basic' : 'client_secret_post'
      if (cameBy === app.auth) return true
      noteMended(ctx.oidc.params, 'secret_method')
      return shims.on('secret_method')
    })
  }
  prototype['includeSid'] = () => true
}
