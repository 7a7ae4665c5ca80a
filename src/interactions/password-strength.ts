/**
 * How hard a password would be to guess, for the meter beside a new one: told while it is typed where scripts run; whoever has none reads it from the
 * refusal of the form. Nothing is kept, noted or compared with anybody's password.
 *
 *   POST /password-strength   `password`, with `email` and `name` where the form has them → `{score}`, 0 to 4
 */
import { z } from 'zod'
import { type AccessRule, post, type Route } from '../http/route.ts'

interface StrengthParts {
  readonly form: AccessRule<unknown>
  readonly strength: (password: string, words: readonly string[]) => Promise<number>
  /** Whether the form of the password is refused anyway. */
  readonly problem: (password: string) => string | undefined
  readonly limitAddress: (ip: string) => Promise<unknown>
}

const Typed = z.object({
  password: z.string().max(2000),
  email: z.string().max(1000).default(''),
  name: z.string().max(1000).default(''),
})

export function createPasswordStrength({ form, strength, problem, limitAddress }: StrengthParts): Route {
  return post('/password-strength')
    .needs(form)
    .takes(Typed)
    .does(async ({ input: { password, email, name }, request }) => {
      await limitAddress(request.ip)
      const score = problem(password) ? 0 : await strength(password, [email, name])
      return { kind: 'json', body: { score } }
    })
}
