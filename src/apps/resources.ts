/**
 * Protected resources that developers bring themselves, MCP servers above all: an identifier (the audience), its scopes, whose it is. An identifier
 * belongs to nobody until its owner has proven the host and, where the operator wants it, an operator has agreed: before that it is a note in a list,
 * no token names it, and others may note it too, so that nobody can squat on it. Those of the configuration win. What tokens look like is `oidc/`'s.
 */
import { cleanName, NAME_LIMIT } from '../display-name.ts'
import { AppError, type FieldError, hasCode } from '../errors.ts'
import type { Audit, Caller } from '../observability/audit.ts'
import { randomId } from '../secrets.ts'
import type { Store, Stored } from '../storage/store.ts'
import type { Challenge, DomainProofs, ProofWay } from './domain-proof.ts'
import { canonicalIdentifier, findIdentifierProblem } from './resource-identifiers.ts'

/** `live`: tokens are minted for it. `waiting`: for an operator. `refused`: by an operator, for good. */
export type ResourceState = 'unproven' | 'waiting' | 'live' | 'refused'

/** The stored value of kind `resource`. Times are milliseconds since 1970. */
export interface ResourceRecord {
  readonly ownerId: string
  /** The audience, byte for byte; spelled as `canonicalIdentifier` spells it. */
  readonly identifier: string
  /** What its developer calls it, in lists of theirs and of operators. People read its host instead. */
  readonly name: string
  readonly scopes: readonly string[]
  readonly defaultScopes: readonly string[]
  readonly state: ResourceState
  /** The identifier once it is theirs: unique among all. */
  readonly claim?: string
  readonly proven?: { readonly by: ProofWay | 'loopback'; readonly at: number }
  readonly refusedBecause?: string
  readonly createdAt: number
  readonly updatedAt: number
}

export interface DeveloperResource extends ResourceRecord {
  readonly id: string
}

export interface WantedResource {
  readonly name: string
  readonly identifier: string
  readonly scopes: readonly string[]
  readonly defaultScopes: readonly string[]
}

/** What may be changed; the identifier is what it is. */
export type ResourceChange = Partial<Omit<WantedResource, 'identifier'>>

export interface ResourcePage {
  readonly items: readonly DeveloperResource[]
  readonly nextCursor?: string
}

export interface DeveloperResources {
  /** @throws invalid_request with a field for each mistake, conflict for an identifier that is somebody's, forbidden where nobody may. */
  create(caller: Caller, ownerId: string, wanted: WantedResource): Promise<DeveloperResource>
  /** @throws not_found, for one of somebody else too. */
  getOwned(ownerId: string, id: string): Promise<DeveloperResource>
  list(query: ({ ownerId: string } | { state: ResourceState }) & Paging): Promise<ResourcePage>
  change(caller: Caller, resource: DeveloperResource, change: ResourceChange): Promise<DeveloperResource>
  /** Frees the identifier. @throws forbidden for one that an operator has refused: it would come back at once. */
  remove(caller: Caller, resource: DeveloperResource): Promise<void>
  challenge(resource: DeveloperResource): Challenge
  /** Looks, and makes the identifier theirs. @throws invalid_request `not_proven`, conflict when somebody else has proven it before. */
  prove(caller: Caller, resource: DeveloperResource): Promise<DeveloperResource>
  /** An operator's decision about one that waits or lives. @throws not_found, conflict */
  decide(
    caller: Caller,
    id: string,
    decision: { allow: true } | { allow: false; reason: string },
  ): Promise<DeveloperResource>
  /** The living resource that has this identifier. */
  findLive(identifier: string): Promise<DeveloperResource | undefined>
}

interface Paging {
  readonly cursor?: string
  readonly limit?: number
}

interface Dependencies {
  readonly store: Store
  readonly audit: Audit
  readonly now: () => number
  readonly proofs: DomainProofs
  /** `proven`: the proof is enough. `reviewed`: an operator agrees too. `off`: nobody brings one. */
  readonly policy: 'proven' | 'reviewed' | 'off'
  /** Scopes that such resources may own. */
  readonly scopes: readonly string[]
  /** Identifiers of the configuration. */
  readonly configured: readonly string[]
  readonly issuer: string
  /** Development: http on this machine, which nobody else reaches, needs no proof. */
  readonly allowLoopback: boolean
}

const MOST_RESOURCES = 100

export function createDeveloperResources(dependencies: Dependencies): DeveloperResources {
  const { store, audit, now, proofs, policy } = dependencies
  const noted = <T>(caller: Caller, event: string, { ownerId, identifier }: ResourceRecord, act: () => Promise<T>) =>
    audit.record(caller, { event: `resource.${event}`, accountId: ownerId, subject: identifier }, act)
  const rewrite = async (id: string, next: (record: ResourceRecord) => ResourceRecord): Promise<DeveloperResource> => {
    try {
      const { entry } = await store.update<ResourceRecord>('resource', id, (record) => ({
        value: { ...next(record), updatedAt: now() },
      }))
      return entry ? toResource(entry) : missing()
    } catch (error) {
      throw hasCode(error, 'conflict') ? taken() : error
    }
  }
  const findLive: DeveloperResources['findLive'] = async (identifier) => {
    if (policy === 'off') return undefined
    const entry = await store.findBy<ResourceRecord>('resource', 'claim', identifier)
    return entry?.value.state === 'live' ? toResource(entry) : undefined
  }

  return {
    findLive,
    async create(caller, ownerId, wanted) {
      if (policy === 'off') throw new AppError('forbidden', 'Resources are registered by the operator here.')
      const record = newRecord(dependencies, ownerId, wanted)
      const { items } = await store.list('resource', { group: 'ownerId', value: ownerId, limit: MOST_RESOURCES })
      if (items.length >= MOST_RESOURCES)
        throw new AppError('conflict', `You have ${MOST_RESOURCES} resources; remove one first.`)
      if (await store.findBy('resource', 'claim', record.identifier)) throw taken()
      return noted(caller, 'created', record, async () =>
        toResource(await store.put('resource', { id: randomId(), value: record }, 'create')),
      )
    },
    async getOwned(ownerId, id) {
      const entry = await store.find<ResourceRecord>('resource', id)
      return entry?.value.ownerId === ownerId ? toResource(entry) : missing()
    },
    async list(query) {
      const { cursor, limit = 50 } = query
      const which =
        'ownerId' in query ? { group: 'ownerId', value: query.ownerId } : { group: 'state', value: query.state }
      const page = await store.list<ResourceRecord>('resource', { ...which, limit, ...(cursor ? { cursor } : {}) })
      return { ...page, items: page.items.map(toResource) }
    },
    async change(caller, resource, change) {
      const { name, scopes, defaultScopes } = { ...resource, ...change }
      const taken = takeWanted(dependencies, { name, scopes, defaultScopes })
      return noted(caller, 'changed', resource, () => rewrite(resource.id, (record) => ({ ...record, ...taken })))
    },
    async remove(caller, resource) {
      if (resource.state === 'refused') throw new AppError('forbidden', 'An operator has refused this resource.')
      await noted(caller, 'removed', resource, async () => {
        if (!(await store.remove('resource', resource.id))) missing()
      })
    },
    challenge: (resource) => proofs.challenge(subjectOf(resource), new URL(resource.identifier).host),
    async prove(caller, resource) {
      if (resource.state === 'live' || resource.state === 'refused') return resource
      const by = await proofs.look(subjectOf(resource), new URL(resource.identifier).host)
      if (!by)
        throw refusal([
          { pointer: '/identifier', code: 'not_proven', detail: 'Neither the TXT record nor the file was found.' },
        ])
      return noted(caller, 'proven', resource, () =>
        rewrite(resource.id, (record) => ({
          ...record,
          state: policy === 'reviewed' ? 'waiting' : 'live',
          claim: record.identifier,
          proven: { by, at: now() },
        })),
      )
    },
    async decide(caller, id, decision) {
      const entry = await store.find<ResourceRecord>('resource', id)
      const resource = entry ? toResource(entry) : missing()
      return noted(caller, decision.allow ? 'allowed' : 'refused', resource, () =>
        rewrite(id, ({ refusedBecause: _before, ...record }) => {
          if (record.claim === undefined)
            throw new AppError('invalid_request', 'Its developer has not proven its host.')
          return decision.allow
            ? { ...record, state: 'live' }
            : { ...record, state: 'refused', refusedBecause: decision.reason.slice(0, 200) }
        }),
      )
    },
  }
}

function newRecord(dependencies: Dependencies, ownerId: string, wanted: WantedResource): ResourceRecord {
  const { now } = dependencies
  const { identifier, ...taken } = takeWanted(dependencies, wanted)
  if (identifier === undefined) throw new TypeError('a new resource has an identifier')
  const isLocal = identifier.startsWith('http:')
  const at = now()
  return {
    ownerId,
    identifier,
    ...taken,
    ...(isLocal ? { state: 'live', claim: identifier, proven: { by: 'loopback', at } } : { state: 'unproven' }),
    createdAt: at,
    updatedAt: at,
  }
}

/** The fields as they are kept. @throws invalid_request with one entry per wrong field. */
function takeWanted(
  { scopes: offered, configured, issuer, allowLoopback }: Dependencies,
  wanted: Omit<WantedResource, 'identifier'> & { readonly identifier?: string },
) {
  const wrong: FieldError[] = []
  const refuse = (pointer: string, code: string, detail: string) => wrong.push({ pointer, code, detail })
  const name = cleanName(wanted.name)
  if (!name) refuse('/name', 'malformed', `Give a name of 1 to ${NAME_LIMIT} visible characters.`)
  const scopes = [...new Set(wanted.scopes)]
  if (scopes.length === 0) refuse('/scopes', 'missing', 'Give at least one scope.')
  if (scopes.some((scope) => !offered.includes(scope)))
    refuse('/scopes', 'unknown', `Choose from ${offered.join(', ')}.`)
  const defaultScopes = [...new Set(wanted.defaultScopes)]
  if (defaultScopes.some((scope) => !scopes.includes(scope)))
    refuse('/default_scopes', 'unknown', 'Choose from the scopes of the resource.')
  const identifier = wanted.identifier === undefined ? undefined : canonicalIdentifier(wanted.identifier)
  const problem =
    wanted.identifier === undefined
      ? undefined
      : findIdentifierProblem(wanted.identifier, { issuer, configured, allowLoopback })
  if (problem) refuse('/identifier', problem.code, problem.detail)
  if (!name || wrong.length > 0) throw refusal(wrong)
  return { name, scopes, defaultScopes, ...(identifier === undefined ? {} : { identifier }) }
}

/** The proof is for this owner and this identifier: what somebody else has published helps nobody. */
function subjectOf({ ownerId, identifier }: ResourceRecord): string {
  return `resource ${ownerId} ${identifier}`
}

function toResource({ id, value }: Stored<ResourceRecord>): DeveloperResource {
  return { ...value, id }
}

function taken(): AppError {
  return new AppError('conflict', 'This identifier belongs to somebody who has proven it.')
}

function missing(): never {
  throw new AppError('not_found', 'There is no such resource.')
}

function refusal(fields: readonly FieldError[]): AppError {
  return new AppError('invalid_request', fields.map(({ detail }) => detail).join('\n'), { details: { fields } })
}
