/**
 * The development mailbox: what would have been sent, newest first, for people and as JSON for tests. Never there in production.
 */
import { AppError } from '../errors.ts'
import { type AccessRule, get, type Route } from '../http/route.ts'
import { page } from '../http/views.ts'
import type { Caller } from '../observability/audit.ts'

/** A kept mail; `at` is milliseconds since 1970. */
interface KeptMail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly links: readonly string[]
  readonly at: number
}

interface MailboxParts {
  readonly list: () => Promise<readonly KeptMail[]>
  readonly anyone: AccessRule<Caller>
}

export function createMailbox({ list, anyone }: MailboxParts): readonly Route[] {
  return [
    get('/dev/mailbox')
      .needs(anyone)
      .does(async () => {
        const mails = await list()
        return page('dev/mailbox', {
          mails: mails.map(({ to, subject, at }, index) => ({
            to,
            subject,
            at,
            url: `/dev/mailbox/${mails.length - index}`,
          })),
        })
      }),
    get('/dev/mailbox.json')
      .needs(anyone)
      .does(async () => ({ kind: 'json', body: await list() })),
    get('/dev/mailbox/:number')
      .needs(anyone)
      .does(async ({ params }) => {
        const mails = await list()
        const mail = mails[mails.length - Number(params['number'])]
        if (!mail) throw new AppError('not_found', 'There is no such mail.')
        const { to, subject, at, text, links } = mail
        return page('dev/mail', { to, subject, at, text, links, backUrl: '/dev/mailbox' })
      }),
  ]
}
