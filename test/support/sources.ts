/**
 * The source files as the house test sees them: their lines, what they import, how long their functions are.
 * It reads text, not syntax trees: the formatter makes the text regular enough. The rules themselves stand in `house.test.ts`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Source {
  /** From the root, with slashes. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  readonly imports: readonly Import[]
}

export interface Import {
  /** A path below src for our own modules, a package name otherwise. */
  readonly target: string
  readonly own: boolean
  readonly typeOnly: boolean
}

function filesBelow(directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(directory, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  return { path, text, lines: text.split('\n'), imports: readImports(path, text) }
}

function readImports(path: string, text: string): Import[] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s+)?(?:([^'"]*?)\s+from\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm,
  )
  return [...statements].map(([, type, names = '', specifier = '', dynamic = '']) => {
    const target = specifier || dynamic
    const own = target.startsWith('.')
    const inner = /^\{([^}]*)\}$/
      .exec(names.trim())?.[1]
      ?.split(',')
      .map((name) => name.trim())
      .filter(Boolean)
    const typeOnly =
      type !== undefined || (inner !== undefined && inner.length > 0 && inner.every((name) => name.startsWith('type ')))
    return { target: own ? posix.join(posix.dirname(path), target) : packageName(target), own, typeOnly }
  })
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

export const sources = filesBelow('src')
  .filter((path) => path.endsWith('.ts'))
  .map(readSource)
export const tests = filesBelow('test')
  .filter((path) => path.endsWith('.ts'))
  .map(readSource)
export const scripts = filesBelow('scripts').map(readSource)

/** The code alone: what comments say breaks no rule. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
}

/**
 * Functions by their first line and their length without the functions inside. The formatter makes indentation reliable: a function
 * that opens a brace at the end of a line ends with the next line that closes one at the same depth.
 */
export function functionLengths(lines: readonly string[]): { line: number; own: number }[] {
  // A declaration, an arrow, a method, or the last line of a signature that takes several.
  const opens =
    /(^\s*(export )?(async )?function\b.*|=>|^\s*(async |static |get |set )*[#\w]+(<.*>)?\(.*\)(: .+)?|^\s*(\}: .+)?\)(: .+)?)\s\{$/
  const statements = /^\s*(\} )?(if|for|while|switch|catch|else|do|with|return|finally)\b/
  const spans = lines.flatMap((text, at) => {
    if (!opens.test(text) || statements.test(text)) return []
    const depth = /^\s*/.exec(text)?.[0] ?? ''
    const end = lines.findIndex((other, after) => after > at && other.startsWith(`${depth}}`))
    return end < 0 ? [] : [{ from: at, to: end }]
  })
  return spans.map(({ from, to }) => {
    const inner = spans.filter(
      (span) =>
        span.from > from &&
        span.to <= to &&
        !spans.some((mid) => mid.from > from && mid.to <= to && mid.from < span.from && mid.to >= span.to),
    )
    return { line: from + 1, own: to - from + 1 - inner.reduce((sum, span) => sum + span.to - span.from + 1, 0) }
  })
}
