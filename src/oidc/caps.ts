/**
 * How long the parameters of an authorization request may be (contract.md): an anonymous request must not store kilobytes (threats.md AZ14).
 * Asked before the protocol reads a request from a browser, and by the protocol for requests that programs push.
 */

/** Characters of single parameters. */
const CAPS: Readonly<Record<string, number>> = {
  state: 2048,
  nonce: 512,
  redirect_uri: 2048,
  scope: 2048,
  login_hint: 320,
  ui_locales: 200,
  claims: 4096,
  id_token_hint: 7000,
}

/** Of everything else, and of all of them together: the longest query that a browser may send. */
const LONGEST = 8192

/** A sentence about the first parameter that is too long, or about all of them together; undefined when everything fits. */
export function findOversized(params: Iterable<readonly unknown[]>): string | undefined {
  let total = 0
  for (const [name, value] of params) {
    if (typeof name !== 'string' || typeof value !== 'string') continue
    const cap = Object.hasOwn(CAPS, name) ? CAPS[name] : undefined
    if (cap !== undefined && value.length > cap) return `The parameter ${name} is longer than ${cap} characters.`
    total += value.length
  }
  return total > LONGEST ? `The parameters are longer than ${LONGEST} characters together.` : undefined
}
