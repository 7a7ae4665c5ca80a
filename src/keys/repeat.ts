/**
 * An act repeated until it is stopped. A round that fails is told and left to the next one; rounds never overlap and never keep the process
 * alive. Who owns the work calls `stop`.
 */

export interface Repeated {
  start(): void
  /** No round runs when this resolves, and none will. */
  stop(): Promise<void>
}

export function repeat({
  act,
  everyMs,
  onTrouble,
}: {
  act: () => Promise<unknown>
  everyMs: number
  onTrouble?: (error: unknown) => void
}): Repeated {
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  const round = async (): Promise<void> => {
    try {
      await act()
    } catch (error) {
      onTrouble?.(error)
    }
  }
  return {
    start() {
      timer ??= setInterval(() => {
        running ??= round().finally(() => {
          running = undefined
        })
      }, everyMs).unref()
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      await running
    },
  }
}
