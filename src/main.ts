/**
 * From the words on the command line to an exit code. Parts are joined here and loaded only by the command that needs them, so that
 * `--help` and `config check` answer at once. What the server consists of is `app.ts`.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { addAccountCommands } from './cli/account.ts'
import { addAppCommands } from './cli/app.ts'
import { addAuditCommands } from './cli/audit.ts'
import { addConfigCommands, loadOrRefuse } from './cli/config.ts'
import { addDoctorCommand } from './cli/doctor.ts'
import { addKeyCommands } from './cli/key.ts'
import { addLoginCommands } from './cli/login.ts'
import { createProgram, runProgram } from './cli/program.ts'
import { addRegistrationTokenCommands } from './cli/registration-token.ts'
import { addServeCommand } from './cli/serve.ts'
import { createSignIns } from './cli/sign-ins.ts'
import { addSigningKeysCommands } from './cli/signing-keys.ts'
import { addSubjectLinkCommands } from './cli/subject-link.ts'
import { addTokenCommands } from './cli/token.ts'
import { addStoreCommands } from './cli/whole-store.ts'
import { loadConfig, personDirectory } from './config/load.ts'
import { randomId } from './secrets.ts'
import { isWorker, runWorkers } from './workers.ts'

const words = process.argv.slice(2)
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
const now = () => Date.now()

const program = createProgram({ version })
addServeCommand(program, {
  load: loadConfig,
  start: async (config, options) => (await import('./app.ts')).startServer(config, options),
  runWorkers: (count) => runWorkers(count, words, ['serve', '--quiet']),
  isWorker,
})
addConfigCommands(program, { judge: async (config) => (await import('./registry.ts')).judgeApps(config) })
const openCore = async () => (await import('./core.ts')).openCore(loadOrRefuse().config)
addAccountCommands(program, async () => (await import('./people.ts')).openPeople(loadOrRefuse().config))
addAppCommands(program, openCore)
addKeyCommands(program, openCore)
addRegistrationTokenCommands(program, openCore)
addSubjectLinkCommands(program, openCore)
addSigningKeysCommands(program, openCore)
addAuditCommands(program, openCore)
addStoreCommands(program, openCore)
const desk = {
  signIns: createSignIns(personDirectory(), () => randomId(8)),
  fetch,
  now,
  pause: (milliseconds: number) => pause(milliseconds),
  isAttended: process.stdin.isTTY === true && process.stderr.isTTY === true,
}
addLoginCommands(program, desk)
addTokenCommands(program, desk)
addDoctorCommand(program, { load: loadConfig, now, nodeVersion: process.versions.node })

const code = await runProgram(program, words)
// What was written must be out before the process ends; a server's idle connections must not keep it.
process.stdout.write('', () => process.exit(code))
