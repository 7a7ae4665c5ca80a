/**
 * Finds the programs that some suites need (redis-server, chromium). A missing one skips its suites loudly, naming what to install;
 * with `CI=true` it is a failure. `scripts/test.mjs` tries to install them beforehand.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What to install on Debian and Ubuntu for each program. */
const packages: Record<string, string> = {
  'redis-server': 'redis-server',
  chromium: 'chromium',
  nginx: 'nginx-light',
  python3: 'python3-pip',
  go: 'golang-go',
}

const reported = new Set<string>()

/**
 * The path of the program, or undefined when it is not installed, which is said once on stderr.
 * @throws Error when it is missing and `CI` is `true`.
 */
export function requireTool(name: string): string | undefined {
  const found = findTool(name)
  if (found) return found
  const advice = `${name} is not installed (Debian, Ubuntu: apt-get install ${packages[name] ?? name})`
  if (process.env['CI'] === 'true') throw new Error(`${advice}, and CI=true allows no skipped suite`)
  if (!reported.has(name)) console.error(`SKIPPED: ${advice}`)
  reported.add(name)
  return undefined
}

/** What to give `node:test` as `skip`: false when the program is there, else the sentence that says what to install. */
export function skipWithout(name: string): string | false {
  return requireTool(name) === undefined ? `${name} is not installed: apt-get install ${packages[name] ?? name}` : false
}

function findTool(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/usr/sbin']
  return directories.map((directory) => join(directory, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
