/**
 * What an operator should know about the Redis behind the store: whether it keeps what it acknowledged, and whether it might throw
 * something away. Asked of every server that takes writes.
 */
import type { Node } from './redis-connect.ts'
import type { StoreReport } from './store.ts'

export interface Expectations {
  readonly engine: string
  readonly replicas: number
  /** The operator vouches for a server that hides its configuration. */
  readonly assumeDurable: boolean
}

interface Findings {
  readonly problems: string[]
  readonly warnings: string[]
}

const oldestVersion = [6, 2]

/** @throws whatever the connection throws; a refused `CONFIG` is a finding, not an error. */
export async function inspectServers(nodes: readonly Node[], expected: Expectations): Promise<StoreReport> {
  const findings: Findings = { problems: [], warnings: [] }
  for (const node of nodes) await inspectServer(node, expected, findings)
  const unique = (lines: string[]) => [...new Set(lines)]
  return { engine: expected.engine, problems: unique(findings.problems), warnings: unique(findings.warnings) }
}

async function inspectServer(node: Node, expected: Expectations, findings: Findings): Promise<void> {
  const name = `Redis ${node.options.host}:${node.options.port}`
  const facts = parseInfo(
    `${await node.info('server')}\n${await node.info('replication')}\n${await node.info('persistence')}`,
  )
  judgeFacts(name, facts, expected, findings)
  const settings = await readSettings(node)
  if (settings) judgeSettings(name, settings, expected, findings)
  else {
    const line = `${name} does not show its configuration: nobody can see whether it evicts entries or keeps them on disk.`
    ;(expected.assumeDurable ? findings.warnings : findings.problems).push(line)
  }
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(':'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
}

function judgeFacts(
  name: string,
  facts: Map<string, string>,
  { replicas }: Expectations,
  { problems }: Findings,
): void {
  const [major = 0, minor = 0] = (facts.get('redis_version') ?? '').split('.').map(Number)
  if (major < Number(oldestVersion[0]) || (major === oldestVersion[0] && minor < Number(oldestVersion[1]))) {
    problems.push(`${name} is version ${major}.${minor}; at least ${oldestVersion.join('.')} is needed.`)
  }
  if (facts.get('role') !== 'master') problems.push(`${name} is a ${facts.get('role')}, not a master.`)
  const connected = Number(facts.get('connected_slaves') ?? 0)
  if (connected < replicas) problems.push(`${name} has ${connected} connected replicas; ${replicas} are declared.`)
  if ((facts.get('aof_last_write_status') ?? 'ok') !== 'ok')
    problems.push(`${name} could not write its append-only file.`)
  if ((facts.get('rdb_last_bgsave_status') ?? 'ok') !== 'ok') problems.push(`${name} could not save its data.`)
}

type Settings = Record<(typeof settingNames)[number], string>
const settingNames = ['maxmemory-policy', 'appendonly', 'appendfsync', 'save', 'min-replicas-to-write'] as const

async function readSettings(node: Node): Promise<Settings | undefined> {
  try {
    const answers = await Promise.all(settingNames.map((setting) => node.config('GET', setting) as Promise<string[]>))
    return Object.fromEntries(settingNames.map((setting, index) => [setting, answers[index]?.[1] ?? ''])) as Settings
  } catch (error) {
    if (error instanceof Error && /^(NOPERM|ERR)\b/.test(error.message)) return undefined
    throw error
  }
}

function judgeSettings(
  name: string,
  settings: Settings,
  { replicas }: Expectations,
  { problems, warnings }: Findings,
): void {
  const policy = settings['maxmemory-policy']
  if (policy !== 'noeviction') {
    problems.push(`${name} evicts entries when memory runs out: maxmemory-policy is ${policy}, it must be noeviction.`)
  }
  if (settings.appendonly !== 'yes') {
    if (settings.save === '') problems.push(`${name} keeps nothing on disk: set appendonly to yes.`)
    else
      warnings.push(
        `${name} only saves from time to time: a crash loses what was acknowledged since. Set appendonly to yes.`,
      )
  } else if (settings.appendfsync !== 'always') {
    warnings.push(
      `${name} has appendfsync ${settings.appendfsync}: a power cut may lose what was just acknowledged. "always" does not.`,
    )
  }
  if (replicas > 0 && Number(settings['min-replicas-to-write']) < 1) {
    problems.push(`${name} takes writes without any replica: set min-replicas-to-write to at least 1.`)
  }
}
