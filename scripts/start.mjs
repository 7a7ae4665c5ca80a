/**
 * `npm start` and `npm run dev`: the server through the launcher, with the words npm gives.
 * Which Node runs it and when it is built first is decided in `launch.mjs`.
 */
import { launch } from './launch.mjs'

process.exitCode = await launch(process.argv.slice(2))
