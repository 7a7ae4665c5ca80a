/**
 * The rules of the house, as tests: who may import whom, who touches the world, how long things are, where clock and environment
 * come in, what everything is called. Each test names the exact offenders. The tables below are the rules.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { listOptions } from '../src/config/reference.ts'
import { functionLengths, type Source, scripts, sources, tests, withoutComments } from './support/sources.ts'

/** Fails with one offender per line. */
function none(offenders: readonly string[], rule: string): void {
  assert.equal(offenders.length, 0, `${rule}\n  ${offenders.join('\n  ')}`)
}

// Level 0 is every file that stands in `src` itself, but for those at the top.
const TOP = [
  'main',
  'app',
  'core',
  'registry',
  'protocol',
  'protocol-doors',
  'people',
  'holdings',
  'app-usage',
  'workers',
]
const WORDS = sources
  .map(({ path }) => path.split('/'))
  .flatMap(([, file = '', inner]) => (inner === undefined ? [file.replace(/\.ts$/, '')] : []))
  .filter((word) => !TOP.includes(word))
const MACHINERY = ['config', 'storage', 'observability', 'http', 'security', 'mail']
const DOMAINS = ['accounts', 'apps', 'keys', 'federation']
const SURFACES = ['interactions', 'api', 'settings', 'developer', 'admin', 'playground', 'cli']
const OIDC_DOORS = ['src/oidc/interaction.ts', 'src/oidc/grants.ts', 'src/oidc/signing-keys.ts']

/** The member of the house a file belongs to: its folder, or its name when it stands in `src` itself. */
function memberOf(path: string): string {
  const [, first = ''] = path.split('/')
  return first.replace(/\.ts$/, '')
}

/** What a member may import besides level 0: whole members by name, single files by path. */
function mayImport(member: string): readonly string[] {
  if (member === 'security') return ['http', 'storage', 'observability']
  if (member === 'http') return ['observability']
  if (DOMAINS.includes(member)) return ['src/storage/store.ts', 'src/observability/audit.ts']
  if (member === 'oidc') return [...DOMAINS, 'src/storage/store.ts', 'observability']
  if (SURFACES.includes(member)) return [...MACHINERY, ...DOMAINS, ...OIDC_DOORS]
  return []
}

/** Edges the table does not have and that stand all the same, each with its reason. */
const EXCEPTIONS: readonly { readonly from: string; readonly to: string; readonly because: string }[] = [
  {
    from: 'src/observability/',
    to: 'src/storage/store.ts',
    because: 'the audit is a log of the store; it needs the interface, not an engine',
  },
  {
    from: 'src/oidc/',
    to: 'src/storage/kinds.ts',
    because: 'the names of kinds are part of the interface of the store',
  },
]

test('imports point down', () => {
  const offenders = sources.flatMap(({ path, imports }) => {
    const member = memberOf(path)
    const allowed = mayImport(member)
    return imports
      .filter(({ own, target }) => own && target.startsWith('src/') && !TOP.includes(member))
      .filter(({ target }) => memberOf(target) !== member && !WORDS.includes(memberOf(target)))
      .filter(({ target }) => !allowed.includes(memberOf(target)) && !allowed.includes(target))
      .filter(({ target }) => !EXCEPTIONS.some(({ from, to }) => path.startsWith(from) && target === to))
      .map(({ target }) => `${path} must not import ${target}`)
  })
  none(offenders, 'The table of levels stands in ARCHITECTURE.md.')
})

/** Packages that only compute. Types may be imported anywhere in the folder that owns the package; values in one file. */
const PURE = ['zod', 'jose', 'yaml', 'uqr']

test('a package that touches the world has one importing file', () => {
  const importers = new Map<string, string[]>()
  for (const { path, imports } of sources) {
    for (const { target } of imports.filter(({ own, typeOnly }) => !own && !typeOnly)) {
      if (target.startsWith('node:') || PURE.includes(target)) continue
      importers.set(target, [...(importers.get(target) ?? []), path])
    }
  }
  // The protocol engine is a framework: its errors and interfaces are needed throughout its own folder, and nowhere else.
  const offenders = [...importers].flatMap(([name, paths]) =>
    name === 'oidc-provider'
      ? paths.filter((path) => !path.startsWith('src/oidc/')).map((path) => `${path} imports ${name}`)
      : new Set(paths).size > 1
        ? [`${name}: ${paths.join(', ')}`]
        : [],
  )
  none(offenders, 'Give the others an interface of yours.')
})

test('the guarded fetch is the only way out', () => {
  const modules = /from 'node:https'|from 'undici'|from 'node:tls'|globalThis\.fetch/
  // A file that calls `fetch` must have been given it: the global one checks no address.
  const bare = (text: string) => /(?<![.\w])fetch\(/.test(text) && !/\bfetch\??\s*[,:}]/.test(text)
  const offenders = sources
    .filter(({ path }) => !path.startsWith('src/security/') && !path.startsWith('src/mail/'))
    .filter(({ text }) => modules.test(withoutComments(text)) || bare(withoutComments(text)))
  none(
    offenders.map(({ path }) => path),
    'Outgoing requests go through security/outbound.ts.',
  )
})

/** Files in which a forbidden thing stands, with its line. */
function findAll(files: readonly Source[], pattern: RegExp, allowed: readonly string[]): string[] {
  return files
    .filter(({ path }) => !allowed.includes(path))
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, at) =>
        pattern.test(withoutComments(line)) && !/^\s*\*/.test(line) ? [`${path}:${at + 1} ${line.trim()}`] : [],
      ),
    )
}

test('the environment is read in config/load.ts only', () => {
  none(
    findAll(sources, /process\.env|process\['env'\]/, ['src/config/load.ts']),
    'Options come from the configuration.',
  )
})

test('the clock comes in as a parameter', () => {
  none(
    findAll(sources, /Date\.now|new Date\(\)|Date\(\)/, ['src/app.ts', 'src/core.ts', 'src/main.ts']),
    'Take `now: () => number`.',
  )
})

test('randomness comes from secrets.ts, or in as a parameter', () => {
  const pattern = /Math\.random|getRandomValues|crypto\.random|^import .*\brandom\w+.* from 'node:crypto'/
  none(findAll(sources, pattern, ['src/secrets.ts', 'src/app.ts']), 'Use randomId or randomToken.')
})

test('nothing is exported as default', () => {
  none(findAll(sources, /^export default|export \{ default|\bas default\b/, []), 'Name it.')
})

/** The composition root is read top to bottom; a test file is a list of sentences. Neither has the budget of other files. */
const budgetOf = (path: string) =>
  path === 'src/app.ts' ? Number.POSITIVE_INFINITY : path.endsWith('.test.ts') ? 500 : 250

test('a file has at most 250 lines', () => {
  const long = [...sources, ...tests, ...scripts].filter(({ path, lines }) => lines.length - 1 > budgetOf(path))
  none(
    long.map(({ path, lines }) => `${path} has ${lines.length - 1}`),
    'Split it by idea.',
  )
})

/** The composition root, and functions that are nothing but one table of settings. */
const LONG_FUNCTIONS = ['src/app.ts', 'src/oidc/configuration.ts']

test('a function has at most 80 lines of its own', () => {
  const offenders = sources
    .filter(({ path }) => !LONG_FUNCTIONS.includes(path))
    .flatMap(({ path, lines }) =>
      functionLengths(lines)
        .filter(({ own }) => own > 80)
        .map(({ line, own }) => `${path}:${line} has ${own}`),
    )
  none(offenders, 'Functions inside it do not count.')
})

test('every file opens with a comment that says what it owns', () => {
  const openings = [...sources, ...scripts, ...tests.filter(({ path }) => path.startsWith('test/support/'))].map(
    ({ path, text }) => {
      const comment = /^(?:#!.*\n)?\/\*\*\n((?: \*.*\n)+?) \*\//.exec(text)?.[1] ?? ''
      return { path, length: comment.split('\n').length - 1 }
    },
  )
  none(
    openings.filter(({ length }) => length < 1 || length > 8).map(({ path, length }) => `${path} (${length} lines)`),
    'Two to six lines /** … */ (eight at most): what it owns, what it leaves to whom.',
  )
})

const FORBIDDEN = [
  'manager',
  'service',
  'helper',
  'helpers',
  'util',
  'utils',
  'common',
  'base',
  'impl',
  'data',
  'info',
  'misc',
]

test('names say what a thing is', () => {
  const wordsOf = (name: string) =>
    name
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .split(/[^a-z0-9]+/)
  const bad = (name: string) => wordsOf(name).some((word) => FORBIDDEN.includes(word))
  const files = [...sources, ...tests, ...scripts]
    .filter(({ path }) => bad(path.replace(/\.test\.ts$|\.m?[tj]s$/, '')))
    .map(({ path }) => path)
  const exported = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm)].flatMap(
      ([, name = '']) => (bad(name) ? [`${path}: ${name}`] : []),
    ),
  )
  none([...files, ...exported], `Not: ${FORBIDDEN.join(', ')}.`)
})

test('every route names its access rule', () => {
  const offenders = sources.flatMap(({ path, text }) =>
    [...text.matchAll(/(?<![.\w])(?:get|post|put|patch|del)\(\s*(['"`]\/[^'"`]*['"`])\s*\)([\s\S]*?)\.does\(/g)]
      .filter(([, , steps = '']) => !steps.includes('.needs('))
      .map(([, url]) => `${path}: ${url}`),
  )
  none(offenders, '.needs(…) comes first.')
})

test('every option stands in config/licet.yaml', () => {
  const text = readFileSync(new URL('../config/licet.yaml', import.meta.url), 'utf8')
  // Every comment that looks like an option is taken for one, so that alternatives to each other are found too.
  const all: unknown = parse(text.replace(/^#(?=[a-z_]+:|\s{2,}\S)/gm, '').replace(/^(\s+)# (?=[a-z_]+:)/gm, '$1'))
  const stands = (path: string) => {
    let at: unknown = all
    for (const step of path.replaceAll('[]', '.[]').split('.')) {
      if (typeof at !== 'object' || at === null) return false
      at = step === '[]' || step === '<name>' ? Object.values(at)[0] : (at as Record<string, unknown>)[step]
    }
    return at !== undefined
  }
  none(
    listOptions()
      .map(({ path }) => path)
      .filter((path) => !stands(path)),
    'Show it, commented, with its default.',
  )
})

test('the house has no rooms without a place in the table', () => {
  const known = [...TOP, ...WORDS, ...MACHINERY, ...DOMAINS, ...SURFACES, 'oidc']
  none(
    [...new Set(sources.map(({ path }) => memberOf(path)).filter((member) => !known.includes(member)))],
    'Add it to the table of levels.',
  )
})
