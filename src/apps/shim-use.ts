/**
 * Which shims served which client software: counted in memory, written down now and then, one entry per software, a bounded number of them. Counted is
 * only what a person's consent or a token stands behind, so that nobody fills it from outside. A process that dies loses the last half minute.
 */
import { digest } from '../secrets.ts'
import type { ShimName } from '../shims.ts'
import type { Store } from '../storage/store.ts'
import type { App } from './app.ts'

export interface ShimCount {
  readonly count: number
  /** Milliseconds since 1970. */
  readonly lastAt: number
}

/** `software` is the host of a metadata document, or the name an app gave itself; nothing vouches for the latter. */
export interface SoftwareUse {
  readonly software: string
  readonly source: 'document' | 'self_registered' | 'registered'
  readonly shims: Readonly<Partial<Record<ShimName, ShimCount>>>
}

export interface ShimUse {
  note(app: Pick<App, 'clientId' | 'name' | 'selfRegistered' | 'firstParty'>, names: readonly ShimName[]): void
  /** Everything counted in this process, and by others until half a minute ago, by name. */
  list(): Promise<readonly SoftwareUse[]>
  start(): void
  stop(): Promise<void>
}

const MOST = 500
const OTHERS = { software: '…', source: 'self_registered' } as const
const KEPT_MS = 400 * 86_400_000
const FLUSH_MS = 30_000

interface Dependencies {
  readonly store: Store
  readonly now: () => number
  readonly onTrouble?: (error: unknown) => void
}

export function createShimUse({ store, now, onTrouble = () => undefined }: Dependencies): ShimUse {
  let counted = new Map<string, SoftwareUse>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<unknown> = Promise.resolve()

  const write = async (id: string, use: SoftwareUse): Promise<void> => {
    const expiresAt = now() + KEPT_MS
    const { entry } = await store.update<SoftwareUse>('client_software', id, (before) => ({
      value: added(before, use),
      expiresAt,
    }))
    if (entry) return
    const isFull = (await store.list('client_software', { limit: MOST })).items.length >= MOST
    if (isFull && use.software !== OTHERS.software) return write(idOf(OTHERS), { ...use, ...OTHERS })
    await store.put('client_software', { id, value: use, expiresAt }, 'create')
  }
  const flush = async (): Promise<void> => {
    const batch = counted
    counted = new Map()
    for (const [id, use] of batch) await write(id, use).catch(onTrouble)
  }
  const queue = (): Promise<void> => {
    const next = writing.then(flush)
    writing = next
    return next
  }

  return {
    note(app, names) {
      if (app.firstParty || names.length === 0) return
      const face = faceOf(app)
      const id = idOf(face)
      const shims = Object.fromEntries(names.map((name) => [name, { count: 1, lastAt: now() }]))
      const before = counted.get(id)
      if (before || counted.size < MOST)
        counted.set(id, before ? added(before, { ...face, shims }) : { ...face, shims })
    },
    async list() {
      await queue()
      const { items } = await store.list<SoftwareUse>('client_software', { limit: 1000 })
      return items.map(({ value }) => value).toSorted((one, other) => one.software.localeCompare(other.software, 'en'))
    },
    start() {
      timer = setInterval(queue, FLUSH_MS)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      await queue()
    },
  }
}

function faceOf({ clientId, name, selfRegistered }: Parameters<ShimUse['note']>[0]): Omit<SoftwareUse, 'shims'> {
  if (clientId.startsWith('https://')) return { software: new URL(clientId).host, source: 'document' }
  return { software: name, source: selfRegistered ? 'self_registered' : 'registered' }
}

const idOf = ({ software, source }: Omit<SoftwareUse, 'shims'>): string =>
  digest('client software', `${source}\n${software}`)

function added(before: SoftwareUse, more: SoftwareUse): SoftwareUse {
  const sums = Object.entries(more.shims).map(([name, { count, lastAt }]) => {
    const known = before.shims[name as ShimName]
    return [name, { count: (known?.count ?? 0) + count, lastAt: Math.max(known?.lastAt ?? 0, lastAt) }] as const
  })
  return { ...before, shims: { ...before.shims, ...Object.fromEntries(sums) } }
}
