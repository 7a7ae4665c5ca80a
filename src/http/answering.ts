/**
 * The answer under way: headers that are known deep inside a request and belong on its answer, whatever the answer turns out to be.
 * Only what says how a caller stands goes this way (`RateLimit` and its kin); everything else is a handler's answer.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'

const answers = new AsyncLocalStorage<ServerResponse>()

/** Runs `act` as part of answering with `response`. */
export function answering<T>(response: ServerResponse, act: () => Promise<T>): Promise<T> {
  return answers.run(response, act)
}

/** Puts headers on the answer under way; an answer that names them itself wins. Outside of a request, or once it is sent: nothing. */
export function tellCaller(headers: Readonly<Record<string, string>>): void {
  const response = answers.getStore()
  if (!response || response.headersSent) return
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
}
