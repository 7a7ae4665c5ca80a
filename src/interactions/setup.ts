/**
 * The first administrator: the page behind the one-time link that the server prints while nobody administers it.
 */
import { z } from 'zod'
import type { SetupLinks } from '../accounts/setup-link.ts'
import { AppError } from '../errors.ts'
import { type AccessRule, get, post, type Route } from '../http/route.ts'
import { page, type Setup } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'

const SetupForm = z.object({
  name: z.string().max(1000).default(''),
  email: z.string().max(1000).default(''),
  password: z.string().max(20_000).default(''),
})
type SetupForm = z.infer<typeof SetupForm>
type SetupFields = Extract<NonNullable<Setup['problem']>, { kind: 'invalid' }>['fields']

interface SetupParts {
  readonly links: SetupLinks
  readonly minimumPasswordLength: number
  readonly anyone: AccessRule<Caller>
  readonly form: AccessRule<Caller>
  readonly signInUrl?: string
}

export function createSetup({ links, minimumPasswordLength, anyone, form, signInUrl }: SetupParts): readonly Route[] {
  const setupPage = (token: string, problem?: SetupFields, input?: SetupForm) =>
    page('interactions/setup', {
      action: `/setup/${token}`,
      minimumPasswordLength,
      ...(input ? { email: input.email, name: input.name } : {}),
      ...(problem ? { problem: { kind: 'invalid', fields: problem } } : {}),
    })

  return [
    get('/setup/:token')
      .needs(anyone)
      .does(async ({ params }) => {
        await links.check(params['token'] ?? '')
        return setupPage(params['token'] ?? '')
      }),
    post('/setup/:token')
      .needs(form)
      .takes(SetupForm)
      .does(async ({ params, caller, input, request }) => {
        const token = params['token'] ?? ''
        const outcome = await attempt(links, caller, token, { ...input, locale: request.locale })
        if (outcome) return setupPage(token, outcome, input)
        return page('interactions/setup-done', signInUrl ? { signInUrl } : {})
      }),
  ]
}

/** The fields to mend, undefined when the administrator was made. Anything but a wrong field is thrown on. */
async function attempt(
  links: SetupLinks,
  caller: Caller,
  token: string,
  wanted: SetupForm & { locale: string },
): Promise<SetupFields | undefined> {
  try {
    await links.use(caller, token, wanted)
    return undefined
  } catch (error) {
    if (error instanceof AppError && error.code === 'conflict') return [{ field: 'email', reason: 'taken' }]
    const wrong = wrongFields(error)
    if (!wrong) throw error
    return wrong
  }
}

/** The wrong fields of a form about an account, for its page; undefined when it is another failure. */
export function wrongFields(error: unknown): SetupFields | undefined {
  if (!(error instanceof AppError) || error.code !== 'invalid_request') return undefined
  return error.details.fields?.map(({ pointer, code }) => ({ field: fieldOf(pointer), reason: reasonOf(code) }))
}

const fieldOf = (pointer: string): SetupFields[number]['field'] =>
  pointer === '/password' ? 'password' : pointer === '/name' ? 'name' : 'email'

const REASONS = ['missing', 'malformed', 'too_short', 'too_long', 'taken', 'too_common'] as const
const reasonOf = (code: string): SetupFields[number]['reason'] =>
  REASONS.find((reason) => reason === code) ?? 'malformed'
