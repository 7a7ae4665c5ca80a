/**
 * What operators and their machines ask: is it alive, is it ready, how is it doing. Liveness never asks the store; readiness fails while the
 * store does not answer or the server is draining, so that a balancer sends nobody here.
 */
import { AppError } from '../errors.ts'
import { type AccessRule, type Answer, get, type Route } from '../http/route.ts'
import type { Caller } from '../observability/audit.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Store } from '../storage/store.ts'

interface OperationsParts {
  readonly store: Pick<Store, 'ping'>
  readonly metrics: Metrics
  readonly isDraining: () => boolean
  readonly anyone: AccessRule<Caller>
  readonly operator: AccessRule<Caller>
}

export function createOperations({ store, metrics, isDraining, anyone, operator }: OperationsParts): readonly Route[] {
  return [
    get('/healthz')
      .needs(anyone)
      .does(() => json({ status: 'ok' })),
    get('/readyz')
      .needs(anyone)
      .does(async () => {
        if (isDraining()) throw new AppError('overloaded', 'This server is shutting down.')
        await store.ping()
        return json({ status: 'ready' })
      }),
    get('/metrics')
      .needs(operator)
      .does(async () => ({ kind: 'text', type: metrics.contentType, body: await metrics.text() })),
  ].map((route) => ({ ...route, surface: 'api' as const }))
}

const json = (body: object): Answer => ({ kind: 'json', body })
