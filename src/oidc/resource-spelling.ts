/**
 * How clients spell a resource that is registered otherwise (mcp.md F9): which shims it takes to see the registered identifier behind what was sent.
 * Only spelling is mended, never another resource: what is left after mending must be the registered identifier, character by character.
 */
import type { ShimName } from '../shims.ts'

interface Parts {
  readonly scheme: string
  readonly host: string
  readonly port: string
  readonly path: string
  readonly query: string
}

const USUAL_PORT: Readonly<Record<string, string>> = { http: '80', https: '443' }

/** The shims that turn `spelled` into `registered`; none for the same text, undefined when no shims do. */
export function spellingShims(spelled: string, registered: string): ShimName[] | undefined {
  if (spelled === registered) return []
  const [sent, meant] = [partsOf(spelled), partsOf(registered)]
  if (!sent || !meant || sent.query !== meant.query) return undefined
  const names: ShimName[] = []
  if (sent.scheme !== meant.scheme || sent.host !== meant.host) {
    if (sent.scheme.toLowerCase() !== meant.scheme.toLowerCase()) return undefined
    if (sent.host.toLowerCase() !== meant.host.toLowerCase()) return undefined
    names.push('resource_upper_case')
  }
  if (sent.port !== meant.port) {
    const usual = USUAL_PORT[meant.scheme.toLowerCase()]
    if ((sent.port || usual) !== (meant.port || usual)) return undefined
    names.push('resource_default_port')
  }
  if (sent.path !== meant.path) {
    if (sent.path.replace(/\/$/, '') !== meant.path.replace(/\/$/, '')) return undefined
    names.push('resource_trailing_slash')
  }
  return names
}

function partsOf(identifier: string): Parts | undefined {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#:@[\]]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?(\/[^?#]*)?(\?[^#]*)?$/i.exec(
    identifier,
  )
  if (!match) return undefined
  const [, scheme = '', host = '', port = '', path = '', query = ''] = match
  return { scheme, host, port, path, query }
}
