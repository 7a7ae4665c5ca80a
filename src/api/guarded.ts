/**
 * The rule for what protects an account itself (its password, its address, its end): a person who has just signed in, with the second factor of whoever
 * has one, through an app of this server's operator. An app of somebody else never gets to take the account away, whatever it was allowed.
 */
import type { Account } from '../accounts/account.ts'
import { AppError } from '../errors.ts'
import type { AccessRule } from '../http/route.ts'
import type { HttpContext } from '../http/server.ts'
import type { ApiCaller } from './caller.ts'

/** A person's call: there is an account behind it. */
export type PersonCaller = ApiCaller & { readonly account: Account }

export interface GuardParts {
  /** As `Credentials.recent`. */
  readonly recent: AccessRule<ApiCaller>
  readonly isFirstParty: (clientId: string) => Promise<boolean>
  /** The assurance that this account has to reach and did not. */
  readonly missingAssurance: (person: { account: Account; acr: string }) => Promise<string | undefined>
  /** The refusal that says what would satisfy it (RFC 9470 §3). */
  readonly stepUp: (ctx: HttpContext, caller: ApiCaller, acrValues: string) => Promise<AppError>
}

export function guarded({ recent, isFirstParty, missingAssurance, stepUp }: GuardParts): AccessRule<PersonCaller> {
  return {
    ...recent,
    name: `${recent.name}, own app`,
    describe: `${recent.describe} With the second factor where there is one, and through an app of this server's operator.`,
    async admit(ctx) {
      const caller = await recent.admit(ctx)
      const { account, acr = '', clientId = '' } = caller
      if (!account || !(await isFirstParty(clientId)))
        throw new AppError('forbidden', "Only an app of this server's operator can do this.", {
          details: { reason: 'first_party_needed' },
        })
      const missing = await missingAssurance({ account, acr })
      if (missing !== undefined) throw await stepUp(ctx, caller, missing)
      return { ...caller, account }
    },
  }
}
