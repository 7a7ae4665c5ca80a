/**
 * Where every mail goes first: into the store, sealed, so that no caller waits for a mail server and no restart loses a mail.
 * With a transport a background loop, owned and stopped here, sends what waits; without one the mails stay for the development mailbox.
 */
import { AppError } from '../errors.ts'
import { randomId } from '../secrets.ts'
import { deliverDue } from './delivery.ts'
import {
  type KeptMail,
  type Mail,
  type MailStore,
  type MailVault,
  openMail,
  type Report,
  sealMail,
  type Transport,
} from './mail.ts'

/** A mail as `/dev/mailbox.json` shows it. `at` is milliseconds since 1970; `links` are those of the text, in order. */
export interface MailboxMail extends Mail {
  readonly links: readonly string[]
  readonly at: number
}

export interface Outbox {
  /**
   * Keeps the mail; it is durable when this returns and is sent afterwards.
   * @throws invalid_request for an address or subject that could smuggle in headers or receivers.
   */
  send(mail: Mail): Promise<void>
  /** The development mailbox, newest first, at most 200; empty when mails are sent. */
  listMailbox(): Promise<readonly MailboxMail[]>
  /** Sends what is due, once; the number sent. The loop does this by itself. */
  deliverDue(): Promise<number>
  /** Starts the loop; without a transport there is none. */
  start(): void
  /** Ends the loop after the mails being sent now, and closes the transport. */
  stop(): Promise<void>
}

interface Dependencies {
  readonly store: MailStore
  readonly vault: MailVault
  readonly now: () => number
  /** Absent: the development mailbox. */
  readonly transport?: Transport | undefined
  readonly report?: Report | undefined
}

const KEPT_MS = 3 * 24 * 3_600_000
const MAILBOX_LIMIT = 200
const EVERY_MS = 5_000

export function createOutbox({ store, vault, now, transport, report = () => {} }: Dependencies): Outbox {
  const deliver = async () => (transport ? deliverDue({ store, vault, transport, now, report }) : 0)
  const loop = createLoop(async () => {
    await deliver()
  })
  return {
    deliverDue: deliver,
    async send(mail) {
      checkMail(mail)
      const state: KeptMail['state'] = transport ? 'waiting' : 'mailbox'
      const value = { state, sealed: sealMail(vault, mail), at: now(), attempts: 0, nextAttemptAt: 0, leaseUntil: 0 }
      await store.put('mail', { id: randomId(), value, expiresAt: now() + KEPT_MS }, 'create')
      if (transport) loop.wake()
      else await trimMailbox(store)
    },
    async listMailbox() {
      const { items } = await store.list('mail', { group: 'state', value: 'mailbox', limit: MAILBOX_LIMIT })
      return items.flatMap(({ value }) => {
        const mail = openMail(vault, value.sealed)
        return mail ? [{ ...mail, links: mail.text.match(/https?:\/\/[^\s<>"]+/g) ?? [], at: value.at }] : []
      })
    },
    start() {
      if (transport) loop.start()
    },
    async stop() {
      await loop.stop()
      await transport?.close()
    },
  }
}

/** One receiver, one line each: a line break or a comma in an address is a further header or receiver (CWE-93). */
function checkMail({ to, subject }: Mail): void {
  const refuse = (detail: string) => new AppError('invalid_request', detail)
  if (to.length > 254 || !/^[^\s@,;:<>()[\]\\"\p{C}]+@[A-Za-z0-9.-]+$/u.test(to))
    throw refuse('This is not one e-mail address.')
  if (subject.length > 500 || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(subject)) throw refuse('A subject is one line.')
}

async function trimMailbox(store: MailStore): Promise<void> {
  const { nextCursor: cursor } = await store.list('mail', { group: 'state', value: 'mailbox', limit: MAILBOX_LIMIT })
  if (!cursor) return
  const { items } = await store.list('mail', { group: 'state', value: 'mailbox', limit: MAILBOX_LIMIT, cursor })
  for (const { id } of items) await store.remove('mail', id)
}

/** Runs `pass` every few seconds and soon after each `wake`, never twice at once. A pass that fails is simply followed by the next. */
function createLoop(pass: () => Promise<void>) {
  let state: 'stopped' | 'idle' | 'running' | 'running_again' = 'stopped'
  let timer: NodeJS.Timeout | undefined
  let current: Promise<void> = Promise.resolve()

  const run = () => {
    clearTimeout(timer)
    if (state === 'running' || state === 'running_again') state = 'running_again'
    if (state !== 'idle') return
    state = 'running'
    current = pass()
      .catch(() => undefined)
      .then(rest)
  }
  const rest = () => {
    if (state === 'stopped') return
    const isAgain = state === 'running_again'
    state = 'idle'
    timer = setTimeout(run, isAgain ? 0 : EVERY_MS)
    timer.unref()
  }
  return {
    start() {
      if (state !== 'stopped') return
      state = 'idle'
      run()
    },
    wake: run,
    async stop() {
      state = 'stopped'
      clearTimeout(timer)
      await current
    },
  }
}
