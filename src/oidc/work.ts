/**
 * What one protocol request has read and decided: entries with their versions (for compare-and-set on writing back), the
 * single-use artefact it redeems, and a failure of the store. Kept beside the library's context, never in it, and gone with it.
 */
import { type KoaContextWithOIDC, Provider } from 'oidc-provider'
import { AppError } from '../errors.ts'
import type { Kind } from '../storage/kinds.ts'
import type { Stored } from '../storage/store.ts'
import type { Standing } from './standing.ts'
import type { Workload } from './workloads.ts'

/** How every protocol artefact is stored: sealed payload, plus plain fields for indexes and single use. */
export interface Artefact {
  /** The library's payload, sealed for its kind. */
  readonly sealed: string
  /** Milliseconds since 1970 of the one redemption. */
  readonly consumedAt?: number
  /** Refresh tokens: the answer of that redemption, for an honest retry. */
  readonly answer?: RetryAnswer
  readonly accountId?: string
  readonly clientId?: string
  readonly uid?: string
  readonly userCodeDigest?: string
  readonly sessionUid?: string
  readonly consentId?: string
  /** Grants: which consent they live by; see `grants.ts`. */
  readonly generation?: string
  readonly vendorId?: string
  readonly [field: string]: unknown
}

/** The sealed body of a token response and what a retry must match to get it again. */
export interface RetryAnswer {
  readonly sealed: string
  readonly binding: string
}

/** An artefact that this request redeems; it is consumed when the answer is ready, in one write. */
export interface Redemption {
  readonly kind: Kind
  readonly id: string
  readonly stored: Stored<Artefact>
  readonly grantId?: string
}

/** Plain fields of a grant. */
export interface GrantFields {
  /** Absent where no browser was there. */
  readonly sessionUid?: string
  readonly consentId: string
  readonly generation?: string
  readonly vendorId?: string
  /** It ends with the browser session. */
  readonly bound: boolean
  /** The issuer whose assertion began it, in place of a person's answer. */
  readonly assertedBy?: string
}

export interface Work {
  readonly loaded: Map<string, Stored<Artefact>>
  redemption?: Redemption
  /** Refresh: the child written before the parent is consumed. */
  childId?: string
  /** Refresh: this retry is answered with the stored answer. */
  replay?: string
  /** The browser session was ended, or got another id, elsewhere while this request ran: this answer says nothing about it. */
  sessionEnded?: boolean
  /** This request signs the person out. */
  signedOut?: boolean
  /** The session as it was last stored under the id it has just given up. */
  renewed?: Stored<Artefact>
  /** The session under the id that another request gave it meanwhile. */
  moved?: Stored<Artefact>
  /** The session holds nothing worth storing: no cookie either. */
  sessionEmpty?: boolean
  /** This request signs in an account that another tab has signed in meanwhile. */
  isSecondTab?: boolean
  /** What is left of the grant that this request is about. */
  standing?: Standing
  failure?: AppError
  /** Behind which the owner of a refused credential finds why. */
  errorRef?: string
  /** Why it was refused, where somebody else than `denied.ts` knows: for its owner, and in answers for developers. */
  reason?: string
  /** The library's own words inside about its refusal. */
  refused?: string
  /** The program that proves itself by an assertion of a trusted issuer. */
  workload?: Workload
  /** What the grant of this authorization is found by, and whether it ends with the browser session. */
  grantFields?: GrantFields
  /** What runs beside the library's own work, such as audit entries; the answer waits for it. */
  readonly pending: Promise<void>[]
  /** What goes when everything else is done and noted: a request sent again after a failure must find it, to finish the work. */
  readonly lastly: (() => Promise<unknown>)[]
}

const works = new WeakMap<object, Work>()

/** The work of this request; begun on first use. */
export function workOf(ctx: object): Work {
  const known = works.get(ctx)
  if (known) return known
  const work: Work = { loaded: new Map(), pending: [], lastly: [] }
  works.set(ctx, work)
  return work
}

/** The request being served, undefined outside of one. */
export function currentContext(): KoaContextWithOIDC | undefined {
  return Provider.ctx
}

/** The current request's work; a throw-away one outside of a request (start-up, background). */
export function currentWork(): Work {
  const ctx = currentContext()
  return ctx ? workOf(ctx) : { loaded: new Map(), pending: [], lastly: [] }
}

/** Runs `act`; when it cannot be served (the store is away, a limit is reached), the answer says so instead of the library's 500. */
export async function servedOrRefused<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof AppError) currentWork().failure = error
    throw error
  }
}
