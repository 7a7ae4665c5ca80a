/**
 * The message language of `locales/*.json`: `{name}`, `{count, plural, one {# key} other {# keys}}` and `<b>…</b>`.
 * A small part of ICU MessageFormat, compiled once at start. Values never become markup: only a message can say `<b>`.
 */

/** A run of text as a page shows it; `strong` comes from `<b>` in the message, `value` marks what a parameter filled in. */
export interface Run {
  readonly text: string
  readonly strong: boolean
  readonly value: boolean
}

export type Params = Readonly<Record<string, string | number>>

type Node =
  | { readonly kind: 'text'; readonly text: string; readonly strong: boolean }
  | { readonly kind: 'param'; readonly name: string; readonly strong: boolean }
  | { readonly kind: 'plural'; readonly name: string; readonly forms: ReadonlyMap<string, readonly Node[]> }

export interface Message {
  readonly params: ReadonlySet<string>
  /** The runs for these parameters; a missing parameter shows its name in braces. */
  format(params: Params): readonly Run[]
}

interface Cursor {
  readonly source: string
  at: number
  strong: boolean
  readonly params: Set<string>
}

/** Compiles one message; throws a SyntaxError that names the message when braces or tags do not match. */
export function compileMessage(source: string, locale: string): Message {
  const cursor: Cursor = { source, at: 0, strong: false, params: new Set() }
  const nodes = parseNodes(cursor)
  if (cursor.at < source.length || cursor.strong) throw new SyntaxError(`unbalanced message: ${source}`)
  const plurals = new Intl.PluralRules(locale)
  const numbers = new Intl.NumberFormat(locale)
  return { params: cursor.params, format: (params) => formatNodes(nodes, params, { plurals, numbers }) }
}

function parseNodes(cursor: Cursor): Node[] {
  const nodes: Node[] = []
  while (cursor.at < cursor.source.length && cursor.source[cursor.at] !== '}') {
    if (cursor.source[cursor.at] === '{') nodes.push(parseArgument(cursor))
    else if (cursor.source.startsWith('<b>', cursor.at)) setStrong(cursor, true, 3)
    else if (cursor.source.startsWith('</b>', cursor.at)) setStrong(cursor, false, 4)
    else nodes.push(parseText(cursor))
  }
  return nodes
}

function setStrong(cursor: Cursor, strong: boolean, length: number): void {
  if (cursor.strong === strong) throw new SyntaxError(`unbalanced <b> in message: ${cursor.source}`)
  cursor.strong = strong
  cursor.at += length
}

function parseText(cursor: Cursor): Node {
  const [text = ''] = /^(?:[^{}<]|<(?!\/?b>))+/.exec(cursor.source.slice(cursor.at)) ?? []
  cursor.at += text.length
  return { kind: 'text', text, strong: cursor.strong }
}

function parseArgument(cursor: Cursor): Node {
  const [head = '', name = '', plural] = /^\{(\w+)(?:(, plural,)|(?=\}))\s*/.exec(cursor.source.slice(cursor.at)) ?? []
  if (!name) throw new SyntaxError(`malformed argument in message: ${cursor.source}`)
  cursor.at += head.length
  cursor.params.add(name)
  if (!plural) {
    cursor.at += 1
    return { kind: 'param', name, strong: cursor.strong }
  }
  return { kind: 'plural', name, forms: parseForms(cursor) }
}

function parseForms(cursor: Cursor): ReadonlyMap<string, readonly Node[]> {
  const forms = new Map<string, readonly Node[]>()
  for (;;) {
    const [head, form] = /^\s*(=\d+|\w+) \{/.exec(cursor.source.slice(cursor.at)) ?? []
    if (!head || !form) break
    cursor.at += head.length
    forms.set(form, parseNodes(cursor))
    cursor.at += 1
  }
  const [end] = /^\s*\}/.exec(cursor.source.slice(cursor.at)) ?? []
  if (!end || !forms.has('other')) throw new SyntaxError(`malformed plural in message: ${cursor.source}`)
  cursor.at += end.length
  return forms
}

interface Rules {
  readonly plurals: Intl.PluralRules
  readonly numbers: Intl.NumberFormat
}

function formatNodes(nodes: readonly Node[], params: Params, rules: Rules, count?: number): Run[] {
  return nodes.flatMap((node): Run[] => {
    if (node.kind === 'param')
      return [{ text: shown(params[node.name], node.name, rules), strong: node.strong, value: true }]
    if (node.kind === 'plural') return formatPlural(node, params, rules)
    const text = count === undefined ? node.text : node.text.replaceAll('#', rules.numbers.format(count))
    return [{ text, strong: node.strong, value: false }]
  })
}

function formatPlural(node: Extract<Node, { kind: 'plural' }>, params: Params, rules: Rules): Run[] {
  const count = Number(params[node.name] ?? 0)
  const form =
    node.forms.get(`=${count}`) ?? node.forms.get(rules.plurals.select(count)) ?? node.forms.get('other') ?? []
  return formatNodes(form, params, rules, count)
}

function shown(value: string | number | undefined, name: string, rules: Rules): string {
  if (value === undefined) return `{${name}}`
  return typeof value === 'number' ? rules.numbers.format(value) : value
}
