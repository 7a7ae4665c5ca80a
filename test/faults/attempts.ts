/** How acts of the fault experiments are tried: again and again until there is an answer, and acts of the core as if they were answers. */
import { setTimeout as pause } from 'node:timers/promises'
import { AppError } from '../../src/errors.ts'
import type { Operation } from '../support/history.ts'

/** How long a careful app tries again. */
const PATIENCE_MS = 30_000
const PAUSE_MS = 60

/** Tries until there is an answer. */
export async function patiently(attempt: () => Promise<Operation>): Promise<Operation> {
  const until = performance.now() + PATIENCE_MS
  let last = await attempt()
  while (last.outcome === 'unknown' && performance.now() < until) {
    await pause(PAUSE_MS)
    last = await attempt()
  }
  return last
}

/** An act of the core as if it were an answer. */
export async function asAnswer<T>(act: Promise<T>): Promise<{ status: number; value?: T }> {
  try {
    return { status: 200, value: await act }
  } catch (error) {
    if (error instanceof AppError) return { status: error.status }
    throw error
  }
}
