/**
 * Verified apps: a developer proves a domain, then an operator decides whether the app is what people will take it for. Both are needed: a domain can
 * be had for an hour, and an operator cannot see who commands one. The decision is about what the operator saw: an app that changed since is shown again.
 */
import { AppError } from '../errors.ts'
import type { Caller } from '../observability/audit.ts'
import type { App, AppRecord, Publisher } from './app.ts'
import type { Apps } from './apps.ts'
import { type Challenge, type DomainProofs, readDomain } from './domain-proof.ts'
import { skeletonOf } from './lookalike.ts'

/** A proof older than this does not carry a decision any more. */
const PROOF_DAYS = 30
const DAY_MS = 86_400_000
const REASON_LIMIT = 200

/** What an operator decides on: `updatedAt` of the app as they saw it, in milliseconds since 1970. */
export interface Decision {
  readonly updatedAt: number
  readonly reason?: string
}

export interface Publishers {
  /** What to publish at that domain for this app. @throws invalid_request */
  challenge(app: Pick<App, 'clientId' | 'ownerId'>, domain: string): Challenge
  /** Looks, notes the domain and puts the app before an operator. @throws invalid_request `/domain`: `not_proven` */
  prove(caller: Caller, app: App, domain: string): Promise<App>
  /** @throws conflict when the app changed since, invalid_request without a living proof that covers the app's home page */
  verify(caller: Caller, clientId: string, decision: Decision): Promise<App>
  /** Says no, with a reason for its developer; a verified app loses the mark. @throws conflict */
  decline(caller: Caller, clientId: string, decision: Decision): Promise<App>
}

interface Dependencies {
  readonly apps: Pick<Apps, 'replace'>
  readonly proofs: DomainProofs
  readonly now: () => number
}

export function createPublishers({ apps, proofs, now }: Dependencies): Publishers {
  const subjectOf = ({ clientId, ownerId }: Pick<App, 'clientId' | 'ownerId'>) => `app ${ownerId ?? ''} ${clientId}`
  return {
    challenge: (app, domain) => proofs.challenge(subjectOf(app), readDomain(domain)),
    async prove(caller, app, typed) {
      const domain = readDomain(typed)
      const by = await proofs.look(subjectOf(app), domain)
      if (!by) throw refusal('/domain', 'not_proven', `Neither the TXT record nor the file was found at ${domain}.`)
      const publisher: Publisher = { domain, by, provenAt: now() }
      const next = ({ declined: _declined, ...record }: AppRecord): AppRecord => {
        if (record.verified && record.publisher?.domain === domain) return { ...record, publisher }
        const { verifiedName: _name, ...rest } = record
        return { ...rest, publisher, verified: false, review: 'waiting' }
      }
      return apps.replace(caller, app.clientId, next, { event: 'app.domain_proven', details: { domain, by } })
    },
    async verify(caller, clientId, decision) {
      const next = (record: AppRecord): AppRecord => {
        refuseUnseen(record, decision)
        refuseUnproven(record, now())
        const { review: _review, declined: _declined, ...rest } = record
        return { ...rest, verified: true, verifiedName: skeletonOf(record.name) }
      }
      return apps.replace(caller, clientId, next, { event: 'app.verified' })
    },
    async decline(caller, clientId, decision) {
      const reason = (decision.reason ?? '').slice(0, REASON_LIMIT)
      const next = (record: AppRecord): AppRecord => {
        refuseUnseen(record, decision)
        const { review: _review, verifiedName: _name, ...rest } = record
        return { ...rest, verified: false, declined: { at: now(), reason } }
      }
      return apps.replace(caller, clientId, next, { event: 'app.declined', details: { reason } })
    },
  }
}

/** What is decided is what was seen: a name exchanged between the look and the decision is not verified. */
function refuseUnseen({ updatedAt }: AppRecord, decision: Decision): void {
  if (updatedAt !== decision.updatedAt) throw new AppError('conflict', 'The app has changed since. Look at it again.')
}

function refuseUnproven({ publisher, clientUri }: AppRecord, now: number): void {
  if (!publisher || now - publisher.provenAt > PROOF_DAYS * DAY_MS)
    throw refusal('/publisher', 'not_proven', `Its domain was not proven within the last ${PROOF_DAYS} days.`)
  const home = clientUri === undefined ? publisher.domain : URL.parse(clientUri)?.hostname
  if (home !== publisher.domain && !home?.endsWith(`.${publisher.domain}`))
    throw refusal(
      '/client_uri',
      'other_domain',
      `Its home page is not at ${publisher.domain}, which is what was proven.`,
    )
}

function refusal(pointer: string, code: string, detail: string): AppError {
  return new AppError('invalid_request', detail, { details: { fields: [{ pointer, code, detail }] } })
}
