/**
 * How a sign-in goes on after each factor: asks the one state machine of `accounts/sign-in-state.ts`, and either finishes or shows the page of the
 * next step. Every way to prove something ends here, so that none can finish a sign-in by itself (threats.md MF1, LG10).
 */
import type { Account } from '../accounts/account.ts'
import { type HeldFactors, type NextStep, nextStep } from '../accounts/sign-in-state.ts'
import type { Answer } from '../http/route.ts'
import type { SecondFactorProblem } from '../http/sign-in-views.ts'
import type { HalfSignIn, Interactions, OpenInteraction } from '../oidc/interaction.ts'

/** What the sign-in needs to know of an account's factors. */
export interface Factors {
  readonly held: (account: Account) => Promise<HeldFactors>
  readonly requirementFor: (account: Account) => 'required' | 'optional'
}

export type UnfinishedStep = Exclude<NextStep, { step: 'complete' }>

/** How a step's page is shown: by which way, after which mistake. */
export interface Shown {
  readonly wish?: string
  readonly problem?: SecondFactorProblem
}

/** The page on which the next factor is given, or set up. */
export type StepPage = (
  interaction: OpenInteraction,
  half: HalfSignIn,
  step: UnfinishedStep,
  shown: Shown,
) => Promise<Answer>

interface ProgressParts {
  readonly interactions: Pick<Interactions, 'halfSignIn' | 'signIn'>
  readonly factors: Factors
  readonly consentPage: (interaction: OpenInteraction) => Answer
  readonly stepPage: StepPage
}

export interface Progress {
  /** After a factor was given: the end of the sign-in, or the next page. */
  proceed(interaction: OpenInteraction, half: HalfSignIn): Promise<Answer>
  /** The page of a sign-in that is half finished, as it stands now. */
  show(interaction: OpenInteraction, half: HalfSignIn, shown?: Shown): Promise<Answer>
}

export function createProgress({ interactions, factors, consentPage, stepPage }: ProgressParts): Progress {
  const stepAfter = async ({ wantedAcr }: OpenInteraction, { account, done }: HalfSignIn): Promise<NextStep> =>
    nextStep({
      done,
      held: await factors.held(account),
      secondFactor: factors.requirementFor(account),
      ...(wantedAcr ? { wanted: wantedAcr } : {}),
    })

  const proceed: Progress['proceed'] = async (interaction, half) => {
    const step = await stepAfter(interaction, half)
    if (step.step !== 'complete') return stepPage(await interactions.halfSignIn(interaction, half), half, step, {})
    const { acr, amr, sudo } = step
    const signIn = { accountId: half.account.id, acr, amr, sudo, at: half.at }
    const done = await interactions.signIn(interaction, signIn)
    return 'next' in done ? consentPage(done.next) : { kind: 'leave', url: done.location }
  }

  return {
    proceed,
    async show(interaction, half, shown = {}) {
      const step = await stepAfter(interaction, half)
      // Nothing is missing any more: the factor was removed, or the last step was not pressed on.
      return step.step === 'complete' ? proceed(interaction, half) : stepPage(interaction, half, step, shown)
    },
  }
}
