/**
 * Runs a TypeScript script of this project with the right Node: `node scripts/run.mjs <script.ts> [arguments]`.
 */
import { requireNode, root, runForeground } from './node.mjs'

const args = ['--disable-warning=ExperimentalWarning'].concat(process.argv.slice(2))
process.exitCode = await runForeground(requireNode(), args, { cwd: root })
