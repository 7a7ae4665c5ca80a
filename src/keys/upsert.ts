/**
 * Changing an entry that may not exist yet, as one act: of racing callers nobody's change is lost.
 */
import { hasCode } from '../errors.ts'
import type { Store, Stored } from '../storage/store.ts'

export interface Upsert<V> {
  readonly kind: Parameters<Store['find']>[0]
  readonly id: string
  readonly expiresAt: number
  /** The new value, from the living one or from none; undefined leaves things as they are. May be asked several times. */
  readonly next: (known: V | undefined) => V | undefined
}

/** Changes the entry or makes it. Answers with the entry as written; undefined when `next` left it as it was. */
export async function upsert<V>(
  store: Store,
  { kind, id, expiresAt, next }: Upsert<V>,
): Promise<Stored<V> | undefined> {
  const change = async () => {
    const { entry, changed } = await store.update<V>(kind, id, (known) => {
      const value = next(known)
      return value === undefined ? undefined : { value, expiresAt }
    })
    return { exists: entry !== undefined, written: changed ? entry : undefined }
  }
  const first = await change()
  if (first.exists) return first.written
  const value = next(undefined)
  if (value === undefined) return undefined
  try {
    return await store.put<V>(kind, { id, value, expiresAt }, 'create')
  } catch (error) {
    if (!hasCode(error, 'conflict')) throw error
    return (await change()).written
  }
}
