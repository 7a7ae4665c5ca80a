/**
 * Which Node runs Licet: the running one from 24 on, else the one that came along as a package, else the running one from 22.13 on.
 * Written so that old Nodes can read it; it must say what is missing instead of failing on syntax.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The path of the Node to use, or undefined when none is good enough. */
export function pickNode(running = process.versions.node, bundled = bundledNode()) {
  const [major, minor] = running.split('.').map(Number)
  if (major >= 24) return process.execPath
  if (bundled) return bundled
  if (major > 22 || (major === 22 && minor >= 13)) return process.execPath
  return undefined
}

function bundledNode() {
  const path = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  return existsSync(path) ? path : undefined
}

/** The Node to use; ends the process with a sentence when there is none. */
export function requireNode() {
  const node = pickNode()
  if (node) return node
  console.error(
    `Licet needs Node 22.13 or newer (24 is best); this is ${process.versions.node} and the bundled Node is not installed. ` +
      'Run "npm ci" without --omit=optional, or install Node 24.',
  )
  process.exit(1)
}

/** Runs a program to its end with signals passed on, and resolves to its exit code. */
export function runForeground(program, args, options) {
  // Asynchronous on purpose: a launcher that blocks cannot pass a signal on and leaves the server behind.
  const child = spawn(program, args, Object.assign({ stdio: 'inherit' }, options))
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const pass = (signal) => child.kill(signal)
  for (const signal of signals) process.on(signal, pass)
  const watch = watchParent(() => child.kill('SIGTERM'))
  return new Promise((resolve) => {
    const end = (code) => {
      clearInterval(watch)
      for (const signal of signals) process.removeListener(signal, pass)
      resolve(code)
    }
    child.on('error', (error) => {
      console.error(`${program} could not be started: ${error.message}`)
      end(1)
    })
    child.on('exit', (code, signal) => end(signal ? 1 : code))
  })
}

/** npm dies of SIGTERM without telling its script; a launcher that npm started ends with it. */
function watchParent(onGone) {
  if (!process.env.npm_lifecycle_event) return undefined
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onGone()
  }, 500)
  timer.unref()
  return timer
}
