/**
 * The launcher behind `npm start`, `npm run dev` and `npx licet`: picks the right Node, builds when the sources are newer, starts
 * `dist/main.js` and passes signals on. Images and units run `node dist/main.js` directly and need none of this.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { build, canBuild, isFresh } from './build.mjs'
import { requireNode, root, runForeground } from './node.mjs'

const WATCH = '--watch'

/** What to run: the compiled server, or the sources where they are wanted or all there is. */
function program(watch) {
  if (watch) return ['--watch', '--disable-warning=ExperimentalWarning', join(root, 'src', 'main.ts')]
  if (!isFresh() && canBuild() && !build()) {
    console.error('The build failed; see above.')
    process.exit(1)
  }
  if (existsSync(join(root, 'dist', 'main.js'))) return [join(root, 'dist', 'main.js')]
  return ['--disable-warning=ExperimentalWarning', join(root, 'src', 'main.ts')]
}

/** Runs Licet with these arguments; resolves to the exit code. */
export function launch(args) {
  const node = requireNode()
  // argon2 fills libuv's pool, which also signs tokens: more threads than hashes may run at once.
  const env = Object.assign({ UV_THREADPOOL_SIZE: '8' }, process.env)
  const rest = args.filter((arg) => arg !== WATCH)
  return runForeground(node, program(args.includes(WATCH)).concat(rest), { env })
}
