/**
 * Compiles `src` into `dist`. Views, locales and configuration are read from the package itself and are not copied.
 * Files are put in place one by one, complete: a server that starts meanwhile never reads half a file. Types are checked by `npm test`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './node.mjs'

const source = join(root, 'src')
const target = join(root, 'dist')
const stamp = join(target, '.built')

/** Every file below a directory. */
function filesBelow(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

/** True when `dist` is there and not older than any source. A package without sources is always fresh. */
export function isFresh() {
  if (!existsSync(join(target, 'main.js'))) return false
  if (!existsSync(source)) return true
  if (!existsSync(stamp)) return false
  const built = statSync(stamp).mtimeMs
  return filesBelow(source).every((path) => statSync(path).mtimeMs <= built)
}

/** True when the compiler is installed. */
export function canBuild() {
  return existsSync(source) && existsSync(compiler())
}

function compiler() {
  return join(root, 'node_modules', 'typescript', 'bin', 'tsc')
}

/** Builds; returns true when `dist` stands. */
export function build() {
  const began = new Date()
  const fresh = join(root, `.dist-${process.pid}`)
  const args = [compiler(), '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh, '--noCheck']
  const run = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (run.status === 0) putInPlace(fresh)
  rmSync(fresh, { recursive: true, force: true })
  if (run.status !== 0) return false
  writeFileSync(stamp, '')
  // A source changed during the build is newer than the build.
  utimesSync(stamp, began, began)
  return true
}

function putInPlace(fresh) {
  const built = new Set(filesBelow(fresh).map((path) => relative(fresh, path)))
  for (const path of built) {
    mkdirSync(dirname(join(target, path)), { recursive: true })
    renameSync(join(fresh, path), join(target, path))
  }
  for (const path of filesBelow(target)) {
    if (path !== stamp && !built.has(relative(target, path))) rmSync(path, { force: true })
  }
}

function main() {
  if (canBuild()) process.exit(build() ? 0 : 1)
  const prepared = process.env.npm_lifecycle_event === 'prepare'
  if (existsSync(join(target, 'main.js'))) {
    console.error('TypeScript is not installed: dist is kept as it is.')
    process.exit(0)
  }
  console.error('TypeScript is not installed: dist cannot be built (npm ci without --omit=dev).')
  process.exit(prepared ? 0 : 1)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
