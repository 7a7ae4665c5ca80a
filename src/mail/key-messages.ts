/**
 * The mails about API keys and personal access tokens: what each holds and where it leads. When one is due is decided by the key domain; words and
 * layout belong to the views and locales.
 */
import type { Mail } from './mail.ts'
import type { Receiver } from './messages.ts'
import type { Outbox } from './outbox.ts'

interface ToldKey {
  readonly id: string
  readonly kind: 'api_key' | 'personal_access_token'
  readonly name: string
  readonly expiresAt: number
}

/** What happened to a key. Times are milliseconds since 1970. */
interface KeyNotice {
  readonly event: 'created' | 'widened' | 'revoked' | 'leaked' | 'expiring' | 'new_network'
  readonly key: ToldKey
  readonly owner: Receiver
  readonly at: number
  readonly ip?: string
  readonly userAgent?: string
}

const mails = {
  created: 'key-created',
  widened: 'key-widened',
  revoked: 'key-revoked',
  leaked: 'key-leaked',
  expiring: 'key-expiring',
  new_network: 'key-new-network',
} as const

interface Model {
  readonly keyName: string
  readonly keyKind: ToldKey['kind']
  readonly path: string
  readonly until?: number
  readonly at?: number
  readonly ip?: string
  readonly userAgent?: string
}

interface Dependencies {
  readonly outbox: Pick<Outbox, 'send'>
  readonly renderMail: (
    mail: `mail/${(typeof mails)[keyof typeof mails]}`,
    model: Model,
    locale: string,
  ) => Omit<Mail, 'to'>
}

/** @returns what tells an owner; the mail is durable in the outbox when it resolves. */
export function createKeyMessages({ outbox, renderMail }: Dependencies): (notice: KeyNotice) => Promise<void> {
  return async ({ event, key, owner, at, ip, userAgent }) => {
    const happened = {
      at,
      ...(ip ? { ip } : {}),
      ...(userAgent ? { userAgent: userAgent.slice(0, 300) } : {}),
    }
    const model = {
      keyName: key.name,
      keyKind: key.kind,
      path: `/settings/${key.kind === 'api_key' ? 'keys' : 'tokens'}/${key.id}`,
      ...(event === 'expiring' ? { until: key.expiresAt } : happened),
    }
    await outbox.send({ to: owner.email, ...renderMail(`mail/${mails[event]}`, model, owner.locale ?? 'en') })
  }
}
