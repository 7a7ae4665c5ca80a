/**
 * JSON from outside. What two readers of one text could understand differently is refused: a name twice in one object (RFC 8259 §4 leaves open which
 * one counts), `__proto__`, and nesting deeper than any input of ours. The built-in parser does the reading; here is what it lets through.
 */
import { AppError } from '../errors.ts'

const MAX_DEPTH = 20

/** The value. @throws invalid_request */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new AppError('invalid_request', 'The body is not valid JSON.')
  }
  refuseUnsafe(text)
  return value
}

/** Strings, and the marks that structure valid JSON; everything else holds no name. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/gs

/** Walks through valid JSON. A string is a name when a colon follows it. */
function refuseUnsafe(text: string): void {
  const open: Set<string>[] = []
  let last = ''
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') open.push(new Set())
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') takeName(open.at(-1), JSON.parse(last) as string)
    if (open.length > MAX_DEPTH)
      throw new AppError('invalid_request', `The body is nested deeper than ${MAX_DEPTH} levels.`)
    last = token
  }
}

function takeName(names: Set<string> | undefined, name: string): void {
  if (name === '__proto__') throw new AppError('invalid_request', 'The body holds a name that is not allowed.')
  if (names?.has(name)) throw new AppError('invalid_request', 'The body holds a name twice.')
  names?.add(name)
}
