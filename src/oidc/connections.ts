/**
 * Which services a person has connected: a list of the configuration, the same for everybody, or the operator's hook, asked for each person. Only what
 * stands in it can be chosen; while the hook does not answer nothing can, and the rest of the page works.
 */
import type { Account } from '../accounts/account.ts'
import { isConnectionId } from './details.ts'
import { type HookFetch, postSigned } from './hooks.ts'

export interface Connection {
  readonly id: string
  readonly name: string
  /** A small picture as a `data:` address, shown as it is. */
  readonly icon?: string
}

export interface ConnectionsHook {
  readonly url: string
  readonly timeoutMs: number
  /** Key of the HMAC over the body. */
  readonly secret: string
}

/** Undefined while nobody can say. */
export type ConnectionSource = (account: Account) => Promise<readonly Connection[] | undefined>

export const fixedConnections =
  (list: readonly Connection[]): ConnectionSource =>
  async () =>
    list

const LARGEST_ANSWER = 256 * 1024
const MOST_CONNECTIONS = 50
const ICON = /^data:image\/(?:png|webp);base64,[A-Za-z0-9+/=]{1,16384}$/

/**
 * POSTs `{account}` and reads `{connections: [{id, name, icon?}]}`, signed as every hook of ours is. An answer that is late, too large, not 200 or not
 * of that shape counts as none, and `onFailure` hears of it; single entries that cannot be shown are left out.
 */
export function hookedConnections(
  hook: ConnectionsHook,
  fetch: HookFetch,
  onFailure: (error: unknown) => void,
): ConnectionSource {
  return async ({ id, email, emailVerified, attributes }) => {
    const body = { account: { id, email, email_verified: emailVerified, attributes } }
    try {
      const answer = await postSigned(fetch, { ...hook, maxBytes: LARGEST_ANSWER }, body)
      const { connections } = answer as { connections?: unknown }
      if (!Array.isArray(connections)) throw new Error('the connections hook answered no connections')
      return connections
        .map(shown)
        .filter((one) => one !== undefined)
        .slice(0, MOST_CONNECTIONS)
    } catch (error) {
      onFailure(error)
      return undefined
    }
  }
}

function shown(entry: unknown): Connection | undefined {
  const { id, name, icon } = (entry ?? {}) as Record<string, unknown>
  if (typeof id !== 'string' || !isConnectionId(id) || typeof name !== 'string') return undefined
  const clean = name
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .trim()
    .slice(0, 60)
  if (clean === '') return undefined
  return { id, name: clean, ...(typeof icon === 'string' && ICON.test(icon) ? { icon } : {}) }
}
