/**
 * How the operator's hooks are asked: one POST of JSON through the guarded way out, with a deadline, signed so that the hook knows who asks:
 * `X-Licet-Signature: sha256=<hex HMAC-SHA-256 of the body>`.
 */
import { createHmac } from 'node:crypto'

/** The outgoing request: guarded by whoever provides it. */
export type HookFetch = (
  url: string,
  init: { method: 'POST'; headers: Record<string, string>; body: string; timeoutMs: number; maxBytes: number },
) => Promise<Response>

export interface Hook {
  readonly url: string
  readonly timeoutMs: number
  readonly secret: string
  readonly maxBytes: number
}

/** The answer's JSON. @throws Error for any status but 200, and whatever the way out throws */
export async function postSigned(
  fetch: HookFetch,
  { url, timeoutMs, secret, maxBytes }: Hook,
  message: object,
): Promise<object> {
  const body = JSON.stringify(message)
  const signature = createHmac('sha256', secret).update(body).digest('hex')
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
    'x-licet-signature': `sha256=${signature}`,
  }
  const response = await fetch(url, { method: 'POST', headers, body, timeoutMs, maxBytes })
  if (response.status !== 200) throw new Error(`the hook answered ${response.status}`)
  return ((await response.json()) ?? {}) as object
}
