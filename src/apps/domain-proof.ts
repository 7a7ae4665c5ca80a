/**
 * Whether somebody commands a domain: they are told a mark that is theirs alone, and show it in a TXT record or in a file below `/.well-known`. The
 * mark depends on who asks and for what, so that nobody gains from what somebody else has published; it is no secret. Both ways are looked at afresh
 * every time. What a proof is good for is decided by those who ask for it.
 */
import { domainToASCII } from 'node:url'
import { AppError } from '../errors.ts'
import { digest } from '../secrets.ts'

/** What to publish; one of the two is enough. */
export interface Challenge {
  readonly domain: string
  readonly txt: { readonly name: string; readonly value: string }
  readonly file: { readonly url: string; readonly content: string }
}

/** `dns`: found in a TXT record. `file`: found in the file. */
export type ProofWay = 'dns' | 'file'

export interface DomainProofs {
  /** @param domain as `readDomain` gives it, with its port where the file is served at another than 443. */
  challenge(subject: string, domain: string): Challenge
  /** How the mark was found; undefined when it was not, whatever the reason. */
  look(subject: string, domain: string): Promise<ProofWay | undefined>
}

interface Dependencies {
  /** The guarded way out; rejects for whatever must not be reached. */
  readonly fetch: (url: string, init: { maxBytes: number; headers: Record<string, string> }) => Promise<Response>
  /** TXT records of a name, each put together; rejects when there are none. */
  readonly resolveTxt: (name: string) => Promise<readonly string[]>
}

const FILE = '/.well-known/licet-challenge.txt'
const FILE_LIMIT_BYTES = 16_384

export function createDomainProofs({ fetch, resolveTxt }: Dependencies): DomainProofs {
  const challenge: DomainProofs['challenge'] = (subject, domain) => {
    const value = `licet-verify=${digest('domain proof', `${subject}\n${domain}`).slice(0, 32)}`
    return {
      domain,
      txt: { name: `_licet-challenge.${domain.replace(/:\d+$/, '')}`, value },
      file: { url: `https://${domain}${FILE}`, content: value },
    }
  }
  const inDns = async ({ txt }: Challenge): Promise<boolean> => (await resolveTxt(txt.name)).includes(txt.value)
  const inFile = async ({ file }: Challenge): Promise<boolean> => {
    const answer = await fetch(file.url, { maxBytes: FILE_LIMIT_BYTES, headers: { accept: 'text/plain' } })
    // What a server sends when it has no such file, or sends pages for everything, proves nothing.
    const isPlain = /^text\/plain\b/i.test(answer.headers.get('content-type') ?? '')
    if (answer.status !== 200 || !isPlain) return false
    const lines = (await answer.text()).split(/\r?\n/).map((line) => line.trim())
    return lines.includes(file.content)
  }
  return {
    challenge,
    async look(subject, domain) {
      const wanted = challenge(subject, domain)
      const [dns, file] = await Promise.all([inDns(wanted).catch(isNot), inFile(wanted).catch(isNot)])
      if (dns) return 'dns'
      return file ? 'file' : undefined
    },
  }
}

const isNot = () => false

/**
 * A public host name as it is kept: lower case, IDN in ASCII, at least two labels. Addresses, ports, single labels and names of this machine are none.
 * @throws invalid_request at `/domain`
 */
export function readDomain(typed: string): string {
  const plain = typed.trim().toLowerCase()
  // The parser behind `domainToASCII` stops at a slash or a port and forgets the rest.
  const ascii = plain.length <= 253 && /^[\p{L}\p{M}\p{N}.-]+$/u.test(plain) ? domainToASCII(plain) : ''
  const labels = ascii.split('.')
  const isHost = labels.length > 1 && labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label))
  const isNumber = /^\d+$|^0x/.test(labels.at(-1) ?? '')
  const isLocal = /^(?:localhost|local|internal|onion|invalid|arpa)$/.test(labels.at(-1) ?? '')
  if (isHost && !isNumber && !isLocal) return ascii
  const detail = 'Give the name of a public domain, such as example.com.'
  throw new AppError('invalid_request', detail, {
    details: { fields: [{ pointer: '/domain', code: 'malformed', detail }] },
  })
}
