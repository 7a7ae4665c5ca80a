/**
 * `npm start` and `npm run dev`: the server through the launcher.
 */
import { launch } from './launch.mjs'

process.exitCode = await launch(process.argv.slice(2))
