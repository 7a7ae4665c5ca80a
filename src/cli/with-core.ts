/**
 * How a command works on the store: it opens the core, acts as the operator, and closes the core however it ends.
 * What the core holds is decided by the composition root; each command names the few parts it needs.
 */
import { userInfo } from 'node:os'
import type { Caller } from '../observability/audit.ts'
import type { Output } from './program.ts'
import type { Input } from './read-secret.ts'

/** Where words go and secrets come from; the terminal unless a test says otherwise. */
export interface Desk {
  readonly output?: Output
  readonly input?: Input
}

/** Opens the configured store and what stands on it. */
export type OpenCore<C> = () => Promise<C & { close(): Promise<void> }>

/** Runs `act` with an open core and closes it afterwards. */
export async function withCore<C, T>(openCore: OpenCore<C>, act: (core: C) => Promise<T>): Promise<T> {
  const core = await openCore()
  try {
    return await act(core)
  } finally {
    await core.close()
  }
}

/** Who acts from the command line, for the audit: the operating system's name for the person, and why if they said. */
export function operator(reason?: string): Caller {
  const why = reason ? { reason: reason.slice(0, 200) } : {}
  try {
    return { kind: 'operator', id: userInfo().username, ...why }
  } catch {
    // A container may run under a number that has no name.
    return { kind: 'operator', ...why }
  }
}

/** One line per field, for people; what is empty is left out. */
export function listFields(fields: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
    return value === null || text === '[]' || text === '{}' ? [] : [`${name.replaceAll('_', ' ')}: ${text}`]
  })
}
