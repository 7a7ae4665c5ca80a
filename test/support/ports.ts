/**
 * Free ports on loopback, and waiting for things that become true.
 */
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** Different ports on 127.0.0.1 that nobody listens on right now. Somebody may take one before its user does: starters try again. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** Asks again every `everyMs` until `probe` answers with something true, which is returned. A throwing probe counts as "not yet". */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  { withinMs = 15_000, everyMs = 20 }: { withinMs?: number; everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs
  let lastError: unknown
  while (performance.now() < deadline) {
    try {
      const answer = await probe()
      if (answer) return answer
    } catch (error) {
      lastError = error
    }
    await pause(everyMs)
  }
  throw new Error(`not within ${withinMs} ms: ${what}`, { cause: lastError })
}
