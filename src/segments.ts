/**
 * Patterns over names that are made of segments, such as `repo:acme/app:ref:refs/heads/main`: compared segment by segment between `:` and `/`.
 * `*` is one whole segment. It never stands for part of one and never reaches over a separator, so that `repo:acme/*` is no other owner's, and
 * `repo:acme/app` is not `repo:acme/app-evil`.
 */

const SEPARATOR = /([:/])/
const LIMIT = 1024

/** Whether a text is a pattern: `*` stands alone in its segment, and no segment is empty but those of `//` in a URL. */
export function isSegmentPattern(text: string): boolean {
  return (
    text.length > 0 &&
    text.length <= LIMIT &&
    text.split(SEPARATOR).every((part) => part === '*' || !part.includes('*'))
  )
}

/** Whether `value` fits the pattern as a whole. */
export function fitsSegments(pattern: string, value: string): boolean {
  if (value.length > LIMIT) return false
  const wanted = pattern.split(SEPARATOR)
  const found = value.split(SEPARATOR)
  return (
    wanted.length === found.length && wanted.every((part, at) => (part === '*' ? found[at] !== '' : part === found[at]))
  )
}
