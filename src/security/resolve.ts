/**
 * From a name to its addresses and its TXT records, without the operating system's blocking resolver: that one runs in the thread pool which also signs
 * tokens, and a name server that answers slowly could hold every thread of it. The hosts file is read first, then DNS is asked.
 */
import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'

/** Every address of a name. Rejects when it has none, or when `signal` aborts. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<string[]>

/** @param options where the hosts file is; the default is that of Unix. */
export function createResolve({ hostsFile = '/etc/hosts' }: { hostsFile?: string } = {}): Resolve {
  return async (host, signal) => {
    const name = host.toLowerCase().replace(/\.$/, '')
    // RFC 6761 §6.3: these never leave the machine.
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1']
    const listed = await fromHostsFile(hostsFile, name)
    return listed.length > 0 ? listed : fromDns(name, signal)
  }
}

/** TXT records of a name, each put together from its parts. Rejects when there are none, or after a while. */
export function createResolveTxt({
  servers,
}: {
  servers?: readonly string[]
} = {}): (name: string) => Promise<string[]> {
  return async (name) => {
    const resolver = new Resolver({ timeout: 1_000, tries: 2 })
    if (servers) resolver.setServers(servers)
    const records = await resolver.resolveTxt(name)
    return records.map((parts) => parts.join(''))
  }
}

async function fromHostsFile(file: string, name: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    const [address, ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/)
    return address && names.some((one) => one.toLowerCase() === name) ? [address] : []
  })
}

async function fromDns(name: string, signal: AbortSignal): Promise<string[]> {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 })
  const stop = (): void => resolver.cancel()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    const failed = answers.find((answer) => answer.status === 'rejected')
    if (addresses.length === 0) throw failed?.reason ?? new Error('the name has no address')
    return addresses
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
