/**
 * Making an account. A known address gets the same pages, the same status and the same time as a new one; only the mail differs (threats.md LG2).
 *
 *   GET  POST /signup          name, address, password
 *   GET  POST /signup/:token   the same behind an invitation, which proves the address
 */
import { z } from 'zod'
import type { SignUp } from '../accounts/sign-up.ts'
import { AppError } from '../errors.ts'
import { type AccessRule, type Answer, get, post, type Route } from '../http/route.ts'
import type { SignUpModel } from '../http/sign-in-views.ts'
import { page, type SetupProblem } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'
import { wrongFields } from './setup.ts'
import { keepVerification } from './verify.ts'

/** The sign-in that waits for the new account; it goes on there once the address is proven. */
const Waiting = z.object({
  interaction: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .optional()
    .catch(undefined),
})

const Form = z.object({
  name: z.string().max(1000).default(''),
  email: z.string().max(1000).default(''),
  password: z.string().max(20_000).default(''),
  ...Waiting.shape,
})
type Form = z.infer<typeof Form>

interface SignUpParts {
  readonly signUp: SignUp
  readonly anyone: AccessRule<Caller>
  readonly form: AccessRule<Caller>
  readonly minimumPasswordLength: number
  readonly limitAddress: (ip: string) => Promise<unknown>
}

export function createSignUpPages(parts: SignUpParts): readonly Route[] {
  const { signUp, anyone, form, limitAddress } = parts
  return [
    get('/signup')
      .needs(anyone)
      .takes(Waiting)
      .does(({ input }) => {
        if (signUp.policy !== 'open') throw new AppError('forbidden', 'New accounts need an invitation here.')
        return signUpPage(parts, { action: '/signup', ...input })
      }),
    post('/signup')
      .needs(form)
      .takes(Form)
      .does(async ({ caller, input, request }) => {
        await limitAddress(request.ip)
        const { interaction, ...typed } = input
        const returnTo = interaction === undefined ? {} : { returnTo: `/interaction/${interaction}` }
        const begun = await orWrong(() => signUp.begin(caller, { ...typed, ...returnTo, locale: request.locale }))
        if ('wrong' in begun) return signUpPage(parts, { action: '/signup', interaction, input, problem: begun.wrong })
        const { handle } = begun.made
        return { kind: 'redirect', location: '/verify', cookies: [keepVerification(handle)] }
      }),
    get('/signup/:token')
      .needs(anyone)
      .does(async ({ params }) => {
        const token = params['token'] ?? ''
        return invitedPage(parts, token, await signUp.openInvitation(token))
      }),
    post('/signup/:token')
      .needs(form)
      .takes(Form)
      .does(async ({ caller, params, input, request }) => {
        await limitAddress(request.ip)
        const token = params['token'] ?? ''
        const invited = await signUp.openInvitation(token)
        const wanted = { name: input.name, password: input.password, locale: request.locale }
        const made = await orWrong(() => signUp.acceptInvitation(caller, token, wanted))
        if ('wrong' in made) return invitedPage(parts, token, { ...invited, name: input.name }, made.wrong)
        return page('interactions/done', { kind: 'verified', continueUrl: '/settings' })
      }),
  ]
}

type Wrong = Extract<SetupProblem, { kind: 'invalid' }>['fields']

/** What was made, or the fields to mend; anything else is thrown on. */
async function orWrong<T>(act: () => Promise<T>): Promise<{ made: T } | { wrong: Wrong }> {
  try {
    return { made: await act() }
  } catch (error) {
    const wrong = wrongFields(error)
    if (!wrong) throw error
    return { wrong }
  }
}

function signUpPage(
  { minimumPasswordLength }: SignUpParts,
  { action, interaction, input, problem }: z.infer<typeof Waiting> & { action: string; input?: Form; problem?: Wrong },
): Answer {
  const model: SignUpModel = {
    action,
    minimumPasswordLength,
    signInUrl: interaction === undefined ? '/settings' : `/interaction/${interaction}`,
    ...(interaction === undefined ? {} : { interaction }),
    name: input?.name ?? '',
    email: input?.email ?? '',
    ...(problem ? { problem: { kind: 'invalid', fields: problem } } : {}),
  }
  return page('interactions/sign-up', model)
}

function invitedPage(
  { minimumPasswordLength }: SignUpParts,
  token: string,
  { email, name = '' }: { email: string; name?: string },
  problem?: Wrong,
): Answer {
  const model: SignUpModel = {
    action: `/signup/${encodeURIComponent(token)}`,
    minimumPasswordLength,
    name,
    email,
    isInvited: true,
    ...(problem ? { problem: { kind: 'invalid', fields: problem } } : {}),
  }
  return page('interactions/sign-up', model)
}
