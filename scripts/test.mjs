/**
 * The test command: what is missing is installed where that is allowed, then types, lint, dead code and every test, in stages that
 * leave two cores some air. Ends with one line `N passed, N failed, N skipped`.
 *   npm test                 everything
 *   npm test -- --fast       the part under two minutes: no browser, no cluster, no faults
 *   npm test -- <files>      only those
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { requireNode, root } from './node.mjs'
import { installTools } from './tools.mjs'

const MINUTE = 60_000
const node = requireNode()
const work = mkdtempSync(join(tmpdir(), 'licet-test-'))
const total = { passed: 0, failed: 0, skipped: 0 }

/** The first stage whose pattern fits a file runs it. `together` is how many files run at once. */
const stages = [
  { name: 'browser', pattern: /^test\/browser\//, together: 1, minutes: 30, slow: true },
  { name: 'faults', pattern: /^test\/faults\//, together: 1, minutes: 15, slow: true },
  { name: 'fuzz', pattern: /^test\/fuzz\//, together: 1, minutes: 6, slow: true },
  { name: 'bench', pattern: /^test\/bench/, together: 1, minutes: 8, slow: true },
  { name: 'examples', pattern: /^test\/examples\//, together: 1, minutes: 8, slow: true },
  { name: 'mcp', pattern: /^test\/mcp\//, together: 1, minutes: 8, slow: true },
  { name: 'conformance', pattern: /conformance/, together: 1, minutes: 5, slow: true },
  { name: 'cluster', pattern: /cluster|sentinel/, together: 1, minutes: 10, slow: true },
  { name: 'attacks', pattern: /^test\/attacks\//, together: 2, minutes: 25, slow: true },
  // What compares durations runs alone, or it measures its neighbours.
  { name: 'timing', pattern: /timing|accounts\/authenticate/, together: 1, minutes: 8 },
  { name: 'flows', pattern: /^test\/flows\//, together: 2, minutes: 15 },
  { name: 'unit', pattern: /./, together: 2, minutes: 15 },
]

const checks = [
  { name: 'types', command: [join('node_modules', 'typescript', 'bin', 'tsc'), '--noEmit'] },
  {
    name: 'lint',
    command: [join('node_modules', '@biomejs', 'biome', 'bin', 'biome'), 'check', '--error-on-warnings', '.'],
  },
  { name: 'dead code', command: [join('node_modules', 'knip', 'bin', 'knip.js')] },
]

/** Tests must not inherit a developer's settings. */
function cleanEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('LICET_') && name !== 'NODE_TEST_CONTEXT'),
  )
}

function filesBelow(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    return entry.isDirectory() ? filesBelow(path) : entry.name.endsWith('.test.ts') ? [path] : []
  })
}

/** Runs to the end or the deadline, output into a file; resolves to whether it ended well. */
function runQuietly(args, output, minutes) {
  const child = spawn(node, args, {
    cwd: root,
    env: cleanEnvironment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks = []
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  child.stderr.on('data', (chunk) => chunks.push(chunk))
  // The whole group of the child: a test that hangs must not leave its servers behind.
  const stop = () => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      child.kill('SIGKILL')
    }
  }
  const interrupted = () => {
    stop()
    process.exit(1)
  }
  const deadline = setTimeout(() => {
    chunks.push(Buffer.from(`\nstopped after ${minutes} minutes\n`))
    stop()
  }, minutes * MINUTE)
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  return new Promise((done) => {
    child.on('close', (code) => {
      clearTimeout(deadline)
      process.removeListener('SIGINT', interrupted)
      process.removeListener('SIGTERM', interrupted)
      writeFileSync(output, Buffer.concat(chunks))
      done(code === 0)
    })
  })
}

function report(name, began, counts, ok) {
  total.passed += counts.passed
  total.failed += counts.failed
  total.skipped += counts.skipped
  const seconds = ((Date.now() - began) / 1000).toFixed(1)
  console.log(
    `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds} s`,
  )
}

/** What went wrong: everything but the lines of tests that passed. */
function show(output) {
  const lines = readFileSync(output, 'utf8').split('\n')
  console.log(lines.filter((line) => !/^\s*(✔|ℹ|▶)/.test(line)).join('\n'))
}

async function runCheck({ name, command }) {
  const began = Date.now()
  const output = join(work, 'check.txt')
  const ok = await runQuietly(command, output, 5)
  report(name, began, { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }, ok)
  if (!ok) show(output)
}

async function runStage({ name, together, minutes, files }) {
  const began = Date.now()
  const output = join(work, `${name}.txt`)
  const counted = join(work, `${name}.json`)
  const args = ['--test', `--test-concurrency=${together}`, '--disable-warning=ExperimentalWarning']
    .concat('--test-reporter=spec', '--test-reporter-destination=stdout')
    .concat(
      `--test-reporter=${join(root, 'scripts', 'count-reporter.mjs')}`,
      `--test-reporter-destination=${counted}`,
      files,
    )
  const ended = await runQuietly(args, output, minutes)
  const { counts, skips } = readCounts(counted, ended)
  report(name, began, counts, counts.failed === 0)
  for (const skip of skips) console.log(`       skipped: ${skip.skipped}${skip.reason ? ` (${skip.reason})` : ''}`)
  if (counts.failed > 0) show(output)
}

/** A run that ended badly without a failed test (a crash, a deadline) counts as one failure. */
function readCounts(path, ended) {
  const lines = readLines(path)
  const summary = lines.find((line) => line.counts)?.counts
  const skips = lines.filter((line) => line.skipped)
  if (!summary) return { counts: { passed: 0, failed: 1, skipped: 0 }, skips }
  const failed = summary.failed + summary.cancelled
  return {
    counts: {
      passed: summary.passed,
      failed: ended ? failed : Math.max(failed, 1),
      skipped: summary.skipped + summary.todo,
    },
    skips,
  }
}

function readLines(path) {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  } catch {
    return []
  }
}

/** Each stage with its files, quick ones first. */
function planStages(paths, fast) {
  const files =
    paths.length > 0
      ? paths.map((path) => relative(root, resolve(path)))
      : filesBelow(join(root, 'test')).map((path) => relative(root, path))
  const stageOf = (file) => stages.find((stage) => stage.pattern.test(file.split('\\').join('/')))
  return stages
    .map((stage) => Object.assign({ files: files.filter((file) => stageOf(file) === stage).sort() }, stage))
    .filter((stage) => stage.files.length > 0 && !(fast && stage.slow && paths.length === 0))
    .reverse()
}

async function main() {
  const fast = process.argv.includes('--fast')
  const paths = process.argv.slice(2).filter((arg) => !arg.startsWith('-'))
  const missing = installTools(fast || paths.length > 0)
  if (missing.length > 0)
    console.log(
      `NOT INSTALLED: ${missing.join(', ')}. ${process.env.CI ? 'With CI set this is a failure.' : 'Suites that need them are skipped: install them to run everything.'}`,
    )
  if (missing.length > 0 && process.env.CI) total.failed += 1
  if (paths.length === 0) for (const check of checks) await runCheck(check)
  for (const stage of planStages(paths, fast)) await runStage(stage)
  if (total.passed + total.failed === 0) total.failed += 1
  rmSync(work, { recursive: true, force: true })
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  process.exitCode = total.failed > 0 ? 1 : 0
}

await main()
