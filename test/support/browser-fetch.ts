/**
 * A fetch that keeps a browser's rules for scripts of one origin: it says where it comes from, asks first where a browser would, and hides an
 * answer that the server did not open to that origin (Fetch standard, CORS protocol). Throws the TypeError that a script would see.
 */
const SIMPLE_TYPES = ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']

export function browserFetch(origin: string): typeof fetch {
  return async (input, init = {}) => {
    const request = new Request(input, init)
    if (!isSimple(request)) await preflight(request, origin)
    const headers = new Headers(request.headers)
    headers.set('origin', origin)
    const answer = await fetch(input, { ...init, headers })
    if (!isOpenTo(answer, origin)) throw new TypeError(`Failed to fetch: ${request.url} is not open to ${origin}`)
    return answer
  }
}

function isSimple({ method, headers }: Request): boolean {
  const type = headers.get('content-type')?.split(';')[0] ?? SIMPLE_TYPES[0]
  const named = [...headers.keys()].filter(
    (name) => !['accept', 'content-type', 'user-agent', 'accept-language'].includes(name),
  )
  return ['GET', 'HEAD', 'POST'].includes(method) && named.length === 0 && SIMPLE_TYPES.includes(type ?? '')
}

async function preflight({ url, method, headers }: Request, origin: string): Promise<void> {
  const names = [...headers.keys()].filter((name) => !['accept', 'user-agent'].includes(name))
  const answer = await fetch(url, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': names.join(','),
    },
  })
  const allowed = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/\s*,\s*/)
  const missing = names.filter((name) => !allowed.includes(name))
  if (!answer.ok || !isOpenTo(answer, origin) || missing.length > 0)
    throw new TypeError(`Failed to fetch: the preflight of ${method} ${url} answered ${answer.status}`)
}

function isOpenTo({ headers }: Response, origin: string): boolean {
  return ['*', origin].includes(headers.get('access-control-allow-origin') ?? '')
}
