/**
 * Apps that nobody has verified, under the operator's policy: what they may ask for, and who may use them. The operator's own apps are no strangers to
 * the operator, however they were written down; apps that introduce themselves have no owner who could name testers.
 */
import type { Account } from '../accounts/account.ts'
import { emailKeyOf } from '../accounts/email.ts'
import type { App, Trial } from '../apps/app.ts'

export interface TrialRules {
  /** `testers`: an app of a developer is for its owner and the people named in it. */
  readonly policy: 'open' | 'testers'
  /** All that third parties may ask for when absent. */
  readonly scopes?: readonly string[] | undefined
}

/** Undefined for an app that somebody vouches for. */
export function trialOf(app: App, { policy, scopes }: TrialRules): Trial | undefined {
  const introducesItself = app.selfRegistered === true || app.source === 'self_registered' || app.source === 'document'
  const isOperators = app.source === 'configuration' || (app.ownerId === undefined && !introducesItself)
  if (app.firstParty || app.verified || isOperators) return undefined
  const isForTesters = policy === 'testers' && app.ownerId !== undefined
  return { scopes, ...(isForTesters ? { testers: new Set((app.testers ?? []).map(emailKeyOf)) } : {}) }
}

/** Whether this account may not use the app: it is still being tried, by others. */
export function isOutsider({ id, email, emailVerified }: Account, app: App): boolean {
  const testers = app.trial?.testers
  if (!testers || id === app.ownerId) return false
  return !emailVerified || !testers.has(emailKeyOf(email))
}
