/**
 * Which spellings are the same e-mail address. The key is what must be unique, what look-ups use and what failed sign-ins are
 * counted under; the address is where mail goes. Whether somebody reads that mailbox is not decided here.
 */
import { domainToASCII } from 'node:url'

export interface EmailAddress {
  /** Where mail goes: local part in NFKC, domain in lower-case ASCII. */
  readonly address: string
  /** Equal for all spellings of one address: the address, case-folded. */
  readonly key: string
}

const LOCAL_LIMIT_BYTES = 64
const TOTAL_LIMIT_BYTES = 254

/**
 * The address in canonical form: NFKC, trimmed, trailing dots of the domain dropped, IDN domain in ASCII; undefined when it is none.
 * Quoted local parts and address literals are not accepted (RFC 5321 §4.1.2 advises against them). A plus-tag stays: it is another
 * address to every server but a few, and who must be found is the account, not the mailbox.
 */
export function readEmail(text: string): EmailAddress | undefined {
  if (text.length > 1024) return undefined
  const plain = text.normalize('NFKC').trim()
  const at = plain.lastIndexOf('@')
  const local = plain.slice(0, Math.max(at, 0))
  const domain = readDomain(plain.slice(at + 1))
  if (!domain || !isLocalPart(local)) return undefined
  const address = `${local}@${domain}`
  return Buffer.byteLength(address) > TOTAL_LIMIT_BYTES ? undefined : { address, key: foldCase(address) }
}

/** The key under which any text typed as an address is looked up and counted, valid or not. */
export function emailKeyOf(text: string): string {
  return readEmail(text)?.key ?? `not an address ${foldCase(text.slice(0, 1024).normalize('NFKC').trim())}`
}

/** Atoms with dots between them (RFC 5322 §3.2.3), letters and digits of any script (RFC 6531), nothing invisible. */
function isLocalPart(local: string): boolean {
  const atoms = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u
  return (
    Buffer.byteLength(local) <= LOCAL_LIMIT_BYTES &&
    atoms.test(local) &&
    !/\p{Default_Ignorable_Code_Point}/u.test(local)
  )
}

function readDomain(text: string): string | undefined {
  const dotless = text.replace(/[.。]+$/u, '')
  // Only what a host name is made of reaches the URL parser: it would also decode %-escapes and odd IPv4 spellings.
  if (!/^[\p{L}\p{M}\p{N}.。-]+$/u.test(dotless)) return undefined
  const ascii = domainToASCII(dotless)
  const labels = ascii.split('.')
  const isHost = labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label))
  return isHost && !/^\d+$/.test(labels.at(-1) ?? '') ? ascii : undefined
}

/**
 * Case folding by way of upper case, so that ß and ss, ς and σ, ı and i are one. Mail never goes to a key or to what was typed
 * at a look-up, always to the stored address: otherwise a dotless ı would steal somebody's recovery mail.
 */
function foldCase(text: string): string {
  return text.toLowerCase().toUpperCase().toLowerCase().normalize('NFKC')
}
