/**
 * Sends what waits: one pass over the waiting mails, each claimed by compare-and-set before it is sent, so that two processes never
 * send one mail within a lease. What fails is tried again, each time later, until the mail expires.
 */
import { randomId } from '../secrets.ts'
import type { Delivered, KeptMail, MailStore, MailVault, Report, Transport } from './mail.ts'
import { openMail } from './mail.ts'

/** How long a mail is left to the process that claimed it, should that die; while it lives it claims again, however slow the mail server is. */
const LEASE_MS = 120_000
const RENEWED_EVERY_MS = LEASE_MS / 4
const FIRST_DELAY_MS = 30_000
const LONGEST_DELAY_MS = 3_600_000
const PAGE = 100
const AT_ONCE = 4

interface Dependencies {
  readonly store: MailStore
  readonly vault: MailVault
  readonly transport: Transport
  readonly now: () => number
  readonly report: Report
}

/** How long to wait after so many attempts: 30 s, doubled each time, at most an hour. */
export function delayAfter(attempts: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.max(attempts - 1, 0), LONGEST_DELAY_MS)
}

/** One pass: tries every mail that is due and that nobody else is sending; the number sent. @throws what the store throws. */
export async function deliverDue(dependencies: Dependencies): Promise<number> {
  let sent = 0
  // Claimed in batches of what is sent at once: a lease must not run out while a mail waits for its turn.
  for (const batch of await listBatches(dependencies)) {
    const outcomes = await Promise.all(batch.map((id) => deliverOne(dependencies, id)))
    sent += outcomes.filter((outcome) => outcome === 'sent').length
  }
  return sent
}

async function listBatches({ store, now }: Dependencies): Promise<string[][]> {
  const due: string[] = []
  let cursor: string | undefined
  do {
    const page = await store.list('mail', {
      group: 'state',
      value: 'waiting',
      limit: PAGE,
      ...(cursor ? { cursor } : {}),
    })
    due.push(...page.items.filter(({ value }) => isDue(value, now())).map(({ id }) => id))
    cursor = page.nextCursor
  } while (cursor)
  // Newest first as listed; the oldest has waited longest.
  due.reverse()
  return Array.from({ length: Math.ceil(due.length / AT_ONCE) }, (_, at) => due.slice(at * AT_ONCE, (at + 1) * AT_ONCE))
}

function isDue(mail: KeptMail, at: number): boolean {
  return mail.state === 'waiting' && mail.nextAttemptAt <= at && mail.leaseUntil <= at
}

async function deliverOne(dependencies: Dependencies, id: string): Promise<Delivered['kind'] | 'not_ours'> {
  const { store, vault, transport, now, report } = dependencies
  const claim = randomId(16)
  const { changed, entry } = await store.update('mail', id, (mail) =>
    isDue(mail, now())
      ? { value: { ...mail, claim, leaseUntil: now() + LEASE_MS, attempts: mail.attempts + 1 } }
      : undefined,
  )
  if (!changed || !entry) return 'not_ours'
  const mail = openMail(vault, entry.value.sealed)
  const delivered: Delivered = mail
    ? await holding(dependencies, { id, claim }, () => transport.deliver({ id, mail }))
    : { kind: 'never', reason: 'unknown root secret' }
  if (delivered.kind === 'sent') await store.remove('mail', id)
  else await postpone(dependencies, id, claim, delivered)
  report({
    mail: id,
    attempts: entry.value.attempts,
    outcome: delivered.kind,
    ...('reason' in delivered ? { reason: delivered.reason } : {}),
  })
  return delivered.kind
}

/** Keeps the claim while `act` takes its time: a server that answers each command at the last moment must not get the mail twice. */
async function holding<T>(
  { store, now }: Dependencies,
  { id, claim }: { id: string; claim: string },
  act: () => Promise<T>,
): Promise<T> {
  const renew = () =>
    store.update('mail', id, (mail) =>
      mail.claim === claim ? { value: { ...mail, leaseUntil: now() + LEASE_MS } } : undefined,
    )
  let renewing: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    renewing = renew().catch(() => undefined)
  }, RENEWED_EVERY_MS)
  try {
    return await act()
  } finally {
    clearInterval(timer)
    await renewing
  }
}

async function postpone(
  { store, now }: Dependencies,
  id: string,
  claim: string,
  { kind, reason }: Exclude<Delivered, { kind: 'sent' }>,
): Promise<void> {
  await store.update('mail', id, (mail) => {
    if (mail.claim !== claim) return undefined
    const { claim: _claim, ...rest } = mail
    const state = kind === 'never' ? 'failed' : 'waiting'
    return { value: { ...rest, state, reason, leaseUntil: 0, nextAttemptAt: now() + delayAfter(mail.attempts) } }
  })
}
