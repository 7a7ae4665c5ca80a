/**
 * How a sign-in goes on after each factor: asks the one state machine of `accounts/sign-in-state.ts`, and either finishes or shows the page of the
 * next step. Every way to prove something ends here, so that none can finish a sign-in by itself (threats.md MF1, LG10).
 */
import type { Account } from '../accounts/account.ts'
import type { RememberedDevices } from '../accounts/remembered-devices.ts'
import { type HeldFactors, type NextStep, nextStep } from '../accounts/sign-in-state.ts'
import type { Answer, Cookie } from '../http/route.ts'
import type { SecondFactorProblem } from '../http/sign-in-views.ts'
import type { PageAnswer } from '../http/views.ts'
import type { HalfSignIn, Interactions, OpenInteraction } from '../oidc/interaction.ts'

/** An interaction and the browser in which it goes on. */
export interface Visited extends OpenInteraction {
  /** What this browser keeps of the accounts that signed in here before. */
  readonly device?: string
  readonly from: { readonly ip: string; readonly userAgent: string }
  /** The person asks to be spared the second factor here. */
  readonly trust?: boolean
}

/** Where the browser keeps it. */
export const DEVICE_COOKIE = '__Host-licet_device' satisfies Cookie['name']
const DEVICE_SECONDS = 180 * 86_400

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
  readonly devices: Pick<RememberedDevices, 'isTrusted' | 'remember'>
  /** Tells the owner of a sign-in from a browser that is new to the account. */
  readonly tellNewDevice: (account: Account, from: Visited['from']) => Promise<void>
  readonly consentPage: (interaction: OpenInteraction) => PageAnswer
  readonly stepPage: StepPage
}

export interface Progress {
  /** After a factor was given: the end of the sign-in, or the next page. */
  proceed(interaction: Visited, half: HalfSignIn): Promise<Answer>
  /** The page of a sign-in that is half finished, as it stands now. */
  show(interaction: Visited, half: HalfSignIn, shown?: Shown): Promise<Answer>
}

export function createProgress({
  interactions,
  factors,
  devices,
  tellNewDevice,
  consentPage,
  stepPage,
}: ProgressParts): Progress {
  const stepAfter = async ({ wantedAcr }: OpenInteraction, { account, done }: HalfSignIn): Promise<NextStep> =>
    nextStep({
      done,
      held: await factors.held(account),
      secondFactor: factors.requirementFor(account),
      ...(wantedAcr ? { wanted: wantedAcr } : {}),
    })

  /** A trusted browser spares the second factor where nothing more was asked for. */
  const spared = async ({ device }: Visited, half: HalfSignIn): Promise<HalfSignIn> => {
    if (half.done.includes('remembered_device') || !(await devices.isTrusted(device, half.account))) return half
    return { ...half, done: [...half.done, 'remembered_device'] }
  }

  const remembered = async ({ device, from, trust = false }: Visited, account: Account): Promise<Cookie> => {
    const { cookie, isNews } = await devices.remember(device, account, { ...from, trust })
    if (isNews) await tellNewDevice(account, from)
    return { name: DEVICE_COOKIE, value: cookie, maxAgeSeconds: DEVICE_SECONDS }
  }

  const proceed: Progress['proceed'] = async (interaction, given) => {
    const half = await spared(interaction, given)
    const step = await stepAfter(interaction, half)
    if (step.step !== 'complete') return stepPage(await interactions.halfSignIn(interaction, half), half, step, {})
    const { acr, amr, sudo } = step
    const signIn = { accountId: half.account.id, acr, amr, sudo, at: half.at }
    const done = await interactions.signIn(interaction, signIn)
    const cookies = [await remembered(interaction, half.account)]
    return 'next' in done ? { ...consentPage(done.next), cookies } : { kind: 'leave', url: done.location, cookies }
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
