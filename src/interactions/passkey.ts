/**
 * Signing in with a passkey, as the first factor from the sign-in page or as the second after a password. The ceremony is the domain's; here its
 * answer is taken for this sign-in and nobody else's.
 *
 *   POST /interaction/:uid/passkey   what the browser's authenticator said
 */
import { z } from 'zod'
import { type Account, signInSecond } from '../accounts/account.ts'
import type { Passkeys } from '../accounts/passkeys.ts'
import type { Answer, Handler, RequestFacts } from '../http/route.ts'
import type { PasskeyAsked } from '../http/sign-in-views.ts'
import type { Audit } from '../observability/audit.ts'
import type { OpenInteraction } from '../oidc/interaction.ts'
import type { Progress, Visited } from './progress.ts'

export const PasskeyForm = z.object({
  handle: z.string().max(2000).default(''),
  credential: z.string().max(20_000).default(''),
})
type PasskeyForm = z.infer<typeof PasskeyForm>

interface PasskeyParts {
  readonly passkeys: Pick<Passkeys, 'beginSignIn' | 'finishSignIn'>
  readonly findAccount: (id: string) => Promise<Account | undefined>
  readonly audit: Audit
  readonly now: () => number
  readonly limitAddress: (ip: string) => Promise<unknown>
  readonly countSignIn: (result: 'ok' | 'wrong') => void
  readonly progress: Progress
  /** The sign-in page with the words for a passkey that did not work. */
  readonly refused: (interaction: OpenInteraction) => Promise<Answer>
}

/** What the page's script asks the browser for; of this account's passkeys, or of any. */
export async function askPasskey(
  passkeys: Pick<Passkeys, 'beginSignIn'>,
  accountId?: string,
): Promise<Omit<PasskeyAsked, 'action'>> {
  const { handle, options } = await passkeys.beginSignIn(accountId)
  return { handle, options: JSON.stringify(options) }
}

export function givePasskey(parts: PasskeyParts): Handler<PasskeyForm, Visited, unknown> {
  const { passkeys, findAccount, now, limitAddress, countSignIn, progress } = parts
  return async ({ caller: interaction, input, request }) => {
    const { half } = interaction
    await limitAddress(request.ip)
    const startedAt = now()
    const used = await passkeys.finishSignIn({ handle: input.handle, response: parsed(input.credential) })
    const account = used && (await findAccount(used.accountId))
    // A passkey of somebody else is no second factor of the person whose password was given.
    const fits = account?.status === 'active' && (!half || half.account.id === account.id)
    await note(parts.audit, request, fits ? account.id : (half?.account.id ?? account?.id), fits)
    countSignIn(fits ? 'ok' : 'wrong')
    if (!fits && half) return progress.show(interaction, half, { wish: 'passkey', problem: { kind: 'passkey' } })
    if (!fits) return parts.refused(interaction)
    if (half) return progress.proceed(interaction, { ...half, done: [...half.done, 'passkey'] })
    return progress.proceed(interaction, { account, done: ['passkey'], at: signInSecond(account, startedAt) })
  }
}

function parsed(credential: string): unknown {
  try {
    return JSON.parse(credential)
  } catch {
    return undefined
  }
}

async function note(
  audit: Audit,
  { ip, userAgent, requestId }: RequestFacts,
  accountId: string | undefined,
  isDone: boolean,
): Promise<void> {
  const from = { ip, userAgent, requestId }
  await audit.note(isDone && accountId ? { kind: 'account', id: accountId, ...from } : { kind: 'anonymous', ...from }, {
    event: isDone ? 'sign_in.done' : 'sign_in.refused',
    outcome: isDone ? 'done' : 'refused',
    accountId: accountId ?? 'anonymous',
    details: { method: 'passkey' },
    ...(isDone ? {} : { reason: 'wrong_passkey' }),
  })
}
